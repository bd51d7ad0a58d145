"""test_cli_waits.py - waits: for times, and for answers until a deadline; a run that ended stays ended.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import time

from cli_case import CliCase, main

PAUSE = """schema: blueprint/v1
inputs: {time: {type: string, default: 2s}}
steps:
  first: {tool: write_file, in: {path: first.txt, text: x}}
  pause: {wait: {for: "${inputs.time}"}}
  then: {value: "${pause}"}
"""
LOOP = """schema: blueprint/v1
steps:
  try: {loop: {until: "${try > 5}", max: 2%s}, value: "${round}"}
output: {last: "${try}", gave_up: "${exhausted.try}", state: "${state.try}"}
"""
ASK = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "go?", options: [yes, no], timeout: 1s, on_timeout: no, reject: []}}
  out: {value: "${ask} ${state.ask}"}
"""
GATE = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "delete it all?", options: [yes, no]}}
  act: {tool: write_file, in: {path: did.txt, text: done}}
"""
BRANCHES = """schema: blueprint/v1
steps:
  both:
    parallel:
      branches:
        ask: {human: {prompt: "go?", options: [yes, no]}}
        fails: {tool: read_file, in: {path: nowhere.txt}}
"""
AROUND = """schema: blueprint/v1
steps:
  a: {do: {ask: {human: {prompt: "go?", options: [yes, no]}}}, timeout: 1s, on_error: continue}
  out: {value: "${state.a}"}
"""


class Waits(CliCase):
    def show(self):
        return self.ok("show", "last", "--json").json()

    def steps(self):
        return {s["path"]: s for s in self.show()["steps"]}

    def test_run_waits_for_a_time(self):
        self.write("p.yaml", PAUSE)
        began = time.time()
        out = self.ok("run", "p.yaml", "--root", ".").out
        self.assertGreaterEqual(time.time() - began, 2)
        began = time.time()
        self.ok("replay", "last")  # a wait that is over is read from the record
        self.assertLess(time.time() - began, 1.8)
        self.assertRegex(out, r'^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z"\n$')

    def test_a_wait_needs_no_process(self):
        self.write("p.yaml", PAUSE)
        p = self.start("run", "p.yaml", "--root", ".", "--var", "time=4s")
        end = time.time() + 60
        while time.time() < end and '"path":"pause"' not in self.run_cli("show", "last", "--json").out:
            time.sleep(0.05)
        began = self.steps()["pause"]["began_ms"] / 1000
        p.send_signal(signal.SIGKILL)
        p.communicate()
        # A process that resumes earlier waits for the rest of the time.
        p = self.start("resume", "last")
        time.sleep(0.5)
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130)
        time.sleep(max(0.0, began + 4.2 - time.time()))
        now = time.time()
        due = self.ok("resume", "last").out
        self.assertLess(time.time() - now, 2)  # it did not wait
        self.assertTrue(due.startswith('"' + time.strftime("%Y-%m-%dT%H:%M", time.gmtime(began + 4))), due)
        self.assertEqual(self.steps()["first"].get("tries", 1), 1)

    def test_nobody_answers_a_time(self):
        self.write("p.yaml", """schema: blueprint/v1
steps: {both: {parallel: {branches: {pause: {wait: {for: 1h}}, ask: {human: {prompt: "go?", options: [yes, no]}}}}}}
""")
        p = self.start("run", "p.yaml")
        end = time.time() + 60
        while time.time() < end and len(self.run_cli("show", "last", "--json").out.split('"kind":"timer"')) < 2:
            time.sleep(0.05)
        self.fails(1, "waits for a timer", "answer", "last/both/pause", "yes")
        self.ok("answer", "last", "yes")  # the question is the only one
        end = time.time() + 60
        while time.time() < end and self.steps()["both/ask"]["status"] != "ok":  # the running process notices the answer
            time.sleep(0.05)
        self.assertEqual(self.steps()["both/ask"]["status"], "ok")
        self.ok("cancel", "last")
        p.communicate(timeout=60)
        self.assertEqual(self.steps()["both/pause"]["status"], "cancelled")

    def test_a_time_that_is_over_is_not_waited_for(self):
        self.write("u.yaml", 'schema: blueprint/v1\nsteps: {w: {wait: {until: "2001-02-03T04:05:06+01:00"}}}\n')
        self.assertEqual(self.ok("run", "u.yaml").out, '"2001-02-03T03:05:06Z"\n')
        self.write("u.yaml", 'schema: blueprint/v1\nsteps: {w: {wait: {until: tomorrow}}}\n')
        self.fails(78, ["u.yaml:2:", "RFC 3339", "tomorrow"], "validate", "u.yaml")

    def test_a_loop_that_gave_up_says_so(self):
        self.write("l.yaml", LOOP % "")
        self.assertEqual(json.loads(self.ok("run", "l.yaml").out), {"last": 1, "gave_up": True, "state": "ok"})
        self.assertIs(self.steps()["try"]["exhausted"], True)
        self.assertIn("exhausted", self.ok("show", "last").out)
        self.write("l.yaml", LOOP % ", on_max: fail")
        self.fails(3, "`until` did not hold in 2 rounds", "run", "l.yaml")
        self.assertNotIn("exhausted", self.steps()["try"])

    def test_a_deadline_holds_without_a_process(self):
        self.write("a.yaml", ASK)
        self.assertEqual(self.run_cli("run", "a.yaml").code, 4)
        time.sleep(1.3)
        self.fails(1, "the time to answer", "answer", "last/ask", "yes")
        self.assertEqual(self.ok("resume", "last").out, '"no ok"\n')
        self.fails(1, "ask", "answer", "last/ask", "yes")
        self.assertNotIn("waits", self.show())

    def test_a_cancelled_run_stays_cancelled(self):
        self.write("g.yaml", GATE)
        self.assertEqual(self.run_cli("run", "g.yaml", "--root", ".").code, 4)
        self.ok("cancel", "last")
        self.fails(1, "cancelled", "answer", "last/ask", "yes")
        self.assertNotEqual(self.run_cli("resume", "last", "--root", ".").code, 0)
        self.assertEqual(self.ok("resume", "--all", "--json").json()["runs"], [])
        self.assertEqual(self.show()["status"], "cancelled")
        self.assertNotIn("waits", self.show())
        self.assertFalse(os.path.exists(os.path.join(self.dir, "did.txt")))

    def test_a_question_ends_with_the_step_around_it(self):
        self.write("b.yaml", BRANCHES)
        self.assertEqual(self.run_cli("run", "b.yaml", "--root", ".").code, 3)
        self.assertEqual(self.steps()["both/ask"]["status"], "cancelled")
        self.assertNotIn("waits", self.show())
        self.fails(1, "both/ask", "answer", "last/both/ask", "yes")
        self.write("t.yaml", AROUND)
        self.assertEqual(self.run_cli("run", "t.yaml").code, 4)
        time.sleep(1.3)
        self.assertEqual(self.ok("resume", "last").out, '"timeout"\n')
        self.assertEqual(self.steps()["a/ask"]["status"], "cancelled")
        self.assertNotIn("waits", self.show())
        self.fails(1, "a/ask", "answer", "last/a/ask", "yes")


if __name__ == "__main__":
    main()
