"""check_gguf.py - checks that a real GGUF file gives the greedy tokens of transformers.

usage: check_gguf.py PATH/TO/troupe FILE.gguf [N_PROMPTS]
transformers dequantises the file and computes in fp32; troupe reads it with --weight-type f32: the same
values. Prompts are random ids, 1 to 121 of them. Prints one line; exits with 1 if a token
differs. Needs torch, transformers and gguf (make_venv.sh, then pip install gguf accelerate); not part of ./dev test.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import random
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM

NEW = 16


def ours(troupe, path, ids):
    out = subprocess.run([troupe, "generate", "--model", path, "--ids", ",".join(map(str, ids)), "--max-tokens",
                          str(NEW), "--json", "--weight-type", "f32", "--context", "1024"],
                         capture_output=True, text=True, check=True).stdout
    doc = json.loads(out)
    return doc["ids"], doc["logp"]


def theirs(model, ids, n):
    got, logp = [], []
    x, cache = torch.tensor([ids]), None
    with torch.no_grad():
        for _ in range(n):
            out = model(x, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            logits = out.logits[0, -1].float()
            got.append(int(logits.argmax()))
            logp.append(float(torch.log_softmax(logits, -1)[got[-1]]))
            x = torch.tensor([got[-1:]])
    return got, logp


def main():
    troupe, path = sys.argv[1:3]
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    chance = random.Random(5)
    folder, name = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    worst, same = 0.0, 0
    for i in range(n):
        ids = [chance.randrange(model.config.vocab_size) for _ in range(1 + 40 * i)]
        a, la = ours(troupe, path, ids)
        b, lb = theirs(model, ids, len(a))
        same += a == b
        worst = max([worst] + [abs(x - y) for x, y, s, t in zip(la, lb, a, b) if s == t])
    print(f"{name}, {model.config.model_type}: {same} of {n} prompts give the same greedy tokens, "
          f"largest log-prob difference {worst:.2e}")
    return 0 if same == n else 1


if __name__ == "__main__":
    sys.exit(main())
