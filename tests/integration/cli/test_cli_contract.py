"""test_cli_contract.py - the interface for scripts: one document with --json, streams that end with a result, error
messages, statuses, exit codes of signals.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import subprocess
import time

from cli_case import ASK, LEDGER, TROUPE, CliCase, main

FAULT = """schema: blueprint/v1
steps:
  a: {value: "${1/0}"}
output: "${a}"
"""
LONG = ("run", LEDGER, "--var", "horizon=100000", "--seed", "5")


class Contract(CliCase):
    def test_a_file_that_is_no_database_is_no_store(self):
        path = self.write("notes.txt", "what I meant to remember, which is longer than a header\n")
        for args in (("runs",), ("show", "last"), ("store", "check"), ("eval", "ledger", "--expert", "plain", "--episodes", "1")):
            r = self.fails(78, ["notes.txt is not a store", "with --store"], *args, "--store", path, "--json")
            self.assertEqual(r.json()["error"]["code"], "config")
        with open(path, encoding="utf-8") as f:
            self.assertIn("meant to remember", f.read())
        self.assertEqual(os.listdir(self.dir), ["notes.txt"])

    def stop(self, p, signo=signal.SIGINT, after=None):
        if after is None:
            self.until_recorded()
        else:
            self.until_main(p)
            time.sleep(after)
        p.send_signal(signo)
        out, err = p.communicate(timeout=60)
        return p.returncode, out, err

    def test_whatever_only_does_something_still_gives_a_document(self):
        run = self.ok("run", LEDGER, "--var", "horizon=2", "--json").json()["run"]
        self.assertEqual(self.ok("store", "backup", "b.db", "--json").json()["schema"], "troupe.store_backup/1")
        self.assertEqual(self.ok("init", "i", "--json").json()["schema"], "troupe.init/1")
        self.assertEqual(self.ok("config", "set", "context", "64", "--json").json()["context"], 64)
        self.assertEqual(self.ok("config", "get", "context", "--json").json()["context"], 64)
        values = self.ok("config", "--json", TROUPE_THREADS="3").json()["values"]
        self.assertEqual((values["threads"], values["context"], values["top-p"], values["horizon"]), (3, 64, 1, "10,30,100"))
        self.assertEqual(self.ok("rm", run, "--json").json(), {"schema": "troupe.rm/1", "run": run})
        self.assertEqual(self.ok("resume", "--all", "--json").json(), {"schema": "troupe.resume/1", "runs": []})
        path = self.write("ask.yaml", ASK)
        runs = [self.run_cli("run", path, "--json").json()["run"] for _ in range(3)]
        self.assertEqual(self.ok("cancel", runs[0], "--json").json(), {"schema": "troupe.cancel/1", "run": runs[0]})
        for r in runs[1:]:
            self.assertEqual(self.ok("answer", r, "yes", "--json").json()["run"], r)
        r = self.ok("resume", "--all", "--json").json()
        self.assertEqual(sorted((x["run"], x["status"]) for x in r["runs"]), sorted((x, "ok") for x in runs[1:]))
        self.fails(2, "not both", "resume", "last", "--all")

    def test_an_answered_run_is_shown(self):
        self.run_cli("run", self.write("ask.yaml", ASK))
        self.ok("answer", "last", "yes")
        self.ok("show", "last")

    def test_streams_end_with_a_result_also_when_they_fail(self):
        r = self.fails(78, "stepz", "run", self.write("bad.yaml", "schema: blueprint/v1\nstepz: {}\n"), "--json",
                       "--stream")
        last = json.loads(r.out.splitlines()[-1])
        self.assertEqual((last["type"], last["error"]["code"]), ("result", "config"))
        self.assertIn("bad.yaml:2:1", last["error"]["where"])

    def test_follow_reports_every_end(self):
        run = self.ok("run", LEDGER, "--var", "horizon=250", "--detach").out.strip()
        lines = [json.loads(x) for x in self.ok("show", run, "--follow", "--json").out.splitlines()]
        whole = self.ok("show", run, "--json").json()
        ended = {(x["path"], x["attempt"]) for x in lines[:-1] if x["status"] == "ok"}
        self.assertEqual(ended, {(x["path"], x["attempt"]) for x in whole["steps"]})
        self.assertEqual(len(lines) - 1, len({(x["path"], x["attempt"], x["status"]) for x in lines[:-1]}))
        self.assertEqual((lines[-1]["type"], lines[-1]["verdict"]), ("result", whole["verdict"]))

    def test_a_killed_run_is_interrupted_and_follow_ends(self):
        p = self.start(*LONG)
        self.assertEqual(self.stop(p, signal.SIGKILL)[0], -signal.SIGKILL)
        self.assertEqual(self.ok("runs", "--json").json()["runs"][0]["status"], "interrupted")
        self.assertEqual(len(self.ok("runs", "--status", "interrupted", "--json").json()["runs"]), 1)
        self.assertEqual(self.ok("runs", "--status", "running", "--json").json()["runs"], [])
        r = self.ok("show", "last", "--follow", "--json", timeout=60)
        self.assertEqual(json.loads(r.out.splitlines()[-1])["status"], "interrupted")
        self.fails(2, "has not ended", "replay", "last")
        self.fails(2, ["interupted", "did you mean interrupted"], "runs", "--status", "interupted")

    def test_signals_have_their_codes(self):
        for signo, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            self.assertEqual(self.stop(self.start(*LONG), signo)[0], code)
            self.ok("rm", "last")
            p = self.start("eval", "ledger", "--episodes", "100000", "--horizon", "100", "--json")
            got, out, _ = self.stop(p, signo)
            fault = json.loads(out)["error"]
            self.assertEqual((got, fault["code"]), (code, "cancelled"))
            self.assertIn("`troupe resume", fault["hint"])
            p = self.start("generate", "--prompt", "a", "--max-tokens", "1000000", "--temperature", "1")
            self.assertIn(self.stop(p, signo, 0.3)[0], (code, 0))
            p = self.start("train", "sft", "--env", "ledger", "--model", "embedded", "--out", f"t{code}",
                           "--updates", "100000")
            self.assertEqual(self.stop(p, signo, 3)[0], code)

    def test_a_signal_at_any_moment_of_a_short_run_is_130(self):
        for i in range(25):
            p = self.start("run", LEDGER, "--var", "horizon=30", "--seed", "1", "--quiet")
            self.until_main(p)
            time.sleep(0.012 * i)
            p.send_signal(signal.SIGINT)
            p.communicate(timeout=60)
            self.assertIn(p.returncode, (130, 0), i)

    def test_a_failed_run_prints_its_error_as_any_other(self):
        self.write("fault.yaml", FAULT)
        path = "fault.yaml"
        r = self.fails(3, "division by zero", "run", path)
        self.assertIn("\ntroupe: a: fault.yaml:3:18: division by zero\n", "\n" + r.err)
        self.assertIn("troupe: a: fault.yaml", self.fails(3, "division", "run", path, "--json").err)
        self.assertEqual(self.fails(3, "division", "run", path, "--quiet").err.count("run "), 0)

    def test_a_failed_run_has_its_error_in_the_document(self):
        path = self.write("fault.yaml", FAULT)
        doc = self.fails(3, "division by zero", "run", path, "--json").json()
        self.assertEqual(set(doc["error"]) - {"hint"}, {"code", "message", "where"})
        self.assertIn("division by zero", doc["error"]["message"])
        self.assertNotIn("message", doc)

    def test_a_blueprint_that_cannot_be_used_is_78(self):
        self.write("bad.yaml", "schema: blueprint/v1\nstep: {}\n")
        for name in ("none.yaml", "bad.yaml"):
            for command in ("run", "validate"):
                doc = self.fails(78, name, command, name, "--json").json()
                self.assertEqual(doc["error"]["code"], "config")

    def test_a_spent_wall_budget_says_which_and_how_much(self):
        path = self.write("wall.yaml", "schema: blueprint/v1\nbudget: {wall: 300ms}\nsteps:\n  b: {wait: {for: 1h}}\n")
        r = self.fails(124, "wall budget of 300ms", "run", path, "--json").json()
        self.assertEqual((r["status"], r["error"]["code"]), ("timeout", "timeout"))
        self.assertIn("wall budget of 300ms", r["error"]["message"])

    def test_an_interrupted_run_says_interrupted(self):
        p = self.start("run", LEDGER, "--var", "horizon=100000", "--json")
        self.until_recorded()
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, json.loads(out)["status"]), (130, "interrupted"))
        self.assertIn("troupe resume", err)

    def test_what_cannot_be_written_is_said(self):
        run = self.ok("run", LEDGER, "--var", "horizon=2", "--json").json()["run"]
        other = self.ok("run", LEDGER, "--var", "horizon=3", "--json").json()["run"]
        ask = self.write("ask.yaml", ASK.replace("no]", "no], timeout: none"))
        fault = self.write("fault.yaml", FAULT)
        waiting = self.run_cli("run", ask, "--json").json()["run"]
        commands = (["run", LEDGER, "--var", "horizon=2"], ["run", LEDGER, "--var", "horizon=2", "--json"],
                    ["run", LEDGER, "--var", "horizon=2", "--json", "--stream"], ["runs"], ["show", "last"], ["show", "last", "--json"],
                    ["eval", "ledger", "--episodes", "2", "--horizon", "2"], ["resume", "--all", "--json"], ["inbox", "--json"],
                    ["validate", LEDGER, "--json"], ["help"], ["version"], ["tools", "list"], ["env", "list"], ["config"],
                    ["replay", run, "--json"], ["show", run, "--diff", run, "--json"],
                    ["run", ask, "--json"], ["run", fault, "--json"], ["resume", waiting, "--json"], ["resume", "--all", "--json"],
                    ["resume", "--all", "--watch", "--json"], ["show", run, "--diff", other])
        for command in commands:
            with open("/dev/full", "w") as full:
                p = subprocess.run([TROUPE, *command], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=full,
                                   stderr=subprocess.PIPE, text=True, timeout=120)
            self.assertEqual(p.returncode, 1, command)
            self.assertEqual(p.stderr.count("cannot write to standard output: No space left on device"), 1, (command, p.stderr))

    def test_a_model_for_one_role_is_not_one_for_all(self):
        self.fails(2, ["--model nobody=", "the names are: bookkeeper"], "run", LEDGER, "--var", "horizon=2", "--model", "nobody=embedded")
        self.fails(1, "nowhere", "run", LEDGER, "--var", "horizon=2", "--model", "bookkeeper=nowhere")

    def test_quiet_says_only_what_is_wrong(self):
        self.assertEqual(self.ok("run", LEDGER, "--var", "horizon=2", "--quiet").err, "")
        self.assertEqual(self.ok("eval", "ledger", "--episodes", "3", "--horizon", "3", "--quiet").err, "")

    def test_mistakes_are_answered_with_what_was_meant(self):
        self.fails(2, "`troupe train sft`", "trian", "sft")
        self.fails(2, "come after the command", "--json", "runs")
        self.fails(2, "takes no option --x", "run", LEDGER, "-x")
        self.fails(2, ["`troupe run` needs BLUEPRINT", "troupe help run"], "run")
        self.fails(2, "`troupe help eval`", "help", "evl")
        self.fails(2, ["training", "2097152"], "eval", "ledger", "--seed", "5")
        self.fails(1, ["nowhere", "embedded, a folder"], "eval", "ledger", "--model", "nowhere")
        r = self.fails(1, "not found", "show", "nope", "--json", "--store", self.make_store())
        self.assertIn("troupe runs", r.json()["error"]["hint"])

    def make_store(self):
        self.ok("init", ".")
        return os.path.join(self.dir, ".troupe/store.db")

    def test_settings_that_a_file_gets_wrong_are_its_fault(self):
        self.write("troupe.yaml", "threads: many\n")
        self.fails(78, "troupe.yaml:1:10", "runs", TROUPE_THREADS="")
        self.fails(2, "TROUPE_CONTEXT", "runs", TROUPE_CONTEXT="x")

    def test_what_shapes_a_run_may_stand_in_the_environment_and_in_files(self):
        def seed(*args, **more):
            run = self.ok("run", LEDGER, "--var", "horizon=2", "--json", *args, **more).json()["run"]
            return self.ok("show", run, "--json").json()["seed"]
        self.write("troupe.yaml", "seed: 5\nepisodes: 4\nhorizon: 3\n")
        self.assertEqual([seed(), seed(TROUPE_SEED="6"), seed("--seed", "7", TROUPE_SEED="6")], [5, 6, 7])
        row, = self.ok("eval", "ledger", "--seed", "2097152", "--json", TROUPE_EPISODES="3").json()["rows"]
        self.assertEqual((row["horizon"], row["episodes"]), (3, 3))

    def test_precedence_of_the_store(self):
        def where(*args, **more):
            path = self.ok("store", "stats", "--json", *args, **more).json()["path"]
            return os.path.relpath(os.path.join(self.dir, path), self.dir)
        for name in ("flag.db", "environment.db", "file.db", "user.db"):
            self.ok("run", self.write("one.yaml", "schema: blueprint/v1\nsteps: {a: {value: 1}}\noutput: '${a}'\n"),
                    "--store", name)
        self.ok("run", "one.yaml", XDG_DATA_HOME=os.path.join(self.dir, "data"))
        self.assertEqual(where(XDG_DATA_HOME=os.path.join(self.dir, "data")), "data/troupe/store.db")
        self.ok("init", ".")
        os.remove(os.path.join(self.dir, "troupe.yaml"))
        self.assertEqual(where(XDG_DATA_HOME=os.path.join(self.dir, "data")), ".troupe/store.db")
        os.makedirs(os.path.join(self.dir, "conf/troupe"))
        self.write("conf/troupe/config.yaml", "store: user.db\n")
        conf = {"XDG_CONFIG_HOME": os.path.join(self.dir, "conf")}
        self.assertEqual(where(**conf), "user.db")
        self.write("troupe.yaml", "store: file.db\n")
        self.assertEqual(where(**conf), "file.db")
        self.assertEqual(where(**conf, TROUPE_STORE="environment.db"), "environment.db")
        self.assertEqual(where("--store", "flag.db", **conf, TROUPE_STORE="environment.db"), "flag.db")


if __name__ == "__main__":
    main()
