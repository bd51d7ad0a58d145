"""test_cli_completion.py - completion in bash, zsh and fish, with the scripts that the program prints.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pty
import select
import shlex
import shutil
import subprocess
import time
import unittest

from cli_case import TROUPE, CliCase, main

class Completion(CliCase):
    def setUp(self):
        super().setUp()
        self.env["PATH"] = os.path.dirname(TROUPE) + ":" + self.env["PATH"]

    def shell(self, *argv, stdin=None):
        return subprocess.run(argv, cwd=self.dir, env=self.env, input=stdin, capture_output=True, text=True, timeout=60)

    def bash(self, *words):
        """The completions that bash offers for the last word; readline splits words at ":" and "="."""
        script = ("source <(troupe completion bash)\nCOMP_WORDS=(" + " ".join(shlex.quote(w) for w in ("troupe", *words)) +
                  ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_troupe troupe\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
        r = self.shell("bash", "--norc", "-c", script)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        return r.stdout.split("\n")[:-1] if r.stdout != "\n" else []

    def zsh(self, line, want):
        """The output of an interactive zsh after a TAB at the end of the line, up to the wanted text."""
        main_end, end = pty.openpty()
        p = subprocess.Popen(["zsh", "-f", "-i"], cwd=self.dir, env={**self.env, "TERM": "vt100"}, stdin=end, stdout=end,
                             stderr=end, start_new_session=True)
        self.started.append(p)
        os.close(end)
        try:
            os.write(main_end, b"PS1= RPS1= PROMPT_EOL_MARK=; unsetopt prompt_cr prompt_sp; stty -echo cols 150 rows 200; "
                               b"autoload -Uz compinit; compinit -u -D; source <(troupe completion zsh); LISTMAX=1000; "
                               b"bindkey -e; print RE''ADY\n")
            self.read_until(main_end, "READY")
            os.write(main_end, line.encode() + b"\t")
            shown = self.read_until(main_end, *want)  # zsh shows no list while input is pending
            os.write(main_end, b"\x01\x0bprint SH''OWN\n")  # C-a C-k: deletes the line
            return shown + self.read_until(main_end, "SHOWN")
        finally:
            p.kill()
            p.wait()
            os.close(main_end)

    def read_until(self, fd, *marks, seconds=30):
        seen, end = "", time.time() + seconds
        while not all(mark in seen for mark in marks):
            ready, _, _ = select.select([fd], [], [], max(0, end - time.time()))
            if not ready:
                self.fail(f"{marks} were not all seen in {seconds} s: {seen}")
            seen += os.read(fd, 65536).decode(errors="replace").replace("\0", "")
        return seen

    def make_run(self):
        self.write("one.yaml", "schema: blueprint/v1\nsteps:\n  a: {value: 1}\noutput: \"${a}\"\n")
        self.ok("run", "one.yaml")
        return self.ok("runs", "--json").json()["runs"][0]["run"]

    def test_bash_offers_commands_and_options(self):
        self.assertTrue({"run", "eval", "train", "env", "help"} <= set(self.bash("")))
        self.assertEqual(self.bash("ev"), ["eval"])
        self.assertEqual(self.bash("train", ""), ["sft", "grpo", "replay"])
        self.assertIn("--horizon", self.bash("eval", "ledger", "--ho"))
        self.assertNotIn("--updates", self.bash("eval", "ledger", "--"))
        self.assertIn("--store", self.bash("runs", "--"))

    def test_bash_offers_values_of_options(self):
        self.assertEqual(self.bash("eval", "ledger", "--device", ""), ["cpu", "cuda"])
        self.assertEqual(self.bash("eval", "ledger", "--device", "=", "cu"), ["cuda"])
        self.assertEqual(self.bash("eval", "ledger", "--device", "="), ["cpu", "cuda"])
        self.assertIn("waiting", self.bash("runs", "--status", "w"))
        self.assertIn("check", self.bash("eval", "ledger", "--expert", ""))
        self.assertEqual(self.bash("completion", ""), ["bash", "zsh", "fish"])
        self.assertIn("cpu-isa", self.bash("config", "set", "cpu"))

    def test_bash_offers_environments_models_and_tools(self):
        names = [e["name"] for e in self.ok("env", "list", "--json").json()["environments"]]
        self.assertEqual(self.bash("env", "show", ""), names)
        self.assertEqual(self.bash("train", "sft", "--env", "ledger,cour"), [f"ledger,{n}" for n in names if n.startswith("cour")])
        self.assertIn("embedded", self.bash("generate", "--model", ""))
        os.makedirs(os.path.join(self.dir, ".cache/huggingface/hub/models--org--small"))
        self.assertEqual(self.bash("generate", "--model", "hf", ":", "o"), ["org/small"])
        self.assertEqual(self.bash("tools", "show", "calc"), ["calculator"])

    def test_bash_offers_runs(self):
        self.assertEqual(self.bash("show", ""), [])  # there is no store, and completion creates none
        self.assertFalse(os.path.exists(os.path.join(self.dir, ".local/share/troupe/store.db")))
        run = self.make_run()
        offered = self.bash("show", "")
        self.assertIn("last", offered)
        self.assertTrue(any(run.startswith(word) and len(word) >= 6 for word in offered), offered)
        self.assertEqual(len(self.bash("resume", run[:3])), 1)
        self.assertEqual(self.bash("show", run[:-1]), [run])
        self.assertEqual(self.bash("answer", run[:3]), [])  # it has no open question
        self.ok("store", "backup", "other.db")
        self.assertEqual(self.bash("show", "--store", "other.db", run[:3]), self.bash("show", run[:3]))

    def test_bash_offers_files_only_where_a_file_is_meant(self):
        self.write("flow.yaml", "")
        os.mkdir(os.path.join(self.dir, "folder"))
        self.assertEqual(set(self.bash("run", "")), {"flow.yaml", "folder"})
        self.assertEqual(self.bash("run", "fl"), ["flow.yaml"])
        self.assertIn("flow.yaml", self.bash("eval", ""))
        self.assertEqual(self.bash("run", "x", "--root", ""), ["folder"])
        self.assertEqual(self.bash("run", "x", "--model", "script", ":", "fl"), ["flow.yaml"])
        for words in (["env", "show", ""], ["show", ""], ["runs", ""], ["eval", "ledger", "--device", ""], [""],
                      ["eval", "ledger", "--horizon", ""], ["models", "list", ""], ["tools", "show", ""]):
            self.assertNotIn("flow.yaml", self.bash(*words), words)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_reads_its_script_and_offers_the_same(self):
        script = self.write("_troupe", self.ok("completion", "zsh").out)
        r = self.shell("zsh", "-n", script)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.write("flow.yaml", "")
        for line, want, never in (("troupe ", ("eval", "play many episodes"), ("flow.yaml",)),
                                  ("troupe eval ledger --dev", ("--device",), ()),
                                  ("troupe eval ledger --profile ", ("std", "hard"), ("flow.yaml",)),
                                  ("troupe env show ", ("ledger", "courier"), ("flow.yaml",)),
                                  ("troupe run fl", ("flow.yaml",), ())):
            shown = self.zsh(line, want)
            for word in never:
                self.assertNotIn(word, shown, line)

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_reads_its_script_and_offers_the_same(self):
        script = self.write("troupe.fish", self.ok("completion", "fish").out)
        r = self.shell("fish", "--no-execute", script)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.write("flow.yaml", "")
        os.mkdir(os.path.join(self.dir, "folder"))
        for line, want in (("troupe ev", ["eval\tplay many episodes and print success rates with intervals"]),
                           ("troupe train ", ["grpo", "replay", "sft"]),
                           ("troupe eval ledger --dev", ["--device"]),
                           ("troupe eval ledger --device ", ["cpu", "cuda"]),
                           ("troupe eval ledger --device=cu", ["--device=cuda"]),
                           ("troupe eval ledger --profile ", ["hard", "std"]),
                           ("troupe tools show calc", ["calculator"]),
                           ("troupe show ", []),
                           ("troupe generate --model hf:f", []),
                           ("troupe run fl", ["flow.yaml"]),
                           ("troupe run x --model script:fl", ["script:flow.yaml"]),
                           ("troupe run x --root ", ["folder/"]),
                           ("troupe run x --root=fo", ["--root=folder/"])):
            r = self.shell("fish", "--no-config", "-c", f"source troupe.fish; complete -C '{line}'")
            self.assertEqual((r.returncode, r.stderr), (0, ""))
            got = [x if "\t" in want[0] else x.split("\t")[0] for x in r.stdout.splitlines()] if want else r.stdout.splitlines()
            self.assertEqual(sorted(got), want, line)


if __name__ == "__main__":
    main()
