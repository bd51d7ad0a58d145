"""test_cli_mcp_runs.py - tools, resources and prompts of MCP servers in blueprints and agents: records, replay, questions, kill -9.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import time

from cli_case import main
from mcp_case import McpCase

NOTE = """schema: blueprint/v1
inputs: {what: {type: string, default: x}}
steps:
  write: {tool: notes__note, in: {text: "${inputs.what}"}}
  look: {tool: notes__read}
output: "${look.lines}"
"""
BOOK = """schema: blueprint/v1
steps:
  before: {tool: notes__note, in: {text: before}}
  book: {tool: notes__book}
output: "${book}"
"""
AGENT = """schema: blueprint/v1
agents:
  clerk: {prompt: "You keep notes.", tools: [notes__note, notes__book]}
steps:
  work: {agent: clerk, in: "Write a note."}
output: "${work}"
"""
CONTENT = """schema: blueprint/v1
inputs: {who: {type: string, default: Ann}}
steps:
  notes: {tool: mcp_resource, in: {uri: "troupe://notes/notes://all"}}
  task: {tool: mcp_prompt, in: {name: notes__greet, arguments: {who: "${inputs.who}"}}}
output: "${notes}; ${task}"
"""


class Runs(McpCase):
    def setUp(self):
        super().setUp()
        self.notes()
        self.trust_project()

    def script(self, name, **arguments):
        """A model that calls one tool, then answers."""
        return "script:" + self.write("model.json", json.dumps({"model": "script", "replies": [
            {"path": "work/turn:0/model:0", "tool_calls": [{"name": name, "arguments": arguments}]},
            {"path": "work/turn:1/model:0", "text": "done"}]}))

    def test_a_step_calls_a_tool_and_a_replay_calls_nothing(self):
        self.write("note.yaml", NOTE)
        self.ok("validate", "note.yaml")
        doc = self.ok("run", "note.yaml", "--var", "what=hi", "--json").json()
        self.assertIn("note hi", doc["output"])
        self.assertEqual(self.marks("note"), ["note hi"])
        starts = len(self.marks("start"))
        steps = {s["path"]: s for s in self.ok("show", "last", "--json", "--tokens").json()["steps"]}
        self.assertEqual(steps["write"]["status"], "ok")
        self.ok("replay", doc["run"])
        os.unlink(os.path.join(self.dir, ".mcp.json"))
        self.ok("replay", doc["run"])
        self.assertEqual(self.marks("note"), ["note hi"])
        self.assertEqual(len(self.marks("start")), starts)

    def test_an_evaluation_calls_tools_in_each_run(self):
        self.write("note.yaml", NOTE)
        doc = self.ok("eval", "note.yaml", "--episodes", "3", "--var", "what=hi", "--json").json()
        self.assertEqual(doc["rows"][0]["statuses"], {"ok": 3})
        self.assertEqual((self.marks("note"), len(self.marks("start"))), (["note hi"] * 3, 1))
        for x in doc["runs"]:
            steps = {s["path"]: s["status"] for s in self.ok("show", x["run"], "--json").json()["steps"]}
            self.assertEqual(steps["write"], "ok")
            self.ok("replay", x["run"])
        self.assertEqual(self.marks("note"), ["note hi"] * 3)

    def test_mistakes_are_found_before_a_run(self):
        for text, words in ((NOTE.replace("notes__note", "notes__nte"), "did you mean `notes__note`?"),
                            (NOTE.replace("in: {text:", "in: {txet:"), "tool `notes__note`")):
            self.write("note.yaml", text)
            r = self.fails(78, words, "validate", "note.yaml")
            self.assertIn("note.yaml:", r.err)
        self.assertEqual(self.marks("note"), [])
        self.assertEqual(self.run_cli("runs").out, "")

    def test_a_server_that_is_down_is_an_error_with_its_place(self):
        self.write("note.yaml", NOTE)
        self.notes(args=["-c", "import sys; sys.exit('no key for the service')"])
        for command in ("validate", "run"):
            self.fails(1, ["server notes", "no key for the service", ".mcp.json:1:", "troupe mcp ping notes"], command, "note.yaml")
        self.notes(disabled=True)
        self.fails(78, ["server notes is disabled", ".mcp.json:1:"], "run", "note.yaml")

    def test_an_agent_calls_tools_and_a_replay_calls_nothing(self):
        self.write("agent.yaml", AGENT)
        model = self.script("notes__note", text="of the agent")
        doc = self.ok("run", "agent.yaml", "--model", model, "--json").json()
        self.assertEqual((doc["status"], self.marks("note")), ("ok", ["note of the agent"]), doc)
        starts = len(self.marks("start"))
        self.ok("replay", doc["run"])
        self.assertEqual((len(self.marks("start")), self.marks("note")), (starts, ["note of the agent"]))

    def test_a_form_is_questions_in_the_inbox(self):
        self.write("book.yaml", BOOK)
        r = self.run_cli("run", "book.yaml", "--json")
        self.assertEqual(r.code, 4, r.err)
        run = r.json()["run"]
        wait, = self.ok("inbox", "--json").json()["waits"]
        self.assertIn("How many seats?", wait["prompt"])
        self.ok("answer", run, "3")
        self.assertEqual(self.run_cli("resume", run).code, 4)
        wait, = self.ok("inbox", "--json").json()["waits"]
        self.assertEqual((wait["options"], "At the window" in wait["prompt"]), (["true", "false"], True))
        self.assertEqual(self.marks("book"), [])
        self.ok("answer", run, "true")
        self.assertEqual(self.ok("resume", run, "--json").json()["output"], 'booked {"seats": 3, "window": true}')
        self.assertEqual(self.marks("book"), ['book {"seats": 3, "window": true}'])
        self.assertEqual(self.marks("note"), ["note before"])

    def test_a_form_in_a_call_of_an_agent_too(self):
        self.write("agent.yaml", AGENT)
        model = self.script("notes__book")
        self.assertEqual(self.run_cli("run", "agent.yaml", "--model", model).code, 4)
        self.ok("answer", "last", "2")
        self.assertEqual(self.run_cli("resume", "last").code, 4)
        self.ok("answer", "last", "false")
        self.assertEqual(self.ok("resume", "last", "--json").json()["status"], "ok")
        self.assertEqual(self.marks("book"), ['book {"seats": 2, "window": false}'])

    def test_killed_in_a_call_a_person_decides(self):
        """`once`: what happened is not known, so it is neither repeated nor taken for done."""
        self.write("slow.yaml", "schema: blueprint/v1\nsteps:\n  a: {tool: notes__note, in: {text: first}}\n"
                   "  b: {tool: notes__slow, in: {seconds: 30}}\noutput: done\n")
        p = self.start("run", "slow.yaml")
        end = time.time() + 60
        while not self.marks("slow") and time.time() < end:
            time.sleep(0.02)
        p.send_signal(signal.SIGKILL)
        p.communicate()
        r = self.run_cli("resume", "last", "--json")
        self.assertEqual(r.code, 4, r.out + r.err)
        self.assertEqual(r.json()["waits"][0]["path"], "b")
        self.assertEqual((self.marks("note"), self.marks("slow")), (["note first"], ["slow"]))

    def test_effects_of_the_configuration_count(self):
        self.write("troupe.yaml", "mcp: {servers: {notes: {effects: {read: read, slow: idempotent}}}}\n")
        shown = {t["name"]: t["effect"] for t in self.ok("tools", "list", "--all", "--json").json()["tools"]}
        self.assertEqual([shown["notes__" + n] for n in ("read", "slow", "note")], ["read", "idempotent", "once"])

    def test_resources_and_prompts_are_texts_of_a_blueprint(self):
        self.write("content.yaml", CONTENT)
        self.ok("validate", "content.yaml")
        doc = self.ok("run", "content.yaml", "--json").json()
        self.assertEqual(doc["output"], "the notes; Greet Ann politely.")
        self.ok("replay", doc["run"])
        self.assertEqual((len(self.marks("resource")), len(self.marks("prompt"))), (1, 1))
        self.assertEqual(self.ok("tools", "call", "mcp_resource", '{"uri": "troupe://notes/notes://all"}').out, '"the notes"\n')
        del self.env["TROUPE_TRUST_PROJECT"]
        self.fails(3, "is not approved", "run", "content.yaml")

    def test_a_repair_starts_the_servers(self):
        self.write("broken.yaml", "schema: blueprint/v1\nsteps:\n  a: {tool: notes__note, in: {text: first}}\n"
                   "  b: {tool: notes__broken}\noutput: done\n")
        self.assertEqual(self.run_cli("run", "broken.yaml").code, 3)
        self.write("broken.yaml", "schema: blueprint/v1\nsteps:\n  a: {tool: notes__note, in: {text: first}}\n"
                   "  b: {tool: notes__note, in: {text: second}}\noutput: done\n")
        self.ok("resume", "last", "--from-failed", "--blueprint", "broken.yaml")
        self.assertEqual(self.marks("note"), ["note first", "note second"])


if __name__ == "__main__":
    main()
