"""test_cli_questions.py - questions: the text, the deadline and the command to answer; on a terminal they are asked there.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import time

from cli_case import TROUPE, CliCase, main

ASK = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "Book ${1 + 1} seats?", options: [yes, no], reject: [no], timeout: 1h, on_timeout: no}}
output: "${ask}"
"""
TWO = """schema: blueprint/v1
steps:
  both:
    parallel:
      branches:
        left: {human: {prompt: "Left?", options: [1, 2]}}
        right: {human: {prompt: "Right?"}}
output: "${both}"
"""
SOON = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "Quick?", options: [yes, no], reject: [], timeout: 2s, on_timeout: no}}
output: "${ask}"
"""
NEVER = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "Some day?", timeout: none}}
output: "${ask}"
"""


class Questions(CliCase):
    def waits(self, name, text, *more):
        r = self.run_cli("run", self.write(name, text), *more)
        self.assertEqual(r.code, 4, r.out + r.err)
        return r

    def test_a_waiting_run_says_what_it_asks_and_how_to_answer(self):
        for more in ((), ("--quiet",)):
            r = self.waits("ask.yaml", ASK, *more)
            self.assertEqual(r.out, "")
            for words in ("ask asks: Book 2 seats?", "one of: yes, no", "until 20", "then: no", "troupe answer "):
                self.assertIn(words, r.err)
        command = next(line for line in r.err.splitlines() if "troupe answer" in line).split()
        self.ok(*command[1:-1], "yes")
        self.assertEqual(self.ok("resume", command[2]).out, '"yes"\n')

    def test_the_document_has_the_questions(self):
        doc = self.waits("ask.yaml", ASK, "--json").json()
        self.assertEqual(doc["status"], "waiting")
        w, = doc["waits"]
        left = datetime.datetime.fromisoformat(w["deadline"].replace("Z", "+00:00")).timestamp() - time.time()
        self.assertTrue(3500 < left < 3601, left)
        self.assertEqual([w[k] for k in ("path", "prompt", "options", "default")], ["ask", "Book 2 seats?", ["yes", "no"], "no"])
        self.assertEqual(self.ok("show", doc["run"], "--json").json()["waits"], doc["waits"])
        self.assertEqual(self.waits("never.yaml", NEVER, "--json").json()["waits"][0]["deadline"], None)

    def test_each_of_several_is_answered_by_its_path(self):
        doc = self.waits("two.yaml", TWO, "--json").json()
        self.assertEqual([w["path"] for w in doc["waits"]], ["both/left", "both/right"])
        self.fails(2, ["2 open questions", "troupe inbox"], "answer", "last", "1")
        self.ok("answer", "last/both/left", "2")
        self.ok("answer", "last", "text")
        self.assertEqual(self.ok("resume", "last", "--json").json()["output"], {"left": 2, "right": "text"})

    def test_the_inbox_has_the_questions_of_all_runs(self):
        self.assertEqual(self.waits("ask.yaml", ASK).out, "")
        self.waits("two.yaml", TWO)
        runs = [r["run"] for r in self.ok("runs", "--json").json()["runs"]]
        doc = self.ok("inbox", "--json").json()
        self.assertEqual(doc["schema"], "troupe.inbox/1")
        self.assertEqual([(w["run"], w["name"], w["path"]) for w in doc["waits"]],
                         [(runs[1], "ask", "ask"), (runs[0], "two", "both/left"), (runs[0], "two", "both/right")])
        text = self.ok("inbox").out
        commands = [line.split() for line in text.splitlines() if "troupe answer" in line]
        self.assertEqual(len(commands), 3, text)
        self.ok(*commands[2][1:-1], "here")
        self.assertEqual([w["path"] for w in self.ok("inbox", "--json").json()["waits"]], ["ask", "both/left"])
        self.ok("cancel", runs[1])
        self.assertEqual([w["path"] for w in self.ok("inbox", "--json").json()["waits"]], ["both/left"])

    def test_a_command_that_is_printed_stays_right(self):
        """Also when another run begins that shares its head; a path with brackets is quoted for the shell."""
        r = self.waits("each.yaml", "schema: blueprint/v1\nsteps:\n  each: {map: 2, human: {prompt: 'Number ${index}?'}}\n"
                       "output: \"${each}\"\n")
        text = self.ok("inbox").out
        for _ in range(3):
            self.waits("ask.yaml", ASK)
        for source in (r.err, text):
            commands = [shlex.split(line) for line in source.splitlines() if "troupe answer" in line]
            self.assertEqual([c[2].split("/", 1)[1] for c in commands], ["each[0]", "each[1]"], source)
        self.assertIn("'", next(line for line in text.splitlines() if "troupe answer" in line))
        for c in commands:
            self.ok("answer", c[2], "yes")
        self.assertEqual(self.ok("resume", commands[0][2].split("/")[0], "--json").json()["output"], ["yes", "yes"])

    def test_a_question_whose_time_is_over_takes_no_answer(self):
        for zone, offset in (("EST5", "-05:00"), ("UTC", "+00:00"), ("IST-5:30", "+05:30")):
            run = self.waits("soon.yaml", SOON.replace("2s", "1s"), "--json").json()["run"]
            time.sleep(1.2)
            for args in (("inbox",), ("show", run)):
                out = self.ok(*args, TZ=zone).out
                self.assertRegex(out, "its time was over at 20[0-9-]+ [0-9:]+" + re.escape(offset) + ", then: no")
                self.assertIn(f"troupe resume {run}", out)
                self.assertNotIn("troupe answer", out)
            r = self.fails(1, "the time to answer ask ended at 20", "answer", run, "yes", TZ=zone)
            self.assertRegex(r.err, r"ended at 20[0-9-]+ [0-9:]+" + re.escape(offset) + ";")
            self.assertEqual(self.ok("resume", run).out, '"no"\n')

    def test_a_second_answer_is_shown_the_first(self):
        run = self.waits("two.yaml", TWO, "--json").json()["run"]
        self.fails(1, ["has no open question at both/wrong", "its open questions: both/left, both/right"], "answer", f"{run}/both/wrong", "1")
        self.ok("answer", f"{run}/both/left", "2")
        self.fails(1, "both/left is already answered: 2", "answer", f"{run}/both/left", "1")

    def test_who_ends_a_cancelled_run(self):
        run = self.waits("ask.yaml", ASK, "--json").json()["run"]
        r = self.ok("cancel", run)  # no process holds it
        self.assertIn(f"{run}: cancelled", r.err)
        self.assertNotIn("stops", r.err)

    # ---- on a terminal

    def terminal(self, *args):
        """Starts the program with a terminal for input and messages; its standard output is a file."""
        master, slave = pty.openpty()
        out = open(os.path.join(self.dir, "out"), "w+", encoding="utf-8")
        p = subprocess.Popen([TROUPE, *args], cwd=self.dir, env=self.env, stdin=slave, stdout=out, stderr=slave)
        os.close(slave)
        self.started.append(p)
        self.addCleanup(os.close, master)
        self.addCleanup(out.close)
        p.master, p.file, p.seen = master, out, ""
        return p

    def until(self, p, words, seconds=60):
        end = time.time() + seconds
        while words not in p.seen and time.time() < end:
            if select.select([p.master], [], [], 0.2)[0]:
                try:
                    p.seen += os.read(p.master, 4096).decode()
                except OSError:
                    break
        self.assertIn(words, p.seen)
        p.seen = p.seen.split(words, 1)[1]

    def end(self, p, code):
        end = time.time() + 60
        while p.poll() is None and time.time() < end:
            if select.select([p.master], [], [], 0.1)[0]:
                try:
                    p.seen += os.read(p.master, 4096).decode()
                except OSError:
                    time.sleep(0.05)
        self.assertEqual(p.returncode, code, p.seen)
        p.file.seek(0)
        return p.file.read()

    def test_on_a_terminal_it_asks_and_goes_on(self):
        p = self.terminal("run", self.write("two.yaml", TWO))
        self.until(p, "Left?")
        self.until(p, "Ctrl-D leaves the question open\r\n> ")
        os.write(p.master, b"\n")
        self.until(p, "> ")
        os.write(p.master, b"7\n")
        self.until(p, "1, 2")
        self.until(p, "> ")
        os.write(p.master, b"1\n")
        self.until(p, "Right?")
        os.write(p.master, b"all of it\n")
        self.assertEqual(json.loads(self.end(p, 0)), {"left": 1, "right": "all of it"})

    def test_end_of_input_leaves_it_waiting(self):
        p = self.terminal("run", self.write("ask.yaml", ASK))
        self.until(p, "> ")
        os.write(p.master, b"\x04")
        self.assertEqual(self.end(p, 4), "")
        self.assertEqual(self.ok("show", "last", "--json").json()["status"], "waiting")

    def test_an_interrupt_leaves_it_waiting(self):
        p = self.terminal("run", self.write("ask.yaml", ASK))
        self.until(p, "> ")
        p.send_signal(signal.SIGINT)
        self.end(p, 130)
        self.assertEqual(self.ok("show", "last", "--json").json()["status"], "waiting")

    def test_while_it_asks_an_answer_from_elsewhere_and_the_deadline_count(self):
        p = self.terminal("run", self.write("ask.yaml", ASK))
        self.until(p, "> ")
        self.ok("answer", "last", "yes")
        self.assertEqual(self.end(p, 0), '"yes"\n')
        p = self.terminal("run", self.write("soon.yaml", SOON))
        self.until(p, "> ")
        self.assertEqual(self.end(p, 0), '"no"\n')


if __name__ == "__main__":
    main()
