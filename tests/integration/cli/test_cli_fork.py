"""test_cli_fork.py - replay --live: a new run takes over the steps before a path as they were, and goes on from there.

SPDX-License-Identifier: Apache-2.0
"""
import json
import time

from cli_case import CliCase, main

HEAD = 'schema: blueprint/v1\nagents: {a: {model: "script:say.json", prompt: go}, b: {model: "script:say.json", prompt: go}}\n'
CALCULATE = """schema: blueprint/v1
inputs: {{divisor: {{type: integer, default: 0}}}}
steps:
  first: {{tool: calculator, in: {{expression: "6 * {n}"}}}}
  half: {{tool: calculator, in: {{expression: "${{first.value}} / ${{inputs.divisor}}"}}}}
output: "${{half.value}}"
"""
GREET = """schema: blueprint/v1
inputs: {{divisor: {{type: integer, default: 0}}}}
agents: {{a: {{model: "script:say.json", prompt: "{prompt}"}}}}
steps:
  greet: {{map: [Ann, Bob, Cy], agent: a, in: "${{item}}"}}
  note: {{value: "${{greet.join(' ')}}"}}
  half: {{value: "${{6 / inputs.divisor}}"}}
  tail: {{tool: echo, in: {{text: "${{note}} ${{half}}"}}}}
output: "${{tail.text}}"
"""


def say(text, **more):
    return json.dumps({"model": "script", "replies": [], "default": {"text": text}, **more})


