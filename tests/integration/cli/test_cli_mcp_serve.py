"""test_cli_mcp_serve.py - troupe as an MCP server: `mcp serve` over stdio and /mcp of `troupe serve`; blueprints as tools and tasks.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import subprocess
import time

from cli_case import TROUPE, main
from mcp_case import NOTES, McpCase
from serve_case import PATIENCE, ServeCase

META = "io.modelcontextprotocol/"
TASKS = {"extensions": {META + "tasks": {}}}
YAML = """serve:
  blueprints:
    sum: {file: sum.yaml}
    ask: {file: ask.yaml}
    book: {file: book.yaml}
  agents:
    helper: {model: "script:helper.json"}
mcp:
  expose: {tools: [calculator]}
  views:
    some: {allow: [blueprint__sum, notes__note], rename: {notes__note: remember}}
"""
SUM = """schema: blueprint/v1
inputs: {a: {type: integer, description: The first one.}, b: {type: integer, default: 1}}
steps:
  sum: {value: "${inputs.a + inputs.b}"}
output: {sum: "${sum}"}
"""
ASK = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "Go on?", options: [yes, no]}}
output: "${ask}"
"""
BOOK = """schema: blueprint/v1
steps:
  note: {tool: notes__note, in: {text: by a blueprint}}
  slow: {tool: notes__slow, in: {seconds: 0.3}}
output: "${slow}"
"""


