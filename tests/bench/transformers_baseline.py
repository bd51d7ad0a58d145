#!/usr/bin/env python3
"""transformers_baseline.py - decoding in transformers and in a plain PyTorch loop.

The model of bench_decode.c (random weights, the same shape), the same prompts of 16 and replies
of 128 tokens, sampled at temperature 1 over the full vocabulary. Baselines:
  generate  transformers' generate(), all sessions as one batch
  loop      the transformer written out in PyTorch: fused q/k/v and gate/up, a static KV cache written
            in place, no module calls, sampling by exponential noise; one batch in lockstep

With --ours PROGRAM, bench_decode is measured after each figure, in the same state of the machine, and
the ratio is printed. Rates are tokens/s and tokens per CPU second of the process.

    transformers_baseline.py [--sessions 1,64,256] [--threads 2] [--tokens 128] [--seconds 3]
                             [--only generate|loop] [--ours build/release/tests/bench/bench_decode] [--json]
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import subprocess
import time

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

PROMPT = 16
SHAPE = dict(hidden_size=128, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=4, head_dim=32, vocab_size=320, max_position_embeddings=4096,
             rope_theta=10000.0, rms_norm_eps=1e-6, tie_word_embeddings=True)


def make_model():
    config = Qwen3Config(**SHAPE)
    config._attn_implementation = "sdpa"
    torch.manual_seed(1)
    return Qwen3ForCausalLM(config).float().eval()


def generate_run(model, sessions, tokens):
    prompt = torch.randint(0, SHAPE["vocab_size"], (sessions, PROMPT))
    mask = torch.ones_like(prompt)

    def run():
        out = model.generate(prompt, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0,
                             top_p=1.0, max_new_tokens=tokens, min_new_tokens=tokens, eos_token_id=None,
                             pad_token_id=0, use_cache=True)
        assert out.shape[1] == PROMPT + tokens
    return run


class Loop:
    """The forward pass without modules; the weights are those of the module."""

    def __init__(self, model, sessions, tokens):
        c = model.config
        self.H, self.G, self.D = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self.B, self.tokens, self.eps = sessions, tokens, c.rms_norm_eps
        self.layers = []
        for layer in model.model.layers:
            a, m = layer.self_attn, layer.mlp
            self.layers.append((
                layer.input_layernorm.weight, torch.cat([a.q_proj.weight, a.k_proj.weight, a.v_proj.weight]).t()
                .contiguous(), a.q_norm.weight, a.k_norm.weight, a.o_proj.weight.t().contiguous(),
                layer.post_attention_layernorm.weight,
                torch.cat([m.gate_proj.weight, m.up_proj.weight]).t().contiguous(),
                m.down_proj.weight.t().contiguous()))
        self.embed = model.model.embed_tokens.weight
        self.head = self.embed.t().contiguous()
        self.norm = model.model.norm.weight
        n = PROMPT + tokens
        angle = torch.outer(torch.arange(n).float(),
                            1.0 / 10000.0 ** (torch.arange(0, self.D, 2).float() / self.D))
        self.cos, self.sin = torch.cat([angle, angle], 1).cos(), torch.cat([angle, angle], 1).sin()
        self.kv = [(torch.zeros(sessions, self.G, n, self.D), torch.zeros(sessions, self.G, n, self.D))
                   for _ in self.layers]
        self.prompt = torch.randint(0, c.vocab_size, (sessions, PROMPT))
        self.noise = torch.empty(sessions, c.vocab_size)

    def rms(self, x, w):
        return torch.nn.functional.rms_norm(x, (x.shape[-1],), w, self.eps)

    def turn(self, x, pos, n):
        cos, sin = self.cos[pos:pos + n], self.sin[pos:pos + n]
        half = self.D // 2
        return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin

    def forward(self, ids, pos):
        n = ids.shape[1]
        B, H, G, D = self.B, self.H, self.G, self.D
        x = self.embed[ids]
        for (n1, qkv, qn, kn, o, n2, gu, down), (K, V) in zip(self.layers, self.kv):
            y = (self.rms(x, n1) @ qkv).view(B, n, H + 2 * G, D)
            q = self.turn(self.rms(y[:, :, :H], qn).transpose(1, 2), pos, n)
            K[:, :, pos:pos + n] = self.turn(self.rms(y[:, :, H:H + G], kn).transpose(1, 2), pos, n)
            V[:, :, pos:pos + n] = y[:, :, H + G:].transpose(1, 2)
            att = torch.nn.functional.scaled_dot_product_attention(
                q, K[:, :, :pos + n], V[:, :, :pos + n], is_causal=n > 1, enable_gqa=G != H)
            x = torch.add(x, att.transpose(1, 2).reshape(B, n, H * D) @ o)
            g, u = (self.rms(x, n2) @ gu).chunk(2, -1)
            x = torch.add(x, (torch.nn.functional.silu(g) * u) @ down)
        return self.rms(x[:, -1], self.norm) @ self.head

    @torch.inference_mode()
    def __call__(self):
        ids, pos = self.prompt, 0
        for _ in range(self.tokens):
            logits = self.forward(ids, pos)
            pos += ids.shape[1]
            # argmax(p / e) with exponential e samples from p, and is cheaper than multinomial
            ids = (torch.softmax(logits, -1) / self.noise.exponential_(1.0)).argmax(-1, keepdim=True)


def measure(run, tokens, seconds):
    run()
    spent = cpu = 0.0
    count = 0
    while spent < seconds:
        begin, cpu_begin = time.perf_counter(), time.process_time()
        run()
        spent += time.perf_counter() - begin
        cpu += time.process_time() - cpu_begin
        count += tokens
    return count / spent, count / cpu


def ours(program, sessions, threads, a):
    out = subprocess.run([program, "--json", "--sessions", str(sessions), "--threads", str(threads),
                          "--tokens", str(a.tokens), "--seconds", str(a.seconds)],
                         check=True, capture_output=True, text=True).stdout
    line = json.loads(out.splitlines()[-1])
    return line["tokens_per_s"], line["tokens_per_cpu_s"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sessions", default="1,64,256")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--tokens", type=int, default=128)
    p.add_argument("--seconds", type=float, default=3.0)
    p.add_argument("--only", choices=["generate", "loop"])
    p.add_argument("--ours")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    model = make_model()
    if not a.json:
        print(f"torch {torch.__version__}, {sum(w.numel() for w in model.parameters())} parameters")
    for kind in ("generate", "loop"):
        if a.only and kind != a.only:
            continue
        threads = a.threads if kind == "generate" else 1  # the loop is measured on one thread
        torch.set_num_threads(threads)
        for sessions in map(int, a.sessions.split(",")):
            run = generate_run(model, sessions, a.tokens) if kind == "generate" else Loop(model, sessions, a.tokens)
            rate, per_cpu = measure(run, sessions * a.tokens, a.seconds)
            row = dict(bench="baseline", kind=kind, sessions=sessions, threads=threads,
                       tokens_per_s=round(rate), tokens_per_cpu_s=round(per_cpu))
            if a.ours:
                row["ours_per_s"], row["ours_per_cpu_s"] = ours(a.ours, sessions, threads, a)
                row["ratio"] = round(row["ours_per_s"] / rate, 2)
                row["ratio_cpu"] = round(row["ours_per_cpu_s"] / per_cpu, 2)
            if a.json:
                print(json.dumps(row), flush=True)
            else:
                print(" ".join(f"{k} {v}" for k, v in row.items() if k != "bench"), flush=True)


if __name__ == "__main__":
    main()
