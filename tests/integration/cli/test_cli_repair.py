"""test_cli_repair.py - resume --from-failed: a failed run is repaired and continues with its finished steps.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import time

from cli_case import CliCase, main

REPORT = """schema: blueprint/v1
inputs: {{file: {{type: string, default: notes.txt}}}}
agents:
  planner: {{model: "script:say.json", prompt: "{prompt}"}}
  writer: {{model: "script:say.json"}}
steps:
  plan: {{agent: planner, in: go}}
{mark}  notes: {{tool: read_file, in: {{path: "${{inputs.file}}"}}}}
  write: {{agent: writer, in: {{plan: "${{plan}}", notes: "${{notes}}"}}}}
output: "${{write}}"
"""
MARK = '  mark: {tool: write_file, in: {path: mark.txt, text: "${plan}"}}\n'


def report(prompt="Plan.", mark=MARK):
    return REPORT.format(prompt=prompt, mark=mark)


def script(plan="a plan", write="a report", delay=0, error=None):
    return json.dumps({"model": "script", "delay_ms": delay,
                       "replies": [{"path": "plan*/**", "text": plan}] + ([{"path": "write*/**", "error": error}] if error else []),
                       "default": {"text": write}})


class Repair(CliCase):
    def show(self):
        return self.ok("show", "last", "--json").json()

    def attempts(self, *paths):
        """The last attempt of each step, and its status."""
        last = {s["path"]: (s["attempt"], s["status"]) for s in self.show()["steps"]}
        return [last.get(p) for p in paths]

    def text(self, name):
        with open(os.path.join(self.dir, name), encoding="utf-8") as f:
            return f.read()

    def failed(self, **changed):
        """A run that failed because notes.txt is missing. Its written file is deleted, to see whether the step runs again."""
        self.write("report.yaml", report())
        self.write("say.json", script(**changed))
        self.assertEqual(self.run_cli("run", "report.yaml", "--root", ".").code, 3)
        self.assertEqual(self.attempts("plan", "mark", "notes", "write"), [(0, "ok"), (0, "ok"), (0, "error"), None])
        os.remove(os.path.join(self.dir, "mark.txt"))

    def test_it_is_named_where_a_run_failed(self):
        self.write("report.yaml", report())
        self.write("say.json", script())
        r = self.run_cli("run", "report.yaml")
        run = self.show()["run"]
        hint = f"`troupe resume {run} --from-failed`"
        self.assertEqual(r.code, 3)
        self.assertIn(hint, r.err)
        self.fails(2, hint, "resume", run)
        self.fails(2, "--keep and --redo both name plan", "resume", run, "--from-failed", "--keep", "plan", "--redo", "plan")
        self.write("slow.yaml", "schema: blueprint/v1\nsteps: {a: {wait: {for: 1h}}}\n")
        self.fails(124, "--from-failed`", "run", "slow.yaml", "--timeout", "100ms")

    def test_a_failed_step_runs_again_and_finished_ones_stay(self):
        self.failed()
        self.assertEqual(self.run_cli("resume", "last", "--from-failed").code, 3)  # nothing was repaired
        self.write("notes.txt", "notes")
        r = self.ok("resume", "last", "--from-failed", "--json").json()
        self.assertEqual((r["status"], r["output"]), ("ok", "a report"))
        self.assertEqual(self.attempts("plan", "mark", "notes", "write"), [(0, "ok"), (0, "ok"), (2, "ok"), (0, "ok")])
        self.assertFalse(os.path.exists(os.path.join(self.dir, "mark.txt")))
        history = self.show()["config"]["history"]
        self.assertEqual([h["status"] for h in history], ["error", "error"])
        self.ok("store", "check")

    def test_another_root_and_file_are_in_the_record(self):
        self.failed()
        os.mkdir(os.path.join(self.dir, "other"))
        self.write("other/notes.txt", "notes")
        self.write("again.yaml", report() + "# moved\n")
        self.ok("resume", "last", "--from-failed", "--root", "other", "--blueprint", "again.yaml")
        doc = self.show()
        self.assertEqual((doc["root"], doc["source"]), tuple(os.path.join(self.dir, n) for n in ("other", "again.yaml")))
        self.assertNotIn("root", doc["config"])
        self.ok("store", "check")

    def test_another_input_reaches_the_failed_step_alone(self):
        self.failed()
        self.write("other.txt", "other")
        self.ok("resume", "last", "--from-failed", "--var", "file=other.txt")
        self.assertEqual(self.attempts("plan", "mark", "notes"), [(0, "ok"), (0, "ok"), (1, "ok")])
        doc = self.show()
        self.assertEqual(doc["config"]["inputs"], {"file": "other.txt"})
        self.assertEqual(doc["config"]["history"][0]["inputs"], {"file": "notes.txt"})

    def test_a_changed_prompt_asks_for_redo_or_keep(self):
        for option, attempt in (("--keep", 0), ("--redo", 1)):
            self.failed()
            self.write("notes.txt", "notes")
            self.write("report.yaml", report(prompt="Plan well."))
            before = self.show()
            r = self.fails(78, ["plan", "`prompt` of agent `planner` differs", "--redo PATH"],
                           "resume", "last", "--from-failed", "--blueprint", "report.yaml", "--json")
            self.assertEqual([s["path"] for s in r.json()["steps"]], ["plan"])
            self.assertEqual(self.show(), before)  # nothing was changed
            self.ok("resume", "last", "--from-failed", "--blueprint", "report.yaml", option, "plan", "--keep", "mark")
            self.assertEqual(self.attempts("plan", "mark"), [(attempt, "ok"), (0, "ok")])
            self.assertIn("Plan well.", json.dumps(self.show()["config"]["plan"]))
            os.remove(os.path.join(self.dir, "notes.txt"))

    def test_what_may_have_an_effect_again_is_named_first(self):
        self.failed()
        self.write("notes.txt", "notes")
        self.write("better.json", script(plan="a better plan"))
        args = ("resume", "last", "--from-failed", "--model", "script:better.json", "--redo", "plan")
        before = self.show()
        r = self.fails(78, ["1 finished step of run", "needs a decision", "\n  mark: it reads `plan`, which may differ", "--redo PATH"], *args, "--json")
        self.assertEqual([s["path"] for s in r.json()["steps"]], ["mark"])
        self.assertEqual(r.err.count("mark"), 1)
        self.assertEqual(self.show(), before)
        r = self.ok(*args, "--redo", "mark")
        self.assertIn("0 finished steps are kept, 3 get a new attempt", r.err)
        self.assertEqual(self.text("mark.txt"), "a better plan")
        self.assertEqual(self.attempts("plan", "mark", "write"), [(1, "ok"), (1, "ok"), (0, "ok")])

    FLOW = """schema: blueprint/v1
