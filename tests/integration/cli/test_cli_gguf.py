"""test_cli_gguf.py - GGUF files from the command line: the same replies, checks, quantising, lists, errors.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil

from cli_case import SOURCE, CliCase, main

PROMPT = "ORDd+7|GETd;>59|"
TIED = os.path.join(SOURCE, "tests/fixtures/qwen3/tied")


class Gguf(CliCase):
    def quantise(self, model, kind, out, *more):
        self.ok("models", "quantise", model, "--to", kind, "--out", out, *more)

    def reply(self, model, *options):
        r = self.ok("generate", "--model", model, "--max-tokens", "12", "--json", *options).json()
        return r["ids"], r["logp"]

    def test_the_same_values_give_the_same_reply(self):
        self.quantise("embedded", "f32", "e.gguf")
        self.assertEqual(self.reply("e.gguf", "--prompt", PROMPT), self.reply("embedded", "--prompt", PROMPT))

    def test_blocks_are_widened_when_asked(self):
        self.quantise("embedded", "q4_1", "q.gguf")
        self.quantise("q.gguf", "f32", "wide.gguf")
        self.assertEqual(self.reply("q.gguf", "--weight-type", "f32", "--prompt", PROMPT),
                         self.reply("wide.gguf", "--prompt", PROMPT))
        small, wide = (os.path.getsize(os.path.join(self.dir, f)) for f in ("q.gguf", "wide.gguf"))
        self.assertLess(small * 4, wide)

    def test_blocks_are_computed_from_as_they_are(self):
        for kind in ("q8_0", "q4_0", "q4_1", "q5_0", "q4_k_m"):
            self.quantise("embedded", kind, kind + ".gguf")
            (ids, logp), (_, wide) = (self.reply(kind + ".gguf", *more, "--prompt", PROMPT)
                                      for more in ((), ("--weight-type", "f32")))
            self.assertEqual(self.reply(kind + ".gguf", "--cpu-isa", "plain", "--threads", "2", "--prompt", PROMPT),
                             (ids, logp))
            self.assertNotEqual(logp, wide)  # the inputs are rounded to 8 bits
            self.assertLess(abs(logp[0] - wide[0]), 0.05)

    def test_keys_and_values_have_a_type(self):
        replies = [self.reply("embedded", "--kv-type", kind, "--prompt", PROMPT) for kind in ("auto", "f32", "bf16", "q8")]
        self.assertEqual(replies[0], replies[1])  # of f32 weights
        for _, logp in replies[2:]:
            self.assertNotEqual(logp, replies[0][1])
            self.assertLess(abs(logp[0] - replies[0][1][0]), 0.05)
        self.assertEqual(self.reply("embedded", "--kv-type", "q8", "--cpu-isa", "plain", "--threads", "2", "--prompt", PROMPT),
                         replies[3])
        self.fails(2, "--kv-type", "generate", "--kv-type", "q4", "--prompt", PROMPT)

    def test_check_and_show(self):
        self.quantise("embedded", "q4_k_m", "q.gguf")
        r = self.ok("models", "check", "q.gguf", "--json").json()
        self.assertEqual((r["schema"], r["tensors"], r["values"], r["tokens"]), ("troupe.model_check/1", 24, 467712, 293))
        r = self.ok("models", "show", "q.gguf", "--json").json()
        # Rows of 128 and 384 are no whole blocks of 256.
        self.assertEqual(r["types"], {"Q5_0": 12, "Q8_0": 3, "F32": 9})
        self.assertEqual((r["architecture"], r["context"], r["parameters"]), ("Qwen3ForCausalLM", 1024, 467712))
        self.assertIn("ok, 24 tensors", self.ok("models", "check", "embedded").out)
        self.assertIn("0 tokens", self.ok("models", "check", TIED).out)

    def test_a_damaged_file_is_refused(self):
        self.quantise(TIED, "q8_0", "t.gguf")
        with open(os.path.join(self.dir, "t.gguf"), "rb") as f:
            whole = f.read()
        for cut in (0, 3, 20, 500, len(whole) - 100):
            self.write("cut.gguf", "")
            with open(os.path.join(self.dir, "cut.gguf"), "wb") as f:
                f.write(whole[:cut])
            for command in ("check", "show"):
                self.fails(1, "cut.gguf", "models", command, "cut.gguf")
            self.fails(1, "cut.gguf", "generate", "--model", "cut.gguf", "--ids", "1")

    def test_quantise_says_what_is_missing(self):
        self.fails(2, "--to is missing", "models", "quantise", TIED, "--out", "t.gguf")
        self.fails(2, "--out is missing", "models", "quantise", TIED, "--to", "q8_0")
        self.fails(2, "q3_k", "models", "quantise", TIED, "--to", "q3_k", "--out", "t.gguf")
        self.quantise(TIED, "q8_0", "t.gguf")
        self.fails(2, "exists already", "models", "quantise", TIED, "--to", "f16", "--out", "t.gguf")
        self.quantise("t.gguf", "f16", "t.gguf", "--force")  # onto itself
        self.ok("models", "check", "t.gguf")
        self.fails(1, "no/t.gguf", "models", "quantise", TIED, "--to", "f16", "--out", "no/t.gguf")

    def test_a_folder_has_one(self):
        os.mkdir(os.path.join(self.dir, "m"))
        self.quantise(TIED, "q8_0", "m/a.gguf")
        self.ok("models", "check", "m")
        self.quantise(TIED, "q4_0", "m/b.gguf")
        self.fails(1, "2 GGUF files: a.gguf, b.gguf", "models", "check", "m")
        self.write("m/a.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
        self.fails(1, "Git LFS pointer", "models", "check", "m/a.gguf")

    def test_the_cache_is_listed(self):
        hub = os.path.join(self.dir, "hub", "models--org--tiny")
        os.makedirs(os.path.join(hub, "refs"))
        os.makedirs(os.path.join(hub, "snapshots", "r1"))
        with open(os.path.join(hub, "refs", "main"), "w", encoding="utf-8") as f:
            f.write("r1")
        for kind in ("q8_0", "q4_1"):
            self.quantise(TIED, kind, f"hub/models--org--tiny/snapshots/r1/tiny-{kind}.gguf")
        r = self.run_cli("models", "list", "--json", HF_HUB_CACHE=os.path.join(self.dir, "hub"))
        rows = {m["name"]: m for m in json.loads(r.out)["models"]}
        self.assertEqual(rows["hf:org/tiny/tiny-q8_0.gguf"]["architecture"], "Qwen3ForCausalLM")
        self.assertIn("hf:org/tiny/tiny-q4_1.gguf", rows)
        r = self.run_cli("models", "check", "hf:org/tiny/tiny-q4_1.gguf", HF_HUB_CACHE=os.path.join(self.dir, "hub"))
        self.assertEqual(r.code, 0, r.err)

    def test_training_starts_from_a_gguf(self):
        self.quantise("embedded", "q8_0", "q.gguf")
        self.ok("train", "sft", "--model", "q.gguf", "--env", "ledger", "--updates", "1", "--batch-tokens", "512",
                "--eval-every", "0", "--out", "out")
        self.assertIn("ok, 24 tensors", self.ok("models", "check", "out").out)
        shutil.rmtree(os.path.join(self.dir, "out"))


if __name__ == "__main__":
    main()
