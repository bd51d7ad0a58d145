"""test_cli_manual.py - all forms of help, the manual page, and the files that `cmake --install` installs.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import shlex
import subprocess
import sys

from cli_case import SOURCE, CliCase, main

BINARY_DIR = os.path.abspath(sys.argv[3])
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES",
            "SEE ALSO"]


class Manual(CliCase):
    def page(self):
        path = self.write("troupe.1", self.ok("help", "--man").out)
        done = subprocess.run(["man", "-l", "--warnings", "-E", "UTF-8", path], capture_output=True, text=True,
                              env={**self.env, "MANWIDTH": "100", "MANPAGER": "cat", "PAGER": "cat", "LC_ALL": "C.UTF-8"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return re.sub(".\b", "", done.stdout)

    def test_help_is_found_however_it_is_asked_for(self):
        overview = self.ok("help").out
        for words in (["--help"], ["-h"], []):
            self.assertEqual(self.ok(*words).out, overview)
        run = self.ok("help", "run").out
        for words in (["--help", "run"], ["-h", "run"], ["run", "--help"], ["run", "-h"]):
            self.assertEqual(self.ok(*words).out, run)
        group = self.ok("help", "env").out
        for word in ("env list", "env show", "env tasks", "env verify"):
            self.assertIn(word, group)
        for words in (["env", "--help"], ["env", "-h"], ["--help", "env"]):
            self.assertEqual(self.ok(*words).out, group)
        self.fails(2, "unknown command `env lits`", "help", "env", "lits")
        self.fails(2, "needs a subcommand", "env")

    def test_help_says_what_is_in_force(self):
        grpo = self.ok("help", "train", "grpo").out
        self.assertRegex(grpo, r"--updates N .*\[60\]")
        self.assertRegex(self.ok("help", "train", "sft").out, r"--updates N .*\[1000\]")
        self.assertRegex(self.ok("help", "plot").out, r"--out FILE +write an image")
        seed = re.search(r"--seed N(.*?)\n  --", self.ok("help", "eval").out, flags=re.S).group(1)
        self.assertIn("[2097152]", seed)
        self.assertNotIn("drawn", seed)
        row = self.ok("env", "tasks", "ledger", "--json").json()["tasks"]
        self.assertEqual([t["seed"] for t in row], [0, 1, 2])

    def test_the_manual_page_is_whole_and_without_warnings(self):
        text = self.page()
        self.assertEqual(re.findall(r"(?m)^([A-Z][A-Z ]+)$", text), SECTIONS)
        part = dict(zip(SECTIONS, re.split(r"^[A-Z][A-Z ]+\n", text, flags=re.M)[1:]))
        for word in ("./troupe.yaml", "$XDG_CONFIG_HOME/troupe/config.yaml", ".troupe/store.db"):
            self.assertIn(word, part["FILES"])
        for word in ("TROUPE_THREADS", "TROUPE_KV_MEMORY", "XDG_DATA_HOME", "HF_HOME"):
            self.assertIn(word, part["ENVIRONMENT"])
        for code in (0, 1, 2, 3, 4, 75, 78, 124, 130, 143):
            self.assertRegex(part["EXIT STATUS"], rf"(?m)^ +{code}\b")
        for name in re.findall(r"(?m)^  (\w+(?: [a-z]+)?) ", self.ok("help").out):
            self.assertIn(f"troupe {name}", part["COMMANDS"])
        for option in re.findall(r"(?m)^  (--[\w-]+)", self.ok("help", "train", "grpo").out):
            self.assertIn(f"\n       {option}", part["OPTIONS"])

    def test_the_examples_of_the_page_are_command_lines_that_exist(self):
        roff = self.ok("help", "--man").out.split(".SH EXAMPLES\n")[1].split(".SH ")[0]
        lines = [re.sub(r"\\\(aq", "'", line.replace("\\-", "-")) for line in re.findall(r"\\fB(.*)\\fR\n", roff)]
        self.assertGreater(len(lines), 5)
        for line in lines:
            words = shlex.split(line)
            self.assertEqual(words[0], "troupe")
            names = [w for w in words[1:] if w.startswith("--")]
            command = words[1:3] if words[1] in ("train", "env", "models", "tools", "store") else words[1:2]
            help_text = self.ok("help", *command).out
            for name in names:
                self.assertIn(f"  {name}", help_text, line)
            self.ok(*words[1:], "--help")  # the command line is valid without its operands
            for word in words:
                if word.startswith("blueprints/"):
                    self.assertTrue(os.path.exists(os.path.join(SOURCE, word)), line)

    def test_install_needs_the_program_alone(self):
        prefix = os.path.join(self.dir, "prefix")
        for name in ("troupe.1", "troupe.bash", "_troupe", "troupe.fish"):
            written = os.path.join(BINARY_DIR, "runtime/app/share", name)
            if os.path.exists(written):
                os.remove(written)
        done = subprocess.run(["cmake", "--install", BINARY_DIR, "--prefix", prefix], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in ("bin/troupe", "share/man/man1/troupe.1", "share/bash-completion/completions/troupe",
                     "share/zsh/site-functions/_troupe", "share/fish/vendor_completions.d/troupe.fish",
                     "share/troupe/blueprints/ledger.yaml"):
            self.assertTrue(os.path.getsize(os.path.join(prefix, path)) > 0, path)
        with open(os.path.join(prefix, "share/man/man1/troupe.1"), encoding="utf-8") as f:
            self.assertEqual(f.read(), self.ok("help", "--man").out)
        done = subprocess.run([os.path.join(prefix, "bin/troupe"), "version"], capture_output=True, text=True, env=self.env)
        self.assertEqual(done.stdout, self.ok("version").out)


if __name__ == "__main__":
    main()
