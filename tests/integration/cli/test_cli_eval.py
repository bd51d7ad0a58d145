"""test_cli_eval.py - evaluation: fields, the ceiling, records, wrong usage, ablations with equal faults.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pty
import re
import shlex
import signal
import subprocess

from cli_case import LEDGER, TROUPE, CliCase, main


class Eval(CliCase):
    def test_rows_have_the_fields_of_the_contract_and_are_recorded(self):
        r = self.ok("eval", "ledger", "--model", "embedded", "--horizon", "5,10", "--episodes", "40", "--json").json()
        self.assertEqual(r["schema"], "troupe.eval/1")
        self.assertEqual([row["horizon"] for row in r["rows"]], [5, 10])
        for row in r["rows"]:
            for key in ("p", "temperature", "episodes", "success", "success_low", "success_high", "ceiling",
                        "recovered", "false_alarm", "calls_per_step"):
                self.assertIn(key, row)
            self.assertLessEqual(row["success_low"], row["success"])
            self.assertLessEqual(row["success"], row["success_high"])
            self.assertAlmostEqual(row["ceiling"], 0.99 ** row["horizon"], places=6)
        shown = self.ok("show", "last", "--json").json()
        self.assertEqual(len(shown["episodes"]), 80)
        one = self.ok("show", "last/row[0]/episode[3]", "--tokens", "--json").json()
        models = [s for s in one["steps"] if s["kind"] == "model"]
        self.assertTrue(models)
        for s in models:
            t = s["tokens"]
            self.assertEqual(len(t["ids"]), len(t["logp"]))
            self.assertEqual(len(t["mask"]), len(t["prompt_delta"]) + len(t["ids"]))
        self.assertIn("success", one["verdict"])
        self.ok("store", "check")

    def test_the_same_seed_gives_the_same_rows_whatever_is_in_flight(self):
        rows = []
        for flight, threads in (("1", "1"), ("64", "2")):
            r = self.ok("eval", "ledger", "--horizon", "8", "--episodes", "30", "--temperature", "1", "--in-flight", flight,
                        "--threads", threads, "--json").json()["rows"][0]
            rows.append({k: r[k] for k in ("success", "recovered", "false_alarm", "calls_per_step")})
        self.assertEqual(rows[0], rows[1])

    def test_the_live_line_moves(self):
        """All episodes run in parallel and end together, so the line counts their steps."""
        ours, theirs = pty.openpty()
        child = subprocess.Popen([TROUPE, "eval", "ledger", "--model", "embedded", "--horizon", "100", "--episodes", "100"],
                                 cwd=self.dir, env={**self.env, "TERM": "xterm"}, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=theirs)
        self.started.append(child)
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the program has closed its end
                break
            if not part:
                break
            seen += part
        os.close(ours)
        self.assertEqual(child.wait(timeout=60), 0)
        shares = [int(n) for n in re.findall(r"ledger, 100 steps: (\d+) % of 100 episodes", seen.decode())]
        self.assertEqual(shares, sorted(shares))
        self.assertTrue([s for s in shares if 0 < s < 100], seen.decode())

    def test_scripts_are_controls(self):
        plain = self.ok("eval", "ledger", "--expert", "plain", "--horizon", "100", "--episodes", "2000", "--json").json()["rows"][0]
        self.assertLessEqual(plain["success_low"], 0.3661)
        self.assertGreaterEqual(plain["success_high"], 0.366)
        check = self.ok("eval", "ledger", "--expert", "check", "--horizon", "100", "--episodes", "300", "--json").json()["rows"][0]
        self.assertGreater(check["success"], 0.98)
        masked = self.ok("eval", "ledger", "--expert", "check", "--ablate", "mask", "--horizon", "100", "--episodes", "300",
                         "--json").json()["rows"][0]
        self.assertLess(masked["success"], 0.5)

    def test_without_its_budget_an_episode_may_look_at_every_step(self):
        common = ("eval", "ledger_cue", "--expert", "check", "--horizon", "50", "--episodes", "100", "--json")
        bound, free = (self.ok(*common, *more).json()["rows"][0] for more in ((), ("--ablate", "budget")))
        self.assertEqual(bound["success"], 0)
        self.assertGreater(free["success"], 0.95)

    def test_a_kind_of_fault_is_met_alone(self):
        common = ("eval", "ledger", "--horizon", "30", "--episodes", "200", "--noise", "0.05", "--json")
        plain = [self.ok(*common, "--expert", "plain", "--faults", f).json() for f in ("all", "lost", "lost,value", "target")]
        self.assertEqual([r["faults"] for r in plain], ["all", "lost", "lost,value", "target"])
        # The faults and their rate are the same; so are the ceiling and the result of a policy that never checks.
        self.assertEqual(len({(r["rows"][0]["successes"], r["rows"][0]["ceiling"]) for r in plain}), 1)
        undo = [self.ok(*common, "--expert", "check", "--faults", f, "--ablate", "undo").json()["rows"][0]["success"]
                for f in ("lost", "target")]
        self.assertGreaterEqual(undo[0], undo[1])
        self.fails(2, "its kinds are: lost,value,target", "eval", "ledger", "--faults", "short")
        self.fails(2, "its kinds are: short,far,aside", "eval", "courier", "--faults", "lost")
        self.assertIn("absent day late timeout", self.ok("env", "show", "itinerary").out)

    def test_a_vote_is_the_same_whatever_is_in_flight(self):
        rows = []
        for flight, threads in (("1", "1"), ("64", "2")):
            doc = self.ok("eval", "ledger", "--horizon", "6", "--episodes", "20", "--temperature", "1.5", "--vote", "5", "--in-flight",
                          flight, "--threads", threads, "--json").json()
            self.assertEqual(doc["vote"], 5)
            rows.append({k: doc["rows"][0][k] for k in ("success", "calls_per_step", "tokens_out")})
        self.assertEqual(rows[0], rows[1])
        alone = self.ok("eval", "ledger", "--horizon", "6", "--episodes", "20", "--temperature", "1.5", "--json").json()["rows"][0]
        self.assertGreater(rows[0]["success"], alone["success"])
        self.assertGreater(rows[0]["tokens_out"], 2 * alone["tokens_out"])
        self.fails(2, "temperature", "eval", "ledger", "--vote", "3", "--episodes", "2")

    def test_a_list_of_temperatures_makes_rows_and_horizons_of_each(self):
        doc = self.ok("eval", "ledger", "--horizon", "4,8", "--episodes", "20", "--temperature", "0,1.5", "--json").json()
        self.assertEqual([(r["temperature"], r["horizon"]) for r in doc["rows"]], [(0, 4), (0, 8), (1.5, 4), (1.5, 8)])
        self.assertEqual([h["temperature"] for h in doc["horizons"]], [0, 1.5])
        alone = self.ok("eval", "ledger", "--horizon", "4,8", "--episodes", "20", "--json").json()["rows"]
        for one, other in zip(alone, doc["rows"]):
            self.assertEqual({**one, "tokens_per_s": 0, "wall_s": 0}, {**other, "tokens_per_s": 0, "wall_s": 0})
        self.assertEqual(self.ok("show", "last", "--json").json()["output"]["horizons"][0]["horizon_max"], 8)
        self.fails(2, "no temperature", "eval", "ledger", "--expert", "check", "--temperature", "0,1")
        self.fails(2, "is not a number", "eval", "ledger", "--temperature", "0,x")
        self.fails(2, "takes one value", "generate", "--prompt", "a", "--temperature", "0,1")
        self.fails(2, "takes one value", "train", "grpo", "--env", "ledger", "--out", "m", "--temperature", "0,1")

    def test_horizons_are_reported_if_the_rows_determine_them(self):
        common = ("eval", "ledger", "--horizon", "10,30,100", "--episodes", "1000")
        doc = self.ok(*common, "--expert", "plain", "--json").json()
        h = doc["horizons"][0]
        self.assertTrue(h["determined"])
        self.assertIsNone(h["why"])
        # One uncorrected fault per hundred steps: a half-life of 69 steps, a constant hazard.
        for fit in (h["weibull"], h["logistic"]):
            self.assertLess(fit["h50_low"], 69)
            self.assertGreater(fit["h50_high"], 69)
            self.assertLess(fit["h95"], fit["h80"])
        self.assertLess(h["weibull"]["k_low"], 1)
        self.assertGreater(h["weibull"]["k_high"], 1)
        self.assertEqual((h["h50_above"], h["h50_below"]), (30, 100))
        text = self.ok(*common, "--expert", "plain").out
        for word in ("H50", "H80", "H95", "Weibull", "detected", "self-cond.", "step acc."):
            self.assertIn(word, text)
        sure = ("eval", "ledger", "--expert", "check", "--noise", "0", "--horizon", "5,10", "--episodes", "20")
        h = self.ok(*sure, "--json").json()["horizons"][0]
        self.assertEqual((h["determined"], h["weibull"], h["h95_above"], h["h95_below"]), (False, None, 10, None))
        text = self.ok(*sure).out
        self.assertIn("above 10", text)
        self.assertIn("all episodes succeeded", text)

    def test_a_blueprint_is_run_many_times(self):
        r = self.ok("eval", LEDGER, "--model", "embedded", "--episodes", "12", "--var", "horizon=5", "--var", "noise=0.1", "--json")
        doc = r.json()
        row, runs = doc["rows"][0], doc["runs"]
        self.assertEqual((doc["schema"], doc["blueprint"], doc["model"]), ("troupe.eval/1", "ledger", "embedded"))
        self.assertEqual((row["episodes"], row["statuses"], row["with_verdict"]), (12, {"ok": 12}, 12))
        self.assertEqual([x["seed"] for x in runs], list(range(2097152, 2097164)))
        self.assertEqual(row["successes"], sum(x["success"] for x in runs))
        self.assertTrue(0 < row["successes"] < 12)
        self.assertLess(row["success_low"], row["success"])
        self.assertLess(row["success"], row["success_high"])
        for x in runs:
            shown = self.ok("show", x["run"], "--json").json()
            self.assertEqual((shown["status"], shown["seed"], shown["verdict"]), ("ok", x["seed"], x["verdict"]))
            self.assertEqual(x["success"], x["verdict"]["success"])
        stored = self.ok("show", doc["run"], "--json").json()
        self.assertEqual((stored["kind"], stored["status"], stored["output"]["runs"]), ("eval", "ok", runs))
        # Equal to the evaluation of the environment: the same tasks and faults, also greedy.
        again = self.ok("eval", LEDGER, "--episodes", "12", "--var", "horizon=5", "--var", "noise=0.1", "--json").json()
        self.assertEqual([x["success"] for x in again["runs"]], [x["success"] for x in runs])
        self.fails(2, "not a finished evaluation", "plot", doc["run"])
        text = self.ok("eval", LEDGER, "--episodes", "3", "--var", "horizon=2").out
        for word in ("blueprint ledger, model embedded", "95 %", "verdicts", "success: the run ended ok"):
            self.assertIn(word, text)

    def test_a_blueprint_keeps_its_own_models(self):
        """As `run` does: --model, TROUPE_MODEL and a file override them only where they are given."""
        for name in ("own", "other"):
            self.write(f"{name}.json", json.dumps({"model": "script", "replies": [], "default": {"text": name}}))
        self.write("b.yaml", "schema: blueprint/v1\nmodels: {m: script:own.json}\nagents: {a: {model: m, prompt: hi}}\n"
                   'steps:\n  s: {agent: a, in: x}\noutput: "${s}"\n')
        own, other = (f"script:{os.path.join(os.path.realpath(self.dir), n)}.json" for n in ("own", "other"))
        for more, env, model in (((), {}, own), (("--model", "script:other.json"), {}, other),
                                 ((), {"TROUPE_MODEL": "script:other.json"}, other)):
            doc = self.ok("eval", "b.yaml", "--episodes", "2", *more, "--json", **env).json()
            self.assertEqual((doc["model"], doc["rows"][0]["success"]), (model, 1))
            shown = self.ok("show", doc["runs"][0]["run"], "--json").json()
            self.assertEqual(shown["output"], "own" if model == own else "other")
            self.assertIn(f"blueprint b, model {model}, seeds", self.ok("eval", "b.yaml", "--episodes", "1", *more, **env).out)

    def test_a_run_without_a_verdict_succeeds_by_its_end(self):
        odd = self.write("odd.yaml", 'schema: blueprint/v1\ninputs: {n: {type: integer, default: 0}}\n'
                         'steps:\n  a: {value: "${1/inputs.n}"}\noutput: "${a}"\n')
        r = self.ok("eval", odd, "--episodes", "4", "--var", "n=1", "--json").json()["rows"][0]
        self.assertEqual((r["success"], r["with_verdict"], r["statuses"]), (1, 0, {"ok": 4}))
        r = self.ok("eval", odd, "--episodes", "4")
        self.assertIn("other ends: 4 error\nthe first error: ", r.out)
        self.assertIn("odd.yaml:4:", r.out)
        wait = self.write("wait.yaml", "schema: blueprint/v1\nsteps:\n  ask: {human: {prompt: 'Go on?', options: [yes, no]}}\n"
                          'output: "${ask}"\n')
        r = self.ok("eval", wait, "--episodes", "2", "--json").json()["rows"][0]
        self.assertEqual((r["success"], r["statuses"]), (0, {"waiting": 2}))
        r = self.ok("eval", LEDGER, "--episodes", "2", "--var", "horizon=100000", "--timeout", "300ms", "--json").json()["rows"][0]
        self.assertEqual((r["success"], r["statuses"]), (0, {"timeout": 2}))

    def test_each_environment_says_what_its_ceiling_is(self):
        for env, rule in (("ledger", "(1-p)^H;"), ("itinerary", "(1-p-t)^H;"), ("courier", "the moves of every leg")):
            r = self.ok("eval", env, "--expert", "plain", "--horizon", "3", "--episodes", "1")
            self.assertEqual(r.err, "")  # a log gets no line of progress in the first seconds
            text = r.out
            self.assertIn("ceiling (never looking back): ", text)
            self.assertIn(rule, text)
            # A command to copy: the shell leaves the brackets alone.
            shown = re.search(r"`troupe (show '[0-9a-f-]{36}/row\[0\]/episode\[0\]' --tokens)`", text)
            self.ok(*shlex.split(shown[1]))

    def test_what_a_blueprint_does_not_take_is_refused(self):
        self.fails(2, "--noise is for environments", "eval", LEDGER, "--noise", "0.1")
        self.fails(2, "--var is for blueprints", "eval", "ledger", "--var", "a=1")
        self.fails(2, "below 2^20", "eval", LEDGER, "--seed", "7")
        self.fails(2, "horizn", "eval", LEDGER, "--var", "horizn=1")
        self.fails(2, ["expected an environment or a blueprint file", "did you mean ledger"], "eval", "legder")
        self.fails(2, ["has no script \"plian\"", "did you mean plain?"], "eval", "ledger", "--expert", "plian")
        self.fails(2, ["has no script \"plian\"", "did you mean plain?"], "env", "tasks", "ledger", "--expert", "plian")
        self.fails(78, "nowhere.yaml", "eval", "nowhere.yaml")
        self.fails(1, "no/such/model", "eval", LEDGER, "--model", "no/such/model")
        self.assertEqual(self.run_cli("runs", "--json").code, 1)  # nothing was recorded: there is no store

    def test_an_interrupted_evaluation_of_a_blueprint_keeps_its_runs(self):
        p = self.start("eval", LEDGER, "--episodes", "100000", "--var", "horizon=3")
        self.until_recorded(n=1)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130, err)
        self.assertIn("interrupted; ", err)
        runs = self.ok("runs", "--json").json()["runs"]
        whole = [r for r in runs if r["kind"] == "eval"]
        self.assertEqual([r["status"] for r in whole], ["cancelled"])
        done = self.ok("show", whole[0]["run"], "--json").json()["output"]["runs"]
        self.assertEqual(len(done), sum(r["kind"] == "run" and r["status"] == "ok" for r in runs))

    def test_training_seeds_are_refused(self):
        self.fails(2, "seed", "eval", "ledger", "--seed", "5", "--episodes", "3")


if __name__ == "__main__":
    main()
