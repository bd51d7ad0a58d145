"""test_cli_store_limits.py - the store under difficult conditions: another process keeps its lock, it is deleted,
replaced or read-only, descriptors or file sizes are limited.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import fcntl
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import time

from cli_case import TROUPE, CliCase, main

SCRIPT = json.dumps({"model": "script", "delay_ms": 20, "replies": [], "default": {"text": "done"}})
WORK = """schema: blueprint/v1
models: {m: "script:s.json"}
agents: {a: {role: a, model: m}}
steps:
  work: {map: %d, max_parallel: 1, agent: a, in: {task: "${item}"}}
output: "${size(work)}"
"""
ASK = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "Go?", options: [yes, no]}}
"""
F_OFD_SETLK = 37


class StoreLimits(CliCase):
    FLIPS = int(os.environ.get("TROUPE_FLIPS", "150"))
    SEED = int(os.environ.get("TROUPE_FLIP_SEED", "7"))

    def setUp(self):
        super().setUp()
        self.write("s.json", SCRIPT)
        self.write("work.yaml", WORK % 400)
        self.write("short.yaml", WORK % 2)
        self.write("ask.yaml", ASK)

    def waiting(self):
        self.assertEqual(self.run_cli("run", "ask.yaml", "--store", "s.db", "--quiet").code, 4)

    def mode(self, name):
        return stat.S_IMODE(os.stat(os.path.join(self.dir, name)).st_mode)

    # ---- who has the lock

    def test_readers_never_wait_and_writers_say_for_whom(self):
        self.waiting()
        with open(os.path.join(self.dir, "s.db.lock"), "r+", encoding="utf-8") as lock:
            fcntl.fcntl(lock, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            lock.write("4242 1700000000000\n")
            lock.flush()
            for args in (("runs",), ("show", "last"), ("store", "check"), ("store", "stats"), ("replay", "last")):
                began = time.time()
                code = self.run_cli(*args, "--store", "s.db").code
                self.assertIn(code, (0, 2), args)
                self.assertLess(time.time() - began, 2 + 2 * (args[0] == "replay"), args)
            for args in (("answer", "last", "yes"), ("cancel", "last"), ("resume", "last"), ("run", "ask.yaml"), ("rm", "last"),
                         ("store", "gc")):
                began = time.time()
                r = self.fails(75, ["process 4242", "since 2023-11-14 22:13:20"], *args, "--store", "s.db", timeout=20)
                self.assertGreater(time.time() - began, 1.5, r.err)
        self.ok("cancel", "last", "--store", "s.db")

    def test_a_stopped_owner_keeps_nobody_from_looking(self):
        p = self.start("run", "work.yaml", "--store", "s.db", "--quiet")
        self.until_recorded("--store", "s.db", n=3)
        with open(os.path.join(self.dir, "s.db.lock"), encoding="utf-8") as lock:
            self.assertEqual(lock.read().split()[0], str(p.pid), "the holder's number is in the lock file")
        try:
            for _ in range(20):  # sometimes it is stopped while it has the lock
                p.send_signal(signal.SIGSTOP)
                self.ok("runs", "--store", "s.db", timeout=10)
                self.ok("show", "last", "--json", "--store", "s.db", timeout=10)
                p.send_signal(signal.SIGCONT)
                time.sleep(0.013)
        finally:
            p.send_signal(signal.SIGCONT)
        p.kill()
        p.communicate()

    # ---- the files

    def test_files_are_the_users_alone(self):
        p = self.start("run", "work.yaml", "--store", "s.db", "--quiet")
        self.until_recorded("--store", "s.db")
        for tail in ("", "-wal", "-shm", ".lock", ".owners"):
            self.assertEqual(self.mode("s.db" + tail), 0o600, tail)
        p.kill()
        p.communicate()
        self.ok("store", "backup", "copy.db", "--store", "s.db")
        self.assertEqual(self.mode("copy.db"), 0o600)

    def test_a_store_that_is_deleted_or_replaced_is_an_error(self):
        def delete():
            for tail in ("", "-wal", "-shm", ".lock", ".owners"):
                os.unlink(os.path.join(self.dir, "s.db" + tail))

        def delete_log():
            os.unlink(os.path.join(self.dir, "s.db-wal"))

        def replace():
            shutil.copy(os.path.join(self.dir, "s.db"), os.path.join(self.dir, "t.db"))
            os.replace(os.path.join(self.dir, "t.db"), os.path.join(self.dir, "s.db"))

        for harm in (delete, delete_log, replace):
            p = self.start("run", "work.yaml", "--store", "s.db", "--quiet")
            self.until_recorded("--store", "s.db", n=2)
            harm()
            _, err = p.communicate(timeout=60)
            self.assertNotEqual(p.returncode, 0, harm)
            self.assertGreater(p.returncode, 0, harm)
            self.assertIn("was deleted or replaced", err)
            for tail in ("", "-wal", "-shm", ".lock", ".owners"):
                if os.path.exists(os.path.join(self.dir, "s.db" + tail)):
                    os.unlink(os.path.join(self.dir, "s.db" + tail))

    def test_a_run_that_commits_nothing_notices_that_its_store_is_gone(self):
        self.write("still.json", json.dumps({"model": "script", "delay_ms": 60000, "replies": [], "default": {"text": "late"}}))
        self.write("model.yaml", 'schema: blueprint/v1\nagents: {a: {model: "script:still.json"}}\nsteps: {b: {value: 1}, a: {agent: a, in: x}}\n')
        self.write("wait.yaml", "schema: blueprint/v1\nsteps: {b: {value: 1}, a: {wait: {for: 1m}}}\n")
        self.write("idle.yaml", "schema: blueprint/v1\nsteps: {b: {value: 1}, a: {human: {prompt: go, timeout: 1h}}}\n")
        for what in ("model.yaml", "wait.yaml", None):
            if what:
                p = self.start("run", what, "--store", "s.db", "--quiet")
            else:
                self.run_cli("run", "idle.yaml", "--store", "s.db")
                p = self.start("resume", "--all", "--watch", "--store", "s.db")
            self.until_recorded("--store", "s.db", n=2)
            time.sleep(1.5)  # nothing more is on its way to the disk
            began = time.time()
            os.rename(os.path.join(self.dir, "s.db"), os.path.join(self.dir, "moved.db"))
            _, err = p.communicate(timeout=30)
            self.assertLess(time.time() - began, 5)  # a second, and slow machines
            self.assertIn(p.returncode, (1, 3), err)
            self.assertIn("s.db was deleted or replaced", err)
            self.assertIn("all acknowledged data is safe", err)
            shown = self.ok("show", "last", "--store", "moved.db", "--json").json()  # and it is
            self.assertEqual([s["status"] for s in shown["steps"]][:2], ["ok", "started" if what == "model.yaml" else "waiting"])
            for name in os.listdir(self.dir):
                if name.startswith(("s.db", "moved.db")):
                    os.unlink(os.path.join(self.dir, name))

    def test_a_folder_that_cannot_be_written_can_be_read(self):
        self.waiting()
        whole = self.ok("show", "last", "--json", "--store", "s.db").out
        ro = os.path.join(self.dir, "ro#1")
        os.mkdir(ro)
        shutil.copy(os.path.join(self.dir, "s.db"), os.path.join(ro, "s.db"))
        for name in ("", "s.db"):
            os.chmod(os.path.join(ro, name), 0o555 if not name else 0o444)
            if os.getuid() == 0:
                os.chown(os.path.join(ro, name), 65534, 65534)
        os.chmod(self.dir, 0o755)
        program = shutil.copy(TROUPE, self.dir)  # another user may not be able to enter the folder of the build

        def look(*args):
            return subprocess.run([program, *args, "--store", os.path.join(ro, "s.db")], cwd="/", env=self.env, text=True,
                                  timeout=60, capture_output=True, stdin=subprocess.DEVNULL,
                                  user=65534 if os.getuid() == 0 else None)

        r = look("show", "last", "--json")
        self.assertEqual((r.returncode, r.stdout), (0, whole), r.stderr)
        self.assertEqual(look("runs").returncode, 0)
        self.assertEqual(sorted(os.listdir(ro)), ["s.db"])
        os.chmod(ro, 0o755)
        with open(os.path.join(ro, "s.db-wal"), "wb") as f:  # content that is not in the database file yet
            f.write(b"x" * 5000)
        os.chmod(ro, 0o555)
        r = look("runs")
        self.assertEqual(r.returncode, 1)
        self.assertIn("s.db-wal contains changes that are not in", r.stderr)
        os.chmod(ro, 0o755)

    def test_what_is_printed_is_checked(self):
        """A flipped bit is an error, or it changes nothing that is printed."""
        self.write("many.yaml", WORK % 12)
        self.ok("run", "many.yaml", "--store", "s.db", "--quiet", "--seed", "1")
        self.ok("eval", "ledger", "--store", "s.db", "--horizon", "3", "--episodes", "4", "--quiet", "--expert", "plain")
        self.waiting()
        whole = pathlib.Path(self.dir, "s.db").read_bytes()
        looks = [("runs", "--json"), ("show", "last", "--json")]
        looks += [("show", r["run"], "--tokens", "--messages", "--json")
                  for r in self.ok("runs", "--json", "--store", "s.db").json()["runs"]]
        want = [self.ok(*look, "--store", "f.db" if i < 0 else "s.db").out for i, look in enumerate(looks)]
        chance = random.Random(self.SEED)
        altered = []
        flips = [(chance.randrange(len(whole)), 1 << chance.randrange(8), chance.randrange(len(looks)))
                 for _ in range(self.FLIPS)]
        # What says how a step's row is to be read is before its path; `runs` counts these rows.
        row = whole.index(b"work[0]/turn:0")
        flips += [(at, 1 << bit, 0) for at in range(row - 8, row) for bit in range(8)]
        for at, bit, i in flips:
            pathlib.Path(self.dir, "s.db").write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1:])
            for tail in ("-wal", "-shm"):
                pathlib.Path(self.dir, "s.db" + tail).unlink(missing_ok=True)
            r = self.run_cli(*looks[i], "--store", "s.db")
            self.assertGreaterEqual(r.code, 0, (at, bit, looks[i]))
            if r.code == 0 and r.out != want[i]:
                altered.append((at, bit, looks[i], whole[max(0, at - 20):at + 20]))
        self.assertEqual(altered, [])

    # ---- limits of the process

    def limited(self, which, n, *args):
        return subprocess.run([TROUPE, *args], cwd=self.dir, env={**self.env, "ASAN_OPTIONS": "detect_leaks=0"}, text=True, timeout=60,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              preexec_fn=lambda: resource.setrlimit(which, (n, n)))

    def test_few_descriptors_are_an_error_with_words(self):
        self.ok("run", "short.yaml", "--store", "s.db", "--quiet")
        codes = set()
        for n in [*range(3, 41)]:
            for args in (("run", "short.yaml", "--quiet", "--store", "s.db"), ("show", "last", "--store", "s.db")):
                r = self.limited(resource.RLIMIT_NOFILE, n, *args)
                self.assertGreaterEqual(r.returncode, 0, f"{n} descriptors, {args}: signal {-r.returncode}\n{r.stderr}")
                self.assertNotIn("ssertion", r.stderr)
                if r.returncode == 127 or "shared libraries" in r.stderr or "libasan" in r.stderr:
                    continue  # the program could not be loaded
                if r.returncode not in (0, 4):
                    self.assertTrue(r.stderr.startswith("troupe: ") or "troupe: " in r.stderr, f"{n}: {r.stderr}")
                codes.add((args[0], r.returncode))
        self.assertIn(("run", 0), codes)
        self.assertIn(("run", 1), codes)
        self.ok("store", "check", "--store", "s.db")

    def test_a_limit_on_file_sizes_is_a_clear_error(self):
        self.ok("run", "short.yaml", "--store", "s.db", "--quiet")
        reported = 0
        for n in (1, 4096, 20000, 60000, 120000):
            r = self.limited(resource.RLIMIT_FSIZE, n, "run", "work.yaml", "--quiet", "--store", "s.db")
            self.assertGreater(r.returncode, 0, f"{n}: {r.stderr}")
            self.assertIn("troupe: ", r.stderr)
            reported += "file size" in r.stderr or "too large" in r.stderr
        self.assertGreater(reported, 0)
        self.ok("store", "check", "--store", "s.db")
        self.ok("runs", "--store", "s.db")


