"""test_cli_run.py - a blueprint from the command line: run, show, waits, cancel, replay, bad input.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal

from cli_case import LEDGER, SOURCE, CliCase, main

ASK = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "Go on?", options: [yes, no]}}
  say: {value: "${ask}"}
output: "${say}"
"""
SCRIPT = '{"model": "script", "replies": [], "default": {"text": "hello"}}'
AGENTS = """schema: blueprint/v1
agents: {one: {}, two: {}, three: {}, four: {}}
steps:
  a: {agent: one, env: {name: ledger, horizon: 2}}
  b: {agent: two, env: {name: ledger, horizon: 2}}
  c: {agent: three, in: hi}
  d: {agent: four, in: hi}
"""


def without_times(steps):
    drop = ("began_ms", "ended_ms", "seq", "tries")
    return [{k: v for k, v in s.items() if k not in drop} for s in steps]


class Run(CliCase):
    def test_run_prints_a_document_and_show_has_its_tokens(self):
        r = self.ok("run", LEDGER, "--var", "horizon=5", "--seed", "7", "--json").json()
        self.assertEqual(r["schema"], "troupe.run/1")
        self.assertEqual(r["status"], "ok")
        for key in ("run", "output", "steps", "tokens", "wall_s"):
            self.assertIn(key, r)
        s = self.ok("show", r["run"], "--tokens", "--json").json()
        self.assertEqual(s["schema"], "troupe.show/1")
        self.assertIn("success", s["verdict"])
        kinds = {step["kind"] for step in s["steps"]}
        self.assertTrue({"agent", "model", "tool"} <= kinds)
        for step in s["steps"]:
            self.assertEqual(step["status"], "ok", step)
            if step["kind"] == "model":
                t = step["tokens"]
                self.assertEqual(t["prompt_len"], t["prefix_len"] + len(t["prompt_delta"]))
                self.assertEqual(t["mask"], [0] * len(t["prompt_delta"]) + [1] * len(t["ids"]))
            if step["kind"] == "tool":
                self.assertTrue({"name", "arguments", "result"} <= set(step["call"]))
        self.assertIn("verdict", self.ok("show", "last", "--tokens").out)
        self.assertIn(r["run"][:6], self.ok("runs").out)

    def test_the_same_seed_gives_the_same_steps(self):
        runs = [self.ok("run", LEDGER, "--var", "horizon=6", "--seed", "11", "--json", TROUPE_THREADS=t).json()["run"]
                for t in ("1", "2")]
        a, b = (without_times(self.ok("show", u, "--tokens", "--json").json()["steps"]) for u in runs)
        self.assertEqual(a, b)
        self.ok("show", runs[0], "--diff", runs[1])

    def test_replay_finds_no_difference(self):
        r = self.ok("run", LEDGER, "--var", "horizon=6", "--seed", "3", "--json").json()
        d = self.ok("replay", r["run"], "--json").json()
        self.assertEqual(d["different"], 0, d)
        self.assertGreater(d["steps"], 10)

    def test_steps_and_tokens_are_the_same_wherever_they_are_shown(self):
        doc = self.ok("eval", LEDGER, "--var", "horizon=4", "--episodes", "1", "--json").json()
        again = ("run", LEDGER, "--var", "horizon=4", "--seed", str(doc["seed"]))
        said, run = self.ok(*again).err, self.ok(*again, "--json").json()
        shown = self.ok("show", run["run"], "--tokens", "--json").json()
        listed = next(x for x in self.ok("runs", "--json").json()["runs"] if x["run"] == run["run"])
        fed = sum(len(s["tokens"]["prompt_delta"]) for s in shown["steps"] if s["kind"] == "model")
        sampled = sum(len(s["tokens"]["ids"]) for s in shown["steps"] if s["kind"] == "model")
        want = (len(shown["steps"]), fed + sampled)
        self.assertGreater(want[0], 8)
        self.assertEqual((run["steps"], run["tokens"], run["tokens_in"], run["tokens_out"]), (*want, fed, sampled))
        self.assertEqual((listed["steps"], listed["tokens"], listed["tokens_in"], listed["tokens_out"]), (*want, fed, sampled))
        self.assertEqual((shown["n_steps"], shown["tokens"]), want)
        self.assertEqual((doc["rows"][0]["steps_per_run"], doc["rows"][0]["tokens_per_run"]), want)
        self.assertIn("%d steps, %d tokens" % want, said)
        self.assertIn("%d steps, %d tokens" % want, self.ok("show", run["run"]).out)
        self.assertEqual(self.ok("runs").out.splitlines()[1].split()[-2:], [str(n) for n in want])

    def test_streamed_tokens_go_to_standard_error(self):
        r = self.ok("run", LEDGER, "--var", "horizon=3", "--seed", "1", "--stream")
        self.assertEqual(json.loads(r.out)["episodes"], 1)
        texts = [json.loads(line) for line in self.ok("run", LEDGER, "--var", "horizon=3", "--seed", "1", "--stream", "--json").out.splitlines()]
        said = "".join(t["text"] for t in texts if t["type"] == "text")
        self.assertGreater(len(said), 20)
        self.assertIn(said, r.err)

    def test_streams_are_lines_whose_last_is_the_result(self):
        r = self.ok("run", LEDGER, "--var", "horizon=3", "--seed", "1", "--json", "--stream")
        lines = [json.loads(line) for line in r.out.splitlines()]
        self.assertEqual(lines[-1]["type"], "result")
        self.assertTrue(any(line["type"] == "text" for line in lines))

    def test_a_question_waits_is_answered_and_goes_on(self):
        path = self.write("ask.yaml", ASK)
        r = self.run_cli("run", path, "--json")
        self.assertEqual(r.code, 4, r.err)
        run = r.json()["run"]
        self.assertIn("Go on?", self.ok("show", run).out)
        self.ok("answer", run, "yes")
        done = self.ok("resume", run, "--json").json()
        self.assertEqual(done["output"], "yes")
        self.assertEqual(self.run_cli("answer", run, "no").code != 0, True)

    def test_each_model_is_opened_once_a_run(self):
        base = os.path.join(SOURCE, "models/embedded/base")
        self.write("reply.json", SCRIPT)
        path = self.write("agents.yaml", AGENTS)
        r = self.ok("run", path, "--verbose", "--model", f"one={base}", "--model", f"two={base}/", "--model", "three=script:reply.json",
                    "--model", f"four=script:{self.dir}/./reply.json")
        self.assertEqual(r.err.count("MiB = weights"), 1, r.err)
        self.assertEqual(sorted(line.split("model ")[1] for line in r.err.splitlines() if " is open" in line),
                         sorted([f"{base} is open", f"script:{self.dir}/reply.json is open"]))

    def test_a_run_that_ended_ok_gives_its_result_again(self):
        path = self.write("v.yaml", "schema: blueprint/v1\nsteps: {a: {value: 7}}\n")
        r = self.ok("run", path, "--json").json()
        again = self.ok("resume", r["run"], "--json").json()
        self.assertEqual({k: v for k, v in again.items() if k != "wall_s"}, {k: v for k, v in r.items() if k != "wall_s"})
        self.assertEqual(self.ok("resume", "last").out, "7\n")

    def test_bad_inputs_are_named(self):
        self.fails(2, ["horizn", "horizon"], "run", LEDGER, "--var", "horizn=3")
        self.fails(2, "horizon", "run", LEDGER, "--var", "horizon=many")
        self.fails(2, "NAME=VALUE", "run", LEDGER, "--var", "horizon")
        self.fails(1, "nowhere", "run", LEDGER, "--model", "nowhere")
        self.fails(1, "not found", "show", "abcdef", "--store", self.make_store())

    def make_store(self):
        self.ok("init", ".")
        return os.path.join(self.dir, ".troupe/store.db")

    def test_interrupt_saves_and_resume_finishes(self):
        p = self.start("run", LEDGER, "--var", "horizon=100000", "--seed", "5", "--store", "s.db")
        self.until_recorded("--store", "s.db")
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130)
        before = self.ok("show", "last", "--json", "--store", "s.db").json()
        self.assertGreater(len(before["steps"]), 0)
        self.ok("store", "check", "--store", "s.db")

    def test_time_limit_ends_the_run(self):
        r = self.run_cli("run", LEDGER, "--var", "horizon=100000", "--timeout", "1s", "--store", "t.db", "--json")
        self.assertEqual(r.code, 124, r.err)
        self.assertEqual((r.json()["status"], r.json()["error"]["message"]), ("timeout", "time limit of 1s reached"))
        self.assertIn("troupe: time limit of 1s reached", r.err)
        self.assertNotIn("cancelled", r.err)
        shown = self.ok("show", "last", "--json", "--store", "t.db").json()
        self.assertEqual((shown["status"], shown["error"]), ("timeout", "time limit of 1s reached"))
        self.assertEqual(len(self.ok("runs", "--status", "timeout", "--json", "--store", "t.db").json()["runs"]), 1)
        self.assertEqual(self.ok("run", LEDGER, "--var", "horizon=1", "--timeout", "10m", "--store", "t.db", "--json").json()["status"],
                         "ok")

    def test_cancel_from_another_process(self):
        p = self.start("run", LEDGER, "--var", "horizon=100000", "--seed", "5", "--store", "c.db")
        self.until_recorded("--store", "c.db")
        self.ok("cancel", "last", "--store", "c.db")
        p.communicate(timeout=60)
        self.assertEqual(p.returncode, 3)
        self.assertEqual(self.ok("show", "last", "--json", "--store", "c.db").json()["status"], "cancelled")

    def test_rm_and_gc(self):
        run = self.ok("run", LEDGER, "--var", "horizon=2", "--json").json()["run"]
        self.ok("rm", run)
        self.ok("store", "gc")
        self.ok("store", "check")
        self.fails(1, "not found", "show", run)


if __name__ == "__main__":
    main()
