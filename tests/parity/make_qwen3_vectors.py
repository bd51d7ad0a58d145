#!/usr/bin/env python3
"""make_qwen3_vectors.py - small random Qwen3 checkpoints with logits and gradients.

Writes tests/fixtures/qwen3/CASE/: config.json and safetensors as transformers saves them, and
vectors.safetensors: the token ids of two sequences, the mask of trained positions, logits in fp32,
the loss (mean over trained positions of both sequences) and its gradient for every weight.
Run where torch and transformers are installed (made with torch 2.15, transformers 5.23, CPU):

    python3 tests/parity/make_qwen3_vectors.py
SPDX-License-Identifier: Apache-2.0
"""
import copy
import os
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import Qwen3Config, Qwen3ForCausalLM

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "qwen3"
CASES = {
    "tied": dict(seed=1, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
                 num_key_value_heads=2, head_dim=16, vocab_size=96, tie_word_embeddings=True,
                 rope_theta=10000.0, dtype=torch.float32, shard="1GB"),
    "untied_gqa": dict(seed=2, hidden_size=48, intermediate_size=64, num_hidden_layers=2,
                       num_attention_heads=4, num_key_value_heads=2, head_dim=16, vocab_size=100,
                       tie_word_embeddings=False, rope_theta=1000000.0, dtype=torch.float32, shard="1GB"),
    "bf16_sharded": dict(seed=3, hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                         num_attention_heads=6, num_key_value_heads=2, head_dim=8, vocab_size=128,
                         tie_word_embeddings=True, rope_theta=1000000.0, dtype=torch.bfloat16,
                         shard="20KB"),
}
LENGTHS = (37, 20)


def make(name, seed, dtype, shard, rope_theta, **shape):
    torch.manual_seed(seed)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = Qwen3Config(max_position_embeddings=128, rms_norm_eps=1e-6, attention_bias=False,
                         rope_parameters={"rope_type": "default", "rope_theta": rope_theta},
                         use_cache=False, **shape)
    config._attn_implementation = "eager"
    model = Qwen3ForCausalLM(config).float().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_(1.0 + 0.2 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * (0.6 if "embed" in key else 1.2 / p.shape[1] ** 0.5))
            p.copy_(p.to(dtype).float())
    # A copy: .to(bf16) would round the table of rotations of the model that makes the vectors.
    copy.deepcopy(model).to(dtype).save_pretrained(folder, max_shard_size=shard)

    vectors = {}
    total = torch.zeros(())
    count = 0
    for i, n in enumerate(LENGTHS):
        ids = torch.randint(0, shape["vocab_size"], (1, n))
        mask = (torch.rand(n) < 0.7).float()
        mask[0] = 0.0
        logits = model(ids).logits
        logp = torch.log_softmax(logits[0, :-1], dim=-1)
        taken = logp.gather(1, ids[0, 1:, None])[:, 0]
        total = total - (taken * mask[1:]).sum()
        count += int(mask[1:].sum())
        vectors[f"ids.{i}"] = ids[0].float()
        vectors[f"mask.{i}"] = mask
        vectors[f"logits.{i}"] = logits[0].detach().contiguous()
    loss = total / count
    loss.backward()
    vectors["loss"] = loss.detach().reshape(1)
    for key, p in model.named_parameters():
        vectors["grad." + key] = p.grad.contiguous()
    save_file(vectors, folder / "vectors.safetensors")
    generation = folder / "generation_config.json"
    if generation.exists():
        os.remove(generation)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case, options in CASES.items():
        make(case, **options)
        print(case, sorted(p.name for p in (OUT / case).iterdir()))