inputs: {d: {type: integer, default: 0}}
agents: {a: {model: "script:say.json", prompt: "go"}}
steps:
  names: {map: [x, y], agent: a, in: "${item}"}
  long: {value: "${names.join('-')}"}
  other: {agent: a, in: "nothing"}
  inner:
    do:
      count: {tool: calculator, in: {expression: "0 + ${size(long)}"}}
      same: {agent: a, in: "${size(names)}"}
  each: {map: "${names}", tool: echo, in: {text: "i${index}"}}
  who: {map: "${names}", tool: echo, in: {text: "${item}"}}
  part: {blueprint: file://part.yaml, in: {t: "${long}"}}
  how: {tool: echo, in: {text: "${state.other}"}}
  half: {value: "${6 / inputs.d}"}
  tail: {value: "${inner} ${who.map(w, w.text).join(' ')} ${part.text} ${half}"}
"""

    def test_what_reads_a_step_that_is_done_again_follows(self):
        self.write("say.json", json.dumps({"model": "script", "replies": [], "default": {"text": "old"}}))
        self.write("new.json", json.dumps({"model": "script", "replies": [{"path": "names*/**", "text": "longer"}], "default": {"text": "other"}}))
        self.write("part.yaml", "schema: blueprint/v1\ninputs: {t: {type: string}}\nsteps:\n"
                   '  fixed: {tool: echo, in: {text: "fixed"}}\n  shown: {tool: echo, in: {text: "${inputs.t}"}}\n')
        self.write("flow.yaml", self.FLOW)
        self.assertEqual(self.run_cli("run", "flow.yaml").code, 3)
        paths = ["names[0]", "names[1]", "other", "inner/count", "inner/same", "each[0]", "each[1]", "who[0]", "who[1]", "part/fixed",
                 "part/shown", "how"]
        again = ["names[1]", "inner/count", "who[1]", "part/shown"]
        args = ("resume", "last", "--from-failed", "--var", "d=3")
        self.assertEqual(self.run_cli(*args[:3], "--model", "script:new.json", "--redo", "names[1]").code, 3)  # d is 0 still
        self.assertEqual(dict(zip(paths, self.attempts(*paths))), {p: (int(p in again), "ok") for p in paths})
        self.ok(*args)
        self.assertEqual(dict(zip(paths, self.attempts(*paths))), {p: (int(p in again), "ok") for p in paths})
        self.assertEqual(self.show()["output"], "old old longer old-longer 2")
        self.ok("store", "check")
        fork = self.ok("replay", "last", "--live", "--from", "tail", "--json").json()
        self.assertEqual(fork["output"], "old old longer old-longer 2")
        self.assertEqual(self.ok("replay", fork["run"], "--json").json()["different"], 0)

    def test_a_step_that_reads_what_is_done_again_keeps_an_equal_result(self):
        self.write("say.json", json.dumps({"model": "script", "replies": [], "default": {"text": "same"}}))
        self.write("part.yaml", "schema: blueprint/v1\ninputs: {t: {type: string}}\nsteps: {shown: {tool: echo, in: {text: \"${inputs.t}\"}}}\n")
        self.write("flow.yaml", self.FLOW)
        self.assertEqual(self.run_cli("run", "flow.yaml").code, 3)
        r = self.ok("resume", "last", "--from-failed", "--var", "d=3", "--redo", "names")
        self.assertIn("3 get a new attempt, ", r.err)
        self.assertEqual(self.attempts("names[0]", "names[1]", "inner/count", "who[0]", "part/shown"), [(1, "ok")] * 2 + [(0, "ok")] * 3)

    def test_a_handled_failure_that_is_done_again(self):
        steps = ("  try: {do: {read: {tool: read_file, in: {path: a.txt}}}, on_error: continue}\n"
                 '  mark: {tool: write_file, in: {path: mark.txt, text: "${state.try}"}}\n'
                 '  half: {value: "${6 / inputs.d}"}\n')
        self.write("b.yaml", "schema: blueprint/v1\ninputs: {d: {type: integer, default: 0}}\nsteps:\n" + steps)
        self.assertEqual(self.run_cli("run", "b.yaml", "--root", ".").code, 3)
        self.write("a.txt", "there")
        args = ("resume", "last", "--from-failed", "--var", "d=3", "--redo", "try/read")
        self.fails(78, "mark: it reads `try`", *args)
        self.assertEqual(self.text("mark.txt"), "error")
        self.ok(*args, "--redo", "mark")
        self.assertEqual(self.text("mark.txt"), "ok")
        self.assertEqual(self.attempts("try", "try/read", "mark"), [(0, "ok"), (1, "ok"), (1, "ok")])

    def test_a_handled_failure_that_read_what_is_done_again(self):
        self.write("say.json", script(plan="none.txt"))
        steps = ("  plan: {agent: a, in: go}\n"
                 '  try: {do: {read: {tool: read_file, in: {path: "${plan}"}}}, on_error: continue}\n'
                 '  half: {value: "${6 / inputs.d}"}\n  last: {value: "${state.try}"}\n')
        self.write("b.yaml", 'schema: blueprint/v1\nagents: {a: {model: "script:say.json"}}\ninputs: {d: {type: integer, default: 0}}\nsteps:\n' + steps)
        self.assertEqual(self.run_cli("run", "b.yaml", "--root", ".").code, 3)
        self.write("a.txt", "there")
        self.write("better.json", script(plan="a.txt"))
        r = self.ok("resume", "last", "--from-failed", "--var", "d=3", "--redo", "plan", "--model", "script:better.json", "--json").json()
        self.assertEqual(r["output"], "ok")

    def test_a_kept_result_stays_through_later_repairs(self):
        self.failed()
        self.write("better.json", script(plan="a better plan"))
        args = ("resume", "last", "--from-failed", "--model", "script:better.json")
        self.assertEqual(self.run_cli(*args, "--redo", "plan", "--keep", "mark").code, 3)  # notes.txt is missing
        self.write("notes.txt", "notes")
        self.ok(*args)
        self.assertEqual(self.attempts("plan", "mark"), [(1, "ok"), (0, "ok")])

    def test_a_step_that_is_gone_or_another_kind_asks(self):
        self.failed()
        self.write("notes.txt", "notes")
        self.write("report.yaml", report(mark=""))
        args = ("resume", "last", "--from-failed", "--blueprint", "report.yaml")
        self.fails(78, ["mark", "no longer has this step"], *args)
        self.ok(*args, "--keep", "mark")
        os.remove(os.path.join(self.dir, "notes.txt"))
        self.failed()
        self.write("notes.txt", "notes")
        self.write("report.yaml", report(mark='  mark: {value: "${plan}"}\n'))
        self.fails(78, ["mark", "it was a step `tool`"], *args)
        self.ok(*args, "--redo", "mark")

    def test_another_model_takes_over_from_one_that_failed(self):
        self.write("notes.txt", "notes")
        self.write("report.yaml", report())
        self.write("say.json", script(error="overloaded"))
        self.assertEqual(self.run_cli("run", "report.yaml", "--root", ".").code, 3)
        self.write("good.json", script(write="from the other"))
        r = self.ok("resume", "last", "--from-failed", "--model", "writer=script:good.json", "--json").json()
        self.assertEqual(r["output"], "from the other")
        self.assertEqual(self.attempts("plan", "write"), [(0, "ok"), (1, "ok")])
        config = self.show()["config"]
        self.assertIn("good.json", json.dumps(config["weights"]))
        self.assertNotIn("good.json", json.dumps(config["history"]))

    def test_only_the_failed_items_run_again(self):
        self.write("inner.yaml", """schema: blueprint/v1
inputs: {name: {type: string, required: true}}
steps:
  before: {tool: echo, in: {text: "${inputs.name}"}}
  read: {tool: read_file, in: {path: "${inputs.name}"}}
output: "${read.text}"
""")
        self.write("many.yaml", """schema: blueprint/v1
steps:
  both:
    parallel:
      branches:
        files: {map: [a.txt, b.txt, c.txt], max_parallel: 1, blueprint: file://inner.yaml, in: {name: "${item}"}}
        side: {do: {one: {tool: echo, in: {text: one}}, two: {value: 2}}}
  rounds: {loop: {max: 2}, do: {r: {tool: read_file, in: {path: "r${round}.txt"}}}}
""")
        for name in ("a.txt", "c.txt", "r0.txt"):
            self.write(name, name)
        self.assertEqual(self.run_cli("run", "many.yaml", "--root", ".").code, 3)
        self.write("b.txt", "b")
        self.assertEqual(self.run_cli("resume", "last", "--from-failed").code, 3)  # now the second round
        self.write("r1.txt", "r1")
        self.ok("resume", "last", "--from-failed")
        self.assertEqual(self.attempts("both/files[0]/read", "both/files[1]/before", "both/files[1]/read", "both/files[2]/read",
                                       "both/side/one", "rounds[0]/r", "rounds[1]/r", "both", "both/files[1]", "rounds"),
                         [(0, "ok"), (0, "ok"), (1, "ok"), (0, "ok"), (0, "ok"), (0, "ok"), (1, "ok"), (0, "ok"), (0, "ok"), (0, "ok")])
        tries = {s["path"]: s.get("tries", 1) for s in self.show()["steps"]}
        self.assertEqual([tries[p] for p in ("both/files[0]/read", "both/files[1]/before", "both/side/one", "rounds[0]/r")], [1] * 4)

    def test_redo_takes_a_step_with_all_that_is_in_it(self):
        self.write("many.yaml", """schema: blueprint/v1
steps:
  each: {map: 3, do: {one: {tool: echo, in: {text: "${item}"}}, two: {value: "${one}"}}}
  last: {tool: read_file, in: {path: last.txt}}
""".replace('"${item}"', '"item ${item}"'))
        self.assertEqual(self.run_cli("run", "many.yaml", "--root", ".").code, 3)
        self.write("last.txt", "there")
        self.fails(2, "no such step", "resume", "last", "--from-failed", "--redo", "eac")
        self.ok("resume", "last", "--from-failed", "--redo", "each", "--keep", "each[1]")
        self.assertEqual(self.attempts("each[0]/one", "each[1]/one", "each[2]/one"), [(1, "ok"), (0, "ok"), (1, "ok")])

    def test_a_spent_budget_and_a_time_limit_are_repaired(self):
        self.write("say.json", script())
        head = "schema: blueprint/v1\nbudget: {calls: %d}\nsteps:\n"
        steps = "".join(f'  s{i}: {{tool: echo, in: {{text: "{i}"}}}}\n' for i in range(3))
        self.write("b.yaml", head % 2 + steps)
        self.assertEqual(self.run_cli("run", "b.yaml").code, 3)
        self.assertEqual(self.show()["status"], "budget")
        self.write("b.yaml", head % 5 + steps)
        self.ok("resume", "last", "--from-failed", "--blueprint", "b.yaml")
        self.assertEqual(self.attempts("s0", "s1", "s2"), [(0, "ok"), (0, "ok"), (1, "ok")])
        self.write("notes.txt", "notes")
        self.write("report.yaml", report())
        self.write("say.json", script(delay=2000))
        self.assertEqual(self.run_cli("run", "report.yaml", "--root", ".", "--timeout", "500ms").code, 124)
        self.assertEqual(self.attempts("plan"), [(0, "cancelled")])
        self.ok("resume", "last", "--from-failed")  # the same model: its attempt continues
        self.assertEqual(self.attempts("plan", "write"), [(0, "ok"), (0, "ok")])
        self.assertEqual(self.run_cli("run", "report.yaml", "--root", ".", "--timeout", "500ms").code, 124)
        self.write("say.json", script())
        self.ok("resume", "last", "--from-failed")
        self.assertEqual(self.attempts("plan", "write"), [(1, "ok"), (0, "ok")])
        self.fails(2, "was repaired", "replay", "last")

    def test_what_ended_otherwise_stays_ended(self):
        ask = 'schema: blueprint/v1\nsteps: {ask: {human: {prompt: "go?", options: [yes, no]}}, act: {tool: write_file, in: {path: did.txt, text: x}}}\n'
        self.write("ask.yaml", ask)
        self.assertEqual(self.run_cli("run", "ask.yaml", "--root", ".").code, 4)
        self.fails(2, "has not ended", "resume", "last", "--from-failed")
        self.ok("cancel", "last")
        self.fails(2, "cancelled", "resume", "last", "--from-failed")
        self.assertNotEqual(self.run_cli("resume", "last").code, 0)
        self.assertEqual(self.show()["status"], "cancelled")
        self.assertEqual(self.run_cli("run", "ask.yaml", "--root", ".").code, 4)
        self.ok("answer", "last", "no")
        self.assertEqual(self.run_cli("resume", "last").code, 3)
        self.fails(2, "rejected", "resume", "last", "--from-failed")
        self.assertNotEqual(self.run_cli("resume", "last").code, 0)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "did.txt")))
        self.write("one.yaml", "schema: blueprint/v1\nsteps: {a: {value: 1}}\n")
        self.ok("run", "one.yaml")
        self.fails(2, "has ended: ok", "resume", "last", "--from-failed")
        self.fails(2, "--from-failed", "resume", "last", "--redo", "a")

    def repaired_late(self, steps):
        """A run that failed, and is repaired when the times in it have passed."""
        self.write("late.yaml", "schema: blueprint/v1\ninputs: {d: {type: integer, default: 0}}\nsteps:\n" + steps)
        self.assertEqual(self.run_cli("run", "late.yaml").code, 3)
        time.sleep(5.1)
        self.assertEqual(self.run_cli("resume", "last", "--from-failed", "--var", "d=2").code, 4)

    def test_the_time_of_finished_steps_does_not_go_on(self):
        self.repaired_late("  outer: {do: {inner: {do: {v: {tool: echo, in: {text: hi}}}}}, timeout: 5s}\n"
                           '  half: {value: "${6 / inputs.d}"}\n'
                           "  ask: {human: {prompt: q, options: [yes, no]}}\n")
        self.ok("answer", "last", "yes")
        self.assertEqual(self.ok("resume", "last", "--json").json()["output"], "yes")
        self.assertEqual(self.attempts("outer", "outer/inner"), [(0, "ok"), (0, "ok")])

    def times(self):
        return {s["path"]: (s["began_ms"], s["ended_ms"]) for s in self.show()["steps"] if s["status"] == "ok"}

    def test_finished_containers_keep_their_times(self):
        self.write("sub.yaml", "schema: blueprint/v1\nsteps: {v: {value: 1}}\n")
        self.write("times.yaml", "schema: blueprint/v1\ninputs: {d: {type: integer, default: 0}}\nsteps:\n"
                   "  block: {do: {v: {tool: echo, in: {text: hi}}}, timeout: 1m}\n"
                   "  items: {map: 2, do: {v: {value: 1}}}\n"
                   "  rounds: {loop: {max: 2, until: \"${false}\"}, do: {v: {value: 1}}}\n"
                   "  either: {if: {cond: \"${true}\", then: {v: {value: 1}}}}\n"
                   "  both: {parallel: {branches: {x: {do: {v: {value: 1}}}, y: {value: 2}}}}\n"
                   "  part: {blueprint: \"file://sub.yaml\"}\n"
                   '  half: {do: {v: {value: "${6 / inputs.d}"}}}\n')
        self.assertEqual(self.run_cli("run", "times.yaml").code, 3)
        before = self.times()
        self.assertGreater(len(before), 12)
        for path in ("block", "items", "rounds", "either", "both", "both/x", "part"):
            self.assertIn(path, before)
        time.sleep(1.1)
        self.ok("resume", "last", "--from-failed", "--var", "d=2")
        after = self.times()
        self.assertEqual({p: t for p, t in after.items() if p in before}, before)
        self.assertGreater(after["half"][1], max(t[1] for t in before.values()) + 1000)

    def test_a_time_out_around_a_question_that_is_asked_again_holds_over_processes(self):
        self.write("redo.yaml", "schema: blueprint/v1\ninputs: {d: {type: integer, default: 0}}\nsteps:\n"
                   "  c: {do: {h: {human: {prompt: q, options: [yes, no]}}}, timeout: 4s, on_error: continue}\n"
                   '  half: {value: "${6 / inputs.d}"}\n  then: {value: "${c}"}\n')
        self.assertEqual(self.run_cli("run", "redo.yaml").code, 4)
        self.ok("answer", "last", "yes")
        self.assertEqual(self.run_cli("resume", "last").code, 3)
        self.assertEqual(self.attempts("c", "c/h"), [(0, "ok"), (0, "ok")])
        began = time.time()
        self.assertEqual(self.run_cli("resume", "last", "--from-failed", "--var", "d=2", "--redo", "c/h").code, 4)
        while time.time() < began + 6:  # each of these processes has less time left
            r = self.run_cli("resume", "last")
            if r.code != 4:
                break
            time.sleep(1)
        self.assertEqual(r.code, 0, r.err)
        self.assertEqual(self.attempts("c", "c/h", "half"), [(0, "timeout"), (1, "cancelled"), (1, "ok")])
        self.assertEqual(self.show()["output"], {"status": "timeout", "error": "the step ran out of time"})

    def test_the_time_of_a_failed_step_counts_from_its_repair(self):
        self.repaired_late('  outer:\n    do:\n      half: {value: "${6 / inputs.d}"}\n'
                           "      ask: {human: {prompt: q, options: [yes, no]}}\n"
                           '      after: {do: {v: {tool: echo, in: {text: "${ask}"}}}}\n    timeout: 5s\n')
        self.ok("answer", "last", "yes")
        self.assertEqual(self.ok("resume", "last", "--json").json()["output"], {"text": "yes"})

    def test_a_question_that_was_cancelled_can_be_answered_again(self):
        self.repaired_late("  both:\n    parallel:\n      branches:\n"
                           '        x: {do: {p: {wait: {for: 100ms}}, half: {value: "${6 / inputs.d}"}}}\n'
                           "        y: {human: {prompt: q, options: [yes, no], timeout: 5s, on_timeout: no, reject: []}}\n")
        self.ok("answer", "last", "yes")
        self.assertEqual(self.ok("resume", "last", "--json").json()["output"], {"x": 3, "y": "yes"})

    def test_a_repaired_run_survives_being_killed(self):
        slow = script(write="slow", delay=1500)
        self.failed()
        self.write("notes.txt", "notes")
        self.write("slow.json", slow)
        for _ in range(2):
            p = self.start("resume", "last", *(["--from-failed", "--model", "script:slow.json", "--redo", "mark"]
                                               if _ == 0 else []))
            end = time.time() + 60
            while time.time() < end and self.attempts("write") == [None]:
                time.sleep(0.05)
            time.sleep(0.2)
            p.send_signal(signal.SIGKILL)
            p.communicate()
        self.assertEqual(self.ok("resume", "last", "--json").json()["output"], "slow")
        self.assertEqual(self.attempts("plan", "mark", "notes", "write"), [(0, "ok"), (1, "ok"), (1, "ok"), (0, "ok")])
        self.ok("store", "check")


if __name__ == "__main__":
    main()
