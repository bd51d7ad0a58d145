#!/usr/bin/env python3
"""make_gguf_vectors.py - results of the Python package gguf, for kernels/dtype.h and the GGUF reader.

Writes tests/fixtures/gguf: blocks.json (random blocks and their values; values and the blocks that they
become) and package.gguf (a file with every kind of metadata). Both are committed; the script is only
needed to change them:

    python3 -m venv venv && venv/bin/pip install gguf
    venv/bin/python tests/parity/make_gguf_vectors.py
    venv/bin/python tests/parity/make_gguf_vectors.py --check FILE.gguf    # reads a file of ours

Made with gguf 0.19.0, numpy 2.4.6. Nothing is downloaded.
SPDX-License-Identifier: Apache-2.0
"""
import json
import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "gguf"

# Where f16 fields are in a block, so that random blocks hold no NaN.
HALVES = {T.BF16: [], T.F16: [0], T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.MXFP4: [], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.IQ4_NL: [0], T.IQ4_XS: [0]}
WRITTEN = [T.BF16, T.F16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.MXFP4]


def random_blocks(kind, rng):
    block, size = gguf.GGML_QUANT_SIZES[kind]
    n = 64 if block == 1 else 4 if block == 32 else 2
    raw = rng.integers(0, 256, (n, size), dtype=np.uint8)
    for at in HALVES[kind]:
        raw[:, at:at + 2] = rng.normal(0, .3, (n, 1)).astype(np.float16).view(np.uint8)
    if kind == T.BF16:
        raw[:, 1] &= 0x3f
    if kind == T.MXFP4:
        raw[:, 0] = [0, 1, 120, 254][:n]
    return raw.reshape(1, -1)


def values_to_write(rng):
    x = rng.normal(0, 1, (8, 32)).astype(np.float32)
    x[1] = 0
    x[2] = -.75
    x[3] = np.arange(32) / 4 - 4  # ties
    x[4] *= 1e-3
    x[5] = np.abs(x[5])
    x[6, 7] = 100
    x[7] *= 1e-9
    return x.reshape(1, -1)


def blocks():
    rng = np.random.default_rng(12)
    read, written = {}, {}
    for kind in HALVES:
        raw = random_blocks(kind, rng)
        value = gguf.quants.dequantize(raw, kind).astype(np.float32)
        read[kind.name.lower()] = {"blocks": raw.tobytes().hex(), "values": value.tobytes().hex()}
    x = values_to_write(rng)
    for kind in WRITTEN:
        written[kind.name.lower()] = gguf.quants.quantize(x, kind).tobytes().hex()
    text = json.dumps({"read": read, "values": x.tobytes().hex(), "written": written}, indent=0)
    (OUT / "blocks.json").write_text(text + "\n")


def package_file():
    rng = np.random.default_rng(13)
    w = gguf.GGUFWriter(OUT / "package.gguf", "qwen3")
    w.add_uint8("test.u8", 200)
    w.add_int8("test.i8", -100)
    w.add_uint16("test.u16", 60000)
    w.add_int16("test.i16", -30000)
    w.add_uint32("test.u32", 4000000000)
    w.add_int32("test.i32", -2000000000)
    w.add_uint64("test.u64", 1 << 63)
    w.add_int64("test.i64", -(1 << 62))
    w.add_float32("test.f32", 1.5)
    w.add_float64("test.f64", .1)
    w.add_bool("test.true", True)
    w.add_bool("test.false", False)
    w.add_string("test.text", "gr\u00fc\u00df dich")
    w.add_array("test.ints", [3, -1, 2])
    w.add_array("test.floats", [.5, -2.0])
    w.add_array("test.texts", ["a", "", "b c"])
    for kind, rows, cols in ((T.F32, 2, 3), (T.F16, 3, 5), (T.Q8_0, 2, 64), (T.Q6_K, 1, 256)):
        x = rng.normal(0, 1, (rows, cols)).astype(np.float32)
        if kind == T.F32:
            w.add_tensor("plain", x)
        elif kind == T.F16:
            w.add_tensor("half", x.astype(np.float16))
        elif kind == T.Q8_0:
            w.add_tensor("eight", gguf.quants.quantize(x, kind), raw_dtype=kind)
        else:
            w.add_tensor("six", random_blocks(kind, rng)[:, :210], raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def check(path):
    """One line a key and a tensor, with the sum of its values in double."""
    reader = gguf.GGUFReader(path)
    for key, field in reader.fields.items():
        print(key, repr(field.contents())[:100])
    for t in reader.tensors:
        value = gguf.quants.dequantize(t.data, t.tensor_type)
        print(t.name, list(t.shape), t.tensor_type.name, f"{value.astype(np.float64).sum():.9g}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        OUT.mkdir(exist_ok=True)
        blocks()
        package_file()
