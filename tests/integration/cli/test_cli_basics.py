"""test_cli_basics.py - help, wrong usage, settings, tools, environments; without a model or a run.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os

from cli_case import SOURCE, CliCase, main


class Basics(CliCase):
    def test_help_lists_every_command_and_each_explains_itself(self):
        r = self.ok("help")
        for word in ("run", "resume", "show", "eval", "train sft", "store check", "doctor"):
            self.assertIn(word, r.out)
        self.assertIn("--horizon", self.ok("help", "eval").out)
        self.assertIn("--horizon", self.ok("eval", "--help").out)
        self.assertEqual(self.ok().out, r.out)
        self.fails(2, "unknown command", "help", "nothing")

    def test_manual_and_completion_come_from_the_tables(self):
        self.assertIn(".SS troupe eval", self.ok("help", "--man").out)
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("troupe", self.ok("completion", shell).out)
        self.assertIn("--horizon\t", self.ok("completion", "words", "--", "eval", "--h").out)
        self.fails(2, "no completion", "completion", "dos")

    def test_version(self):
        self.assertRegex(self.ok("version").out, r"^troupe \d+\.\d+\.\d+\n$")
        self.assertEqual(self.ok("version", "--json").json()["schema"], "troupe.version/1")
        self.assertEqual(self.ok("--version").out, self.ok("version").out)

    def test_the_supervisor_is_not_for_people(self):
        self.fails(2, "--supervise-children is for the program itself", "--supervise-children")

    def test_mistakes_name_the_nearest(self):
        self.fails(2, ["unknown command `evl`", "troupe eval"], "evl")
        self.fails(2, ["no option --horzion", "--horizon"], "eval", "ledger", "--horzion", "3")
        self.fails(2, ["unknown environment", "ledger"], "eval", "legder")
        self.fails(2, "not a number of steps", "eval", "ledger", "--horizon", "ten")
        r = self.fails(2, "unknown command", "evl", "--json")
        self.assertEqual(r.json()["error"]["code"], "usage")

    def test_settings_come_from_flag_environment_and_files(self):
        self.ok("config", "set", "threads", "3", TROUPE_THREADS="")
        self.assertEqual(self.ok("config", "get", "threads", TROUPE_THREADS="").out, "3\n")
        self.assertEqual(self.ok("config", "get", "threads", TROUPE_THREADS="5").out, "5\n")
        self.write("troupe.yaml", "threads: 4\n")
        self.assertEqual(self.ok("config", "get", "threads", TROUPE_THREADS="").out, "4\n")
        self.fails(2, "unknown setting", "config", "set", "thread", "3")
        self.fails(2, ["unknown setting", "did you mean threads?"], "config", "get", "threats")
        self.fails(2, "not a whole number", "config", "set", "threads", "many")
        # The store that a command would use, found or given.
        path = self.ok("config", "get", "store").out.strip()
        self.assertTrue(path.endswith("/troupe/store.db"), path)
        os.mkdir(os.path.join(self.dir, ".troupe"))
        self.write(".troupe/store.db", "")
        path = os.path.join(os.path.realpath(self.dir), ".troupe/store.db")
        self.assertEqual(self.ok("config", "--json").json()["values"]["store"], path)
        self.assertEqual(self.ok("config", "get", "store", "--store", "x.db").out, "x.db\n")
        self.write("troupe.yaml", "thread: 4\n")
        self.fails(78, ["troupe.yaml:1:1", "threads"], "config")

    def test_a_fault_in_the_settings_does_not_stop_help(self):
        plain = {c: self.ok(*c.split()).out for c in ("help", "version", "completion bash", "completion words -- ver", "run --help")}
        self.write("troupe.yaml", "quiet: false\ncontext: many\n")
        for said, out in plain.items():
            self.assertEqual(self.ok(*said.split(), TROUPE_CONTEXT="long").out, out, said)
        self.assertEqual(self.ok().out, plain["help"])
        for said in ("config", "config get context", "tools list"):
            r = self.fails(78, 'troupe.yaml:2:10: "many" is not a whole number', *said.split(), "--json")
            self.assertEqual(r.json()["error"]["code"], "config", said)
        self.fails(2, "TROUPE_CONTEXT", "config", TROUPE_CONTEXT="long")  # a wrong use, not a wrong file

    def test_config_set_corrects_a_setting(self):
        self.write("config.yaml", "threads: many\n")
        os.makedirs(os.path.join(self.dir, ".config/troupe"))
        os.rename(os.path.join(self.dir, "config.yaml"), os.path.join(self.dir, ".config/troupe/config.yaml"))
        self.fails(78, "config.yaml:1:10", "config", TROUPE_THREADS="")
        self.ok("config", "set", "threads", "3")
        self.assertEqual(self.ok("config", "get", "threads", TROUPE_THREADS="").out, "3\n")

    def test_tools_are_listed_shown_and_called(self):
        names = {t["name"] for t in self.ok("tools", "list", "--json").json()["tools"]}
        self.assertTrue({"calculator", "read_file", "write_file", "list_files"} <= names)
        self.assertIn("expression", self.ok("tools", "show", "calculator").out)
        r = self.ok("tools", "call", "calculator", '{"expression": "6*7"}', "--json").json()
        self.assertTrue(r["ok"])
        self.assertIn("42", json.dumps(r["result"]))
        self.fails(2, ["unknown tool", "calculator"], "tools", "call", "calculater", "{}")
        r = self.run_cli("tools", "call", "calculator", "{}", "--json")
        self.assertEqual(r.code, 1)
        self.assertIn("expression", json.dumps(r.json()["result"]))

    def test_file_tools_stay_below_the_root(self):
        os.mkdir(os.path.join(self.dir, "in"))
        self.write("in/a.txt", "hello")
        self.write("secret.txt", "no")
        self.assertIn("hello", self.ok("tools", "call", "read_file", '{"path": "a.txt"}', "--root", "in").out)
        for path in ("../secret.txt", "/etc/passwd", "link"):
            if path == "link":
                os.symlink("../secret.txt", os.path.join(self.dir, "in/link"))
            r = self.run_cli("tools", "call", "read_file", json.dumps({"path": path}), "--root", "in")
            self.assertEqual(r.code, 1, path)
            self.assertNotIn('"no"', r.out)

    def test_environments(self):
        self.assertIn("ledger", self.ok("env", "list").out)
        self.assertIn("undo", self.ok("env", "show", "ledger").out)
        tasks = self.ok("env", "tasks", "ledger", "--horizon", "5", "--count", "2", "--noise", "0", "--json").json()
        self.assertEqual(len(tasks["tasks"]), 2)
        self.assertTrue(all(t["verdict"]["success"] for t in tasks["tasks"]))

    def test_doctor_and_init(self):
        found = {f["what"] for f in self.ok("doctor", "--json").json()["findings"]}
        self.assertTrue({"cores", "instruction set", "GPU", "embedded model", "store"} <= found)
        self.ok("init", "here")
        self.ok("validate", "here/first.yaml")
        self.assertTrue(os.path.exists(os.path.join(self.dir, "here/.troupe/store.db")))

    def test_a_blueprint_with_a_mistake_is_shown_with_a_caret(self):
        with open(os.path.join(SOURCE, "blueprints/shipped/ledger.yaml"), encoding="utf-8") as f:
            text = f.read()
        self.write("bad.yaml", text.replace("steps:", "stepz:", 1))
        r = self.fails(78, ["bad.yaml:", "stepz", "steps", "^"], "validate", "bad.yaml")
        self.assertNotIn("ASan", r.err)
        self.fails(78, "nothere.yaml", "run", "nothere.yaml")

    def test_bytes_that_are_not_text_have_a_place(self):
        for name, text, place in (("a.yaml", b"schema: blueprint/v1\nsteps: \xff\n", "a.yaml:2:8: not UTF-8 text"),
                                  ("b.yaml", "schema: blueprint/v1\nsteps: ä\x07\n".encode(), "b.yaml:2:9: not valid YAML: control"),
                                  ("troupe.yaml", b"threads: 1\nseed: \xff\n", "troupe.yaml:2:7: YAML must be valid UTF-8")):
            with open(os.path.join(self.dir, name), "wb") as f:
                f.write(text)
            r = self.fails(78, "troupe: " + place, "validate", name, "--json")
            self.assertEqual(r.json()["error"]["where"], ":".join(place.split(":")[:3]))

    def test_there_is_no_store_before_the_first_run(self):
        self.fails(1, "no store at", "runs")


if __name__ == "__main__":
    main()
