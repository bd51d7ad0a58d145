"""test_cli_resume.py - resume: interrupted evaluations, changed weights refused, a live fork.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import signal

from cli_case import LEDGER, SOURCE, CliCase, main

BASE, TRAINED = (os.path.join(SOURCE, "models/embedded", name) for name in ("base", "trained"))
EVAL = ("eval", "ledger", "--model", BASE, "--horizon", "20,40", "--episodes", "500", "--noise", "0.03", "--json")
COUNTS = ("horizon", "p", "temperature", "episodes", "successes", "success", "success_low", "recovered", "ceiling",
          "calls_per_step", "step_accuracy")


def counts(doc):
    return [{k: row[k] for k in COUNTS} for row in doc["rows"]]


class Resume(CliCase):
    def interrupted(self, *args, signo=signal.SIGINT):
        if os.path.exists(os.path.join(self.dir, ".local/share/troupe/store.db")):
            for r in self.ok("runs", "--json").json()["runs"]:
                self.ok("rm", r["run"])
        p = self.start(*args)
        self.until_recorded(n=20)
        p.send_signal(signo)
        p.communicate(timeout=60)
        self.assertIn(p.returncode, (130, -signal.SIGKILL))
        return self.ok("runs", "--json").json()["runs"][0]["run"]

    def test_an_interrupted_evaluation_goes_on_and_gives_the_same_table(self):
        for signo in (signal.SIGINT, signal.SIGKILL):
            run = self.interrupted(*EVAL, signo=signo)
            done = len(self.ok("show", run, "--json").json().get("episodes", []))
            self.assertTrue(0 < done < 1000, done)
            r = self.ok("resume", run, "--json").json()
            self.assertEqual((r["schema"], r["run"]), ("troupe.eval/1", run))
            self.assertEqual(counts(r), counts(self.ok(*EVAL).json()))
            self.assertEqual(self.ok("show", run, "--json").json()["status"], "ok")
            self.fails(2, "has ended", "resume", run)

    def test_all_takes_evaluations_too(self):
        run = self.interrupted(*EVAL)
        r = self.ok("resume", "--all", "--json").json()
        self.assertEqual([(x["schema"], x["run"]) for x in r["runs"]], [("troupe.eval/1", run)])

    def test_other_weights_are_refused_and_both_are_named(self):
        for command in (EVAL, ("run", LEDGER, "--var", "horizon=100000", "--model", BASE)):
            run = self.interrupted(*command)
            r = self.fails(78, [BASE, TRAINED, "weights"], "resume", run, "--model", TRAINED, "--json")
            self.assertEqual(r.json()["error"]["code"], "config")
            self.assertEqual(self.ok("show", run, "--json").json()["status"], "interrupted")

    def test_the_same_weights_elsewhere_are_not(self):
        shutil.copytree(BASE, os.path.join(self.dir, "copy"))
        run = self.interrupted(*EVAL)
        self.assertEqual(self.ok("resume", run, "--model", "copy", "--json").json()["run"], run)

    def test_a_run_whose_record_does_not_fit_ends_and_can_be_repaired(self):
        shutil.copytree(BASE, os.path.join(self.dir, "copy"))
        run = self.interrupted("run", LEDGER, "--var", "horizon=100000", "--seed", "7", "--model", "copy", signo=signal.SIGKILL)
        with open(os.path.join(self.dir, "copy/tokenizer.json"), encoding="utf-8") as f:
            good = json.load(f)
        other = json.loads(json.dumps(good))
        vocab = other["model"]["vocab"]
        vocab["1"], vocab["2"] = vocab["2"], vocab["1"]  # the same text has other ids
        self.write("copy/tokenizer.json", json.dumps(other))
        step = self.ok("show", run + "/play[0]", "--json").json()["steps"][0]
        for args in ((), ("--from-failed",)):
            doc = self.fails(3, ["the prompt recorded at play[0]/turn:",
                                 f"`troupe resume {run} --from-failed --redo 'play[0]'`"], "resume", run, "--json", *args).json()
            self.assertEqual(doc["status"], "error")
            self.assertEqual(self.ok("show", run, "--json").json()["status"], "error")
            self.assertEqual(self.ok("runs", "--json").json()["runs"][0]["status"], "error")
        self.assertEqual(self.ok("show", run + "/play[0]", "--json").json()["steps"][0]["status"], step["status"])
        self.assertIn("no run is open", self.ok("resume", "--all", "--watch").err)
        self.fails(2, f"`troupe resume {run} --from-failed`", "resume", run)
        self.write("copy/tokenizer.json", json.dumps(good))  # now it goes on where it was
        n = self.ok("show", run, "--json").json()["n_steps"]
        self.assertEqual(self.run_cli("resume", run, "--from-failed", "--timeout", "2s").code, 124)
        self.assertGreater(self.ok("show", run, "--json").json()["n_steps"], n)
        self.write("copy/tokenizer.json", json.dumps(other))
        # With other ids the model does not play well: its episode may end at once, or go on until the time-out.
        self.assertIn(self.run_cli("resume", run, "--from-failed", "--redo", "play[0]", "--timeout", "2s").code, (0, 3, 124))
        self.assertTrue(self.ok("show", run + "/play[0]@1", "--json").json()["steps"])
        self.ok("store", "check")

    def test_a_fork_keeps_what_was_before_the_path_and_goes_on_live(self):
        old = self.ok("run", LEDGER, "--var", "horizon=8", "--seed", "5", "--model", BASE, "--json").json()
        fork = self.ok("replay", old["run"], "--live", "--from", "play[0]/turn:6", "--model", TRAINED, "--json").json()
        self.assertNotEqual(fork["run"], old["run"])
        self.assertEqual(fork["status"], "ok")
        a, b = ({s["path"]: s for s in self.ok("show", r["run"], "--tokens", "--json").json()["steps"]}
                for r in (old, fork))
        for turn in range(6):
            path = f"play[0]/turn:{turn}/model:0"
            self.assertEqual(a[path]["tokens"], b[path]["tokens"])
        later = [p for p in a if p in b and p.startswith("play[0]/turn:") and p.endswith("model:0") and
                 int(p.split(":")[1].split("/")[0]) >= 6]
        self.assertTrue(any(a[p]["tokens"]["logp"] != b[p]["tokens"]["logp"] for p in later), "nothing was live")
        self.assertEqual(self.ok("show", old["run"], "--json").json()["status"], "ok")

    def test_a_fork_of_the_same_model_ends_the_same(self):
        old = self.ok("run", LEDGER, "--var", "horizon=8", "--seed", "5", "--json").json()
        for path in ("play[0]/turn:6", "play[0]/turn:0", "play", "wins"):
            fork = self.ok("replay", old["run"], "--live", "--from", path, "--json").json()
            self.assertEqual(fork["output"], old["output"], path)
            self.ok("show", old["run"], "--diff", fork["run"])
        n = len(self.ok("runs", "--json").json()["runs"])
        self.fails(1, "no step nowhere", "replay", old["run"], "--live", "--from", "nowhere")
        self.assertEqual(len(self.ok("runs", "--json").json()["runs"]), n, "a fork that cannot be leaves no run")
        self.ok("store", "check")


if __name__ == "__main__":
    main()
