"""tokenizer_baseline.py - loading and encoding with bench_tokenizer against Hugging Face tokenizers, in one run, by CPU time.

    ~/.cache/troupe/interop/tokenizers/bin/python tests/bench/tokenizer_baseline.py [NAME...]

after `./dev interop tokenizers`, which makes the environment and fetches the tokenizers, and builds bench_tokenizer. NAME: of
tests/interop/tokenizer_sources.py; default qwen3 llama3_1 gptoss gemma3. Both sides read the same file in turn, best of
five; then encode the sources and the documentation of this tree as one text, both with an empty cache.
SPDX-License-Identifier: Apache-2.0
"""
import glob
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop"))
import tokenizer_sources  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

OURS = os.path.join(ROOT, "build/release/tests/bench/bench_tokenizer")
ROUNDS = 5


def sample(path):
    files = sorted(f for kind in ("md", "c", "h", "py") for f in glob.glob(f"{ROOT}/[a-z]*/**/*.{kind}", recursive=True)
                   if not f.startswith(f"{ROOT}/build/"))
    with open(path, "w", encoding="utf-8") as out:
        for name in files:
            with open(name, encoding="utf-8") as f:
                out.write(f.read())


def timed(function):
    begin = time.process_time()
    got = function()
    return time.process_time() - begin, got


def main():
    os.environ["RAYON_NUM_THREADS"] = "1"
    files = tokenizer_sources.npm_files()
    text_path = os.path.join(tempfile.mkdtemp(prefix="tokenizer-"), "text")
    sample(text_path)
    with open(text_path, encoding="utf-8") as f:
        text = f.read()
    size = len(text.encode()) / 1e6
    print(f"text of {size:.1f} MB; load in ms, encode in MB/s; ours, tokenizers, ratio")
    for name in sys.argv[1:] or ["qwen3", "llama3_1", "gptoss", "gemma3"]:
        loads, our_loads, encodes, our_encodes = [], [], [], []
        for _ in range(ROUNDS):
            took, tok = timed(lambda: Tokenizer.from_file(files[name]))
            loads.append(took)
            took, ids = timed(lambda: tok.encode(text, add_special_tokens=False).ids)
            encodes.append(took)
            out = subprocess.run([OURS, files[name], text_path, "1"], text=True, capture_output=True, check=True).stdout.split()
            our_loads.append(float(out[1]))
            our_encodes.append(float(out[out.index("encode") + 1]))
            if int(out[out.index("ids,", out.index("encode")) - 1]) != len(ids):
                sys.exit(f"{name}: {out} but {len(ids)} ids")
            del tok
        load, our_load, encode, our_encode = (min(x) for x in (loads, our_loads, encodes, our_encodes))
        print(f"{name:12} load {our_load * 1e3:6.1f} {load * 1e3:6.1f} {load / our_load:5.2f}x   "
              f"encode {size / our_encode:6.1f} {size / encode:6.1f} {encode / our_encode:5.2f}x", flush=True)


main()
