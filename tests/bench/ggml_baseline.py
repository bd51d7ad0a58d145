#!/usr/bin/env python3
"""Products with quantised weights: bench_qkernels against ggml, in turn, in one run.

    tests/bench/ggml_baseline.py --libraries DIR [--ours build/release/tests/bench/bench_qkernels]
                                 [--model SmolLM2-135M] [--types q8_0,q4_1] [--rounds N]

DIR holds the shared libraries of llama.cpp, as in bins/linux-x64 of the npm package
@node-llama-cpp/linux-x64 (`npm pack @node-llama-cpp/linux-x64@3.22.1`). Both sides compute the
matrix products of every layer and of the head on one thread, rounding of the inputs included, with
weights of random codes; both report the shortest CPU time of a pass. ggml gets its repacked buffers
for the types that have them. It repeats the rounding for each of q, k, v, gate and up, as in
llama.cpp. No attention, norms or sampling on either side.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import ctypes
import glob
import os
import random
import struct
import subprocess
import time

# name: layers, hidden, width of k and of v, feed-forward, vocabulary
SHAPES = {"SmolLM2-135M": (30, 576, 192, 1536, 49152), "Qwen2.5-0.5B": (24, 896, 128, 4864, 151936),
          "Qwen2.5-1.5B": (28, 1536, 256, 8960, 151936)}
# name: number of the type in ggml, elements and bytes of a block, where the f16 scales are
TYPES = {"q4_0": (2, 32, 18, [0]), "q4_1": (3, 32, 20, [0, 2]), "q5_0": (6, 32, 22, [0]),
         "q5_1": (7, 32, 24, [0, 2]), "q8_0": (8, 32, 34, [0]), "q4_k": (12, 256, 144, [0, 2]),
         "q5_k": (13, 256, 176, [0, 2]), "q6_k": (14, 256, 210, [208])}
REPACKED = {"q4_0", "q4_k"}
F32 = 0
ROWS = [1, 8, 32, 512]


class InitParams(ctypes.Structure):
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p),
                ("no_alloc", ctypes.c_bool)]


SILENT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)


def load(folder):
    def library(pattern):
        found = sorted(glob.glob(os.path.join(folder, pattern)))
        if not found:
            raise SystemExit(f"{folder}: no {pattern}")
        return ctypes.CDLL(found[0], mode=ctypes.RTLD_GLOBAL)

    base, whole = library("libggml-base*.so*"), library("libggml.*so*")
    p, i64, size = ctypes.c_void_p, ctypes.c_int64, ctypes.c_size_t
    signatures = {
        "ggml_init": (p, [InitParams]), "ggml_free": (None, [p]),
        "ggml_new_tensor_2d": (p, [p, ctypes.c_int, i64, i64]),
        "ggml_mul_mat": (p, [p, p, p]), "ggml_new_graph": (p, [p]), "ggml_nbytes": (size, [p]),
        "ggml_build_forward_expand": (None, [p, p]), "ggml_backend_dev_init": (p, [p, ctypes.c_char_p]),
        "ggml_backend_reg_dev_get": (p, [p, size]), "ggml_backend_buffer_free": (None, [p]),
        "ggml_backend_reg_get_proc_address": (p, [p, ctypes.c_char_p]),
        "ggml_backend_alloc_ctx_tensors": (p, [p, p]),
        "ggml_backend_alloc_ctx_tensors_from_buft": (p, [p, p]),
        "ggml_backend_tensor_set": (None, [p, p, size, size]),
        "ggml_backend_graph_compute": (ctypes.c_int, [p, p]),
    }
    api = {}
    for name, (result, arguments) in signatures.items():
        f = getattr(base, name)
        f.restype, f.argtypes = result, arguments
        api[name] = f
    base.ggml_log_set.argtypes = [type(SILENT), p]
    base.ggml_log_set(SILENT, None)
    whole.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
    whole.ggml_backend_load_all_from_path(folder.encode())
    whole.ggml_backend_reg_by_name.restype = p
    whole.ggml_backend_reg_by_name.argtypes = [ctypes.c_char_p]
    api["reg"] = whole.ggml_backend_reg_by_name(b"CPU")
    return api


class Ggml:
    def __init__(self, folder):
        self.api = load(folder)
        a, reg = self.api, self.api["reg"]
        self.device = a["ggml_backend_reg_dev_get"](reg, 0)
        self.backend = a["ggml_backend_dev_init"](self.device, None)
        threads = a["ggml_backend_reg_get_proc_address"](reg, b"ggml_backend_set_n_threads")
        ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)(threads)(self.backend, 1)
        extra = a["ggml_backend_reg_get_proc_address"](reg, b"ggml_backend_dev_get_extra_bufts")
        found = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(extra)(self.device)
        self.repack = None
        for i in range(16):
            if not found or not found[i]:
                break
            self.repack = found[i]  # the last one is that of plain CPUs

    def context(self):
        return self.api["ggml_init"](InitParams(64 << 20, None, True))


def blocks(kind, n_bytes):
    _, _, size, scales = TYPES[kind]
    draw, one = random.Random(1), bytearray()
    for _ in range(64):
        block = bytearray(draw.randbytes(size))
        for at in scales:
            block[at:at + 2] = struct.pack("<e", 0.0078125)
        one += block
    return bytes(one) * (n_bytes // len(one)) + bytes(one)[:n_bytes % len(one)]


class Model:
    """The weights, and a graph of all products for each number of rows."""

    def __init__(self, ggml, shape, kind):
        self.g, a = ggml, ggml.api
        layers, hidden, kv, ffn, vocabulary = self.shape = shape
        number = TYPES[kind][0]
        self.weights = ggml.context()
        outs = [(hidden, hidden), (kv, hidden), (kv, hidden), (hidden, hidden), (ffn, hidden),
                (ffn, hidden), (hidden, ffn)]
        make = a["ggml_new_tensor_2d"]
        self.layers = [[(make(self.weights, number, k, n), k) for n, k in outs] for _ in range(layers)]
        self.head = make(self.weights, number, hidden, vocabulary)
        if kind in REPACKED and ggml.repack:
            self.memory = a["ggml_backend_alloc_ctx_tensors_from_buft"](self.weights, ggml.repack)
        else:
            self.memory = a["ggml_backend_alloc_ctx_tensors"](self.weights, ggml.backend)
        for w in [w for layer in self.layers for w, _ in layer] + [self.head]:
            data = blocks(kind, a["ggml_nbytes"](w))
            a["ggml_backend_tensor_set"](w, data, 0, len(data))

    def graph(self, rows):
        a, (_, hidden, _, ffn, _) = self.g.api, self.shape
        context, inputs = self.g.context(), {}
        head_rows = 1 if rows > 64 else rows
        graph = a["ggml_new_graph"](context)
        for k, n in {(hidden, rows), (ffn, rows), (hidden, head_rows)}:
            inputs[k, n] = a["ggml_new_tensor_2d"](context, F32, k, n)
        for layer in self.layers:
            for w, k in layer:
                a["ggml_build_forward_expand"](graph, a["ggml_mul_mat"](context, w, inputs[k, rows]))
        a["ggml_build_forward_expand"](
            graph, a["ggml_mul_mat"](context, self.head, inputs[hidden, head_rows]))
        memory = a["ggml_backend_alloc_ctx_tensors"](context, self.g.backend)
        for (k, n), x in inputs.items():
            data = struct.pack(f"<{k}f", *[(i * 7919 % 2001 - 1000) * 1e-3 for i in range(k)]) * n
            a["ggml_backend_tensor_set"](x, data, 0, len(data))
        return context, graph, memory

    def least(self, rows, rounds):
        context, graph, memory = self.graph(rows)
        best = None
        for _ in range(rounds):
            t = time.process_time()
            if self.g.api["ggml_backend_graph_compute"](self.g.backend, graph) != 0:
                raise SystemExit("ggml: the graph failed")
            t = time.process_time() - t
            best = t if best is None or t < best else best
        self.g.api["ggml_backend_buffer_free"](memory)
        self.g.api["ggml_free"](context)
        return rows / best

    def close(self):
        self.g.api["ggml_backend_buffer_free"](self.memory)
        self.g.api["ggml_free"](self.weights)


def ours(program, model, kind, rounds):
    out = subprocess.run([program, "--model", model, "--type", kind, "--rounds", str(rounds)],
                         check=True, capture_output=True, text=True).stdout
    found = {}
    for line in out.splitlines():
        if "all products" in line:
            words = line.split(" R ")[1].split()
            found[int(words[0])] = (float(words[1]), words[3])
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--libraries", required=True)
    parser.add_argument("--ours", default="build/release/tests/bench/bench_qkernels")
    parser.add_argument("--model", default="SmolLM2-135M", choices=SHAPES)
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--rounds", type=int, default=6)
    o = parser.parse_args()
    ggml = Ggml(o.libraries)
    print(f"{o.model}, one thread, CPU time, products alone, tok/s")
    print(f"{'type':6} {'rows':>5} {'ours':>9} {'of peak':>8} {'ggml':>9} {'ratio':>7}")
    for kind in o.types.split(","):
        _, hidden, _, ffn, _ = SHAPES[o.model]
        if hidden % TYPES[kind][1] or ffn % TYPES[kind][1]:
            continue
        model = Model(ggml, SHAPES[o.model], kind)
        mine, theirs = {}, {}
        for _ in range(2):  # in turn, so that both meet the same load
            for rows, (rate, share) in ours(o.ours, o.model, kind, o.rounds).items():
                if rate > mine.get(rows, (0, ""))[0]:
                    mine[rows] = (rate, share)
            for rows in ROWS:
                rounds = o.rounds if rows < 512 else max(2, o.rounds // 3)
                theirs[rows] = max(theirs.get(rows, 0), model.least(rows, rounds))
        for rows in ROWS:
            print(f"{kind:6} {rows:5} {mine[rows][0]:9.1f} {mine[rows][1]:>8} {theirs[rows]:9.1f} "
                  f"{mine[rows][0] / theirs[rows]:6.2f}x", flush=True)
        model.close()


if __name__ == "__main__":
    main()
