"""test_cli_mcp.py - troupe mcp: servers of the configuration, approval, and what they have.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pty
import select
import stat
import subprocess
import sys
import time

from cli_case import TROUPE, main
from mcp_case import McpCase, NOTES


class Files(McpCase):
    def file(self, name):
        with open(os.path.join(self.dir, name), encoding="utf-8") as f:
            return f.read()

    def test_add_writes_the_entry_that_other_programs_read(self):
        self.ok("mcp", "add", "files", "--env", "KEY=${KEY}", "--", "npx", "-y", "files", "--flag")
        self.ok("mcp", "add", "web", "--url", "https://example.com/mcp", "--header", "Authorization: Bearer ${TOKEN}")
        self.ok("mcp", "add", "old", "--url", "https://example.com/sse", "--header", "X-A=b", "--scope", "user")
        self.assertEqual(json.loads(self.file(".mcp.json")), {"mcpServers": {
            "files": {"command": "npx", "args": ["-y", "files", "--flag"], "env": {"KEY": "${KEY}"}},
            "web": {"type": "http", "url": "https://example.com/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}}})
        self.assertEqual(json.loads(self.file(".config/troupe/mcp.json")), {"mcpServers": {
            "old": {"type": "sse", "url": "https://example.com/sse", "headers": {"X-A": "b"}}}})
        doc = self.ok("mcp", "list", "--json", KEY="k", TOKEN="t").json()
        self.assertEqual(doc["schema"], "troupe.mcp_servers/1")
        self.assertEqual([(s["name"], s["state"], s["transport"], s["scope"], s["target"]) for s in doc["servers"]],
                         [("files", "ok", "stdio", "project", "npx -y files --flag"),
                          ("old", "ok", "sse", "user", "https://example.com/sse"),
                          ("web", "ok", "http", "project", "https://example.com/mcp")])
        self.ok("mcp", "remove", "web")
        self.assertEqual(list(json.loads(self.file(".mcp.json"))["mcpServers"]), ["files"])
        self.fails(1, "web", "mcp", "remove", "web")

    def test_wrong_use_is_exit_2(self):
        for args in (("x",), ("x", "--url", "https://a.example/mcp", "--", "cat"), ("x", "--header", "a=b", "--", "cat"),
                     ("x", "--url", "https://a.example/mcp", "--env", "a=b"), ("x", "--env", "a", "--", "cat"),
                     ("x", "--scope", "world", "--", "cat")):
            self.fails(2, "troupe: ", "mcp", "add", *args)
            self.assertFalse(os.path.exists(os.path.join(self.dir, ".mcp.json")), args)
        self.fails(2, "troupe is the name of Troupe's own tools", "mcp", "add", "troupe", "--", "cat")
        self.fails(2, "give the names of servers, or --all", "mcp", "approve")
        self.notes()
        self.fails(2, 'no MCP server "note"', "mcp", "ping", "note")
        self.fails(2, "did you mean notes?", "mcp", "approve", "note")
        self.fails(2, "usage: troupe mcp resources", "mcp", "resources", "get")
        self.trust_project()
        self.fails(2, "did you mean notes__note?", "mcp", "call", "notes__nte")
        self.fails(2, "arguments", "mcp", "call", "notes__note", "[1]")
        self.fails(2, "troupe tools call", "mcp", "call", "calculator")

    def test_a_name_that_is_there_is_replaced_only_by_force(self):
        self.ok("mcp", "add", "a", "--", "cat")
        self.fails(1, "--force", "mcp", "add", "a", "--", "dog")
        self.ok("mcp", "add", "a", "--force", "--", "dog")
        self.assertEqual(json.loads(self.file(".mcp.json"))["mcpServers"]["a"]["command"], "dog")

    def test_import_takes_the_files_of_others_and_approves_nothing(self):
        self.write("code.json", '{"servers": {"one": {"command": "cat"}, "two": {"url": "https://a.example/mcp"}}}')
        self.ok("mcp", "add", "one", "--", "dog")
        doc = self.ok("mcp", "import", "code.json", "--json").json()
        self.assertEqual((doc["added"], doc["kept"]), (["two"], ["one"]))
        self.assertEqual([(s["name"], s["state"]) for s in self.ok("mcp", "list", "--json").json()["servers"]],
                         [("one", "ok"), ("two", "not approved")])

    def test_a_mistake_is_of_its_server_alone(self):
        self.write(".mcp.json", '{"mcpServers": {\n"bad": {"command": 7},\n"good": {"command": "cat"}}}')
        r = self.ok("mcp", "list", "--json")
        self.assertEqual([(s["name"], s["state"]) for s in r.json()["servers"]], [("bad", "mistake"), ("good", "not approved")])
        self.assertIn(".mcp.json:2:", r.err)


class Approval(McpCase):
    """A server of a project's file is not started before a person has approved it."""

    def test_nothing_starts_it_before(self):
        self.notes()
        self.write("plan.yaml", "schema: blueprint/v1\nsteps:\n  a: {tool: notes__note, in: {text: x}}\noutput: done\n")
        for args, code in ((("mcp", "ping"), 1), (("mcp", "tools", "notes"), 3), (("mcp", "call", "notes__note", '{"text": "x"}'), 3),
                           (("mcp", "resources", "read", "troupe://notes/notes://all"), 3),
                           (("mcp", "prompts", "get", "notes__greet"), 3), (("tools", "call", "notes__note", '{"text": "x"}'), 3),
                           (("tools", "show", "notes__note"), 3), (("run", "plan.yaml"), 3), (("validate", "plan.yaml"), 3)):
            r = self.fails(code, ["is not approved", "troupe mcp approve notes", ".mcp.json:1:"], *args)
            self.assertNotIn("Traceback", r.err)
        for args in (("mcp", "list"), ("mcp", "tools"), ("tools", "list", "--all"), ("mcp", "logs", "notes")):
            self.ok(*args)
        self.assertEqual(self.marks(), [])
        self.ok("mcp", "approve", "notes")
        self.ok("mcp", "call", "notes__note", '{"text": "x"}')
        self.ok("run", "plan.yaml")
        self.assertEqual(self.marks("note"), ["note x", "note x"])

    def test_it_holds_for_this_definition_in_this_folder(self):
        self.notes()
        self.ok("mcp", "approve", "--all")
        path = os.path.join(self.dir, ".local/state/troupe/mcp-approved.json")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.ok("mcp", "ping", "notes")
        self.notes(env={"MORE": "1"})
        self.fails(1, "is not approved", "mcp", "ping", "notes")
        self.notes()
        other = os.path.join(self.dir, "clone")
        os.mkdir(other)
        os.link(os.path.join(self.dir, ".mcp.json"), os.path.join(other, ".mcp.json"))
        starts = len(self.marks("start"))
        r = self.run_cli("mcp", "ping", "notes", cwd=other)
        self.assertEqual(r.code, 1, r.err)
        self.assertEqual(len(self.marks("start")), starts)

    def test_a_project_changes_a_server_of_the_user_only_after_approval(self):
        self.notes(file=".config/troupe/mcp.json")
        call = ("mcp", "call", "notes__note", '{"text": "x"}')
        self.ok(*call)
        self.write("troupe.yaml", "mcp:\n  servers:\n    notes: {effect: none}\n")
        self.fails(3, ["troupe.yaml:3", "this project's changes of your server notes are not approved", "troupe mcp approve notes"], *call)
        self.assertRegex(self.ok("mcp", "list").out, r"notes +not approved +stdio +user")
        self.assertEqual(len(self.marks("start")), 1)
        self.ok("mcp", "approve", "--all")
        self.ok(*call)
        self.assertIn("effect none", self.ok("tools", "show", "notes__note").out)
        self.write("troupe.yaml", "mcp:\n  servers:\n    notes: {effect: none, exclude: [read]}\n")
        self.fails(3, "are not approved", *call)
        other = os.path.join(self.dir, "clone")
        os.mkdir(other)
        self.ok("mcp", "approve", "notes")
        with open(os.path.join(self.dir, "troupe.yaml"), encoding="utf-8") as f:
            self.write("clone/troupe.yaml", f.read())
        r = self.run_cli(*call, cwd=other)
        self.assertEqual(r.code, 3, r.err)
        os.remove(os.path.join(self.dir, "troupe.yaml"))
        self.ok(*call)

    def test_a_file_of_approvals_that_others_may_write_approves_nothing(self):
        self.notes()
        self.ok("mcp", "approve", "notes")
        path = os.path.join(self.dir, ".local/state/troupe/mcp-approved.json")
        os.chmod(path, 0o644)
        r = self.fails(1, "is not approved", "mcp", "ping", "notes")
        self.assertIn("other users can read the file", r.err)
        os.chmod(path, 0o600)
        self.write(path, "{")
        self.fails(1, ["is not approved", "cannot be understood"], "mcp", "ping", "notes")
        self.assertEqual(self.marks(), [])

    def test_the_files_of_the_folder_cannot_trust_themselves(self):
        self.notes()
        self.write("troupe.yaml", "trust-project: true\n")
        self.fails(78, "trust-project cannot be set in a file", "mcp", "ping", "notes")
        self.assertEqual(self.marks(), [])
        os.unlink(os.path.join(self.dir, "troupe.yaml"))
        self.ok("mcp", "ping", "notes", "--trust-project")
        self.ok("mcp", "ping", "notes", TROUPE_TRUST_PROJECT="true")

    def test_servers_of_the_user_need_none(self):
        self.notes(file=".config/troupe/mcp.json")
        self.ok("mcp", "ping", "notes")

    def ask(self, keys, *args):
        """Runs it on a terminal, and types the keys when something is asked."""
        master, slave = pty.openpty()
        p = subprocess.Popen([TROUPE, *args], cwd=self.dir, env=self.env, stdin=slave, stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        seen, keys = b"", list(keys)
        end = time.time() + 60
        while time.time() < end:
            if not select.select([master], [], [], 0.1)[0]:
                if p.poll() is not None:
                    break
                continue
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
            if keys and seen.rstrip(b" ").endswith((b"[y/N]", b">")):
                os.write(master, keys.pop(0).encode() + b"\n")
        out = p.stdout.read().decode()
        p.stdout.close()
        code = p.wait(60)
        os.close(master)
        return code, out, seen.decode().replace("\r", "")

    def test_on_a_terminal_it_is_asked(self):
        self.notes()
        code, _, seen = self.ask(["n"], "mcp", "call", "notes__note", '{"text": "x"}')
        self.assertEqual(code, 3, seen)
        self.assertIn(NOTES, seen, "what would be started")
        self.assertEqual(self.marks(), [])
        code, out, seen = self.ask(["y"], "mcp", "call", "notes__note", '{"text": "x"}')
        self.assertEqual((code, out), (0, "noted: x\n"), seen)
        self.ok("mcp", "ping", "notes")

    def test_what_the_server_asks_is_asked_on_the_terminal(self):
        self.notes()
        self.trust_project()
        code, out, seen = self.ask(["4", "true"], "mcp", "call", "notes__book")
        self.assertEqual((code, out), (0, 'booked {"seats": 4, "window": true}\n'), seen)
        self.assertIn("How many seats?", seen)
        r = self.fails(1, "", "mcp", "call", "notes__book")
        self.assertEqual(self.marks("book"), ['book {"seats": 4, "window": true}'], r.err)


    def test_a_form_in_a_run_is_answered_in_the_open_call(self):
        self.notes()
        self.trust_project()
        self.write("book.yaml", 'schema: blueprint/v1\nsteps:\n  book: {tool: notes__book}\noutput: "${book}"\n')
        code, out, seen = self.ask(["4", "true"], "run", "book.yaml")
        self.assertEqual((code, out), (0, '"booked {\\"seats\\": 4, \\"window\\": true}"\n'), seen)
        self.assertIn("At the window", seen)
        self.assertEqual(self.marks("asks"), ["asks How many seats?"], "the server asked again: the call was started again")


class Use(McpCase):
    def setUp(self):
        super().setUp()
        self.notes()
        self.trust_project()

    def test_ping_says_what_a_server_is_or_why_it_is_down(self):
        self.notes("broken")
        with open(os.path.join(self.dir, ".mcp.json"), encoding="utf-8") as f:
            doc = json.load(f)
        doc["mcpServers"]["broken"] = {"command": sys.executable, "args": ["-c", "import sys; sys.exit('no key')"]}
        doc["mcpServers"]["missing"] = {"command": "/no/such/program"}
        doc["mcpServers"]["off"] = {"command": "cat", "disabled": True}
        self.write(".mcp.json", json.dumps(doc))
        r = self.fails(1, ["no key", "/no/such/program"], "mcp", "ping", "--json")
        servers = {s["server"]: s for s in r.json()["servers"]}
        self.assertEqual(sorted(servers), ["broken", "missing", "notes"])
        up = servers["notes"]
        self.assertEqual([up[k] for k in ("up", "era", "revision", "transport", "tools")], [True, "legacy", "2025-11-25", "stdio", 6])
        self.assertEqual(up["server_info"], {"name": "notes", "version": "1.0"})
        self.assertFalse(servers["broken"]["up"] or servers["missing"]["up"])
        self.assertRegex(self.ok("mcp", "ping", "notes").out, r"notes +up +legacy +2025-11-25 +stdio +\d+ ms +6\n")

    def test_one_bad_text_costs_a_tool_or_a_server_and_no_more(self):
        server = ("import json,sys\n"
                  "for line in sys.stdin:\n"
                  "    m = json.loads(line)\n"
                  "    r = {'initialize': {'protocolVersion': '2025-11-25', 'serverInfo': {'name': 's', 'version': '1'},"
                  " 'capabilities': {'tools': {}}}, 'tools/list': {'tools': [{'name': n, 'description': d,"
                  " 'inputSchema': {'type': 'object'}} for n, d in (('bad', '\\ud83d'), ('good', 'x'))]}}.get(m['method'])\n"
                  "    if 'id' in m:\n"
                  "        a = {'result': r} if r else {'error': {'code': -32601, 'message': 'no'}}\n"
                  "        print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], **a}), flush=True)\n")
        self.write(".mcp.json", '{"mcpServers": {"half": {"command": "x", "args": ["\\ud800"]},\n "s": '
                   + json.dumps({"command": sys.executable, "args": ["-c", server]}) + "}}")
        r = self.ok("mcp", "ping", "s")
        self.assertRegex(r.out, r"s +up .* 1 \(1 left out\)\n")
        self.assertIn("server s: left out: tool bad: ", r.err)
        [s] = self.ok("mcp", "ping", "s", "--json").json()["servers"]
        self.assertEqual(s["tools"], 1)
        self.assertRegex(s["left_out"][0], "^tool bad: ")
        r = self.ok("mcp", "list")
        self.assertRegex(r.out, r"half +mistake")
        self.assertIn(".mcp.json:1:17", r.err)
        self.assertRegex(self.ok("mcp", "tools").out, r"(?m)^s__good ")

    def test_tools_resources_and_prompts_are_listed_and_used(self):
        self.notes("more")
        names = [t["name"] for t in self.ok("mcp", "tools", "--json").json()["tools"]]
        self.assertEqual(len(names), 12)
        self.assertEqual([n for n in names if n.startswith("notes__")],
                         [t["name"] for t in self.ok("mcp", "tools", "notes", "--json").json()["tools"]])
        self.assertIn("notes__note", self.ok("tools", "list", "--all").out)
        self.assertNotIn("notes__note", self.ok("tools", "list").out)
        self.assertIn("effect once", self.ok("tools", "show", "notes__note").out)
        self.assertEqual(self.ok("mcp", "call", "notes__note", '{"text": "a"}').out, "noted: a\n")
        doc = self.ok("mcp", "call", "notes__read", "--json").json()
        self.assertTrue(doc["ok"])
        self.assertIn("note a", doc["result"]["structuredContent"]["lines"])
        self.assertEqual(self.fails(1, "", "mcp", "call", "notes__broken").out, "it is broken\n")
        self.assertEqual([r["uri"] for r in self.ok("mcp", "resources", "--json").json()["resources"]],
                         ["troupe://more/notes://all", "troupe://notes/notes://all"])
        self.assertEqual(self.ok("mcp", "resources", "read", "troupe://notes/notes://all").out, "the notes\n")
        self.fails(1, "", "mcp", "resources", "read", "troupe://notes/notes://none")
        self.assertEqual(self.ok("mcp", "prompts", "get", "notes__greet", "who=Ann").out, "user: Greet Ann politely.\n")

    def test_a_named_server_alone_is_started(self):
        self.notes("other", args=[NOTES, os.path.join(self.dir, "other-marks")])
        self.ok("mcp", "call", "notes__note", '{"text": "a"}')
        self.ok("tools", "call", "notes__note", '{"text": "b"}')
        self.assertFalse(os.path.exists(os.path.join(self.dir, "other-marks")))
        self.assertEqual(self.marks("note"), ["note a", "note b"])

    def test_progress_goes_to_standard_error(self):
        r = self.ok("mcp", "call", "notes__slow")
        self.assertEqual(r.out, "slow\n")
        self.assertIn("1 of 3: part 1", r.err)

    def test_what_a_server_writes_is_kept_and_bounded(self):
        chatty = "import sys\nfor i in range(9000): sys.stderr.write('line %06d ' % i + 'x' * 80 + '\\n')\nsys.stderr.flush()\n"
        self.notes(args=["-c", chatty + f"sys.argv = ['', {os.path.join(self.dir, 'marks')!r}]\nexec(open({NOTES!r}).read())"])
        self.ok("mcp", "ping", "notes")
        text = self.ok("mcp", "logs", "notes").out
        self.assertIn("line 008999", text)
        self.assertIn("a line for the log", text)
        folder = os.path.join(self.dir, ".local/state/troupe/mcp-logs")
        self.assertEqual(sorted(os.listdir(folder)), ["notes.log", "notes.log.1"])
        for name in os.listdir(folder):
            info = os.stat(os.path.join(folder, name))
            self.assertEqual(stat.S_IMODE(info.st_mode), 0o600)
            self.assertLess(info.st_size, 270000)


if __name__ == "__main__":
    main()
