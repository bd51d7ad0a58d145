#!/usr/bin/env python3
"""make_tokenizer_vectors.py - small tokenizers with the parts that real ones have, and the ids that the reference libraries give.

Writes tests/fixtures/tokenizer/{sentencepiece,words,metaspace,edges,steps,tables_*}.json with their vectors. The fixtures are
committed; this script is only needed to change them:

    python3 -m venv venv && venv/bin/pip install tokenizers sentencepiece protobuf jinja2 safetensors numpy
    venv/bin/python tests/parity/make_tokenizer_vectors.py

Made with tokenizers 0.23.3, sentencepiece 0.2.3. Nothing is downloaded: everything is trained on the lines of
make_format_vectors.py. The tables of tables_llama are what a converter to GGUF writes for the trained SentencePiece model.
SPDX-License-Identifier: Apache-2.0
"""
import io
import json
import random

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from make_format_vectors import CORPUS, FIXTURES, LLAMA, QWEN, TEXTS, random_texts, split_then_bytes, train, write_json

META = "\u2581"
MORE = [
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f469\U0001f3fd\u200d\U0001f680", "e\u0301\u0323\u0301" * 9, "\u0301\u0323" * 60,
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u202eabc\u202c", "\x01\x02\x1b[0m\x7f\x80\x9f", " " * 200, "\n" * 90, "9" * 120,
    "\t" * 33 + " x", "=" * 70, "a" * 2000, "\ufb01\ufb02 \u2460 \u00bd \uff21\uff22 \u212b", f"{META}lower {META}{META} one", f"a{META}b>{META}</ x>",
    "<s>hi</s> <unk> <pad>", "<0x0A> <0xE2>", " <s> ", "<s> <s>", "x<user> \n hi<end>", "<user>\t\n<end>  <end>", "word the  word! words, wordy word",
    "Norm norm  Norm\u00e9", "  Hello", "\r\n \r\n", "a  b   c    d", "1,234.5 + x_y -- (z)", "\u0e2a\u0e27\u0e31\u0e2a 12\u0663", "...!!!???", "\ufffd",
]


def corpus():
    return [line for text in CORPUS for line in text.split("\n")]


def bpe(tok, size, alphabet=()):
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, min_frequency=1, initial_alphabet=list(alphabet),
                                  special_tokens=["<unk>", "<s>", "</s>"])
    tok.train_from_iterator(corpus(), trainer)
    return json.loads(tok.to_str())