class Fork(CliCase):
    def steps(self, run="last"):
        """The steps of the run in their order, each with its attempt and its status."""
        return [(s["path"] + (f'@{s["attempt"]}' if s["attempt"] else ""), s["status"]) for s in
                self.ok("show", run, "--json").json()["steps"]]

    def tree(self):
        """The steps of the run as `show` prints them."""
        text = self.ok("show", "last").out.split("\n\n", 1)[1]
        return [line.split("  ")[0] for line in text.splitlines() if line.startswith("  ") and line[2] != " "
                for line in [line[2:]]]

    def fork(self, run, *args, code=0):
        r = self.run_cli("replay", run, "--live", "--json", *args)
        self.assertEqual(r.code, code, r.err)
        doc = r.json()
        self.assertEqual(self.ok("show", doc["run"], "--json").json()["status"], doc["status"])
        self.ok("store", "check")
        d = self.run_cli("replay", doc["run"], "--json")
        self.assertEqual((d.code, d.json()["different"]), (0, 0), d.out)
        return doc

    def run_of(self, blueprint, code=0, *more):
        self.write("b.yaml", blueprint)
        r = self.run_cli("run", "b.yaml", "--json", *more)
        self.assertEqual(r.code, code, r.err)
        return r.json()["run"]

    def test_a_repaired_run_gives_its_newest_results(self):
        run = self.run_of(CALCULATE.format(n=7), 3)
        self.write("b.yaml", CALCULATE.format(n=8))
        self.ok("resume", run, "--from-failed", "--blueprint", "b.yaml", "--redo", "first", "--var", "divisor=2")
        self.assertEqual(self.fork(run, "--from", "half")["output"], 24)
        self.assertEqual(self.steps(), [("first@1", "ok"), ("half", "ok")])
        self.assertEqual(self.fork(run)["output"], 24)
        self.assertEqual(self.steps(), [("first@1", "ok"), ("half@1", "ok")])
        self.assertEqual(self.fork(run, "--from", "first")["output"], 24)
        self.assertEqual(self.steps(), [("first", "ok"), ("half", "ok")])

    def test_items_that_a_repair_did_again_or_kept(self):
        self.write("say.json", say("old"))
        run = self.run_of(GREET.format(prompt="Greet."), 3)
        self.write("say.json", say("new"))
        self.write("b.yaml", GREET.format(prompt="Greet well."))
        self.ok("resume", run, "--from-failed", "--blueprint", "b.yaml", "--var", "divisor=3", "--redo", "greet[1]",
                "--keep", "greet[0]", "--keep", "greet[2]", "--model", "a=script:say.json")
        repaired = self.ok("show", run, "--json").json()
        self.assertEqual(repaired["output"], "old new old 2")
        self.write("say.json", say("live"))
        for path, output in (("tail", "old new old 2"), ("note", "old new old 2"), ("greet[2]", "old new live 2"),
                             ("greet[1]", "old live live 2"), ("greet", "live live live 2")):
            self.assertEqual(self.fork(run, "--from", path, "--model", "a=script:say.json")["output"], output, path)
            steps = self.steps()
            self.assertEqual(len([s for s in steps if s[0].endswith("model:0")]), 3, steps)
            keys = {s for s, _ in steps}
            for s in keys:  # no call without its agent
                self.assertTrue("/turn" not in s or s.split("/turn")[0] in keys, steps)
            self.assertEqual({state for _, state in steps}, {"ok"})
        self.assertEqual(self.ok("show", run, "--json").json()["steps"], repaired["steps"])

    def test_the_order_is_that_of_the_original(self):
        self.write("say.json", say("hello"))
        run = self.run_of(HEAD + "steps:\n  zero: {value: 0}\n  greet: {map: [1, 2], agent: a}\n  two: {do: {x: {value: 2}}}\n"
                          "  three: {agent: b}\n  last: {value: 3}\n")
        order = ["zero", "greet", "two", "three", "last"]
        self.assertEqual(self.tree(), order)
        for path in [(), ("--from", "last"), ("--from", "three"), ("--from", "greet[1]"), ("--from", "zero")]:
            self.fork(run, *path)
            self.assertEqual(self.tree(), order, path)
        self.assertEqual(self.run_cli("run", self.write("b.yaml", HEAD + "steps:\n  ask: {human: {prompt: q}}\n  one: {value: 1}\n"
                                                        "  two: {value: 2}\n")).code, 4)
        self.ok("answer", "last", "yes")
        self.ok("resume", "last")
        self.fork("last", "--from", "two")
        self.assertEqual(self.tree(), ["ask", "one", "two"])

    def test_what_is_before_a_path_is_so_in_the_blueprint(self):
        self.write("say.json", say("x", replies=[{"path": "both/left/**", "text": "x", "delay_ms": 500}]))
        run = self.run_of(HEAD + "steps:\n  both:\n    parallel:\n      branches:\n"
                          "        left: {do: {one: {agent: a}, two: {agent: a}}}\n        right: {do: {one: {agent: b}, two: {agent: b}}}\n"
                          "  rounds: {loop: {max: 3}, do: {r: {agent: a, in: \"${round}\"}}}\n")
        self.write("other.json", say("y"))
        both = ("--model", "a=script:other.json", "--model", "b=script:other.json")
        self.fork(run, "--from", "both/right/two", *both)  # left/two began later, but comes before
        outputs = {s["path"]: s.get("output") for s in self.ok("show", "last", "--json").json()["steps"]}
        self.assertEqual(outputs["both"], {"left": "x", "right": "y"})
        self.assertEqual((outputs["both/right/one"], outputs["rounds"]), ("x", "y"))
        self.fork(run, "--from", "rounds[1]", *both)
        outputs = {s["path"]: s.get("output") for s in self.ok("show", "last", "--json").json()["steps"]}
        self.assertEqual([outputs[f"rounds[{i}]/r"] for i in range(3)], ["x", "y", "y"])

    def test_the_last_try_is_taken(self):
        self.write("say.json", json.dumps({"model": "script", "replies": [{"path": "g/bad*/**", "error": "down"}, {"path": "g@1/**", "text": "up"}],
                                           "default": {"text": "ok"}}))
        run = self.run_of(HEAD + "steps:\n  g: {do: {good: {agent: a}, bad: {agent: a}}, retry: {max: 2, backoff: 1}}\n  last: {value: \"${g}\"}\n")
        self.write("say.json", say("live"))
        steps = [g + s for g in ("g", "g@1") for s in ("", "/good", "/good/turn:0/model:0", "/bad", "/bad/turn:0/model:0")] + ["last"]
        for path, output in (("last", "up"), ("g@1/bad", "live"), ("g/bad", "live")):
            self.assertEqual(self.fork(run, "--from", path)["output"], output)
            self.assertEqual([s for s, _ in self.steps()], steps)
            self.assertEqual(self.ok("show", "last/g@1/good", "--json").json()["steps"][0]["output"], "up")
        self.assertEqual(self.fork(run, "--from", "g")["output"], "live")
        self.assertEqual([s for s, _ in self.steps()], steps[:5] + steps[-1:])

    def test_an_agent_that_ran_out_of_time_is_not_called_again(self):
        self.write("say.json", say("late", delay_ms=60000))
        run = self.run_of(HEAD + "steps:\n  slow: {agent: a, timeout: 300ms, on_error: continue}\n  last: {value: \"${state.slow}\"}\n")
        self.write("say.json", say("early"))
        self.assertEqual(self.fork(run, "--from", "last")["output"], "timeout")
        self.assertEqual(dict(self.steps())["slow"], "timeout")
        self.assertEqual(self.fork(run, "--from", "slow")["output"], "ok")

    def test_what_it_takes_over_counts(self):
        self.write("say.json", say("hello"))
        steps = ('  all:\n    do:\n      one: {tool: echo, in: {text: "1"}}\n      two: {agent: a}\n'
                 '      three: {tool: echo, in: {text: "3"}}\n    budget: {calls: 3}\n  four: {tool: echo, in: {text: "4"}}\n')
        run = self.run_of(HEAD + "budget: {calls: 4, tokens: 1000}\nsteps:\n" + steps)
        spent = self.ok("show", run, "--json").json()
        for path in ("four", "all/three", "all/two", "all/one"):
            doc = self.fork(run, "--from", path)
            self.assertEqual((doc["tokens"], doc["steps"]), (spent["tokens"], spent["n_steps"]), path)
        run = self.run_of(HEAD + "budget: {calls: 2}\nsteps:\n" + steps, 3)
        self.fork(run, "--from", "all/three", code=3)  # one, and the two that come after it
        self.assertEqual(self.ok("show", "last", "--json").json()["status"], "budget")

    def test_conversations_are_taken_over(self):
        self.write("say.json", say("hello"))
        run = self.run_of(HEAD + "steps:\n  one: {agent: a, in: first}\n  two: {agent: b, in: second}\n")
        self.fork(run, "--from", "two")
        threads = [self.ok("show", r, "--messages", "--json").json()["threads"] for r in (run, "last")]
        self.assertEqual(json.dumps(threads[0]), json.dumps(threads[1]))
        self.assertIn("first", json.dumps(threads))

    def test_from_is_for_forks(self):
        run = self.run_of("schema: blueprint/v1\nsteps: {a: {value: 1}, b: {value: 2}}\n")
        self.fails(2, ["--from is for a fork", "--live"], "replay", run, "--from", "b")
        self.fails(1, "no step c", "replay", run, "--from", "c", "--live")


if __name__ == "__main__":
    main()
