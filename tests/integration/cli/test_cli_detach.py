"""test_cli_detach.py - run --detach: the run continues after the command that started it has ended.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import time

from cli_case import ASK, LEDGER, CliCase, main


def processes_of(word):
    """Ids of the processes whose command line contains `word`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if word.encode() in f.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


class Detach(CliCase):
    def setUp(self):
        super().setUp()
        self.store = os.path.join(self.dir, "d.db")  # absolute, so that it identifies our processes

    def tearDown(self):
        for pid in processes_of(self.store):
            os.kill(pid, signal.SIGKILL)
        super().tearDown()

    def begin(self, *args):
        return self.ok("run", *args, "--detach", "--store", self.store).out.strip()

    def status(self, run):
        return self.ok("show", run, "--json", "--store", self.store).json()["status"]

    def wait_for(self, run, status, seconds=60):
        end = time.time() + seconds
        while self.status(run) != status:
            self.assertLess(time.time(), end, self.status(run))
            time.sleep(0.1)

    def test_the_id_is_printed_and_follow_sees_the_end(self):
        run = self.begin(LEDGER, "--var", "horizon=20", "--seed", "7")
        self.assertRegex(run, r"^[0-9a-f-]{36}$")
        r = self.ok("show", run, "--follow", "--json", "--store", self.store)
        last = json.loads(r.out.splitlines()[-1])
        self.assertEqual((last["type"], last["run"], last["status"]), ("result", run, "ok"))
        with open(self.store + ".log", encoding="utf-8") as f:
            self.assertIn(f"run {run}: ok", f.read())

    def test_the_document_says_running(self):
        r = self.ok("run", LEDGER, "--var", "horizon=2", "--detach", "--json", "--store", self.store).json()
        self.assertEqual((r["schema"], r["status"], r["output"]), ("troupe.run/1", "running", None))
        self.wait_for(r["run"], "ok")

    def test_it_has_a_session_of_its_own_and_is_cancelled(self):
        run = self.begin(LEDGER, "--var", "horizon=100000")
        pid, = processes_of(self.store)
        self.assertEqual(os.getsid(pid), pid)
        self.ok("cancel", run, "--store", self.store)
        self.wait_for(run, "cancelled")

    def test_killed_it_is_resumed(self):
        run = self.begin(LEDGER, "--var", "horizon=150", "--seed", "3")
        pid, = processes_of(self.store)
        os.kill(pid, signal.SIGKILL)
        while os.path.exists(f"/proc/{pid}"):  # it keeps the run locked until it has exited
            time.sleep(0.01)
        r = self.ok("resume", run, "--json", "--store", self.store).json()
        self.assertEqual((r["run"], r["status"]), (run, "ok"))

    def test_terminated_it_saves(self):
        run = self.begin(LEDGER, "--var", "horizon=100000")
        pid, = processes_of(self.store)
        os.kill(pid, signal.SIGTERM)
        end = time.time() + 60
        while processes_of(self.store):
            self.assertLess(time.time(), end)
            time.sleep(0.1)
        with open(self.store + ".log", encoding="utf-8") as f:
            self.assertIn(f"`troupe resume {run}`", f.read())

    def test_a_question_waits_in_the_store(self):
        run = self.begin(self.write("ask.yaml", ASK))
        self.wait_for(run, "waiting")
        self.ok("answer", run, "yes", "--store", self.store)
        self.assertEqual(self.ok("resume", run, "--store", self.store).out, '"yes"\n')

    def test_what_is_wrong_before_the_row_is_said_here(self):
        where = ("--detach", "--store", self.store)
        self.fails(78, ["bad.yaml:", "stepz"], "run", self.write("bad.yaml", "schema: blueprint/v1\nstepz: {}\n"),
                   *where)
        self.fails(78, "nothere.yaml", "run", "nothere.yaml", *where)
        r = self.fails(2, "horizon", "run", LEDGER, "--var", "horizn=3", "--json", *where)
        self.assertEqual(r.json()["error"]["code"], "usage")
        self.fails(2, "--stream", "run", LEDGER, "--stream", *where)
        self.assertFalse(os.path.exists(self.store))


if __name__ == "__main__":
    main()