def with_bytes(doc, leave_out=()):
    """Tokens of bytes behind the others, and byte_fallback."""
    vocab = doc["model"]["vocab"]
    for byte in range(256):
        if byte not in leave_out:
            vocab.setdefault(f"<0x{byte:02X}>", max(vocab.values()) + 1)
    doc["model"].update(byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    return doc


def take_out(doc, tokens):
    """The library numbers added tokens by the number of the others, so that no id may be left out before them."""
    vocab = doc["model"]["vocab"]
    left = sorted((t for t in vocab if t not in tokens), key=vocab.get)
    doc["model"]["vocab"] = {t: i for i, t in enumerate(left)}
    doc["model"]["merges"] = [m for m in doc["model"]["merges"] if not any(p in tokens for p in (*m, "".join(m)))]


def sp_decoder(*more):
    return decoders.Sequence([decoders.Replace(META, " "), decoders.ByteFallback(), decoders.Fuse(), *more])


def sentencepiece_style():
    """As Llama 2: blanks replaced, no pre-tokenizer, byte fallback, one blank in front."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.Sequence([normalizers.Prepend(META), normalizers.Replace(" ", META)])
    tok.decoder = sp_decoder(decoders.Strip(" ", 1, 0))
    tok.pre_tokenizer = pre_tokenizers.Split(META, "merged_with_next")  # for training alone
    doc = with_bytes(bpe(tok, 330))
    doc["pre_tokenizer"] = None
    tok = Tokenizer.from_str(json.dumps(doc))
    tok.add_tokens([AddedToken("<user>", rstrip=True, normalized=False), AddedToken("<end>", lstrip=True, normalized=False),
                    AddedToken("word", single_word=True, normalized=False), AddedToken("norm", normalized=True)])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return tok


def words_style():
    """As Gemma: a Split that finds nothing, blanks inside of a token, ids that are left out, bytes that are missing."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.Replace(" ", META)
    tok.decoder = sp_decoder()
    tok.pre_tokenizer = pre_tokenizers.Split(META, "merged_with_next")
    doc = with_bytes(bpe(tok, 300), leave_out=(0xe4, 0xf0, 0x01))
    vocab, merges = doc["model"]["vocab"], doc["model"]["merges"]
    first = []
    for n in range(2, 9):  # runs of blanks and of line ends, longest first in the order of merges
        for c in (META, "\n"):
            vocab.setdefault(c, max(vocab.values()) + 1)
            vocab[c * n] = max(vocab.values()) + 7
            first.insert(0, [c * (n - 1), c])
    vocab[">" + META] = max(vocab.values()) + 1
    vocab[">" + META + "</"] = max(vocab.values()) + 1
    for t in ("</", "<", ">", "/"):
        vocab.setdefault(t, max(vocab.values()) + 1)
    doc["model"]["merges"] = first + [["<", "/"], [">", META], [">" + META, "</"]] + merges
    doc["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    for text in ("<user>", "<end>", "\n\n", META * 2):  # here, since the library counts tokens to number them
        vocab.setdefault(text, max(vocab.values()) + 1)
        doc["added_tokens"].append({"id": vocab[text], "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                                    "normalized": False, "special": text[0] == "<"})
    return Tokenizer.from_str(json.dumps(doc))


def metaspace_style():
    """Metaspace before the first word only; unknown characters one by one."""
    tok = Tokenizer(models.BPE(unk_token="<unk>"))
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tok.decoder = decoders.Metaspace(prepend_scheme="first")
    doc = bpe(tok, 260)
    unknown = set("Üü你мz7")
    take_out(doc, {t for t in doc["model"]["vocab"] if unknown & set(t)})
    tok = Tokenizer.from_str(json.dumps(doc))
    tok.add_special_tokens([AddedToken("<user>", lstrip=True, rstrip=True), AddedToken("<end>", single_word=True)])
    return tok


def edges_style():
    """Every behaviour of Split, Punctuation, Digits, a prefix blank; normalizers in a row; bytes without a token."""
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\r\n"), "removed"), pre_tokenizers.Split("--", "merged_with_next"),
        pre_tokenizers.Split(Regex(r"[,;]"), "merged_with_previous"), pre_tokenizers.Split(Regex(r"\s"), "contiguous"),
        pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)])
    norm = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex("[\u201c\u201d]"), '"'), normalizers.Strip(),
                                 normalizers.Replace("->", "\u2192")])
    doc = json.loads(train(pre, 420, norm).to_str())
    vocab = doc["model"]["vocab"]
    merged = {c for m in doc["model"]["merges"] for c in "".join(m)}
    take_out(doc, {c for c in vocab if len(c) == 1 and ord(c) > 0xf0 and c not in "\u0120\u010a\u010d\u0109" and c not in merged})
    tok = Tokenizer.from_str(json.dumps(doc))
    tok.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tok.add_tokens([AddedToken("Norm", normalized=True, single_word=True), AddedToken("\ufb01", normalized=True)])
    return tok


def steps_style():
    """Inverted splits, Punctuation in other ways, digits one by one, GPT-2's pattern at the end; no token for unknown bytes."""
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[\p{L}\p{M}]+|[^\p{L}\p{M}]+"), "isolated", invert=True),
        pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tok = train(pre, 400, normalizers.NFC())
    tok.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    return tok


def cases(ids_of, decode_of, name, texts):
    out = []
    for text in texts:
        both = ids_of(text)
        if both is None:
            continue
        ids, plain = both
        case = {"text": text, "ids": ids}
        if plain != ids:
            case["plain"] = plain
        decoded = decode_of(ids)
        if decoded != text:
            case["decoded"] = decoded
        out.append(case)
    return out


def texts_of(name):
    return TEXTS + MORE + random_texts(name, 80)


