"""test_cli_past_stores.py - stores of release 0.1 open, are whole, and go on to where 0.1 would have come.

What may not be gone on with any more must be refused by name (exit 78); nothing is ever called damaged.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import tarfile

from cli_case import SOURCE, CliCase, main

PAST = os.path.join(SOURCE, "tests/fixtures/v0.1/stores")
with open(os.path.join(PAST, "manifest.json"), encoding="utf-8") as f:
    MANIFEST = json.load(f)


COUNTS = ("horizon", "p", "temperature", "episodes", "successes", "ceiling", "step_accuracy", "calls_per_step")


def value(output):
    """An output without what is measured in seconds."""
    if isinstance(output, dict) and "rows" in output:
        return [{k: row[k] for k in COUNTS} for row in output["rows"]]
    return output


def done(doc):
    """What is recorded as done: it may never be lost or change."""
    steps = {(s["path"], s["attempt"]): s for s in doc["steps"] if s["status"] == "ok"}
    return {**steps, **{e["path"]: e for e in doc.get("episodes", [])}}


class PastStores(CliCase):
    def unpack(self, name):
        self.home = os.path.join(self.dir, name)
        shutil.copytree(os.path.join(PAST, "blueprints"), self.home)
        with tarfile.open(os.path.join(PAST, name + ".tar.gz")) as tar:
            tar.extractall(self.home)

    def here(self, code, *args):
        r = self.run_cli(*args, "--store", "store.db", cwd=self.home)
        self.assertNotIn("orrupt", r.err + r.out)
        self.assertNotIn("checksum", r.err + r.out)
        if code is not None:
            self.assertEqual(r.code, code, f"{self.home}: troupe {' '.join(args)}\n{r.out}\n{r.err}")
        return r

    def look(self, entry, status):
        """runs, show and check; what show gave."""
        runs = self.here(0, "runs", "--json").json()["runs"]
        self.assertEqual(runs[0]["status"], status)
        doc = self.here(0, "show", "last", "--json").json()
        self.assertEqual(doc["status"], status)
        self.assertGreaterEqual(len(done(doc)), entry["steps_ok"])
        self.here(0, "show", "last", "--tokens", "--messages", "--json")
        self.here(0, "show", "last")
        self.here(0, "store", "check")
        return doc

    def go_on(self, entry):
        """False: refused by name."""
        for command, *how in entry["then"]:
            if command == "answer":
                self.here(0, "answer", "last/" + how[0], how[1])
                continue
            r = self.here(None, "resume", "last", "--root", ".", "--quiet")
            if r.code == 78 and "0.1" in r.err:
                return False
            self.assertEqual(r.code, how[0], r.err)
        return True

    def one(self, name):
        entry = MANIFEST[name]
        self.unpack(name)
        before = done(self.look(entry, entry["status"]))
        self.assertEqual(done(self.look(entry, entry["status"])), before, "looking twice gives the same")
        if not self.go_on(entry):
            self.assertEqual(done(self.look(entry, entry["status"])), before)
            return
        after = self.look(entry, entry["end"]["status"])
        self.assertEqual({k: v for k, v in done(after).items() if k in before}, before, "nothing done is lost or changed")
        self.assertEqual(value(after.get("output")), value(entry["end"]["output"]))
        self.here(entry["end"]["replay"], "replay", "last", "--quiet")
        self.here(0, "store", "check")


def add(name):
    setattr(PastStores, "test_" + name.replace("-", "_"), lambda self: self.one(name))


for each in MANIFEST:
    add(each)

if __name__ == "__main__":
    main()
