"""test_cli_verify.py - env verify: recorded episodes give their verdicts again; all kinds of invalid files.

SPDX-License-Identifier: Apache-2.0
"""
import json

from cli_case import CliCase, main

ENVS = ("ledger", "ledger_cue", "courier", "courier_plain", "itinerary")
TASK = {"task_seed": 2097152, "horizon": 2, "noise": 0}


class Verify(CliCase):
    def lines(self, *docs):
        return self.write("episodes.jsonl", "".join((d if isinstance(d, str) else json.dumps(d)) + "\n" for d in docs))

    def test_what_show_gives_verifies_in_every_environment(self):
        for env in ENVS:
            self.ok("eval", env, "--expert", "check", "--horizon", "6", "--episodes", "3", "--noise", "0.2", "--profile", "hard",
                    "--ablate", "mute")
            lines = []
            for i in range(3):
                text = self.ok("show", f"last/row[0]/episode[{i}]", "--json").out
                doc = json.loads(text)
                self.assertEqual((doc["episode"]["env"], doc["episode"]["task_seed"]), (env, 2097152 + i))
                self.assertEqual(doc["episode"]["ablation"], "mute")
                lines.append(doc["episode"])
            one = self.ok("env", "verify", env, self.write("one.json", text), "--json").json()
            self.assertEqual(one["schema"], "troupe.env_verify/1")
            self.assertTrue(one["episodes"][0]["as_recorded"])
            pretty = self.write("pretty.json", json.dumps(doc, indent=2))
            self.assertEqual(self.ok("env", "verify", env, pretty, "--json").json()["episodes"], one["episodes"])
            r = self.ok("env", "verify", env, self.lines(lines[0], "", *lines[1:]), "--json").json()
            self.assertEqual((r["n"], r["different"]), (3, 0))
            self.assertEqual([e["line"] for e in r["episodes"]], [1, 3, 4])
            for got, line in zip(r["episodes"], lines):
                for key, value in got["verdict"].items():
                    self.assertEqual(value, line["verdict"][key], f"{env}: {key}")

    def test_what_a_model_wrote_verifies(self):
        self.ok("eval", "ledger", "--model", "embedded", "--horizon", "8", "--episodes", "4", "--temperature", "3")
        shown = [self.ok("show", f"last/row[0]/episode[{i}]", "--json").json() for i in range(4)]
        calls = [c for s in shown for c in s["episode"]["calls"]]
        self.assertIn("invalid", {c["name"] for c in calls})  # the temperature is so high that some calls are invalid
        r = self.ok("env", "verify", "ledger", self.lines(*shown), "--json").json()
        self.assertEqual(r["different"], 0)
        self.assertEqual(sum(e["verdict"]["calls"] for e in r["episodes"]), len(calls))

    def test_text_and_verdicts_by_hand(self):
        plain = [{"name": "next", "arguments": {}}]
        path = self.lines({**TASK, "calls": plain})
        r = self.ok("env", "verify", "ledger", path)
        self.assertIn("episodes.jsonl:1: task 2097152, 2 steps: failure", r.out)
        self.assertIn("the calls end before the episode does", r.out)
        bad = {**TASK, "calls": [{"name": "nextt"}, {"name": "set", "arguments": {"key": "z"}}]}
        r = self.ok("env", "verify", "ledger", self.lines(bad))
        self.assertIn("2 calls are not understood", r.err)
        self.assertIn("did you mean \"next\"", r.err)

    def test_a_different_verdict_than_recorded_is_reported(self):
        self.ok("eval", "ledger", "--expert", "check", "--horizon", "3", "--episodes", "1")
        e = self.ok("show", "last/row[0]/episode[0]", "--json").json()["episode"]
        e["verdict"]["calls"] += 1
        r = self.run_cli("env", "verify", "ledger", self.lines(e))
        self.assertEqual(r.code, 3)
        self.assertIn('differs from the recorded verdict in "calls"', r.out)
        del e["verdict"]
        e["calls"].append({"name": "next", "arguments": {}})
        r = self.ok("env", "verify", "ledger", self.lines(e))
        self.assertIn("ignored 1 call after the end", r.err)

    def test_files_that_are_wrong_are_named_by_line(self):
        good = {**TASK, "calls": []}
        cases = (
            ({"horizon": 2, "calls": []}, '"task_seed" is missing'),
            ({"task_seed": 1, "calls": []}, '"horizon" is missing'),
            ({**good, "horizon": 0}, '"horizon": expected a number of steps'),
            ({**good, "horizon": "x"}, '"horizon": expected a number of steps, got string x'),
            ({**good, "horizon": 100001}, "horizon 100001 is not in 1..100000"),
            ({**good, "task_seed": -1}, '"task_seed": expected a whole number'),
            ({**good, "fault_seed": 1.5}, '"fault_seed": expected a whole number'),
            ({**good, "noise": 2}, "noise 2 is above"),
            ({**good, "profile": "soft"}, 'unknown profile "soft"'),
            ({**good, "ablation": "x"}, 'unknown ablation "x"'),
            ({**good, "faults": "wind"}, "wind"),
            ({**good, "env": "courier"}, "this is an episode of courier, not of ledger"),
            ({**good, "calls": {}}, '"calls": expected a list'),
            ({**good, "calls": [{"name": "next"}, {"arguments": {}}]}, 'number 2 has no "name"'),
            ({**good, "calls": [{"name": "next", "arguments": 3}]}, '"arguments" is not an object'),
            ("[1,2]", "expected an episode as an object, got array"),
            ('{"task_seed": 1,', "not valid JSON"),
        )
        for doc, words in cases:
            self.fails(1, ["episodes.jsonl:2", words], "env", "verify", "ledger", self.lines(good, doc))
        self.fails(1, "contains no episode", "env", "verify", "ledger", self.write("empty.jsonl", " \n\n"))
        self.fails(1, "nowhere.jsonl", "env", "verify", "ledger", "nowhere.jsonl")
        self.fails(2, "did you mean ledger", "env", "verify", "leger", self.lines(good))
        self.fails(2, "ENV FILE", "env", "verify", "ledger")
        r = self.fails(1, "episodes.jsonl:1", "env", "verify", "ledger", self.lines({}), "--json")
        self.assertEqual(r.json()["error"]["where"].split("/")[-1], "episodes.jsonl:1")


if __name__ == "__main__":
    main()