class Stdio:
    """A legacy client of `troupe mcp serve`."""

    def __init__(self, case, *args, **env):
        self.case = case
        self.log = open(os.path.join(case.dir, "mcp.log"), "w+", encoding="utf-8")
        self.p = subprocess.Popen([TROUPE, "mcp", "serve", *args], cwd=case.dir, env={**case.env, **env}, text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        case.started.append(self.p)
        self.n, self.notes = 0, []
        self.server = self.ask("initialize", protocolVersion="2025-11-25", capabilities={"elicitation": {}},
                               clientInfo={"name": "test", "version": "1"})
        self.send({"method": "notifications/initialized"})

    def send(self, message):
        self.p.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.p.stdin.flush()

    def reply(self, method, **params):
        self.n += 1
        self.send({"id": self.n, "method": method, "params": params})
        while True:
            m = json.loads(self.p.stdout.readline())  # whatever is on it is MCP
            if m.get("id") == self.n and "method" not in m:
                return m
            self.notes.append(m)

    def ask(self, method, **params):
        m = self.reply(method, **params)
        self.case.assertIn("result", m)
        return m["result"]

    def call(self, name, arguments=None, **meta):
        return self.ask("tools/call", name=name, arguments=arguments or {}, **({"_meta": meta} if meta else {}))

    def tools(self):
        return [t["name"] for t in self.ask("tools/list")["tools"]]

    def end(self):
        self.p.stdin.close()
        code = self.p.wait(PATIENCE)
        self.p.stdout.close()
        self.log.close()
        return code


class ModernStdio:
    """A client of 2026-07-28 of `troupe mcp serve`, which knows tasks."""

    def __init__(self, case):
        self.log = open(os.path.join(case.dir, "modern.log"), "a", encoding="utf-8")
        self.p = subprocess.Popen([TROUPE, "mcp", "serve"], cwd=case.dir, env=case.env, text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=self.log)
        case.started.append(self.p)
        self.n = 0

    def ask(self, method, **params):
        self.n += 1
        meta = {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": TASKS}
        self.p.stdin.write(json.dumps({"jsonrpc": "2.0", "id": self.n, "method": method, "params": {**params, "_meta": meta}}) + "\n")
        self.p.stdin.flush()
        while True:
            m = json.loads(self.p.stdout.readline())
            if m.get("id") == self.n:
                return m

    def task(self, task):
        return self.ask("tasks/get", taskId=task)["result"]

    end = Stdio.end


class Files(McpCase):
    def setUp(self):
        super().setUp()
        self.notes()
        self.trust_project()
        self.write("troupe.yaml", YAML)
        self.write("sum.yaml", SUM)
        self.write("ask.yaml", ASK)
        self.write("book.yaml", BOOK)
        self.write("helper.json", json.dumps({"model": "script", "replies": [], "default": {"text": "I help."}}))

    def until(self, what, seconds=PATIENCE):
        end = time.time() + seconds
        while time.time() < end:
            value = what()
            if value:
                return value
            time.sleep(0.05)
        self.fail(f"not within {seconds} s")


ALL = ["agent__helper", "blueprint__ask", "blueprint__book", "blueprint__sum", "notes__book", "notes__broken", "notes__crash",
       "notes__note", "notes__read", "notes__slow", "troupe__calculator"]


class OverStdio(Files):
    def test_everything_is_in_one_place(self):
        c = Stdio(self)
        self.assertEqual(c.server["serverInfo"]["name"], "troupe")
        self.assertEqual(c.tools(), ALL)
        self.assertEqual(c.call("notes__note", {"text": "hi"})["content"][0]["text"], "noted: hi")
        self.assertEqual(c.call("troupe__calculator", {"expression": "6*7"})["structuredContent"], {"value": 42})
        r = c.call("blueprint__sum", {"a": 2})
        self.assertEqual((r["structuredContent"], json.loads(r["content"][0]["text"])), ({"sum": 3}, {"sum": 3}))
        self.assertEqual(c.call("agent__helper", {"question": "Help?"})["content"][0]["text"], "I help.")
        self.assertEqual(c.end(), 0)
        self.assertEqual([r["name"] for r in self.ok("runs", "--json").json()["runs"]], ["helper", "sum"])

    def test_calls_leave_rows(self):
        c = Stdio(self)
        c.call("notes__note", {"text": "hi"})
        c.call("blueprint__sum", {"a": 2})
        self.assertEqual(c.end(), 0)
        self.assertEqual([r[1:] for r in self.call_rows()], [("notes", "note", 3, "allow", "ok"), ("blueprint", "sum", 3, "allow", "ok")])

    def test_the_schema_of_a_blueprint_is_that_of_its_inputs(self):
        c = Stdio(self)
        tool = next(t for t in c.ask("tools/list")["tools"] if t["name"] == "blueprint__sum")
        self.assertEqual(tool["inputSchema"]["properties"],
                         {"a": {"type": "integer", "description": "The first one."}, "b": {"type": "integer", "default": 1}})
        m = c.reply("tools/call", name="blueprint__sum", arguments={"a": "two"})
        self.assertIn("a", m["error"]["message"])
        self.assertEqual(c.end(), 0)

    def test_a_blueprint_notes_its_steps_and_its_questions_are_for_a_person(self):
        c = Stdio(self)
        self.assertEqual(c.call("blueprint__book", progressToken=7)["content"][0]["text"], "slow")
        progress = [m["params"] for m in c.notes if m["method"] == "notifications/progress"]
        self.assertEqual([p["progress"] for p in progress], list(range(1, len(progress) + 1)))
        self.assertIn("note (tool): ok", [p["message"] for p in progress])
        r = c.call("blueprint__ask")
        self.assertTrue(r["isError"])
        self.assertIn("troupe answer", r["content"][0]["text"])
        c.end()
        self.ok("answer", "last", "yes")
        self.assertEqual(self.ok("resume", "last").out, '"yes"\n')

    def test_a_view_is_all_that_a_client_sees(self):
        c = Stdio(self, "--view", "some")
        self.assertEqual(c.tools(), ["blueprint__sum", "remember"])
        self.assertEqual(c.call("remember", {"text": "a"})["content"][0]["text"], "noted: a")
        self.assertIn("error", c.reply("tools/call", name="notes__read", arguments={}))
        c.end()
        self.fails(2, "did you mean some?", "mcp", "serve", "--view", "sme")

    def test_what_is_not_exposed_is_neither_listed_nor_called(self):
        self.write("troupe.yaml", YAML.replace("{tools: [calculator]}", "{blueprints: [s*], agents: []}"))
        c = Stdio(self)
        self.assertEqual([t for t in c.tools() if not t.startswith("notes__")], ["blueprint__sum"])
        for name in ("blueprint__ask", "agent__helper", "troupe__calculator", "troupe__read_file"):
            self.assertIn("error", c.reply("tools/call", name=name, arguments={}))
        c.end()

    def test_a_server_that_is_not_approved_is_left_out(self):
        self.write("troupe.yaml", "mcp: {expose: {tools: [calculator]}}\n")
        del self.env["TROUPE_TRUST_PROJECT"]
        c = Stdio(self)
        self.assertEqual(c.tools(), ["troupe__calculator"])
        c.log.seek(0)
        self.assertIn("troupe mcp approve notes", c.log.read())
        c.end()
        self.assertEqual(self.marks(), [])

    def test_a_form_of_an_upstream_goes_to_the_client(self):
        c = Stdio(self)
        c.n += 1
        c.send({"id": c.n, "method": "tools/call", "params": {"name": "notes__book", "arguments": {}}})
        while True:
            m = json.loads(c.p.stdout.readline())
            if m.get("method") == "elicitation/create":
                self.assertEqual(m["params"]["message"], "How many seats?")
                c.send({"id": m["id"], "result": {"action": "accept", "content": {"seats": 2, "window": True}}})
            elif m.get("id") == c.n:
                break
        self.assertEqual(m["result"]["content"][0]["text"], 'booked {"seats": 2, "window": true}')
        self.assertEqual(c.end(), 0)

    def test_a_late_server_holds_up_its_own_calls_alone(self):
        self.notes("late", args=["-c", "import time, runpy, sys; time.sleep(4); sys.argv = sys.argv[1:]; "
                                 "runpy.run_path(sys.argv[0], run_name='__main__')", NOTES, os.path.join(self.dir, "late")])
        c = Stdio(self)
        began = time.time()
        self.assertEqual(c.call("blueprint__sum", {"a": 2})["structuredContent"], {"sum": 3})
        self.assertEqual(c.call("notes__note", {"text": "a"})["content"][0]["text"], "noted: a")
        self.assertLess(time.time() - began, 3)
        self.assertEqual(c.call("late__note", {"text": "b"})["content"][0]["text"], "noted: b")
        self.assertGreater(time.time() - began, 3)
        c.end()

    def test_tasks_of_a_client_over_stdio(self):
        c = ModernStdio(self)
        r = c.ask("tools/call", name="blueprint__sum", arguments={"a": 2})["result"]
        self.assertEqual((r["resultType"], r["status"]), ("task", "working"))
        done = self.until(lambda: (t := c.task(r["taskId"]))["status"] == "completed" and t)
        self.assertEqual(done["result"]["structuredContent"], {"sum": 3})
        task = c.ask("tools/call", name="blueprint__ask")["result"]["taskId"]
        self.until(lambda: c.task(task)["status"] == "input_required")
        self.assertEqual(c.end(), 0)
        # the next process of this client goes on with it; a run that is not a task of it stays as it is
        self.write("wait.yaml", ASK)
        r = self.run_cli("run", "wait.yaml", "--json")
        self.assertEqual(r.code, 4, r.err)
        self.ok("answer", r.json()["run"], "yes")
        c = ModernStdio(self)
        self.assertEqual(c.task(task)["status"], "input_required")
        c.ask("tasks/update", taskId=task, inputResponses={"ask": {"action": "accept", "content": {"answer": "yes"}}})
        done = self.until(lambda: (t := c.task(task))["status"] == "completed" and t)
        self.assertEqual(done["result"]["content"][0]["text"], "yes")
        self.assertEqual(c.end(), 0)
        status = {x["run"]: x["status"] for x in self.ok("runs", "--json").json()["runs"]}
        self.assertEqual(status[r.json()["run"]], "waiting")

    def test_sigterm_ends_it_and_its_servers(self):
        c = Stdio(self)
        c.call("notes__note", {"text": "a"})
        c.send({"id": "long", "method": "tools/call", "params": {"name": "notes__slow", "arguments": {"seconds": 30}}})
        self.until(lambda: self.marks("slow"))
        c.p.send_signal(signal.SIGTERM)
        self.assertEqual(json.loads(c.p.stdout.readline()),
                         {"jsonrpc": "2.0", "id": "long", "error": {"code": -32603, "message": "the server is stopping"}})
        self.assertEqual(c.end(), 143)


class OverHttp(ServeCase, Files):
    def setUp(self):
        Files.setUp(self)

    def ask(self, s, method, can=None, view="", **params):
        name = params.get("name") or params.get("taskId") or params.get("uri")
        fields = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                  "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, **({"Mcp-Name": name} if name else {})}
        meta = {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": can or {}}
        r = s.request("POST", "/mcp" + view, {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}},
                      fields=fields)
        text = r.body.decode()
        if r.headers["Content-Type"].startswith("text/event-stream"):
            text = [line[6:] for line in text.splitlines() if line.startswith("data: {")][-1]
        return json.loads(text)

    def call(self, s, name, arguments=None, can=None):
        return self.ask(s, "tools/call", can, name=name, arguments=arguments or {})["result"]

    def test_a_blueprint_is_a_tool(self):
        s = self.serve()
        self.assertEqual([t["name"] for t in self.ask(s, "tools/list")["result"]["tools"]], ALL)
        self.assertEqual(self.call(s, "blueprint__sum", {"a": 2})["structuredContent"], {"sum": 3})
        self.assertEqual([t["name"] for t in self.ask(s, "tools/list", view="/some")["result"]["tools"]],
                         ["blueprint__sum", "remember"])
        s.stop()

    def test_for_a_client_that_knows_tasks_it_is_one(self):
        s = self.serve()
        r = self.call(s, "blueprint__sum", {"a": 2}, TASKS)
        self.assertEqual((r["resultType"], r["status"]), ("task", "working"))
        run, = self.ok("runs", "--json").json()["runs"]
        self.assertNotIn(run["run"], r["taskId"])
        done = self.until(lambda: (t := self.ask(s, "tasks/get", TASKS, taskId=r["taskId"])["result"])["status"] == "completed" and t)
        self.assertEqual(done["result"]["structuredContent"], {"sum": 3})
        self.assertIn("error", self.ask(s, "tasks/get", TASKS, taskId=run["run"]), "the id of the run alone")
        s.stop()

    def test_a_task_outlives_a_kill(self):
        s = self.serve()
        r = self.call(s, "blueprint__ask", {}, TASKS)
        s.p.send_signal(signal.SIGKILL)
        s.p.wait()
        s.p.stdout.close()
        run, = self.ok("runs", "--json").json()["runs"]
        self.assertIn(run["status"], ("waiting", "interrupted", "running"))
        self.assertEqual(r["status"], "working")

    def test_a_question_is_an_input_request_of_the_task(self):
        s = self.serve()
        task = self.call(s, "blueprint__ask", {}, TASKS)["taskId"]
        t = self.until(lambda: (t := self.ask(s, "tasks/get", TASKS, taskId=task)["result"])["status"] == "input_required" and t)
        request = t["inputRequests"]["ask"]
        self.assertEqual(request["method"], "elicitation/create")
        self.assertEqual(request["params"]["message"], "Go on?")
        self.assertEqual(request["params"]["requestedSchema"]["properties"]["answer"]["enum"], ["yes", "no"])
        r = self.ask(s, "tasks/update", TASKS, taskId=task, inputResponses={"ask": {"action": "accept", "content": {"answer": "yes"}}})
        self.assertIn("result", r)
        t = self.until(lambda: (t := self.ask(s, "tasks/get", TASKS, taskId=task)["result"])["status"] == "completed" and t)
        self.assertEqual(t["result"]["content"][0]["text"], "yes")
        s.stop()

    def test_a_task_can_be_cancelled(self):
        s = self.serve()
        task = self.call(s, "blueprint__ask", {}, TASKS)["taskId"]
        self.until(lambda: self.ask(s, "tasks/get", TASKS, taskId=task)["result"]["status"] == "input_required")
        self.assertIn("result", self.ask(s, "tasks/cancel", TASKS, taskId=task))
        self.until(lambda: self.ask(s, "tasks/get", TASKS, taskId=task)["result"]["status"] == "cancelled")
        self.assertEqual([r["status"] for r in self.ok("runs", "--json").json()["runs"]], ["cancelled"])
        s.stop()

    def test_a_run_of_the_api_waits_for_its_servers(self):
        s = self.serve()
        r = s.request("POST", "/api/runs", {"blueprint": "book"})
        self.assertEqual(r.code, 201, r.body)
        run = r.json()["run"]
        self.until(lambda: s.get(f"/api/runs/{run}").json()["status"] == "ok")
        self.assertEqual(self.marks("note"), ["note by a blueprint"])
        s.stop()


if __name__ == "__main__":
    main()
