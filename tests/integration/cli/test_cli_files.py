"""test_cli_files.py - files that the user names: anything but a regular file is refused immediately; where the user's files are.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pwd
import shutil
import subprocess
import unittest

import cli_case
from cli_case import SOURCE, CliCase, main

BASE = os.path.join(SOURCE, "models/embedded/base")
SMALL = ("--model", "new", "--init-hidden", "32", "--init-heads", "2", "--init-ffn", "64", "--init-layers", "1")
SECONDS = 60  # a program that opens a FIFO would block forever


class Files(CliCase):
    def fifo(self, *parts):
        path = os.path.join(self.dir, *parts)
        if os.path.exists(path):
            os.unlink(path)
        os.mkfifo(path)
        return path

    def refused(self, path, *args, code=None):
        r = self.run_cli(*args, timeout=SECONDS)
        self.assertIn(r.code, (1, 2, 78) if code is None else (code,), f"{args}\n{r.out}\n{r.err}")
        self.assertIn(f"{path} is a FIFO", r.err)

    def model(self, source, name, fifo):
        folder = os.path.join(self.dir, name)
        shutil.copytree(source, folder)
        self.fifo(name, fifo)
        return folder

    def test_a_model_folder(self):
        for i, name in enumerate(("config.json", "generation_config.json", "tokenizer.json", "model.safetensors",
                                  "model.safetensors.index.json")):
            folder = self.model(BASE, f"m{i}", name)
            with self.subTest(name):
                if name == "model.safetensors.index.json":
                    os.unlink(os.path.join(folder, "model.safetensors"))
                self.refused(f"{folder}/{name}", "generate", "--model", folder, "--prompt", "x", "--max-tokens", "1")
        self.refused(f"{self.dir}/m0/config.json", "models", "show", os.path.join(self.dir, "m0"))

    def test_the_template_of_a_model_that_chats(self):
        self.write("chat.jsonl", '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n' * 4)
        args = ("--data", "chat.jsonl", "--updates", "1", "--batch-tokens", "256")
        self.ok("train", "sft", *SMALL, *args, "--out", "chat")
        for i, name in enumerate(("tokenizer_config.json", "chat_template.jinja")):
            folder = self.model(os.path.join(self.dir, "chat/model"), f"c{i}", name)
            with self.subTest(name):
                self.refused(f"{folder}/{name}", "train", "sft", "--model", folder, *args, "--out", f"o{i}")

    def test_a_blueprint_and_what_it_names(self):
        self.fifo("b.yaml")
        self.refused("b.yaml", "validate", "b.yaml", code=78)
        self.refused("b.yaml", "run", "b.yaml", code=78)
        path = self.fifo("prompt.txt")
        self.write("c.yaml", "schema: blueprint/v1\nagents:\n  a: {model: embedded, prompt: file://prompt.txt}\n"
                             "steps:\n  s: {agent: a, in: x}\n")
        for command in ("validate", "run"):
            r = self.run_cli(command, "c.yaml", timeout=SECONDS)
            self.assertEqual(r.code, 78, r.err)
            self.assertIn("is a FIFO", r.err, path)
        self.fifo("troupe.yaml")
        self.refused("troupe.yaml", "tools", "list", code=78)

    def test_data_scripts_and_stores(self):
        self.fifo("d.jsonl")
        self.refused("d.jsonl", "train", "sft", *SMALL, "--data", "d.jsonl", "--updates", "1", "--out", "o")
        self.fifo("s.json")
        self.refused("s.json", "eval", "ledger", "--model", "script:s.json", "--episodes", "1")
        self.fifo("episode.json")
        self.refused("episode.json", "env", "verify", "ledger", "episode.json")
        store = self.fifo("store.db")
        self.refused(store, "runs", "--store", store, code=78)
        self.refused(store, "store", "check", "--store", store, code=78)

    def test_what_lies_beside_a_store(self):
        self.write("one.yaml", "schema: blueprint/v1\nsteps: {a: {value: 1}}\n")
        for tail in ("-journal", "-wal", "-shm"):
            for there in (False, True):
                store = os.path.join(self.dir, f"s{tail}{there}.db")
                if there:
                    self.ok("run", "one.yaml", "--store", store)
                path = self.fifo(f"s{tail}{there}.db{tail}")
                for args in (("runs",), ("run", "one.yaml")) if there else (("run", "one.yaml"),):
                    with self.subTest(tail=tail, there=there, args=args):
                        self.refused(path, *args, "--store", store, code=78)

    def test_a_training_folder(self):
        args = ("train", "sft", *SMALL, "--env", "ledger", "--batch-tokens", "256", "--updates", "2", "--out", "t")
        self.ok(*args)
        checkpoint = os.path.join("t/checkpoints", sorted(os.listdir(os.path.join(self.dir, "t/checkpoints")))[-1])
        for name in sorted(os.listdir(os.path.join(self.dir, checkpoint))):
            kept = os.path.join(self.dir, "kept")
            shutil.copy(os.path.join(self.dir, checkpoint, name), kept)
            self.fifo(checkpoint, name)
            with self.subTest(name):
                r = self.run_cli(*args, "--resume", timeout=SECONDS)
                self.assertNotEqual(r.code, 0)
                self.assertIn(name, r.err)
            os.replace(kept, os.path.join(self.dir, checkpoint, name))
        self.fifo("t/metrics.jsonl")
        self.refused("t/metrics.jsonl", "plot", "t")
        r = self.run_cli(*args, "--resume", timeout=SECONDS)
        self.assertIn("metrics.jsonl", r.err)

    def test_without_home_the_password_file_says_where_the_store_is(self):
        self.env.pop("HOME")
        home = pwd.getpwuid(os.getuid()).pw_dir
        self.assertIn(f"{home}/.local/share/troupe/store.db", self.run_cli("doctor").out)
        self.assertIn(f"{self.dir}/.local/share/troupe/store.db", self.run_cli("doctor", HOME=self.dir).out)

    @unittest.skipUnless(os.getuid() == 0, "only root may become a user without an entry")
    def test_a_user_without_a_home_gets_an_error(self):
        self.env.pop("HOME")
        nobody = 54321
        program = shutil.copy(cli_case.TROUPE, os.path.join(self.dir, "troupe"))
        os.chmod(program, 0o755)
        os.chmod(self.dir, 0o755)
        r = subprocess.run([program, "runs"], cwd="/", env=self.env, user=nobody, group=nobody, extra_groups=[],
                           capture_output=True, text=True, timeout=SECONDS)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("HOME is not set", r.stderr)
        self.assertIn("--store", r.stderr)


if __name__ == "__main__":
    main()
