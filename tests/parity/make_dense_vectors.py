#!/usr/bin/env python3
"""make_dense_vectors.py - small random checkpoints of the dense families with logits and gradients.

Writes tests/fixtures/dense/CASE/: config.json and a bf16 safetensors as transformers saves them, and
vectors.safetensors: the token ids of two sequences, the mask of trained positions, logits in fp32,
the loss (mean over trained positions of both sequences) and its gradient for every weight. Sizes hide
nothing: heads of another size than C / H where the family allows it, an odd vocabulary, inputs that are
no multiple of 32, several heads a group, windows shorter than the texts, more than one kind of layer.
Run where torch and transformers are installed (made with torch 2.15, transformers 5.24, CPU):

    python3 tests/parity/make_dense_vectors.py [CASE...]
SPDX-License-Identifier: Apache-2.0
"""
import copy
import pathlib
import shutil
import sys

import torch
import transformers as tf
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "dense"
SIZES = dict(hidden_size=20, intermediate_size=28, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, vocab_size=37, max_position_embeddings=128, rms_norm_eps=1e-5,
             bos_token_id=1, eos_token_id=2, pad_token_id=None)
GEMMA = dict(head_dim=6, num_hidden_layers=3, sliding_window=9, query_pre_attn_scalar=11,
             rms_norm_eps=1e-6)
ROTATIONS = {
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    "llama3": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
    "yarn": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
             "original_max_position_embeddings": 32},
    "dynamic": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
    "longrope": {"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0, 1.125, 1.5],
                 "long_factor": [1.0, 2.25, 5.5], "original_max_position_embeddings": 24,
                 "partial_rotary_factor": 0.75},
}
# name: configuration class, model class, what differs from SIZES, lengths of the two sequences
CASES = {
    "llama": (tf.LlamaConfig, tf.LlamaForCausalLM, dict(head_dim=6, tie_word_embeddings=True), (37, 20)),
    "llama3": (tf.LlamaConfig, tf.LlamaForCausalLM,
               dict(head_dim=12, num_hidden_layers=1, rope_parameters=ROTATIONS["llama3"]), (37, 20)),
    "llama_linear": (tf.LlamaConfig, tf.LlamaForCausalLM,
                     dict(num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
                          rope_parameters=ROTATIONS["linear"]), (37, 20)),
    "llama_dynamic": (tf.LlamaConfig, tf.LlamaForCausalLM,
                      dict(num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
                           rope_parameters=ROTATIONS["dynamic"]), (37, 20)),
    "mistral": (tf.MistralConfig, tf.MistralForCausalLM, dict(head_dim=6, sliding_window=9), (37, 20)),
    "qwen2": (tf.Qwen2Config, tf.Qwen2ForCausalLM,
              dict(hidden_size=24, num_attention_heads=6, num_key_value_heads=2, tie_word_embeddings=True),
              (37, 20)),
    "qwen2_yarn": (tf.Qwen2Config, tf.Qwen2ForCausalLM,
                   dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
                        rope_parameters=ROTATIONS["yarn"]), (37, 20)),
    "gemma2": (tf.Gemma2Config, tf.Gemma2ForCausalLM,
               dict(GEMMA, attn_logit_softcapping=3.0, final_logit_softcapping=2.5), (37, 20)),
    "gemma3": (tf.Gemma3TextConfig, tf.Gemma3ForCausalLM,
               dict(GEMMA, layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                    rope_parameters={
                        "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
                        "full_attention": {"rope_type": "linear", "rope_theta": 10000.0,
                                           "factor": 8.0}}), (37, 20)),
    "phi3": (tf.Phi3Config, tf.Phi3ForCausalLM,
             dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2, sliding_window=15), (37, 20)),
    "phi3_long": (tf.Phi3Config, tf.Phi3ForCausalLM,
                  dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=3, num_key_value_heads=1,
                       original_max_position_embeddings=24, rope_parameters=ROTATIONS["longrope"]),
                  (37, 30)),
    # The same model, texts within the original positions: transformers takes the short factors.
    "phi3_short": (tf.Phi3Config, tf.Phi3ForCausalLM,
                   dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=3, num_key_value_heads=1,
                        original_max_position_embeddings=24, rope_parameters=ROTATIONS["longrope"]),
                   (20, 17)),
}


def fill(model, has_offset):
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "norm" in key:
                p.copy_((0.0 if has_offset else 1.0) + 0.2 * torch.randn_like(p))
            elif p.dim() == 1:
                p.copy_(0.3 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * (0.6 if "embed" in key else 1.2 / p.shape[1] ** 0.5))
            p.copy_(p.to(torch.bfloat16).float())


def run(model, lengths, vocab):
    vectors, total, count = {}, torch.zeros(()), 0
    for i, n in enumerate(lengths):
        ids = torch.randint(0, vocab, (1, n))
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
    return vectors


def make(name):
    config_class, model_class, options, lengths = CASES[name]
    torch.manual_seed(sum(name.encode()))
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = config_class(use_cache=False, **copy.deepcopy({**SIZES, **options}))
    config._attn_implementation = "eager"
    model = model_class(config).float().eval()
    fill(model, name.startswith("gemma"))
    # A copy: .to(bf16) would round the table of rotations of the model that makes the vectors.
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
    save_file(run(model, lengths, config.vocab_size), folder / "vectors.safetensors")
    generation = folder / "generation_config.json"
    if generation.exists():
        generation.unlink()


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        make(case)
        print(case, sum(p.stat().st_size for p in (OUT / case).iterdir()), "bytes")
