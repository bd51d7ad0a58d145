#!/usr/bin/env python3
"""torch_recipe.py - the GRPO recipe of `train grpo --env ledger` in plain PyTorch, one thread.

The model is the same (the weights of the embedded base), and so are the rules of the ledger. An update
has 10 groups of 16 episodes of 10 orders, with separate faults for each episode, at temperature 1.2.
The advantage of an order is its verdict minus the cost of calls, relative to the group mean, divided by
the deviation of the batch; orders whose verdicts all agree are excluded. One epoch, minibatches of 512
chains, PPO clip .2/.28, AdamW. It is as fast as eager PyTorch allows: fused q/k/v and gate/up, a static
KV cache, no module calls, the head only at sampled tokens, finished episodes are removed from the batch,
chains are sorted by length for training. Random numbers and therefore episodes differ from ours; shapes
and proportions are equal.

Prints tokens per CPU second of the process, for rollouts (with environment and sampling) and for
training (sampled tokens of trained chains). With --ours PROGRAM it also measures `troupe train grpo
--threads 1` in the same state of the machine, and prints the ratios.

    torch_recipe.py [--updates 6] [--model models/embedded/base] [--ours build/release/runtime/app/troupe] [--json]

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import math
import os
import random
import resource
import subprocess
import tempfile
import time

import torch
from transformers import AutoTokenizer, Qwen3ForCausalLM

F = torch.nn.functional
GROUPS, GROUP, HORIZON, TEMPERATURE, COST, MINIBATCH = 10, 16, 10, 1.2, .003, 512
MAX_CALLS, MAX_REPLY, LENGTH = 10, 8, 160
LR, WARMUP, CLIP_LOW, CLIP_HIGH = 1e-4, 5, .2, .28
MICRO_TOKENS = 2048  # per forward and backward; of 1024 to 8192, this fits the cache best


# ---- the environment: the ledger's compact text, as ids

class Words:
    def __init__(self, tokenizer):
        for name in "ORD GET SET UNDO NEXT OK ERR CHECK YES NO".split():
            setattr(self, name, tokenizer.convert_tokens_to_ids(name))
        self.bar, self.semi, self.gt = ord("|"), ord(";"), ord(">")


class Chain:
    """One order as the model read it."""

    def __init__(self, prompt):
        self.ids, self.at, self.logp = prompt, [], []  # at: positions of the sampled ids
        self.right, self.calls, self.advantage = False, 0, 0.


class Episode:
    """One ledger. Its answers are lists of ids to feed next."""

    def __init__(self, w, task, faults, noise):
        self.w, self.noise, self.task, self.faults = w, noise, random.Random(task), random.Random(faults)
        self.account = [self.task.randrange(100) for _ in range(8)]
        self.order = -1
        self.chains = []  # one per order
        self.done = False
        self.begin_order()

    def begin_order(self):
        w = self.w
        self.order += 1
        self.key, amount, minus = self.task.randrange(8), 1 + self.task.randrange(9), self.task.random() < .5
        self.start = list(self.account)
        self.want = list(self.account)
        self.want[self.key] = (self.want[self.key] + (-amount if minus else amount)) % 100
        self.reply = []
        self.pending = [w.ORD, 97 + self.key, ord("-" if minus else "+"), 48 + amount, w.bar]
        self.chains.append(Chain(list(self.pending)))

    def two(self, v):
        return [48 + v // 10, 48 + v % 10]

    def write(self, key, value):
        if self.faults.random() < self.noise:
            kind = self.faults.randrange(3)
            if kind == 0:
                return
            if kind == 1:
                value = (value + 1 + self.faults.randrange(99)) % 100
            else:
                key = (key + 1 + self.faults.randrange(7)) % 8
        self.account[key] = value

    def call(self, ids):
        """The answer to a call; None if the call ended the order."""
        w, n = self.w, len(ids)
        key = ids[1] - 97 if n > 2 and 97 <= ids[1] < 105 else None
        value = None
        if n == 5 and all(48 <= i < 58 for i in ids[2:4]):
            value = 10 * (ids[2] - 48) + ids[3] - 48
        if ids[-1] != w.semi:
            return [w.ERR]
        if n == 2 and ids[0] == w.NEXT:
            return None
        if n == 2 and ids[0] == w.UNDO:
            self.account = list(self.start)
            return [w.OK]
        if n == 3 and ids[0] == w.GET and key is not None:
            return self.two(self.account[key])
        if ids[0] == w.SET and key is not None and value is not None:
            self.write(key, value)
            return [w.OK]
        if ids[0] == w.CHECK and key is not None and value is not None:
            return [w.YES if self.account[key] == value else w.NO] + self.two(self.account[key])
        return [w.ERR]

    def took(self, token, logp):
        """Adds one sampled id and, after a call, the answer, to the ids to feed; True if an order ended."""
        chain = self.chains[-1]
        chain.at.append(len(chain.ids))
        chain.ids.append(token)
        chain.logp.append(logp)
        self.reply.append(token)
        self.pending = [token]
        if token != self.w.semi and len(self.reply) < MAX_REPLY:
            return False
        chain.calls += 1
        answer, self.reply = self.call(self.reply), []
        over = chain.calls > MAX_CALLS
        if answer is None or over:
            chain.right = not over and self.account == self.want
            self.done = over or self.order + 1 == HORIZON
            if not self.done:
                self.begin_order()
            return True
        answer = [self.w.gt] + answer + [self.w.bar]
        chain.ids += answer
        self.pending += answer
        return False


# ---- the model, without modules

class Net:
    def __init__(self, folder):
        m = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
        c = m.config
        self.H, self.D, self.eps, self.n_layers = c.num_attention_heads, c.head_dim, c.rms_norm_eps, c.num_hidden_layers
        assert c.num_key_value_heads == self.H and c.tie_word_embeddings
        self.layers = []
        for layer in m.model.layers:
            a, f = layer.self_attn, layer.mlp
            self.layers.append([p.detach().clone().contiguous().requires_grad_() for p in (
                layer.input_layernorm.weight, torch.cat([a.q_proj.weight, a.k_proj.weight, a.v_proj.weight]),
                a.q_norm.weight, a.k_norm.weight, a.o_proj.weight, layer.post_attention_layernorm.weight,
                torch.cat([f.gate_proj.weight, f.up_proj.weight]), f.down_proj.weight)])
        self.embed = m.model.embed_tokens.weight.detach().clone().requires_grad_()
        self.norm = m.model.norm.weight.detach().clone().requires_grad_()
        theta = float((getattr(c, "rope_parameters", None) or {}).get("rope_theta", 10000.0))
        angle = torch.outer(torch.arange(LENGTH).float(),
                            1.0 / theta ** (torch.arange(0, self.D, 2).float() / self.D))
        self.cos, self.sin = torch.cat([angle, angle], 1).cos(), torch.cat([angle, angle], 1).sin()

    def parameters(self):
        return [self.embed, self.norm] + [p for layer in self.layers for p in layer]

    def rms(self, x, w):
        return F.rms_norm(x, (x.shape[-1],), w, self.eps)

    @staticmethod
    def turn(x, cos, sin):
        half = x.shape[-1] // 2
        return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin

    def step(self, ids, pos, kv):
        """One id per row at its own position, with the cache; returns the hidden states."""
        B, n = ids.shape[0], int(pos.max()) + 1
        rows = torch.arange(B)
        cos, sin = self.cos[pos][:, None], self.sin[pos][:, None]
        mask = (torch.arange(n)[None] <= pos[:, None])[:, None, None]
        x = self.embed[ids]
        for (n1, qkv, qn, kn, o, n2, gu, down), (K, V) in zip(self.layers, kv):
            y = (self.rms(x, n1) @ qkv.t()).view(B, 3, self.H, self.D)
            q = self.turn(self.rms(y[:, 0], qn), cos, sin)
            K[rows, :, pos] = self.turn(self.rms(y[:, 1], kn), cos, sin)
            V[rows, :, pos] = y[:, 2]
            att = F.scaled_dot_product_attention(q[:, :, None], K[:, :, :n], V[:, :, :n], attn_mask=mask)
            x = torch.add(x, att.reshape(B, -1) @ o.t())
            g, u = (self.rms(x, n2) @ gu.t()).chunk(2, -1)
            x = torch.add(x, (F.silu(g) * u) @ down.t())
        return x

    def forward(self, ids):
        """(B, T) ids from position 0; hidden states. Rows end in padding, which no earlier position attends to."""
        B, T = ids.shape
        cos, sin = self.cos[:T], self.sin[:T]
        x = self.embed[ids]
        for n1, qkv, qn, kn, o, n2, gu, down in self.layers:
            q, k, v = (self.rms(x, n1) @ qkv.t()).view(B, T, 3, self.H, self.D).permute(2, 0, 3, 1, 4)
            att = F.scaled_dot_product_attention(self.turn(self.rms(q, qn), cos, sin),
                                                 self.turn(self.rms(k, kn), cos, sin), v, is_causal=True)
            x = torch.add(x, att.transpose(1, 2).reshape(B, T, -1) @ o.t())
            g, u = (self.rms(x, n2) @ gu.t()).chunk(2, -1)
            x = torch.add(x, (F.silu(g) * u) @ down.t())
        return x

    def logits(self, x):
        return self.rms(x, self.norm) @ self.embed.t() / TEMPERATURE


# ---- rollouts

@torch.inference_mode()
def play(net, w, update, noise):
    episodes = [Episode(w, f"{update}/{g}", f"{update}/{g}/{m}", noise) for g in range(GROUPS) for m in range(GROUP)]
    alive = list(episodes)
    kv = [tuple(torch.zeros(len(alive), net.H, LENGTH, net.D) for _ in range(2)) for _ in range(net.n_layers)]
    pos = [0] * len(alive)
    while alive:
        # A finished row feeds id 0 at position 0 until enough other rows are finished.
        ids = [0 if e.done else e.pending.pop(0) for e in alive]
        x = net.step(torch.tensor(ids), torch.tensor(pos), kv)
        need = [i for i, e in enumerate(alive) if not e.done and not e.pending]
        pos = [0 if e.done else p + 1 for e, p in zip(alive, pos)]
        if not need:
            continue
        logits = net.logits(x[need])
        # argmax(p / e) with exponential e samples from p, and is cheaper than multinomial
        drawn = (torch.softmax(logits, -1) / torch.empty_like(logits).exponential_(1.0)).argmax(-1)
        logp = torch.log_softmax(logits, -1).gather(1, drawn[:, None])[:, 0]
        for i, token, lp in zip(need, drawn.tolist(), logp.tolist()):
            if alive[i].took(token, lp):
                pos[i] = 0
        done = [e.done for e in alive]
        if sum(done) * 4 >= len(alive):
            keep = [i for i, d in enumerate(done) if not d]
            alive, pos = [alive[i] for i in keep], [pos[i] for i in keep]
            kv = [(K[keep], V[keep]) for K, V in kv]
    return episodes


# ---- credit and update

def assign(episodes):
    """Advantages of the orders whose verdicts differ, as in credit.h (step, batch)."""
    cells, kept = {}, []
    for i, e in enumerate(episodes):
        for k, chain in enumerate(e.chains):
            cells.setdefault((i // GROUP, k), []).append(chain)
    for cell in cells.values():
        rewards = [c.right - COST * c.calls for c in cell]
        mean = sum(rewards) / len(rewards)
        for c, r in zip(cell, rewards):
            c.advantage = r - mean
        if 0 < sum(c.right for c in cell) < len(cell):
            kept += cell
    everything = [c.advantage for cell in cells.values() for c in cell]
    deviation = math.sqrt(sum(a * a for a in everything) / max(1, len(everything))) + 1e-6
    for c in kept:
        c.advantage /= deviation
    return kept


def micro_batches(chains):
    """Chains sorted by length, to reduce padding."""
    chains = sorted(chains, key=lambda c: len(c.ids))
    at = 0
    while at < len(chains):
        n = 1
        while at + n < len(chains) and (n + 1) * len(chains[at + n].ids) <= MICRO_TOKENS:
            n += 1
        yield chains[at:at + n]
        at += n


def loss_of(net, chains):
    T = len(chains[-1].ids) - 1
    ids = torch.tensor([(c.ids + [0] * T)[:T] for c in chains])
    rows = torch.tensor([i for i, c in enumerate(chains) for _ in c.at])
    cols = torch.tensor([t - 1 for c in chains for t in c.at])
    targets = torch.tensor([c.ids[t] for c in chains for t in c.at])
    old = torch.tensor([v for c in chains for v in c.logp])
    adv = torch.tensor([c.advantage for c in chains for _ in c.at])
    logp = -F.cross_entropy(net.logits(net.forward(ids)[rows, cols]), targets, reduction="none")
    ratio = torch.exp(logp - old)
    gap = (logp.detach() - old).abs().max().item()
    return -torch.min(ratio * adv, ratio.clamp(1 - CLIP_LOW, 1 + CLIP_HIGH) * adv).sum(), gap


def update(net, optimizer, chains):
    """Token mean over each minibatch; returns trained tokens and the first gap of log-probs."""
    tokens, gap = 0, None
    for at in range(0, len(chains), MINIBATCH):
        batch = chains[at:at + MINIBATCH]
        n = sum(len(c.at) for c in batch)
        optimizer.zero_grad(set_to_none=True)
        for micro in micro_batches(batch):
            loss, g = loss_of(net, micro)
            (loss / n).backward()
            gap = max(gap or 0, g) if at == 0 else gap
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        tokens += n
    return tokens, gap


# ---- measuring

def measure(a, folder):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    w = Words(AutoTokenizer.from_pretrained(folder))
    net = Net(folder)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, betas=(.9, .95), weight_decay=0, fused=True)
    total = dict(sampled=0, trained=0, rollout_cpu_s=0., train_cpu_s=0.)
    for u in range(a.updates + 1):
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1, (u + 1) / WARMUP)
        begin = time.process_time()
        episodes = play(net, w, u, .2)
        middle = time.process_time()
        chains = assign(episodes)
        trained, gap = update(net, optimizer, chains)
        end = time.process_time()
        every = [c for e in episodes for c in e.chains]
        if a.verbose:
            print(f"# update {u + 1}: steps {sum(c.right for c in every) / len(every):.3f}, calls "
                  f"{sum(c.calls for c in every) / len(every):.2f}, sampled {sum(len(c.at) for c in every)}, "
                  f"trained {trained} of {len(chains)} chains, gap {gap}", flush=True)
        if u == 0:
            continue  # warms up caches and allocator
        total["sampled"] += sum(len(c.at) for c in every)
        total["trained"] += trained
        total["rollout_cpu_s"] += middle - begin
        total["train_cpu_s"] += end - middle
    return total


def ours(a, folder):
    with tempfile.TemporaryDirectory() as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        subprocess.run([a.ours, "train", "grpo", "--env", "ledger", "--model", folder, "--out", os.path.join(out, "t"),
                        "--threads", "1", "--updates", str(a.updates + 1), "--eval-every", "0", "--probe-floor", "0",
                        "--keep-rollouts", "0", "--refills", "0", "--checkpoint-every", "0", "--seed", "1", "--quiet"],
                       check=True, capture_output=True)
        wall = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        with open(os.path.join(out, "t/metrics.jsonl"), encoding="utf-8") as f:
            lines = [line for line in map(json.loads, f) if "rollout_s" in line][1:]
    # The program reports wall time; its share of CPU time is the same in both phases.
    share = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / wall
    return dict(sampled=sum(m["sampled"] for m in lines), trained=sum(m.get("trained", 0) for m in lines),
                rollout_cpu_s=share * sum(m["rollout_s"] for m in lines),
                train_cpu_s=share * sum(m["train_s"] for m in lines))


def rates(name, t):
    return dict(bench="recipe", who=name, sampled=t["sampled"], trained=t["trained"],
                rollout_tok_per_cpu_s=round(t["sampled"] / t["rollout_cpu_s"]),
                train_tok_per_cpu_s=round(t["trained"] / t["train_cpu_s"]),
                rollout_cpu_s=round(t["rollout_cpu_s"], 3), train_cpu_s=round(t["train_cpu_s"], 3))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--updates", type=int, default=6, help="measured updates, after one that is not measured")
    p.add_argument("--model", default="models/embedded/base")
    p.add_argument("--ours")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    theirs = rates("torch " + torch.__version__, measure(a, a.model))
    rows = [theirs]
    if a.ours:
        mine = rates("troupe", ours(a, a.model))
        for phase in ("rollout", "train"):
            mine[f"ratio_{phase}"] = round(mine[f"{phase}_tok_per_cpu_s"] / theirs[f"{phase}_tok_per_cpu_s"], 2)
        # The whole recipe: PyTorch's time for our tokens, divided by our time.
        mine["ratio_recipe"] = round(
            (mine["sampled"] / theirs["rollout_tok_per_cpu_s"] + mine["trained"] / theirs["train_tok_per_cpu_s"])
            / (mine["rollout_cpu_s"] + mine["train_cpu_s"]), 2)
        rows.append(mine)
    for row in rows:
        print(json.dumps(row) if a.json else " ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
