#!/usr/bin/env python3
"""make_format_vectors.py - results of the reference libraries, for models/formats and models/chat.

Writes tests/fixtures/{safetensors,tokenizer,chat}. The fixtures are committed; this script is only
needed to change them:

    python3 -m venv venv && venv/bin/pip install tokenizers jinja2 safetensors numpy
    venv/bin/python tests/parity/make_format_vectors.py

Made with tokenizers 0.23.3, jinja2 3.1.6, safetensors 0.8.0, numpy 2.4.6. Nothing is downloaded:
the tokenizers are trained on the lines below, and the templates are written for the tests.
SPDX-License-Identifier: Apache-2.0
"""
import json
import pathlib
import random

import numpy as np
from safetensors import TensorSpec, serialize
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import trainers

import make_chat_vectors

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"

QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
OMNI = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

CORPUS = [
    "The quick brown fox jumps over the lazy dog. It's what they've always done, isn't it?",
    "the agent calls a tool, reads the result, and calls the tool again until the result is right",
    "int main(void)\n{\n    return 0;\n}\n\n\tfor (size_t i = 0; i < n; i++)\n        sum += a[i];\n",
    '{"name": "set", "arguments": {"key": "e", "value": 25}}\n{"name": "get", "arguments": {}}',
    "Über die Brücke führt der Weg; naïve café déjà vu, señor. Привет, мир! 你好，世界。こんにちは",
    "1 22 333 4444 55555 3.14159 2026-11-21 0x1f 100 % of 1,000,000",
    "    indented\n        twice\r\n\r\n   \t \n  trailing   \n",
] * 3

TEXTS = [
    "", "a", " ", "  ", "\n", "Hello, world!", " Hello", "Hello  world   ", "it's IT'S They'Ve we'lL",
    "the tool result is right", "x" * 300, " " * 130, "\n" * 40, "a" + " " * 50 + "b", "abc\t\t def",
    "12345 678 9", "3.14", "foo_bar(baz)[0] += 1;\n\n\n  }", "tabs\tand\r\nlines\r\n\r\n  x",
    "na\u00efve cafe\u0301 A\u030a \u1100\u1161\u11a8 \u212b", "\u4f60\u597d\uff0c\u4e16\u754c",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 ok", "\u00a0nbsp\u2003em\u3000ideo",
    "\u0660\u0661\u0662 \u2160\u00bd\u00b2", "a\u180eb c\u180e d", "\u0130stanbul \u1e9e \u017f's",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0645\u0631\u062d\u0628\u0627 123",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", "<|im_start|><|im_end|>",
    "<|im_start", "x<|im_end|>y", "<think>\nno\n</think>\n\nyes",
    "<tool_call>\n{\"name\": \"f\"}\n</tool_call>", "<<|im_end|>>", "a <mask>  b<mask>c",
    "left<lead>  right", "Norm and Normal", "<|end|>", "<|end|>|>", "na\u00efve<|im_end|>cafe\u0301",
    "The quick brown fox jumps over the lazy dog. " * 5, "\ufffd\ufeffbom", "e\u0301" * 20,
    "\x7f\x01\x1b[0m", "\u2028line\u2029sep\x85nel\x0bvt\x0cff",
]


def random_texts(seed, n):
    rng = random.Random(seed)
    pools = ["abcdefgh THE the ing 'sS", " \t\r\n\u00a0\u2003", "0123456789\u0660\u00bd",
             "\u00e9e\u0301\u030a\u1100\u1161\u4f60\u3053\u0645\u0437", ".,;:!?-_()[]{}<>|/\\\"'`~@#$%^&*",
             "\U0001f600\u200d\ufe0f\U0001d518\U00020000"]
    special = ["<|im_start|>", "<|im_end|>", "<think>", "<mask>", "<lead>", "Norm", "<|end|>", "<|"]
    out = []
    for _ in range(n):
        parts = []
        for _ in range(rng.randrange(1, 12)):
            if rng.random() < 0.15:
                parts.append(rng.choice(special))
            else:
                pool = rng.choice(pools)
                parts.append("".join(rng.choice(pool) for _ in range(rng.randrange(1, 9))))
        out.append("".join(parts))
    return out


def train(pre, vocab_size, normalizer=None):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre
    tok.decoder = decoders.ByteLevel()
    if normalizer:
        tok.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, min_frequency=1,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(CORPUS, trainer)
    return tok


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def chat_tokens(tok):
    tok.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tok.add_tokens([AddedToken(t, normalized=False) for t in ("<tool_call>", "</tool_call>",
                                                              "<think>", "</think>")])


