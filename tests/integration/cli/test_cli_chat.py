"""test_cli_chat.py - troupe chat: messages from a pipe and from a terminal, tools, a reply that is stopped, a talk that
goes on later, the commands.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import signal
import stat
import subprocess

from cli_case import CliCase, TROUPE, main
from cli_terminal import Terminal
from mcp_case import McpCase

SCRIPT = {"model": "script", "replies": [
    {"path": "talk/turn:0/model:0", "text": "Nectar."},
    {"path": "talk/turn:1/model:0", "tool_calls": [{"name": "calculator", "arguments": {"expression": "3 + 4"}}]},
    {"path": "talk/turn:2/model:0", "text": "It is 7."},
    {"path": "talk/turn:3/model:0", "error": "the server is down"},
    {"path": "talk/turn:4/model:0", "text": "A long answer comes in four parts, and takes its time.", "delay_ms": 8000},
    {"path": "talk/turn:5/model:0", "text": "A short one."},
]}


class Chat(CliCase):
    def setUp(self):
        super().setUp()
        self.write("s.json", json.dumps(SCRIPT))

    def chat(self, text, *more, **env):
        return self.run_cli("chat", "--model", "script:s.json", "--tools", "calculator", *more, stdin=text, **env)

    def messages(self, run="last"):
        steps = self.ok("show", run, "--json", "--messages").json()
        return [(m["role"], m["content"]) for t in steps["threads"] for m in t["messages"]]

    def test_each_line_is_a_message(self):
        r = self.chat("What do bees eat?\nHow much\\\nis 3 + 4?\n")
        self.assertEqual((r.code, r.out), (0, "Nectar.\nIt is 7.\n"), r.err)
        self.assertIn('  calls calculator {"expression":"3 + 4"}\n  -> {"value":7}\n', r.err)
        self.assertEqual(self.messages(), [
            ("user", "What do bees eat?"), ("assistant", "Nectar."), ("user", "How much\nis 3 + 4?"), ("assistant", ""),
            ("tool", {"value": 7}), ("assistant", "It is 7.")])
        runs = self.ok("runs", "--json").json()["runs"]
        self.assertEqual([(r["name"], r["status"]) for r in runs], [("chat", "waiting")])
        self.assertEqual(self.ok("inbox", "--json").json()["waits"], []) # a talk asks nothing
        self.assertEqual(self.ok("replay", "last").out, "0 steps differ\n")

    def test_no_message_leaves_no_run(self):
        r = self.chat("")
        self.assertEqual((r.code, r.out), (0, ""), r.err)
        self.assertFalse(os.path.exists(os.path.join(self.dir, ".local/share/troupe/store.db")))

    def test_json_is_one_event_a_line(self):
        r = self.chat("one\ntwo\nthree\n", "--json")
        events = [json.loads(line) for line in r.out.splitlines()]
        self.assertEqual(r.code, 1) # there is no answer to the last message
        self.assertEqual([e["type"] for e in events],
                         ["text", "answer", "call", "call_result", "text", "answer", "failure", "result"])
        self.assertEqual([e["text"] for e in events if e["type"] == "answer"], ["Nectar.", "It is 7."])
        self.assertEqual(events[2]["arguments"], {"expression": "3 + 4"})
        self.assertEqual(events[3]["result"], {"value": 7})
        self.assertEqual(events[6]["message"], "the server is down")
        self.assertEqual(events[7]["schema"], "troupe.chat/1")
        self.assertEqual(events[7]["run"], self.ok("show", "last", "--json").json()["run"])

    def test_a_talk_goes_on_later(self):
        self.assertEqual(self.chat("one\n").out, "Nectar.\n")
        r = self.ok("chat", "--resume", "last", stdin="two\n")
        self.assertEqual(r.out, "It is 7.\n", r.err)
        self.assertEqual(len(self.ok("runs", "--json").json()["runs"]), 1)
        # Also with the commands for any run; an empty message ends it.
        self.ok("answer", "last", "")
        self.assertEqual(self.ok("resume", "last").out, '"It is 7."\n')
        self.assertEqual(self.ok("replay", "last").out, "0 steps differ\n")
        self.fails(1, "has ended", "chat", "--resume", "last", stdin="more\n")

    def test_the_agent_of_an_earlier_talk_stays_as_it_is(self):
        self.chat("one\n")
        for option in ("--tools", "--system", "--temperature", "--max-tokens"):
            self.fails(2, option + ": --resume goes on with the recorded agent", "chat", "--resume", "last", option, "1")
        self.write("other.json", json.dumps({"model": "script", "replies": [], "default": {"text": "Another."}}))
        self.fails(78, "other.json", "chat", "--resume", "last", "--model", "script:other.json")

    def test_only_talks_go_on(self):
        self.write("ask.yaml", 'schema: blueprint/v1\nsteps: {ask: {human: {prompt: "Go on?"}}}\n')
        self.assertEqual(self.run_cli("run", "ask.yaml").code, 4)
        r = self.fails(2, "is not a talk", "chat", "--resume", "last", stdin="more\n")
        self.assertIn("`troupe resume", r.err)
        self.assertEqual(self.ok("show", "last", "--json").json()["status"], "waiting")

    def test_a_message_without_an_answer_is_taken_back(self):
        r = self.chat("one\ntwo\nfail\n/save said.json\n/quit\nnot read\n")
        self.assertEqual((r.code, r.out), (1, "Nectar.\nIt is 7.\n"), r.err)
        self.assertIn("troupe: the server is down\n", r.err)
        with open(os.path.join(self.dir, "said.json"), encoding="utf-8") as f:
            said = json.load(f)
        self.assertEqual([m["role"] for m in said], ["user", "assistant", "user", "assistant", "tool", "assistant"])
        self.assertEqual(said[3]["tool_calls"], [{"id": "call_0", "type": "function", "function": {
            "name": "calculator", "arguments": '{"expression":"3 + 4"}'}}])
        self.assertEqual((said[4]["tool_call_id"], said[4]["content"]), ("call_0", '{"value":7}'))

    def test_commands(self):
        self.write("other.json", json.dumps({"model": "script", "replies": [], "default": {"text": "Another model."}}))
        r = self.chat("/help\n/tools\n/model\none\n/model script:other.json\n/model\nagain\n/new\nafresh\n/modle\n"
                      "/model script:none.json\n/save\n/save s.json\n")
        self.assertEqual(r.out, "Nectar.\nAnother model.\nAnother model.\n", r.err)
        for words in ("/save   FILE  write the messages", "  calculator\n", "script:s.json\n", "script:other.json\n",
                      "there is no command /modle\n  did you mean /model?", "none.json", "give a file: /save FILE",
                      "s.json: File exists"):
            self.assertIn(words, r.err)
        # The other model has the text of the talk before; a new talk has nothing.
        self.assertEqual(self.messages(), [("user", "afresh"), ("assistant", "Another model.")])
        second = self.ok("runs", "--json").json()["runs"][1]["run"]
        self.assertEqual(self.messages(second), [("user", "one"), ("assistant", "Nectar."), ("user", "again"),
                                                 ("assistant", "Another model.")])

    def test_options_of_the_agent(self):
        self.chat("one\n", "--system", "You know bees.", "--temperature", "0.5", "--max-tokens", "99")
        self.assertEqual(self.messages()[0], ("system", "You know bees."))
        self.fails(2, "--system: the text must not contain ${", "chat", "--model", "script:s.json", "--system", "a ${b}")

    def test_what_cannot_be(self):
        r = self.fails(78, "model embedded knows only the calls of environments", "chat", stdin="one\n")
        self.assertIn("troupe models get smollm2", r.err)
        r = self.fails(78, "unknown tool `calculater`; did you mean `calculator`?\n", "chat", "--model",
                       "script:s.json", "--tools", "echo,calculater", stdin="one\n")
        self.assertNotIn("chat.yaml", r.err)
        self.fails(1, "none.json", "chat", "--model", "script:none.json", stdin="one\n")
        self.assertEqual(self.run_cli("runs").out.count("\n"), 1 if self.run_cli("runs").code == 0 else 0)

    def test_ctrl_c_stops_the_reply_without_a_terminal_too(self):
        self.write("slow.json", json.dumps({"model": "script", "replies": [
            {"path": "talk/turn:0/model:0", "text": "This takes its time.", "delay_ms": 60000},
            {"path": "talk/turn:1/model:0", "text": "Done."}]}))
        self.write("lines", "one\ntwo\n")
        with open(os.path.join(self.dir, "lines"), encoding="utf-8") as lines:

            p = subprocess.Popen([TROUPE, "chat", "--model", "script:slow.json"], cwd=self.dir, env=self.env, text=True,
                                 stdin=lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(p)
        self.until_recorded(n=2)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (0, "Done.\n"), err)
        self.assertIn("(stopped)\n", err)
        self.assertEqual(self.messages(), [("user", "one"), ("assistant", ""), ("user", "two"), ("assistant", "Done.")])

    def test_ctrl_c_ends_it_where_nobody_types(self):
        p = subprocess.Popen([TROUPE, "chat", "--model", "script:s.json"], cwd=self.dir, env=self.env, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(p)
        p.stdin.write("one\n")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), "Nectar.\n")
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(60), 130)
        self.assertIn("goes on with this talk", p.stderr.read())
        p.stdin.close()
        p.stdout.close()
        p.stderr.close()
        self.assertEqual(self.ok("chat", "--resume", "last", "--json").json()["type"], "result")

    def test_sigterm_leaves_the_talk_for_later(self):
        self.write("slow.json", json.dumps({"model": "script", "replies": [], "default": {"text": "So.", "delay_ms": 60000}}))
        self.write("lines", "one\n")
        with open(os.path.join(self.dir, "lines"), encoding="utf-8") as lines:

            p = subprocess.Popen([TROUPE, "chat", "--model", "script:slow.json"], cwd=self.dir, env=self.env, text=True,
                                 stdin=lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(p)
        self.until_recorded(n=2)
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (143, ""), err)
        self.assertEqual(self.ok("show", "last", "--json").json()["status"], "interrupted")

    # ---- on a terminal

    def terminal(self, *more):
        return Terminal(self, "chat", "--model", "script:s.json", "--tools", "calculator", *more)

    def test_a_talk_on_a_terminal(self):
        t = self.terminal()
        t.until("> ")
        t.type("What do bees eat? caf\u00e9\r")
        self.assertIn("caf\u00e9\r\nNectar.\r\n", t.until("Nectar.\r\n"))
        t.until("> ")
        t.type("a line that is dropped\x03")
        t.until("^C")
        t.until("> ")
        t.type("compute\r")
        t.until('  calls calculator {"expression":"3 + 4"}\r\n  -> {"value":7}\r\nIt is 7.\r\n')
        t.until("> ")
        t.type("fail\r")
        t.until("troupe: the server is down\r\n")
        t.until("> ")
        t.type("slow\r")
        t.until("A long answer")
        t.type("\x03") # stops the reply, and not the program
        self.assertNotIn("its time", t.until("(stopped)\r\n"))
        t.until("> ")
        t.type("\x1b[A\x1b[A\r") # the message before the last one
        t.until("A short one.\r\n")
        t.until("> ")
        t.type("\x04")
        t.until("goes on with this talk")
        self.assertEqual(t.end(), 0)
        said = self.messages()
        self.assertEqual(said[0], ("user", "What do bees eat? caf\u00e9"))
        self.assertEqual(said[-3][0], "assistant")
        self.assertTrue(SCRIPT["replies"][4]["text"].startswith(said[-3][1]) and said[-3][1], said)
        self.assertEqual(said[-2:], [("user", "fail"), ("assistant", "A short one.")])

    def test_the_history_of_earlier_talks_is_there(self):
        path = os.path.join(self.dir, ".local/state/troupe/chat_history")
        t = self.terminal()
        t.until("> ")
        t.type('"""\rone\rmore\r"""\r')
        t.until("Nectar.\r\n")
        t.until("> ")
        t.type("/quit\r")
        self.assertEqual(t.end(), 0)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, encoding="utf-8") as f:
            self.assertEqual([json.loads(line) for line in f], ["one\nmore", "/quit"])
        t = self.terminal()
        t.until("> ")
        t.type("\x1b[A")
        t.until("/quit")
        t.type("\x15\x04")
        self.assertEqual(t.end(), 0)

    def test_a_reply_does_not_control_the_terminal(self):
        self.write("s.json", json.dumps({"model": "script", "replies": [], "default": {"text": "a\u001b]0;title\u0007b\u009b2Jc\rd"}}))
        t = self.terminal()
        t.until("> ")
        t.type("one\r")
        shown = t.until("\r\n> ")
        self.assertIn("\r\na]0;titleb2Jcd\r\n", shown)
        t.type("\x04")
        self.assertEqual(t.end(), 0)
        self.assertIn("\x1b]0;title\x07b", self.chat("one\n").out) # as it is, for programs

    def test_what_was_said_is_shown_again(self):
        self.chat("one\n")
        t = Terminal(self, "chat", "--resume", "last")
        self.assertTrue(re.search("> one\r\nNectar.\r\n", t.until("Nectar.\r\n")))
        t.until("> ")
        t.type("two\r")
        t.until("It is 7.\r\n")
        t.until("> ")
        t.type("\x04")
        self.assertEqual(t.end(), 0)


    def test_a_blueprint_talks_on_the_terminal_too(self):
        self.write("b.yaml", 'schema: blueprint/v1\nagents: {a: {model: script:s.json}}\n'
                   'steps: {talk: {agent: a, in: one, talk: true}}\n')
        t = Terminal(self, "run", "b.yaml")
        t.until("talk/turn:1/message says: Nectar.")
        t.until("\r\n> ")
        t.type("\r") # an empty message ends it
        t.until('"Nectar."')
        self.assertEqual(t.end(), 0)


class ChatAsked(McpCase):
    """A tool of an agent that talks asks something."""

    def setUp(self):
        super().setUp()
        self.notes()
        self.trust_project()
        self.write("s.json", json.dumps({"model": "script", "replies": [
            {"path": "talk/turn:0/model:0", "tool_calls": [{"name": "notes__book", "arguments": {}}]},
            {"path": "talk/turn:1/model:0", "text": "It is booked."}]}))

    def test_on_a_terminal_the_person_answers(self):
        t = Terminal(self, "chat", "--model", "script:s.json", "--tools", "notes__book")
        t.until("> ")
        t.type("book\r")
        t.until("How many seats?")
        t.until("\r\n> ")
        t.type("3\r")
        t.until("At the window")
        t.until("\r\n> ")
        t.type("true\r")
        t.until("It is booked.\r\n")
        t.until("> ")
        t.type("\x04")
        self.assertEqual(t.end(), 0)
        self.assertEqual(self.marks("book"), ['book {"seats": 3, "window": true}'])

    def test_elsewhere_the_run_waits(self):
        r = self.run_cli("chat", "--model", "script:s.json", "--tools", "notes__book", stdin="book\nnot read\n")
        self.assertEqual((r.code, r.out), (4, ""), r.err)
        self.assertIn("How many seats?", r.err)
        self.assertIn("  troupe answer ", r.err)
        self.ok("answer", "last", "3")
        self.assertEqual(self.run_cli("chat", "--resume", "last").code, 4)
        self.ok("answer", "last", "true")
        r = self.ok("chat", "--resume", "last")
        self.assertEqual(r.out, "It is booked.\n", r.err)


if __name__ == "__main__":
    main()
