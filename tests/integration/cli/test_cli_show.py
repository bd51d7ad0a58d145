"""test_cli_show.py - the output of show: the tree for every kind of step, and conversations.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re

from cli_case import CliCase, main

TREE = """schema: blueprint/v1
steps:
  items: {map: [1, 2], max_parallel: 1, do: {inner: {value: "${item}"}, again: {loop: {max: 2}, value: "${round}"}}}
  both: {parallel: {branches: {left: {value: 1}, right: {do: {deep: {value: 2}}}}}}
  sub: {blueprint: file://sub.yaml}
  flaky: {tool: read_file, in: {path: absent.txt}, retry: {max: 1, backoff: 1}, on_error: continue}
  group: {do: {fails: {tool: read_file, in: {path: absent.txt}}}, retry: {max: 1, backoff: 1}, on_error: continue}
"""
SUB = """schema: blueprint/v1
steps:
  own: {do: {leaf: {value: 3}}}
"""
TALK = """schema: blueprint/v1
models: {m: script:talk.json}
agents: {clerk: {role: clerk, model: m, prompt: Be brief., tools: [calculator], budget: {steps: 4}}}
steps:
  ask: {agent: clerk, in: {question: "1 + 2?"}}
"""
TALK_SCRIPT = {"model": "script", "replies": [
    {"path": "ask/turn:0/*", "tool_calls": [{"name": "calculator", "arguments": {"expression": "1 + 2"}}]},
    {"path": "ask/turn:1/*", "text": "It is\n3."}]}

# Results that look like a verdict, before and after the one that is.
VERDICTS = """schema: blueprint/v1
models: {m: script:judge.json}
agents:
  judge: {role: judge, model: m, prompt: Judge., tools: []}
  bookkeeper: {role: bookkeeper, model: embedded}
steps:
  said: {value: {verdict: {success: false}}}
  play: {agent: bookkeeper, env: {name: ledger, horizon: 2, noise: 0}}
  judged: {agent: judge, in: "?", schema: {type: object, required: [verdict], properties: {verdict: {type: object}}}}
"""
JUDGE = {"model": "script", "replies": [{"path": "judged/turn:0/*", "text": '{"verdict": {"success": false}}'}]}


class Show(CliCase):
    def test_every_step_is_below_the_one_it_is_part_of(self):
        self.write("sub.yaml", SUB)
        self.ok("run", self.write("tree.yaml", TREE))
        lines = self.ok("show", "last").out.split("\n\n", 1)[1].splitlines()
        tree = [(len(x) - len(x.lstrip()), " ".join(x.split()[:2] if x.split()[1].startswith("@") else x.split()[:1]))
                for x in lines if x]
        self.assertEqual(tree, [
            (2, "items"), (4, "[0]"), (6, "inner"), (6, "again"), (8, "[0]"), (8, "[1]"),
            (4, "[1]"), (6, "inner"), (6, "again"), (8, "[0]"), (8, "[1]"),
            (2, "both"), (4, "left"), (4, "right"), (6, "deep"),
            (2, "sub"), (4, "own"), (6, "leaf"),
            (2, "flaky"), (2, "flaky @1"),
            (2, "group"), (4, "fails"), (2, "group @1"), (4, "fails")])

    def test_messages_are_the_conversation(self):
        self.write("talk.json", json.dumps(TALK_SCRIPT))
        self.ok("run", self.write("talk.yaml", TALK))
        self.assertEqual(self.ok("show", "last", "--tokens").out.count(
            "no token ids: the model gave only text\n"), 2)
        text = self.ok("show", "last", "--messages").out
        self.assertIn("    system: Be brief.\n"
                      "    user: {\"question\":\"1 + 2?\"}\n"
                      "    assistant: \n"
                      "      calls calculator {\"expression\":\"1 + 2\"}\n"
                      "    tool: {\"value\":3}\n"
                      "    assistant: It is\n"
                      "      3.\n", text)
        threads = self.ok("show", "last", "--messages", "--json").json()["threads"]
        self.assertEqual([(t["path"], [m["role"] for m in t["messages"]]) for t in threads],
                         [("ask", ["system", "user", "assistant", "tool", "assistant"])])
        self.assertEqual(threads[0]["messages"][3]["content"], {"value": 3})
        self.assertNotIn("threads", self.ok("show", "last", "--json").json())

    def test_a_difference_is_shown_with_both_values(self):
        text = """schema: blueprint/v1
inputs: {n: {type: integer, default: 2}}
steps:
  one: {value: {list: [1, 2, "${inputs.n}"], same: x}}
  two: {tool: calculator, in: {expression: "6 / ${inputs.n}"}}
  more: {map: "${inputs.n}", value: "${index}"}
"""
        run = [self.ok("run", self.write("b.yaml", text), "--json").json()["run"]]
        run += [self.run_cli("run", "b.yaml", "--var", f"n={n}", "--json").json()["run"] for n in (3, 0)]
        r = self.run_cli("show", run[0], "--diff", run[1])
        self.assertEqual((r.code, r.out), (3, "one\n  output.list[2]: 2 -> 3\n"
                                              "two\n  call.arguments.expression: \"6 / 2\" -> \"6 / 3\"\n"
                                              "more\n  output: [0,1] -> [0,1,2]\nmore[2]: only in the second\n4 steps differ\n"
                                              "the run\n  output: [0,1] -> [0,1,2]\n"))
        doc = self.run_cli("show", run[0], "--diff", run[2], "--json").json()
        self.assertEqual(doc["different"], len(doc["differences"]))
        by_path = {d["path"]: d for d in doc["differences"]}
        self.assertEqual(by_path["two"]["members"]["status"], ["ok", "error"])
        self.assertEqual(by_path["two"]["members"]["error"], [None, "column 3: division by zero"])
        self.assertEqual(by_path["more"], {"path": "more", "attempt": 0, "only_in": "first"})
        self.assertEqual(by_path[None]["members"]["output"], [[0, 1], None])
        self.assertEqual(self.ok("show", run[0], "--diff", run[0]).out, "0 steps differ\n")
        self.assertEqual(self.ok("replay", run[0], "--json").json()["differences"], [])

    def test_a_verdict_is_that_of_an_environment(self):
        self.write("judge.json", json.dumps(JUDGE))
        blueprint = self.write("verdicts.yaml", VERDICTS)
        self.ok("run", blueprint)
        shown = self.ok("show", "last", "--json").json()
        self.assertEqual((shown["verdict"]["success"], shown["verdict"]["steps"]), (True, 2))
        self.assertIn('\nverdict: {"success":true,', self.ok("show", "last").out)
        evaluated = self.ok("eval", blueprint, "--episodes", "1", "--json").json()
        self.assertEqual(evaluated["rows"][0]["successes"], 1)
        alone = "\n".join(line for line in VERDICTS.splitlines() if "play:" not in line and "bookkeeper:" not in line)
        self.ok("run", self.write("alone.yaml", alone))
        self.assertIsNone(self.ok("show", "last", "--json").json()["verdict"])
        self.assertNotIn("\nverdict:", self.ok("show", "last").out)
        self.assertIn('{"verdict":{"success":false}}', self.ok("show", "last").out)


class ShowEvaluation(CliCase):
    def test_an_evaluation_is_for_people(self):
        doc = self.ok("eval", "ledger", "--horizon", "2", "--episodes", "12", "--json").json()
        out = self.ok("show", "last").out
        self.assertEqual([int(n) for n in re.findall(r"episode\[(\d+)\]", out)], list(range(12)))
        self.assertLess(max(len(line) for line in out.splitlines()), 200)  # no document in one line
        row = doc["rows"][0]
        self.assertIn("model: embedded\n", out)
        self.assertIn(f"{row['successes']} of 12 succeeded", out)
        self.assertIn(f", 24 steps, {row['tokens_in'] + row['tokens_out']} tokens", out)
        shown = self.ok("show", "last", "--json").json()
        self.assertEqual((shown["model"], shown["n_steps"], shown["tokens_in"]), ("embedded", 24, row["tokens_in"]))
        self.assertEqual(shown["output"]["rows"][0]["successes"], row["successes"])
        listed, = self.ok("runs", "--json").json()["runs"]
        self.assertEqual((listed["model"], listed["tokens"], listed["steps"]), ("embedded", shown["tokens"], 24))
        self.assertRegex(self.ok("runs").out, r"ledger +embedded +ok")
        self.assertEqual(self.ok("runs").out.splitlines()[1].split()[-2:], ["24", str(shown["tokens"])])

    def test_an_evaluation_that_has_not_ended_says_what_is_known(self):
        p = self.start("eval", "ledger", "--horizon", "1000", "--episodes", "100000", "--in-flight", "4")
        self.until_recorded()
        p.kill()
        p.communicate()
        shown = self.ok("show", "last", "--json").json()
        steps = sum(e["steps"] for e in shown["episodes"])
        listed, = self.ok("runs", "--json").json()["runs"]
        for doc, key in ((listed, "steps"), (shown, "n_steps")):
            self.assertEqual((doc["status"], doc[key], doc["tokens"], doc["tokens_in"]), ("interrupted", steps, None, None))
        self.assertGreater(steps, 0)
        self.assertEqual(self.ok("runs").out.splitlines()[1].split()[-2:], [str(steps), "-"])
        self.assertRegex(self.ok("show", "last").out, rf"\nbegun .*, took -, {steps} steps\nmodel: embedded\n")

    def test_times_have_their_offset(self):
        self.write("b.yaml", "schema: blueprint/v1\nsteps: {a: {value: 1}}\n")
        r = self.ok("run", "b.yaml")
        self.assertIn("ok, 1 step, 0 tokens,", r.err)
        for args in (("runs",), ("show", "last")):
            self.assertRegex(self.ok(*args, TZ="EST5").out, r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d-05:00")
        self.assertRegex(self.ok("runs").out, r"b +- +ok")  # no agent, no model


if __name__ == "__main__":
    main()