def leave_ids_out(tok):
    """Special tokens whose ids do not follow on the others, as some families number them."""
    doc = json.loads(tok.to_str())
    n = len(doc["model"]["vocab"])
    for text, id in (("<|im_start|>", n + 3), ("<|im_end|>", n + 40)):
        doc["model"]["vocab"][text] = id
        doc["added_tokens"].append({"id": id, "content": text, "single_word": False, "lstrip": False,
                                    "rstrip": False, "normalized": False, "special": True})
    return Tokenizer.from_str(json.dumps(doc))


def make_tokenizers():
    qwen = train(split_then_bytes(QWEN), 460, normalizers.NFC())
    chat_tokens(qwen)
    llama = train(split_then_bytes(LLAMA), 420)
    text = json.loads(llama.to_str())
    text["model"]["ignore_merges"] = True
    # Tokens that no merge reaches: only ignore_merges finds them.
    for word in ("\u0120fox", "sum", "\u0120assistant"):
        if word not in text["model"]["vocab"]:
            text["model"]["vocab"][word] = len(text["model"]["vocab"])
    llama = Tokenizer.from_str(json.dumps(text))
    chat_tokens(llama)
    omni = leave_ids_out(train(pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(OMNI), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), 380))
    gpt2 = train(pre_tokenizers.ByteLevel(add_prefix_space=True), 400)
    chat_tokens(gpt2)
    gpt2.add_tokens([AddedToken("<mask>", lstrip=True, normalized=False),
                     AddedToken("<lead>", rstrip=True, normalized=False),
                     AddedToken("Norm", normalized=True), AddedToken("<|end|>", normalized=True)])
    digits = train(pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]), 300)
    chat_tokens(digits)
    return {"qwen": qwen, "llama": llama, "gpt2": gpt2, "digits": digits, "omni": omni}


def old_style(text):
    """Merges as "a b", which files from before tokenizers 0.20 have."""
    doc = json.loads(text)
    doc["model"]["merges"] = [" ".join(pair) for pair in doc["model"]["merges"]]
    return doc


def write_json(path, doc, indent=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(doc, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":"))
    path.write_text(text + "\n", encoding="utf-8")


def tokenizer_vectors():
    toks = make_tokenizers()
    for name, tok in toks.items():
        doc = old_style(tok.to_str()) if name == "gpt2" else json.loads(tok.to_str())
        write_json(FIXTURES / "tokenizer" / f"{name}.json", doc)
    # Written by tokenizer_write.c (test_tokenizer.c compares): here it is only read.
    toks["bytes"] = Tokenizer.from_file(str(FIXTURES / "tokenizer" / "bytes.json"))
    for name, tok in toks.items():
        cases = []
        for text in TEXTS + random_texts(name, 120):
            tok.encode_special_tokens = False
            ids = tok.encode(text, add_special_tokens=False).ids
            tok.encode_special_tokens = True
            plain = tok.encode(text, add_special_tokens=False).ids
            case = {"text": text, "ids": ids}
            if plain != ids:
                case["plain"] = plain
            decoded = tok.decode(ids, skip_special_tokens=False)
            if decoded != text:
                case["decoded"] = decoded
            cases.append(case)
        write_json(FIXTURES / "tokenizer" / f"{name}.vectors.json", cases)


def bfloat16(values):
    """numpy has no bfloat16: round to nearest even by hand."""
    u = np.asarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def safetensors_vector():
    """The file that test_safetensors_write.c writes too, byte for byte."""
    a = np.array([[0, 1, -1.5], [3.1415927, 1e-8, 65504]], dtype=np.float32)
    z = bfloat16([1, 2, -2])
    tensors = {"z.weight": ("bfloat16", z), "a.weight": ("float32", a),
               "b.half": ("float16", a.reshape(3, 2).astype(np.float16)),
               "c.brain": ("bfloat16", bfloat16(a.reshape(6)))}
    blob = serialize({name: TensorSpec(dtype=dtype, shape=list(data.shape),
                                       data_ptr=data.ctypes.data, data_len=data.nbytes)
                      for name, (dtype, data) in tensors.items()}, {"format": "pt"})
    path = FIXTURES / "safetensors" / "mixed.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(blob))


if __name__ == "__main__":
    safetensors_vector()
    tokenizer_vectors()
    make_chat_vectors.write(FIXTURES / "chat")
