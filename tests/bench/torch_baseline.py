#!/usr/bin/env python3
"""torch_baseline.py - the training step of bench_train.c in PyTorch and transformers.

The same model (random weights), the same 16 sequences of 256 tokens, AdamW, clipping, and
scaled_dot_product_attention. Prints tokens/s for 1 and 2 threads. Run it together with bench_train:

    python3 tests/bench/torch_baseline.py [SECONDS [SEQUENCES LENGTH]]
SPDX-License-Identifier: Apache-2.0
"""
import sys
import time

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    n, length = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (16, 256)
    config = Qwen3Config(hidden_size=128, intermediate_size=368, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=4, head_dim=32, vocab_size=320, max_position_embeddings=4096,
                         tie_word_embeddings=True, use_cache=False)
    config._attn_implementation = "sdpa"
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        model = Qwen3ForCausalLM(config).float().train()
        ids = torch.randint(0, 320, (n, length + 1))
        inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].reshape(-1)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.01,
                                      fused=True)

        def step():
            optimizer.zero_grad(set_to_none=True)
            logits = model(inputs).logits
            loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 320), targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

        for _ in range(3):
            step()
        spent, updates, best = 0.0, 0, 0.0
        cpu = time.process_time()
        while spent < seconds:
            begin = time.perf_counter()
            step()
            took = time.perf_counter() - begin
            spent += took
            updates += 1
            best = max(best, n * length / took)
        cpu = time.process_time() - cpu
        total = sum(p.numel() for p in model.parameters())
        print(f"torch {torch.__version__} {n} x {length}, {total} parameters, {threads} threads: "
              f"{updates * n * length / spent:.0f} tok/s (best update {best:.0f}), "
              f"{updates * n * length / cpu:.0f} tok/CPU-s")


if __name__ == "__main__":
    main()
