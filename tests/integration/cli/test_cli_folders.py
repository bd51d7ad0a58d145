"""test_cli_folders.py - relative paths: a run resumes from any folder, and a blueprint names files relative to its own folder.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import signal

from cli_case import SOURCE, CliCase, main

BASE = os.path.join(SOURCE, "models/embedded/base")
WRITE = """schema: blueprint/v1
agents: {writer: {model: "script:say.json"}}
steps:
  ask: {human: {prompt: "Go on?", options: [yes, no]}}
  say: {agent: writer, in: hi}
  note: {tool: write_file, in: {path: note.txt, text: "${say}"}}
output: "${say}"
"""
SLOW = """schema: blueprint/v1
agents: {writer: {model: "script:say.json"}}
steps:
  one: {agent: writer, in: hi}
  note: {tool: write_file, in: {path: note.txt, text: "${one}"}}
output: "${one}"
"""


def script(text, delay=0):
    return json.dumps({"model": "script", "replies": [], "default": {"text": text}, "delay_ms": delay})


class Folders(CliCase):
    def make(self, name):
        os.makedirs(os.path.join(self.dir, name), exist_ok=True)
        return os.path.join(self.dir, name)

    def in_folder(self, name):
        """Sets the working folder of the program."""
        self.dir = self.make(name)

    def setUp(self):
        super().setUp()
        self.top = self.dir
        self.env["TROUPE_STORE"] = os.path.join(self.dir, "s.db")

    def names(self, folder):
        return sorted(os.listdir(os.path.join(self.top, folder)))

    def test_a_waiting_run_goes_on_from_another_folder(self):
        self.make("plans")
        self.write("plans/write.yaml", WRITE)
        self.write("plans/say.json", script("from the blueprint's folder"))
        self.in_folder("home")
        r = self.run_cli("run", "../plans/write.yaml", "--json")
        self.assertEqual(r.code, 4, r.err)
        self.ok("answer", "last", "yes")
        self.dir = self.top
        self.in_folder("elsewhere")
        done = self.ok("resume", "last", "--json").json()
        self.assertEqual(done["output"], "from the blueprint's folder")
        self.assertEqual(self.names("home"), ["note.txt"])
        self.assertEqual(self.names("elsewhere"), [])

    def test_a_killed_run_goes_on_from_another_folder_with_its_models(self):
        self.make("plans")
        self.write("plans/slow.yaml", SLOW)
        self.write("plans/say.json", script("unused"))
        self.in_folder("home")
        self.write("slow.json", script("from where it was begun", 1500))
        shutil.copytree(BASE, os.path.join(self.dir, "copy"))
        p = self.start("run", "../plans/slow.yaml", "--model", "writer=script:slow.json", "--root", ".")
        self.until_recorded()
        os.kill(p.pid, signal.SIGKILL)
        p.communicate()
        self.dir = self.top
        self.in_folder("elsewhere")
        r = self.ok("resume", "--all", "--json").json()["runs"]
        self.assertEqual([x["output"] for x in r], ["from where it was begun"])
        self.assertEqual(self.names("home"), ["copy", "note.txt", "slow.json"])
        self.assertEqual(self.names("elsewhere"), [])

    def test_the_record_names_whole_paths(self):
        self.make("plans")
        self.write("plans/write.yaml", WRITE)
        self.write("plans/say.json", script("x"))
        self.write("other.json", script("y"))
        self.assertEqual(self.run_cli("run", "plans/write.yaml").code, 4)
        doc = self.ok("show", "last", "--json").json()
        self.assertEqual((doc["root"], doc["source"]), (self.top, os.path.join(self.top, "plans/write.yaml")))
        config = doc["config"]
        self.assertEqual(config["plan"]["folder"], os.path.join(self.top, "plans"))
        self.assertEqual(list(config["weights"]), [f"script:{self.top}/plans/say.json"])
        self.assertEqual(self.run_cli("run", "plans/write.yaml", "--model", "script:other.json").code, 4)
        config = self.ok("show", "last", "--json").json()["config"]
        self.assertEqual((config["model"], config["models"]), (f"script:{self.top}/other.json", [f"script:{self.top}/other.json"]))

    def test_what_is_below_a_blueprint_names_what_lies_beside_it(self):
        self.make("plans/below")
        self.write("plans/top.yaml", "schema: blueprint/v1\nsteps:\n  a: {blueprint: file://below/sub.yaml}\n")
        self.write("plans/below/sub.yaml", "schema: blueprint/v1\nmodels: {m: ./say}\n"
                   "agents: {w: {model: m}}\nsteps:\n  s: {agent: w, env: {name: ledger, horizon: 1}}\n")
        shutil.copytree(BASE, os.path.join(self.dir, "plans/below/say"))
        self.ok("run", "plans/top.yaml")
        config = self.ok("show", "last", "--json").json()["config"]
        self.assertEqual(list(config["weights"]), [os.path.join(self.top, "plans/below/say")])

    def test_a_script_that_was_changed_is_refused(self):
        self.write("write.yaml", WRITE)
        self.write("say.json", script("before"))
        self.assertEqual(self.run_cli("run", "write.yaml").code, 4)
        self.ok("answer", "last", "yes")
        self.write("say.json", script("after"))
        self.fails(78, ["say.json", "contents"], "resume", "last")
        self.write("say.json", script("before"))
        self.assertEqual(self.ok("resume", "last").out, '"before"\n')

    def test_a_model_is_given_to_an_agent_a_role_or_a_key(self):
        self.write("a.json", script("A"))
        self.write("b.json", script("B"))
        self.write("p.yaml", 'schema: blueprint/v1\nmodels: {cheap: "script:a.json"}\n'
                   "agents: {writer: {role: author, model: cheap}}\nsteps:\n  s: {agent: writer, in: hi}\n")
        self.assertEqual(self.ok("run", "p.yaml").out, '"A"\n')
        for name in ("writer", "author", "cheap"):
            self.assertEqual(self.ok("run", "p.yaml", "--model", f"{name}=script:b.json").out, '"B"\n', name)
        r = self.fails(2, ["--model wrter=", "did you mean writer", "author", "cheap"], "run", "p.yaml", "--model", "wrter=script:b.json", "--json")
        self.assertEqual(r.json()["error"]["code"], "usage")
        self.fails(2, ["--model nobody=", "the names are: writer, author, cheap"], "run", "p.yaml", "--model", "nobody=embedded")
        self.assertEqual(len(self.ok("runs", "--json").json()["runs"]), 4)
        # In a file or the environment it is a default for blueprints that use the name.
        self.assertEqual(self.ok("run", "p.yaml", TROUPE_MODEL="nobody=script:b.json").out, '"A"\n')
        self.assertEqual(self.ok("run", "p.yaml", TROUPE_MODEL="author=script:b.json").out, '"B"\n')
        self.fails(2, "NAME=M is for blueprints", "eval", "ledger", "--model", "nobody=embedded", "--episodes", "1")
        for command in ("generate --prompt x", "train sft --env ledger --out t", "train grpo --env ledger --out t", "train replay t 1"):
            r = self.fails(2, "--model nobody=embedded: NAME=M is for blueprints", *command.split(), "--model", "nobody=embedded",
                           "--json")
            self.assertEqual(r.json()["error"]["code"], "usage")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "t")))

    def test_a_place_that_cannot_be_written_says_what_to_do(self):
        self.write("p.yaml", "schema: blueprint/v1\nsteps:\n  a: {value: 1}\n")
        self.fails(1, ["there is no folder nowhere", "--store FILE"], "run", "p.yaml", "--store", "nowhere/s.db")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "nowhere")))
        self.fails(1, ["/proc/nowhere", "--store FILE"], "run", "p.yaml", "--store", "/proc/nowhere/s.db")


if __name__ == "__main__":
    main()
