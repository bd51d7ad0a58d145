#!/usr/bin/env python3
"""trl_baseline.py - one GRPO step of TRL's GRPOTrainer, compared with bench_grpo.

The model of bench_grpo.c (random weights, the same shape), 16 prompts of 64 ids with 16 completions
of 64 ids each, sampled at temperature 1 over the full vocabulary; reward, group advantages, one
update of all 256 (no reference model, no evaluation). TRL generates with transformers, because
vLLM does not run on this CPU. Its options are the fastest ones: fp32, no gradient checkpointing, one
forward of all 256, no logging, no saving.

With --ours PROGRAM, bench_grpo is measured after each figure, in the same state of the machine, and
the ratios of wall time and CPU time are printed.

    trl_baseline.py [--threads 2] [--steps 5] [--batch 256] [--ours build/release/tests/bench/bench_grpo] [--json]

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import random
import subprocess
import tempfile
import time
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
warnings.filterwarnings("ignore")

import torch
import transformers
import trl
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from trl import GRPOConfig, GRPOTrainer

VOCAB, PROMPTS, GROUP, PROMPT, TOKENS = 320, 16, 16, 64, 64
SHAPE = dict(hidden_size=128, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=4, head_dim=32, vocab_size=VOCAB, max_position_embeddings=1024,
             rope_theta=10000.0, rms_norm_eps=1e-6, tie_word_embeddings=True, bos_token_id=None,
             eos_token_id=1, pad_token_id=0)


def make_tokenizer():
    """One word per id: encoding the decoded text gives the same ids."""
    t = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCAB)}, unk_token="w2"))
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=t, pad_token="w0", eos_token="w1", unk_token="w2",
                                   padding_side="left")


def make_model():
    config = Qwen3Config(**SHAPE)
    config._attn_implementation = "sdpa"
    torch.manual_seed(1)
    return Qwen3ForCausalLM(config).float()


def reward(completion_ids, **_):
    assert all(len(ids) == TOKENS for ids in completion_ids), "a completion ended early"
    return [sum(i % 2 for i in ids) / len(ids) for ids in completion_ids]


class Clock(TrainerCallback):
    def __init__(self):
        self.marks = []

    def on_train_begin(self, *_, **__):
        self.marks.append((time.perf_counter(), time.process_time()))

    def on_step_end(self, *_, **__):
        self.marks.append((time.perf_counter(), time.process_time()))


def make_trainer(a, folder, clock):
    draw = random.Random(1)
    rows = [" ".join(f"w{draw.randrange(3, VOCAB)}" for _ in range(PROMPT)) for _ in range(PROMPTS * (a.steps + 2))]
    config = GRPOConfig(
        output_dir=folder, use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False, report_to=[],
        per_device_train_batch_size=a.batch, gradient_accumulation_steps=PROMPTS * GROUP // a.batch,
        num_generations=GROUP, max_completion_length=TOKENS, max_steps=a.steps + 1,
        beta=0.0, num_iterations=1, temperature=1.0, top_p=1.0, top_k=0,
        generation_kwargs={"min_new_tokens": TOKENS}, learning_rate=1e-6, lr_scheduler_type="constant",
        optim="adamw_torch_fused", save_strategy="no", logging_strategy="no", log_completions=False, seed=1,
        dataloader_num_workers=0, disable_tqdm=True)
    trainer = GRPOTrainer(model=make_model(), processing_class=make_tokenizer(), reward_funcs=reward, args=config,
                          train_dataset=Dataset.from_dict({"prompt": rows}), callbacks=[clock])
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    return trainer


def watch_generation(trainer):
    """Measures the seconds of each generation, to split the step; does not change the trainer."""
    spent, inner = [], trainer._generate_and_score_completions

    def timed(inputs):
        begin = time.perf_counter()
        out = inner(inputs)
        spent.append(time.perf_counter() - begin)
        return out

    trainer._generate_and_score_completions = timed
    return spent


def measure(a):
    torch.set_num_threads(a.threads)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(a, folder, clock)
        spent = watch_generation(trainer)
        trainer.train()
    steps = [(w1 - w0, c1 - c0, g) for (w0, c0), (w1, c1), g in zip(clock.marks, clock.marks[1:], spent)][1:]
    wall, _, play = min(steps)
    return dict(bench="trl_step", threads=a.threads, completions=PROMPTS * GROUP, prompt=PROMPT, tokens=TOKENS,
                step_s=round(wall, 3), rollout_s=round(play, 3), train_s=round(wall - play, 3),
                cpu_s=round(min(c for _, c, _ in steps), 3))


def ours(a):
    out = subprocess.run([a.ours, "--json", "--threads", str(a.threads), "--steps", str(a.steps), "--prompts",
                          str(PROMPTS), "--group", str(GROUP), "--prompt", str(PROMPT), "--tokens", str(TOKENS)],
                         check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--batch", type=int, default=256, help="completions in one forward of the update")
    p.add_argument("--ours")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    rows = [measure(a)]
    for line in ours(a) if a.ours else []:
        line.update({f"ratio_{k}": round(rows[0][f"{k}_s"] / line[f"{k}_s"], 2)
                     for k in ("step", "rollout", "train", "cpu")})
        rows.append(line)
    if not a.json:
        print(f"torch {torch.__version__}, transformers {transformers.__version__}, trl {trl.__version__}")
    for row in rows:
        print(json.dumps(row) if a.json else " ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
