"""test_cli_kill.py - kill -9 in a loop: a run that was killed anywhere and resumed equals one that was not.

TROUPE_SOAK=1 makes the loop longer.
SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import signal
import subprocess
import time

from cli_case import LEDGER, CliCase, main

LOOP_S = 300 if os.environ.get("TROUPE_SOAK") else 30
HORIZON = "100"


def what_counts(steps):
    return {s["path"]: (s["attempt"], s["status"], s.get("output"), s.get("call"), s.get("tokens")) for s in steps}


class Kill(CliCase):
    def show(self, which="last"):
        return self.ok("show", which, "--tokens", "--json", "--store", "k.db").json()

    def test_killed_and_resumed_equals_uninterrupted(self):
        whole = self.ok("run", LEDGER, "--var", "horizon=" + HORIZON, "--seed", "7", "--json", "--store", "w.db").json()
        want = self.ok("show", whole["run"], "--tokens", "--json", "--store", "w.db").json()
        n_whole = sum(s["kind"] == "model" for s in want["steps"])
        seed = int(time.time())
        chance = random.Random(seed)
        print(f"kill loop with seed {seed}")
        end, rounds, kills = time.time() + LOOP_S, 0, 0
        while time.time() < end or rounds == 0:
            rounds += 1
            kills += self.one_round(chance, want, n_whole)
        print(f"{rounds} runs, {kills} kills")
        self.assertGreater(kills, 0)

    def one_round(self, chance, want, n_whole):
        kills = 0
        before = {}
        command = ["run", LEDGER, "--var", "horizon=" + HORIZON, "--seed", "7", "--store", "k.db", "--quiet"]
        while True:
            p = self.start(*command)
            try:
                p.communicate(timeout=chance.uniform(0.03, 0.4) if kills < 6 else 120)
                self.assertEqual(p.returncode, 0)
                break
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGKILL)
                p.communicate()
                kills += 1
            if not os.path.exists(os.path.join(self.dir, "k.db")):
                continue
            r = self.run_cli("show", "last", "--tokens", "--json", "--store", "k.db")
            if r.code:
                continue  # killed before the row of the run was written
            now = {s["path"]: s for s in r.json()["steps"]}
            for path, s in before.items():  # committed steps keep their rows and times
                if s["status"] != "started":
                    self.assertEqual(now[path], s)
            before = now
            command = ["resume", "last", "--store", "k.db", "--quiet"]
        got = self.show()
        self.assertEqual(got["status"], "ok")
        self.assertEqual(got["verdict"], want["verdict"])
        self.assertEqual(what_counts(got["steps"]), what_counts(want["steps"]))
        self.assertEqual([s["seq"] for s in got["steps"]], sorted(s["seq"] for s in got["steps"]))
        repeated = sum(s.get("tries", 1) - 1 for s in got["steps"] if s["kind"] == "model")
        self.assertLessEqual(repeated, kills, "more model calls than were in flight")
        self.ok("store", "check", "--store", "k.db")
        self.ok("rm", "last", "--store", "k.db")
        return kills

    def test_two_resumers_at_once(self):
        p = self.start("run", LEDGER, "--var", "horizon=3000", "--seed", "9", "--store", "r.db", "--quiet")
        self.until_recorded("--store", "r.db", n=50)
        p.send_signal(signal.SIGKILL)
        p.communicate()
        both = [self.start("resume", "last", "--store", "r.db", "--quiet") for _ in range(2)]
        codes = []
        for q in both:
            q.communicate(timeout=200)
            codes.append(q.returncode)
        self.assertIn(0, codes)
        self.assertTrue(set(codes) <= {0, 75}, codes)
        self.ok("store", "check", "--store", "r.db")

    def test_two_processes_record_into_one_store(self):
        both = [self.start("run", LEDGER, "--var", "horizon=30", "--seed", str(s), "--store", "two.db", "--quiet")
                for s in (1, 2)]
        for p in both:
            _, err = p.communicate(timeout=200)
            self.assertEqual(p.returncode, 0, err)
        self.assertEqual(len(self.ok("runs", "--json", "--store", "two.db").json()["runs"]), 2)
        self.ok("store", "check", "--store", "two.db")


if __name__ == "__main__":
    main()
