"""test_cli_past_stores.py - stores of release 0.1 open, are complete, and their runs end as they would have in 0.1.

A run that cannot continue must be refused with its reason (exit 78); no store may be reported as damaged.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import sqlite3
import struct
import tarfile

from cli_case import SOURCE, CliCase, main

PAST = os.path.join(SOURCE, "tests/fixtures/v0.1/stores")
with open(os.path.join(PAST, "manifest.json"), encoding="utf-8") as f:
    MANIFEST = json.load(f)


COUNTS = ("horizon", "p", "temperature", "episodes", "successes", "ceiling", "step_accuracy", "calls_per_step")


def value(output):
    """An output without its durations."""
    if isinstance(output, dict) and "rows" in output:
        return [{k: row[k] for k in COUNTS} for row in output["rows"]]
    return output


def done(doc):
    """The steps that are recorded as done: they must never be lost or change."""
    steps = {(s["path"], s["attempt"]): s for s in doc["steps"] if s["status"] == "ok"}
    return {**steps, **{e["path"]: e for e in doc.get("episodes", [])}}


class Unpacked(CliCase):
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


class PastStores(Unpacked):
    def look(self, entry, status):
        """Calls runs, show and check; returns the document of show."""
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
        """Continues the run; False if it was refused with its reason."""
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
        replay = 0 if entry["end"]["status"] == "timeout" else entry["end"]["replay"]  # 0.1 went by the clock
        self.here(replay, "replay", "last", "--quiet")
        self.here(0, "store", "check")


def version(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


class BroughtForward(Unpacked):
    """The first command that writes converts a store to the version of the program."""

    def file(self, tail=""):
        return os.path.join(self.home, "store.db" + tail)

    def bytes_of(self, *tails):
        return [pathlib.Path(self.file(t)).read_bytes() for t in tails]

    def test_looking_changes_no_byte(self):
        self.unpack("waiting-answered")
        before = self.bytes_of("", "-wal")
        for args in (("runs",), ("show", "last"), ("store", "check"), ("store", "stats"), ("doctor",)):
            self.here(None, *args)
        self.assertEqual(self.bytes_of("", "-wal"), before)
        self.assertFalse(os.path.exists(self.file(".before-v2")))

    def test_a_copy_is_kept(self):
        self.unpack("waiting-answered")
        r = self.here(0, "cancel", "last")
        self.assertIn("store.db.before-v2", r.err)
        self.assertEqual((version(self.file()), version(self.file(".before-v2"))), (2, 1))
        kept = self.bytes_of(".before-v2")
        self.here(2, "resume", "last")
        self.here(1, "answer", "last", "yes")
        self.assertEqual(self.bytes_of(".before-v2"), kept)
        os.unlink(self.file("-wal"))
        os.replace(self.file(".before-v2"), self.file())
        self.assertEqual(self.here(0, "runs", "--json").json()["runs"][0]["status"], "waiting")

    def test_an_earlier_copy_stays(self):
        self.unpack("waiting-answered")
        with open(self.file(".before-v2"), "w", encoding="utf-8") as f:
            f.write("mine")
        self.here(0, "cancel", "last")
        self.assertEqual(self.bytes_of(".before-v2"), [b"mine"])
        self.assertEqual(version(self.file(".before-v2-2")), 1)

    def test_one_copy_is_kept_of_a_migration_that_did_not_end(self):
        self.unpack("waiting-answered")
        with open(self.file(".before-v2"), "w", encoding="utf-8") as f:
            f.write("mine")
        with contextlib.closing(sqlite3.connect(self.file(), isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")  # so that the migration cannot begin after its copy
            for _ in range(3):
                self.assertNotEqual(self.run_cli("cancel", "last", "--store", self.file()).code, 0)
                self.assertEqual(version(self.file(".before-v2-2")), 1)
                self.assertFalse(os.path.exists(self.file(".before-v2-3")))
        kept = self.bytes_of(".before-v2-2")
        r = self.here(0, "cancel", "last")
        self.assertIn("store.db.before-v2-2", r.err)
        self.assertEqual(version(self.file()), 2)
        self.assertEqual(self.bytes_of(".before-v2", ".before-v2-2"), [b"mine", *kept])
        self.assertFalse(os.path.exists(self.file(".before-v2-3")))

    def test_refused_while_an_owner_lives(self):
        self.unpack("waiting-answered")
        before = self.bytes_of("", "-wal")
        with open(self.file(".owners"), "w", encoding="utf-8") as owners:  # the lock that a process of 0.1 has on run 1
            fcntl.fcntl(owners, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 1, 1, 0))  # F_OFD_SETLK
            for args in (("answer", "last", "left"), ("resume", "last"), ("cancel", "last")):
                self.assertIn("working on one of its runs", self.here(75, *args).err)
            self.here(0, "runs")
        self.assertEqual(self.bytes_of("", "-wal"), before)
        self.here(0, "cancel", "last")

    def test_damage_stays_known(self):
        for table, column in (("run", "name"), ("step", "name"), ("wait", "prompt")):
            self.unpack("waiting-answered")
            with contextlib.closing(sqlite3.connect(self.file())) as db:
                db.execute(f"UPDATE {table} SET {column} = {column} || 'x'")
                db.execute("UPDATE step SET tries = 2, sum = sum + 0")
                db.commit()
            where = [line.split()[0] for line in self.run_cli("store", "check", cwd=self.home, *STORE).out.splitlines()]
            self.assertIn(table, where)
            self.run_cli("cancel", "last", cwd=self.home, *STORE)
            self.run_cli("store", "gc", cwd=self.home, *STORE)
            self.assertEqual(version(self.file()), 2)
            r = self.run_cli("store", "check", cwd=self.home, *STORE)
            self.assertEqual((r.code, table in r.out), (1, True), r.out)
            shutil.rmtree(self.home)

    def test_an_answer_that_came_too_late_does_not_count(self):
        """0.1 accepted it; the deadline still counts, and the question is shown as closed."""
        self.unpack("waiting-late")
        r = self.here(1, "answer", "last", "yes")
        for words in ("the time to answer", "the default `no` will be taken"):
            self.assertIn(words, r.err)
        self.here(0, "resume", "last")
        self.assertFalse(os.path.exists(os.path.join(self.home, "late.txt")))
        r = self.here(1, "answer", "last/approve", "yes")
        self.assertIn("the default `no` was taken", r.err)

    def test_ended_runs_stay_ended(self):
        for name in ("ended-cancelled", "ended-error", "ended-timeout", "ended-ok"):
            self.unpack(name)
            before = self.here(0, "show", "last", "--json").json()
            resumed = self.here(0 if name == "ended-ok" else 2, "resume", "last", "--json")
            if name == "ended-ok":  # its result comes again, and nothing runs
                self.assertEqual(resumed.json()["output"], before["output"])
                self.assertEqual(len(self.here(0, "show", "last", "--json").json()["steps"]), len(before["steps"]))
            self.here(1, "answer", "last/second", "left")
            self.here(1, "cancel", "last")
            self.assertEqual(self.here(0, "runs", "--json").json()["runs"][0]["status"], MANIFEST[name]["status"])
            self.assertNotIn("waits", self.here(0, "show", "last").out)
            shutil.rmtree(self.home)


STORE = ("--store", "store.db")


def add(name):
    setattr(PastStores, "test_" + name.replace("-", "_"), lambda self: self.one(name))


for each in MANIFEST:
    add(each)

if __name__ == "__main__":
    main()