def hf_cases(tok, name):
    def both(text):
        tok.encode_special_tokens = False
        ids = tok.encode(text, add_special_tokens=False).ids
        tok.encode_special_tokens = True
        plain = tok.encode(text, add_special_tokens=False).ids
        tok.encode_special_tokens = False
        return ids, plain

    def decode(ids):
        text = tok.decode(ids, skip_special_tokens=False)
        return None if "\ufffd" in text else text  # one U+FFFD a byte there, one a character here

    return cases(both, decode, name, texts_of(name))


def gguf_gpt2(tok, pre):
    doc = json.loads(tok.to_str())
    added = {t["id"]: t for t in doc["added_tokens"]}
    vocab = {i: t for t, i in doc["model"]["vocab"].items()}
    tokens, types = [], []
    for i in range(max([*added, *vocab]) + 1):
        tokens.append(added[i]["content"] if i in added else vocab.get(i, f"[unused{i}]"))
        types.append((3 if added[i]["special"] else 4) if i in added else 1 if i in vocab else 5)
    return {"model": "gpt2", "pre": pre, "tokens": tokens, "types": types, "merges": [" ".join(m) for m in doc["model"]["merges"]],
            "bos": tokens.index("<|im_start|>"), "eos": tokens.index("<|im_end|>"), "add_bos": True, "add_eos": True}


def tables_gpt2():
    """Byte-level tokenizers and what a converter makes of them, by the name of the pattern."""
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    out = {}
    for pre, steps, norm in (("qwen2", split_then_bytes(QWEN), normalizers.NFC()), ("smollm", digits, None)):
        tok = train(steps, 380, norm)
        tok.add_special_tokens(["<|im_start|>", "<|im_end|>"])
        tok.add_tokens([AddedToken("<think>", normalized=False)])
        out[pre] = tok
    llama = json.loads(train(split_then_bytes(LLAMA), 380).to_str())
    llama["model"]["ignore_merges"] = True
    for word in ("\u0120fox", "sum"):
        llama["model"]["vocab"].setdefault(word, len(llama["model"]["vocab"]))
    out["llama-bpe"] = Tokenizer.from_str(json.dumps(llama))
    out["llama-bpe"].add_special_tokens(["<|im_start|>", "<|im_end|>"])
    return out


def sentencepiece_model():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, vocab_size=560, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, user_defined_symbols=["<user>", META * 2, META * 3],
        allow_whitespace_only_pieces=True, hard_vocab_limit=False, minloglevel=2)
    return model.getvalue()


def tables_llama(model):
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    tokens = [p.piece.replace(META, " ") if p.type == 4 else p.piece for p in proto.pieces]  # as converters write them
    return {"model": "llama", "tokens": tokens, "scores": [p.score for p in proto.pieces], "types": [p.type for p in proto.pieces],
            "bos": 1, "eos": 2, "unk": 0, "add_bos": True, "add_space_prefix": True}


def llama_cases(model):
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)

    def both(text):  # it knows no special tokens in text, and takes META for a blank before it looks for "<user>" and the like
        if any(t in text for t in ("<s>", "</s>", "<unk>", "<user>", META)):
            return None
        ids = sp.encode(text)
        return ids, ids

    return cases(both, lambda ids: None if "\ufffd" in sp.decode(ids) else sp.decode(ids), "tables_llama", texts_of("tables_llama"))


def main():
    folder = FIXTURES / "tokenizer"
    styles = {"sentencepiece": sentencepiece_style, "words": words_style, "metaspace": metaspace_style, "edges": edges_style,
              "steps": steps_style}
    for name, make in styles.items():
        tok = make()
        write_json(folder / f"{name}.json", json.loads(tok.to_str()))
        write_json(folder / f"{name}.vectors.json", hf_cases(tok, name))
    for pre, tok in tables_gpt2().items():
        write_json(folder / f"tables_{pre}.json", {"tables": gguf_gpt2(tok, pre)})
        write_json(folder / f"tables_{pre}.vectors.json", hf_cases(tok, f"tables_{pre}"))
    model = sentencepiece_model()
    write_json(folder / "tables_llama.json", {"tables": tables_llama(model)})
    write_json(folder / "tables_llama.vectors.json", llama_cases(model))


if __name__ == "__main__":
    random.seed(1)
    main()
