#!/usr/bin/env python3
"""A whole model in the engine against llama.cpp, in turn, in one run, by CPU time of one thread.

    tests/bench/llama_baseline.py --libraries DIR MODEL.gguf [MODEL.gguf ...]
                                  [--ours build/release/tests/bench/bench_engine] [--rounds N]

DIR holds the shared libraries of llama.cpp, as in bins/linux-x64 of the npm package
@node-llama-cpp/linux-x64 (`npm pack @node-llama-cpp/linux-x64@3.22.1`). Both sides read the same file and
compute with keys and values of 16 bits: 1, 8 and 32 sequences decode at positions 128 to 160, and a prompt
of 512 is read. Ours is the engine with sampling and both log-probs (bench_engine.c); llama.cpp gives its
logits and samples nothing. Each side reports the best of its rounds.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import ctypes
import glob
import os
import subprocess
import time

SESSIONS = [1, 8, 32]
FROM, TOKENS, PROMPT = 128, 32, 512
ROOM = 1024  # of parameter structs: larger than any version's, which is passed by value on the stack


class Params(ctypes.Structure):
    """llama_model_params or llama_context_params, of which only the first numbers are set here."""
    _fields_ = [("n_ctx", ctypes.c_uint32), ("n_batch", ctypes.c_uint32), ("n_ubatch", ctypes.c_uint32),
                ("n_seq_max", ctypes.c_uint32), ("rest", ctypes.c_ubyte * (ROOM - 16))]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)), ("embd", ctypes.c_void_p),
                ("pos", ctypes.POINTER(ctypes.c_int32)), ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))), ("logits", ctypes.POINTER(ctypes.c_int8))]


SILENT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)


def load(folder):
    def library(pattern):
        found = sorted(glob.glob(os.path.join(folder, pattern)))
        if not found:
            raise SystemExit(f"{folder}: no {pattern}")
        return ctypes.CDLL(found[0], mode=ctypes.RTLD_GLOBAL)

    library("libggml-base*.so*")
    whole = library("libggml.*so*")
    whole.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
    whole.ggml_backend_load_all_from_path(folder.encode())
    api, p = library("libllama.*so*"), ctypes.c_void_p
    for name, result, arguments in [
            ("llama_log_set", None, [type(SILENT), p]), ("llama_model_default_params", Params, []),
            ("llama_context_default_params", Params, []),
            ("llama_model_load_from_file", p, [ctypes.c_char_p, Params]),
            ("llama_init_from_model", p, [p, Params]), ("llama_decode", ctypes.c_int32, [p, Batch]),
            ("llama_batch_init", Batch, [ctypes.c_int32] * 3), ("llama_free", None, [p]),
            ("llama_set_n_threads", None, [p, ctypes.c_int32, ctypes.c_int32]),
            ("llama_get_memory", p, [p]), ("llama_memory_clear", None, [p, ctypes.c_bool]),
            ("llama_synchronize", None, [p]), ("llama_get_logits_ith", p, [p, ctypes.c_int32]),
            ("llama_n_ctx", ctypes.c_uint32, [p]), ("llama_model_free", None, [p])]:
        f = getattr(api, name)
        f.restype, f.argtypes = result, arguments
    api.llama_log_set(SILENT, None)
    return api


class Llama:
    def __init__(self, api, path):
        self.api = api
        self.model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self.batch = api.llama_batch_init(PROMPT, 0, 1)

    def context(self, sequences):
        params = self.api.llama_context_default_params()
        params.n_ctx = max(4096, sequences * 512)
        params.n_batch = params.n_ubatch = PROMPT
        params.n_seq_max = sequences
        c = self.api.llama_init_from_model(self.model, params)
        if not c or self.api.llama_n_ctx(c) < params.n_ctx:
            raise SystemExit("llama.cpp gives no context: do its parameters begin otherwise?")
        self.api.llama_set_n_threads(c, 1, 1)
        return c

    def decode(self, c, rows):
        """rows: (sequence, position, whether logits are wanted). Gives seconds of CPU."""
        b = self.batch
        b.n_tokens = len(rows)
        for i, (sequence, position, wanted) in enumerate(rows):
            b.token[i] = (sequence * 7919 + position * 104729) % 40000 + 100
            b.pos[i], b.n_seq_id[i], b.logits[i] = position, 1, int(wanted)
            b.seq_id[i][0] = sequence
        begin = time.process_time()
        if self.api.llama_decode(c, b) != 0:
            raise SystemExit("llama.cpp: a batch failed")
        self.api.llama_synchronize(c)
        if not self.api.llama_get_logits_ith(c, len(rows) - 1):
            raise SystemExit("llama.cpp: no logits")
        return time.process_time() - begin

    def decode_rate(self, sequences, rounds):
        c, best = self.context(sequences), 0.0
        for _ in range(rounds):
            self.api.llama_memory_clear(self.api.llama_get_memory(c), True)
            for s in range(sequences):
                self.decode(c, [(s, i, i == FROM - 1) for i in range(FROM)])
            seconds = sum(self.decode(c, [(s, FROM + i, True) for s in range(sequences)]) for i in range(TOKENS))
            best = max(best, sequences * TOKENS / seconds)
        self.api.llama_free(c)
        return best

    def prompt_rate(self, rounds):
        c, best = self.context(1), 0.0
        for _ in range(rounds):
            self.api.llama_memory_clear(self.api.llama_get_memory(c), True)
            best = max(best, PROMPT / self.decode(c, [(0, i, i == PROMPT - 1) for i in range(PROMPT)]))
        self.api.llama_free(c)
        return best

    def close(self):
        self.api.llama_model_free(self.model)


def ours(program, path, rounds):
    out = subprocess.run([program, path, "--rounds", str(rounds), "--sessions", ",".join(map(str, SESSIONS))],
                         check=True, capture_output=True, text=True).stdout
    return {(w[0], int(w[1])): float(w[2]) for w in (line.split() for line in out.splitlines())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--libraries", required=True)
    parser.add_argument("--ours", default="build/release/tests/bench/bench_engine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("models", nargs="+")
    o = parser.parse_args()
    api = load(o.libraries)
    print("one thread, CPU time, tok/s")
    print(f"{'model':28} {'load':>10} {'ours':>9} {'llama.cpp':>10} {'ratio':>7}")
    for path in o.models:
        llama, mine, theirs = Llama(api, path), {}, {}
        for _ in range(2):  # in turn, so that both meet the same load
            for key, rate in ours(o.ours, path, o.rounds).items():
                mine[key] = max(mine.get(key, 0), rate)
            for n in SESSIONS:
                theirs["decode", n] = max(theirs.get(("decode", n), 0), llama.decode_rate(n, o.rounds))
            theirs["prompt", PROMPT] = max(theirs.get(("prompt", PROMPT), 0), llama.prompt_rate(o.rounds))
        for key, rate in theirs.items():
            print(f"{os.path.basename(path):28} {key[0]:>6} {key[1]:3} {mine[key]:9.1f} {rate:10.1f} "
                  f"{mine[key] / rate:6.2f}x", flush=True)
        llama.close()


if __name__ == "__main__":
    main()