class Damaged(CliCase):
    """What is wrong is printed as valid UTF-8 (or the text of run_cli cannot be read) without control characters."""

    def damage(self, change):
        """A waiting run in which some bytes are not text."""
        self.write("ask.yaml", "schema: blueprint/v1\nsteps: {first: {value: 1}, ask: {human: {prompt: 'go?'}}}\n")
        store = os.path.join(self.dir, change.split()[3] + ".db")
        self.assertEqual(self.run_cli("run", "ask.yaml", "--store", store).code, 4)
        with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as db:
            self.assertGreater(db.execute(change.replace("BAD", r"CAST(x'61ff1b5b324ae282' AS TEXT)")).rowcount, 0)
        return store

    def test_bytes_that_are_no_text(self):
        for change in ("UPDATE run SET uuid = BAD", "UPDATE run SET name = BAD", "UPDATE run SET status = BAD", "UPDATE step SET path = BAD WHERE seq = 0",
                       "UPDATE step SET kind = BAD", "UPDATE step SET out_small = BAD WHERE seq = 0", "UPDATE wait SET prompt = BAD",
                       "UPDATE wait SET path = BAD", "UPDATE run SET source = BAD"):
            store = self.damage(change)
            for args in (("runs",), ("show", "last"), ("inbox",), ("resume", "last"), ("answer", "last", "x"), ("store", "check"), ("replay", "last")):
                r = self.run_cli(*args, "--store", store)
                self.assertNotIn("\x1b", r.out + r.err, (change, args))
                if args[0] == "store":
                    self.assertNotEqual(r.code, 0, change)
            os.unlink(store)

    def test_names_of_files_that_are_no_text(self):
        for args in (("run", "\udcff\x1b.yaml"), ("validate", "\udcff\x1b.yaml"), ("runs", "--store", "\udcff\x1b/s.db"),
                     ("generate", "--model", "\udcff\x1b", "--prompt", "x")):
            r = self.run_cli(*args)
            self.assertNotEqual(r.code, 0)
            self.assertNotIn("\x1b", r.err)
        self.write("\udcff.yaml", "schema: blueprint/v1\nsteps: {a: {value: 1}\n")
        self.fails(78, "?.yaml:", "run", "\udcff.yaml")


if __name__ == "__main__":
    main()
