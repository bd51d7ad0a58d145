"""test_cli_watch.py - resume --all --watch: deadlines, timers, retries and answers of all runs of a store.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import signal
import time

from cli_case import CliCase, main

WATCH = ("resume", "--all", "--watch", "--json")
QUESTION = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "Go on?", options: [yes, no], reject: [], timeout: %s%s}}
output: "${ask}"
"""
PAUSE = """schema: blueprint/v1
steps:
  one: {wait: {for: %s}}
  two: {wait: {for: %s}}
output: done
"""
RETRY = """schema: blueprint/v1
agents: {w: {model: "script:flaky.json"}}
steps:
  s: {agent: w, in: hi, retry: {max: 3, backoff: 2}}
output: "${s}"
"""
SLOW = """schema: blueprint/v1
agents: {w: {model: "script:slow.json"}}
steps:
  s: {agent: w, in: hi}
output: "${s}"
"""


class Watch(CliCase):
    def setUp(self):
        super().setUp()
        self.env["TROUPE_STORE"] = os.path.join(self.dir, "s.db")

    def waiting(self, name, timeout, otherwise=None):
        path = self.write(f"{name}.yaml", QUESTION % (timeout, f", on_timeout: {otherwise}" if otherwise else ""))
        r = self.run_cli("run", path, "--json")
        self.assertEqual(r.code, 4, r.err)
        return r.json()["run"]

    def killed(self, path, steps=1):
        """A run whose process has died."""
        before = len(self.runs())
        p = self.start("run", path)
        end = time.time() + 60
        while len(self.runs()) == before or self.runs()[0]["steps"] < steps:
            self.assertLess(time.time(), end)
            time.sleep(0.05)
        os.kill(p.pid, signal.SIGKILL)
        p.communicate()
        return self.runs()[0]["run"]

    def runs(self):
        r = self.run_cli("runs", "--json")
        return r.json()["runs"] if r.code == 0 else []

    def status(self, run):
        return self.ok("show", run, "--json").json()["status"]

    def until_status(self, run, status, seconds=60):
        end = time.time() + seconds
        while self.status(run) != status:
            self.assertLess(time.time(), end, f"{run} did not become {status}")
            time.sleep(0.05)

    def end(self, p, code=0):
        out, err = p.communicate(timeout=120)
        self.assertEqual(p.returncode, code, out + err)
        return out, err

    def slow(self, ms):
        self.write("slow.json", json.dumps({"model": "script", "replies": [], "default": {"text": "slept"}, "delay_ms": ms}))
        return self.write("slow.yaml", SLOW)

    def flaky(self):
        self.write("flaky.json", json.dumps({"model": "script", "replies": [{"path": "s@2/**", "text": "at last"}],
                                             "default": {"error": "not yet"}}))
        return self.write("flaky.yaml", RETRY)

    def test_answers_and_deadlines_of_two_runs(self):
        asked, soon = self.waiting("asked", "1h", "no"), self.waiting("soon", "3s", "no")
        p = self.start(*WATCH)
        self.until_status(soon, "ok")
        self.assertEqual(self.status(asked), "waiting")
        self.assertIsNone(p.poll())
        before = time.time()
        self.ok("answer", asked, "yes")
        out, err = self.end(p)
        doc = json.loads(out)
        self.assertEqual([(r["run"], r["status"], r["output"]) for r in doc["runs"]], [(soon, "ok", "no"), (asked, "ok", "yes")])
        self.assertEqual(doc["waits"], [])
        step = self.ok("show", asked, "--json").json()["steps"][0]
        self.assertLess(step["ended_ms"] / 1000 - before, 3)  # a second, and the time of the answering process
        self.assertIn("no run is open", err)
        self.assertEqual(json.loads(self.ok(*WATCH).out)["runs"], [])

    def test_a_question_without_a_deadline_is_named_and_ends_nothing(self):
        never = self.waiting("never", "none")
        soon = self.waiting("soon", "2s", "yes")
        r = self.ok(*WATCH)
        self.assertEqual([x["run"] for x in r.json()["runs"]], [soon])
        self.assertEqual([(w["run"], w["path"], w["deadline"]) for w in r.json()["waits"]], [(never, "ask", None)])
        self.assertIn(f"run {never} is waiting for an answer at ask, without a deadline", r.err)
        self.assertEqual(self.status(never), "waiting")

    def test_a_question_whose_time_is_over_is_named(self):
        self.slow(0)
        asks = QUESTION.replace("steps:", 'agents: {w: {model: "script:slow.json"}}\nsteps:\n  s: {agent: w, in: hi}')
        run = self.run_cli("run", self.write("late.yaml", asks % ("1s", ", on_timeout: no")), "--json").json()["run"]
        os.unlink(os.path.join(self.dir, "slow.json"))  # so no process can continue it
        time.sleep(1.1)
        r = self.run_cli(*WATCH)
        self.assertNotIn(r.code, (0, 4), r.err)
        self.assertIn(f"run {run} cannot go on and stays as it is", r.err)
        self.assertIn(f"run {run}: the time to answer ask is over; `troupe resume {run}` continues the run\n", r.err)
        self.assertEqual([(w["run"], w["path"]) for w in r.json()["waits"]], [(run, "ask")])
        self.assertNotIn("is waiting for an answer", r.err)
        self.slow(0)
        self.assertEqual(self.ok("resume", run, "--json").json()["output"], "no")

    def test_lines_name_the_run_and_what_was_done_before(self):
        text = QUESTION.replace("steps:", "steps:\n  first: {value: 1}").replace('"${ask}"', '"${first}"') + "# %s"
        runs = []
        for how in ("one", "two", "three"):
            runs.append(self.run_cli("run", self.write(f"{how}.yaml", text % ("none", "", how)), "--json").json()["run"])
            self.ok("answer", runs[-1], "yes")
        err = self.ok("resume", runs[0]).err
        self.assertRegex(err, "\n[01] more steps? done, now at ask \\(human\\)\n")
        self.assertIn(f"\nrun {runs[0]}: ok, 2 steps (1 done before), 0 tokens, ", err)
        self.assertIn(f"\nrun {runs[0]}: ok, 2 steps, 0 tokens, ", "\n" + self.ok("resume", runs[0]).err)
        err = self.ok("resume", "--all", "--watch").err
        lines = [line for line in err.splitlines() if "now at" in line]
        self.assertTrue(lines)
        for line in lines:
            short, = re.match("run ([0-9a-f-]{6,}): [01] more steps? done, now at ask", line).groups()
            self.assertEqual(len([r for r in runs if r.startswith(short)]), 1, line)
        for run in runs[1:]:
            self.assertIn(f"run {run}: ok, 2 steps (1 done before), 0 tokens, ", err)

    def test_timers_go_on(self):
        path = self.write("pause.yaml", PAUSE % ("1s", "1s"))
        run = self.killed(path)
        began = time.time()
        r = self.ok(*WATCH).json()["runs"]
        self.assertEqual([(x["run"], x["status"], x["output"]) for x in r], [(run, "ok", "done")])
        self.assertLess(time.time() - began, 20)
        steps = self.ok("show", run, "--json").json()["steps"]
        self.assertTrue(all(1000 <= s["ended_ms"] - s["began_ms"] < 8000 for s in steps), steps)

    def test_retries_go_on(self):
        run = self.killed(self.flaky(), steps=2)
        r = self.ok(*WATCH).json()["runs"]
        self.assertEqual([(x["run"], x["status"], x["output"]) for x in r], [(run, "ok", "at last")])

    def test_another_watch_takes_over_after_a_kill(self):
        run, soon = self.killed(self.slow(4000)), self.waiting("soon", "4s", "no")
        first = self.start(*WATCH)
        self.until_status(run, "running")
        second = self.start(*WATCH)  # only watches: the first process has the run
        time.sleep(1)
        self.assertIsNone(second.poll())
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
        out, _ = self.end(second)
        self.assertEqual({(r["run"], r["status"], r["output"]) for r in json.loads(out)["runs"]},
                         {(run, "ok", "slept"), (soon, "ok", "no")})
        self.ok("store", "check")

    def test_a_signal_saves_and_another_watch_goes_on(self):
        for signo, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            run, asked = self.killed(self.slow(2000)), self.waiting("asked", "1h", "no")
            p = self.start(*WATCH)
            self.until_status(run, "running")
            p.send_signal(signo)
            self.end(p, code)
            self.assertEqual((self.status(run), self.status(asked)), ("interrupted", "waiting"))
            self.ok("answer", asked, "yes")
            self.assertEqual({x["run"] for x in self.ok(*WATCH).json()["runs"]}, {run, asked})
        idle = self.waiting("idle", "1h", "no")
        p = self.start(*WATCH)
        time.sleep(2)
        p.send_signal(signal.SIGTERM)
        self.end(p, 143)
        self.assertEqual(self.status(idle), "waiting")

    def test_so_many_at_once(self):
        def overlap(*more):
            runs = [self.killed(self.slow(1500)) for _ in range(3)]
            self.ok(*WATCH, *more)
            calls = sorted((s["began_ms"], s["ended_ms"]) for run in runs
                           for s in self.ok("show", run, "--json").json()["steps"] if s["kind"] == "model")
            self.assertEqual(len(calls), 3)
            return calls

        # All steps began earlier; each ends one delay after the previous one, which shows the order.
        ends = [e for _, e in overlap("--in-flight", "1")]
        self.assertTrue(all(b - a >= 1400 for a, b in zip(sorted(ends), sorted(ends)[1:])), ends)
        ends = sorted(e for _, e in overlap())
        self.assertLess(ends[2] - ends[0], 1400)

    def test_one_that_cannot_go_on_is_left_and_the_others_go_on(self):
        lost = self.killed(self.slow(3000))
        os.remove(os.path.join(self.dir, "slow.json"))
        soon = self.waiting("soon", "1s", "no")
        r = self.fails(1, ["slow.json", f"run {lost} cannot go on"], *WATCH)
        self.assertEqual([x["run"] for x in r.json()["runs"]], [soon])
        self.assertEqual(self.status(lost), "interrupted")
        self.fails(2, "--watch needs --all", "resume", "last", "--watch")


if __name__ == "__main__":
    main()
