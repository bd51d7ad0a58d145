"""cli_case.py - runs the program in its own folder, without the user's settings.

Used by test_cli_*.py: `python3 test_cli_x.py PATH/TO/troupe SOURCE_DIR`.
SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

TROUPE = os.path.abspath(sys.argv[1])
SOURCE = os.path.abspath(sys.argv[2])
LEDGER = os.path.join(SOURCE, "blueprints/shipped/ledger.yaml")
ASK = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "Go on?", options: [yes, no]}}
output: "${ask}"
"""


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)


class CliCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="troupe-cli-")
        self.dir = self.folder.name
        self.env = {"PATH": os.environ["PATH"], "HOME": self.dir, "NO_COLOR": "1", "TROUPE_THREADS": "2"}
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if key in os.environ:
                self.env[key] = os.environ[key]

        self.started = []

    def tearDown(self):
        for p in self.started:  # left by a failed test
            if p.poll() is None:
                p.kill()
                p.communicate()
        self.folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def weights(self, out):
        """The hash of the weights that a training wrote."""
        with open(os.path.join(self.dir, out, "model/model.safetensors"), "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    def metrics(self, out):
        with open(os.path.join(self.dir, out, "metrics.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def start(self, *args, to=subprocess.PIPE, **more):
        """`to`: where standard error goes."""
        p = subprocess.Popen([TROUPE, *map(str, args)], cwd=self.dir, env={**self.env, **more}, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=to)
        self.started.append(p)
        return p

    def until_main(self, p):
        """Waits until the program handles SIGINT: before that, the system ends it."""
        def catches():
            with open(f"/proc/{p.pid}/status", encoding="ascii") as f:
                return any(line.startswith("SigCgt") and int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1 for line in f)

        while p.poll() is None and not catches():
            time.sleep(0.001)

    def until_recorded(self, *where, n=1, seconds=60):
        """Waits until the newest run has recorded n steps or episodes."""
        end = time.time() + seconds
        while time.time() < end:
            r = self.run_cli("show", "last", "--json", *where)
            if r.code == 0 and len(r.json()["steps"]) + len(r.json().get("episodes", [])) >= n:
                return
            time.sleep(0.05)
        self.fail(f"no run has recorded anything within {seconds} s")

    def call_rows(self):
        """Calls of the MCP hub, in the only store; a command that writes moves what a killed process has left beside it."""
        self.ok("store", "gc")
        paths = [os.path.join(folder, f) for folder, _, files in os.walk(self.dir) for f in files if f.endswith(".db")]
        self.assertEqual(len(paths), 1)
        db = sqlite3.connect(f"file:{paths[0]}?mode=ro", uri=True)
        try:
            return db.execute("SELECT who, server, target, effect, decision, outcome FROM call_audit ORDER BY id").fetchall()
        finally:
            db.close()

    def run_cli(self, *args, stdin=None, timeout=240, cwd=None, **more):
        return Result(subprocess.run([TROUPE, *map(str, args)], cwd=cwd or self.dir, env={**self.env, **more}, text=True,
                                     input=stdin if stdin is not None else "", capture_output=True, timeout=timeout))

    def ok(self, *args, **more):
        r = self.run_cli(*args, **more)
        self.assertEqual(r.code, 0, f"troupe {' '.join(map(str, args))}\n{r.out}\n{r.err}")
        return r

    def fails(self, code, words, *args, **more):
        r = self.run_cli(*args, **more)
        self.assertEqual(r.code, code, f"troupe {' '.join(map(str, args))}\n{r.out}\n{r.err}")
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, r.err)
        return r


def main():
    unittest.main(argv=sys.argv[:1], verbosity=2)
