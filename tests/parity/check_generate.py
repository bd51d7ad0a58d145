"""check_generate.py - checks that greedy tokens equal those of transformers, for the same folders.

usage: check_generate.py PATH/TO/troupe MODEL_DIR [N_PROMPTS]
The bf16 checkpoint is read with --weight-type f32 (the same values; keys and values are f32, as in the
reference).
Checks the folder MODEL_DIR (models/embedded/base), then two random checkpoints in a temporary
folder: a sharded bf16 one with grouped heads, and an untied one. Prints one line for each; exits with 1 if a
token differs. Needs torch and transformers (make_venv.sh); not part of ./dev test.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

NEW = 24


def ours(troupe, folder, ids, dtype):
    out = subprocess.run([troupe, "generate", "--model", folder, "--ids", ",".join(map(str, ids)), "--max-tokens",
                          str(NEW), "--json", "--weight-type", dtype], capture_output=True, text=True, check=True).stdout
    doc = json.loads(out)
    return doc["ids"], doc["logp"]


def theirs(model, ids, eos):
    got, logp = [], []
    x = torch.tensor([ids])
    with torch.no_grad():
        for _ in range(NEW):
            logits = model(x).logits[0, -1].float()
            t = int(logits.argmax())
            got.append(t)
            logp.append(float(torch.log_softmax(logits, -1)[t]))
            if t in eos:
                break
            x = torch.cat([x, torch.tensor([[t]])], 1)
    return got, logp


def check(name, troupe, folder, prompts, dtype):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    eos = model.generation_config.eos_token_id
    eos = set(eos if isinstance(eos, list) else [eos])
    worst, same = 0.0, 0
    for ids in prompts:
        a, la = ours(troupe, folder, ids, dtype)
        b, lb = theirs(model, ids, eos)
        same += a == b
        worst = max([worst] + [abs(x - y) for x, y, s, t in zip(la, lb, a, b) if s == t])
    print(f"{name}: {same} of {len(prompts)} prompts give the same greedy tokens, largest log-prob difference {worst:.2e}")
    return same == len(prompts)


def random_checkpoint(folder, tokenizer_from, **more):
    torch.manual_seed(more.pop("seed"))
    shard = more.pop("shard", "10GB")
    dtype = more.pop("dtype", torch.float32)
    config = Qwen3Config(vocab_size=320, max_position_embeddings=512, eos_token_id=258, bos_token_id=257, pad_token_id=256,
                         **more)
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1:
                p.normal_(0, 0.15)
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(tokenizer_from, name), folder)


def main():
    troupe, base = sys.argv[1:3]
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    chance = random.Random(5)
    tokenizer = AutoTokenizer.from_pretrained(base)
    prompts = []
    for _ in range(n):
        key, v, d = chance.choice("abcdefgh"), chance.randrange(100), chance.randrange(1, 10)
        prompts.append(tokenizer(f"ORD{key}{chance.choice('+-')}{d}|GET{key};>{v:02d}|").input_ids)
    ok = check("embedded", troupe, base, prompts, "stored")
    with tempfile.TemporaryDirectory() as scratch:
        sharded, untied = os.path.join(scratch, "sharded"), os.path.join(scratch, "untied")
        random_checkpoint(sharded, base, seed=1, dtype=torch.bfloat16, shard="200KB", hidden_size=96, intermediate_size=160,
                          num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, head_dim=32,
                          tie_word_embeddings=True)
        random_checkpoint(untied, base, seed=2, hidden_size=64, intermediate_size=192, num_hidden_layers=2,
                          num_attention_heads=4, num_key_value_heads=4, head_dim=24, tie_word_embeddings=False)
        shards = sum(f.endswith(".safetensors") for f in os.listdir(sharded))
        rand = [[chance.randrange(256) for _ in range(chance.randrange(1, 60))] for _ in range(n)]
        ok &= check(f"random bf16, {shards} shards, 6/2 heads", troupe, sharded, rand, "f32")
        ok &= check("random fp32, untied", troupe, untied, rand, "stored")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
