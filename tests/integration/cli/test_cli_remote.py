"""test_cli_remote.py - models behind other servers, through the program: our own `troupe serve`, and servers that misbehave.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import os
import signal
import socket
import time

from cli_case import main
from odd_server import OddServer
from serve_case import ServeCase

KEY = "sk-canary-0123456789"
ENTRY = ("  %s: {url: '%s/v1', model: %s, key: '${env:FAR_KEY}', headers: {x-team: '${env:FAR_TEAM}'}, first_byte: 1s, idle: 1s, max_tries: %d,\n"
         "    price: {input: 1, cached: 0.1, output: 10}, context: 32000}\n")
ASK = "schema: blueprint/v1\nagents: {a: {model: %s, tools: [calculator]}}\nsteps: {a: {agent: a, in: hello}}\n"
CALL_COST = (600 * 1 + 400 * 0.1 + 100 * 10) / 1e6  # dollars, by the usage and the price above


class RemoteCase(ServeCase):
    def setUp(self):
        super().setUp()
        self.elsewhere = OddServer()
        self.odd = OddServer(self.elsewhere.url)
        self.env.update(FAR_KEY=KEY, FAR_TEAM=KEY + "-team")

    def tearDown(self):
        self.odd.stop()
        self.elsewhere.stop()
        super().tearDown()

    def models(self, *names, tries=2):
        self.write("troupe.yaml", "models:\n" + "".join(ENTRY % (n, self.odd.url, n, tries) for n in names))

    def asked(self, model):
        return [r for r in self.odd.requests if r["body"]["model"] == model]

    def no_secret(self, *texts):
        """No key in these texts, nor in any file below the test's folder."""
        for t in texts:
            self.assertNotIn(KEY, t)
        for folder, _, names in os.walk(self.dir):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    self.assertNotIn(KEY.encode(), f.read(), name)


class Odd(RemoteCase):
    RIGHT = [  # name, output, requests
        ("fine", "reply 1", 1), ("busy", "at last", 2), ("cutonce", "whole", 2), ("nodone", "whole", 1), ("reasoning", "the answer", 1),
        ("noindex", "7 it is", 2), ("slow", "reply 1", 1), ("repeatkey", f"The key {'*' * len(KEY)} is fine.", 1)]
    WRONG = [  # name, words of the error, requests
        ("stall", "the answer stopped for 1s", 2), ("silent", "no answer within 1s", 2), ("cut", "was cut off", 2),
        ("flood", "longer than 16777216 bytes", 1), ("floodevents", "far above max_tokens", 1), ("html", "not a JSON object", 1),
        ("garbage", "not a JSON object", 2), ("redirect", "which is not followed", 1),
        ("badkey", "the server refused the key ${env:FAR_KEY} (401)", 1), ("broken", "the server is on fire", 2)]

    def test_right_or_a_clear_error(self):
        self.models(*[row[0] for row in self.RIGHT + self.WRONG])
        for name, output, requests in self.RIGHT:
            self.write("b.yaml", ASK % name)
            r = self.ok("run", "b.yaml", "--verbose")
            self.assertEqual(json.loads(r.out), output, name)
            self.assertEqual(len(self.asked(name)), requests, name)
            self.no_secret(r.out, r.err)
        for name, words, requests in self.WRONG:
            self.write("b.yaml", ASK % name)
            r = self.fails(3, [words, f"model {name}: "], "run", "b.yaml", "--verbose")
            self.assertEqual(len(self.asked(name)), requests, name)
            shown = self.ok("show", "last", "--json").out
            self.assertIn(words.split(" (")[0], shown)
            self.no_secret(r.out, r.err, shown)
        self.assertEqual(self.elsewhere.requests, [], "no redirect leaves the server")
        for r in self.odd.requests:
            self.assertEqual(r["fields"]["authorization"], "Bearer " + KEY)
            self.assertEqual(r["fields"]["x-team"], KEY + "-team")

    def test_a_server_that_is_busy_is_waited_for(self):
        self.models("busy")
        self.write("b.yaml", ASK % "busy")
        began = time.time()
        self.ok("run", "b.yaml")
        self.assertGreaterEqual(time.time() - began, 1, "Retry-After: 1")

    def test_a_server_that_is_not_there(self):
        self.write("b.yaml", ASK % "'http://127.0.0.1:1/v1#x'")
        self.fails(3, ["127.0.0.1:1", "connect"], "run", "b.yaml")
        self.write("b.yaml", ASK % "'http://nowhere.invalid/v1#x'")
        self.fails(78, ["is not encrypted", "allow_local"], "run", "b.yaml")
        self.write("b.yaml", ASK % "far")
        self.write("troupe.yaml", "models: {far: {url: 'http://127.0.0.1:1/v1', model: x, key: '${env:NOT_SET}'}}\n")
        self.fails(78, ["b.yaml:2:", "agent `a`", "troupe.yaml:1:61: ${env:NOT_SET}: the variable is not set"], "run", "b.yaml")
        self.assertEqual(len(self.ok("runs", "--json").json()["runs"]), 1, "the run did not start")

    def test_secrets_are_looked_for_before_a_run_starts(self):
        self.write("troupe.yaml", f"models:\n  far: {{url: '{self.odd.url}/v1', model: fine,\n    headers: {{x-a: plain, x-b: 'B ${{env:NOT_SET}}'}}}}\n"
                   f"  file: {{url: '{self.odd.url}/v1', model: fine, key: '${{file:k}}'}}\n")
        self.write("b.yaml", ASK % "embedded")
        r = self.fails(78, "troupe.yaml:3:", "run", "b.yaml", "--model", "far")
        self.assertRegex(r.err, r"troupe: troupe\.yaml:3:32: \$\{env:NOT_SET\}: the variable is not set")
        key = self.write("k", KEY + "\n")
        for mode in (0o644, 0o640):
            os.chmod(key, mode)
            self.fails(78, [f"troupe.yaml:4:{len(self.odd.url) + 40}: ${{file:k}}: other users can read this file (mode 0{mode:o})", "chmod 600"], "run", "b.yaml", "--model", "file")
        self.assertEqual(self.odd.requests, [])
        os.chmod(key, 0o600)
        self.ok("run", "b.yaml", "--model", "file")
        self.assertEqual(self.asked("fine")[0]["fields"]["authorization"], "Bearer " + KEY)
        os.unlink(key)
        self.ok("replay", "last")  # asks nobody, so it needs no key

    def test_a_name_that_is_not_there(self):
        self.models("fine", "busy")
        self.write("b.yaml", ASK % "embedded")
        r = self.fails(1, ["there is no folder fien", "URL#NAME", "did you mean fine?", "fine, busy"], "run", "b.yaml", "--model", "fien")
        self.assertIn("did you mean embedded?", self.fails(1, "embeded", "generate", "--prompt", "x", "--model", "embeded").err)
        self.write("b.yaml", ASK % "fien")
        for command in ("validate", "run"):
            r = self.fails(78, ["b.yaml:2:21: ", "unknown model `fien`", "did you mean fine?"], command, "b.yaml")
        self.write("troupe.yaml", "quiet: false\n")
        self.assertNotIn("did you mean", self.fails(78, "unknown model `xyz`", "run", self.write("c.yaml", ASK % "xyz")).err)
        self.assertEqual(r.out, "")

    def test_hints_on_the_address(self):
        self.write("b.yaml", ASK % "embedded")
        for name, words, hint in (("nopath", "(404)", True), ("html", "not a JSON object", True), ("broken", "on fire", False)):
            r = self.fails(3, words, "run", "b.yaml", "--model", f"{self.odd.url}#{name}")
            self.assertEqual(f"is the address {self.odd.url}/v1?" in r.err, hint, r.err)
            r = self.fails(3, words, "run", "b.yaml", "--model", f"{self.odd.url}/v1#{name}")
            self.assertNotIn("is the address", r.err)
        self.assertEqual(len(self.asked("nopath")), 2, "not tried again")
        began = time.time()
        r = self.fails(3, ["the server does not speak TLS", "write http:// instead of https://"],
                       "run", "b.yaml", "--model", f"{self.odd.url.replace('http:', 'https:')}/v1#fine")
        self.assertLess(time.time() - began, 3, "not tried again")

    def test_tries_are_reported(self):
        self.models("busy", "broken")
        self.write("b.yaml", ASK % "busy")
        r = self.ok("run", "b.yaml")
        self.assertRegex(r.err, r"warning: a/turn:0/model:0: model busy: try 1 of 2 at http://127\.0\.0\.1:\d+ failed; the next is in 1\.\d s: "
                         r"the server takes no more requests now \(429\): slow down")
        call = next(s for s in self.ok("show", "last", "--json").json()["steps"] if s["kind"] == "model")
        self.assertEqual(call["requests"], 2)
        self.assertNotIn("requests", call["output"])
        self.assertIn("2 requests", self.ok("show", "last").out)
        self.write("b.yaml", ASK % "broken")
        r = self.fails(3, "on fire", "run", "b.yaml", "--log-format", "json")
        lines = [json.loads(line) for line in r.err.splitlines()]
        run = self.ok("show", "last", "--json").json()["run"]
        self.assertEqual({line.get("run") for line in lines}, {run}, "every line is about the run")
        retry = [line for line in lines if "try" in line]
        self.assertEqual([(x["level"], x["model"], x["server"], x["try"], x["path"]) for x in retry],
                         [("warning", "broken", self.odd.url, 1, "a/turn:0/model:0")])
        self.assertGreater(retry[0]["wait_ms"], 0)
        self.assertTrue(any(line.get("path") == "a" for line in lines), "progress names the step")
        self.no_secret(r.err)

    def test_ctrl_c_ends_the_wait_and_resume_asks_again(self):
        self.write("troupe.yaml", f"models: {{far: {{url: '{self.odd.url}/v1', model: later}}}}\n")
        self.write("b.yaml", ASK % "far")
        p = self.start("run", "b.yaml")
        self.until(lambda: self.asked("later"))
        began = time.time()
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130, err)
        self.assertLess(time.time() - began, 5)
        self.until(lambda: self.ok("show", "last", "--json").json()["status"] == "interrupted")
        self.assertEqual(json.loads(self.ok("resume", "last").out), "reply 2")
        self.assertEqual(len(self.asked("later")), 2)


class Recorded(RemoteCase):
    def test_a_resumed_run_does_not_ask_again(self):
        self.models("fine", "echo")
        self.write("b.yaml", "schema: blueprint/v1\nagents: {a: {model: fine}, b: {model: echo}}\nsteps:\n  one: {agent: a, in: hello}\n"
                   "  ask: {human: {prompt: 'Go on?', options: [on, off]}}\n  two: {agent: b, in: '${one} and ${ask}'}\n")
        self.assertEqual(self.run_cli("run", "b.yaml").code, 4)
        self.ok("answer", "last", "on")
        r = self.ok("resume", "last")
        self.assertEqual(json.loads(r.out), "reply 1 and on")
        self.assertEqual((len(self.asked("fine")), len(self.asked("echo"))), (1, 1))
        shown = self.ok("show", "last", "--json")
        self.assertEqual(self.ok("replay", "last").code, 0)
        self.assertEqual(len(self.odd.requests), 2, "a replay asks nobody")
        self.no_secret(r.out, r.err, shown.out)

    def test_a_resumed_run_counts_the_recorded_cost(self):
        """Not what the call would cost by a later price, and without its cached tokens."""
        self.models("fine", "echo")
        self.write("b.yaml", "schema: blueprint/v1\nagents: {a: {model: fine}}\nsteps:\n  one:\n    do:\n"
                   "      call: {agent: a, in: hello}\n      ask: {human: {prompt: 'Go on?', options: [on, off]}}\n"
                   "      end: {agent: a, in: '${ask}'}\n    budget: {cost: 1}\n")
        self.assertEqual(self.run_cli("run", "b.yaml").code, 4)
        self.ok("answer", "last", "on")
        self.assertAlmostEqual(self.ok("resume", "last", "--json").json()["cost"], 2 * CALL_COST, places=9)

    def test_a_budget_of_cost_needs_prices(self):
        self.write("troupe.yaml", f"models:\n  far: {{url: '{self.odd.url}/v1', model: fine}}\n  paid: {{url: '{self.odd.url}/v1', model: fine, price: {{input: 1, output: 1}}}}\n")
        head = "schema: blueprint/v1\n"
        far, paid = "agents: {a: {model: far}}\n", "agents: {a: {model: paid}}\n"
        sub = head + far + "steps: {deep: {agent: a, in: hello}}\n"
        self.write("sub.yaml", sub)
        for text, place in (
                (head + "budget: {cost: 0.5}\n" + far + "steps: {x: {agent: a, in: hello}}\n", "b.yaml:2:16: `cost` limits step `x`"),
                (head + far + "steps: {x: {agent: a, in: hello, budget: {cost: 0.5}}}\n", "b.yaml:3:49: "),
                (head + "agents: {a: {model: far, budget: {cost: 0.5}}}\nsteps: {x: {agent: a, in: hello}}\n", "b.yaml:2:41: "),
                (head + far + "steps:\n  x:\n    budget: {cost: 0.5}\n    do:\n      y: {agent: a, in: hello}\n", "b.yaml:5:20: `cost` limits step `y`"),
                (head + "budget: {cost: 0.5}\n" + paid + "steps: {x: {blueprint: 'file://sub.yaml'}}\n", "b.yaml:2:16: `cost` limits step `deep`")):
            self.write("b.yaml", text)
            for command in ("validate", "run"):
                r = self.fails(78, [place, "the price of its model far (agent `a`) is not known", "set `price`"], command, "b.yaml")
        self.assertEqual(self.odd.requests, [])
        self.fails(1, "no store at", "runs")  # no run has started
        self.write("b.yaml", head + "budget: {cost: 0.5}\n" + far + "steps: {x: {agent: a, in: hello}}\n")
        self.ok("run", "b.yaml", "--model", "paid")
        self.ok("run", "b.yaml", "--model", "script:" + self.write("s.json", json.dumps({"model": "script", "replies": [{"path": "**", "text": "free"}]})))
        self.assertEqual(r.out, "")

    def test_kill_9_between_calls(self):
        self.models("slow")
        self.write("b.yaml", "schema: blueprint/v1\nagents: {a: {model: slow}}\nsteps: {a: {map: 8, max_parallel: 1, agent: a, in: '${index}'}}\n")
        p = self.start("run", "b.yaml")
        self.until(lambda: len(self.asked("slow")) >= 4)
        p.kill()
        p.communicate()
        done = sum(s["status"] == "ok" for s in self.ok("show", "last", "--json").json()["steps"] if "model:" in s["path"])
        self.assertGreaterEqual(done, 2)
        before = len(self.asked("slow"))
        self.assertEqual(len(json.loads(self.ok("resume", "last").out)), 8)
        self.assertEqual(len(self.asked("slow")) - before, 8 - done)

    def test_cost_and_its_budget(self):
        self.models("fine")
        steps = "agents: {a: {model: fine}}\nsteps: {a: {map: 5, max_parallel: 1, agent: a, in: hello}}\n"
        self.write("free.yaml", "schema: blueprint/v1\n" + steps)
        r = self.ok("run", "free.yaml", "--json").json()
        self.assertAlmostEqual(r["cost"], 5 * CALL_COST, places=9)
        shown = self.ok("show", "last", "--json").json()
        calls = [s for s in shown["steps"] if s["kind"] == "model"]
        self.assertEqual([(round(s["cost"], 9), s["tokens_in"], s["tokens_out"]) for s in calls], 5 * [(round(CALL_COST, 9), 1000, 100)])
        self.assertNotIn("cost_nano", json.dumps(shown))
        self.assertEqual([{**m, "cost": round(m["cost"], 9)} for m in shown["models"]],
                         [{"model": "fine", "calls": 5, "tokens_in": 5000, "tokens_out": 500, "cost": round(5 * CALL_COST, 9)}])
        text = self.ok("show", "last").out
        self.assertIn(f"  fine: 5 calls, 5000 fed, 500 sampled, ${5 * CALL_COST:.4f}\n", text)
        self.assertEqual(text.count(f"  ${CALL_COST:.4f}  "), 5, text)
        self.assertNotIn("cost_nano", self.ok("show", "last", "--messages", "--json").out)
        self.assertRegex(self.ok("runs").out, rf"tokens +cost\n.* 5500 +\${5 * CALL_COST:.4f}\n")
        self.write("b.yaml", f"schema: blueprint/v1\nbudget: {{cost: {CALL_COST * 2.5:.6f}}}\n" + steps)
        self.fails(3, "the budget of", "run", "b.yaml")
        shown = self.ok("show", "last", "--json").json()
        self.assertEqual(shown["status"], "budget")
        self.assertEqual(len(self.asked("fine")), 5 + 3, "the third call goes over it")


class Own(RemoteCase):
    def test_our_own_server(self):
        self.write("m.json", json.dumps({"model": "script", "replies": [
            {"path": "v1/**", "text": "Tea, with 漢字 and \n lines."}]}))
        open_one = self.serve("--no-token", "--model", "script:m.json")
        closed = self.serve("--model", "script:m.json")
        self.env["OWN_TOKEN"] = closed.token
        self.write("b.yaml", ASK % f"'{open_one.url}/v1#script:m.json'")
        self.assertEqual(json.loads(self.ok("run", "b.yaml").out), "Tea, with 漢字 and \n lines.")
        self.write("b.yaml", ASK % "embedded")
        self.assertEqual(json.loads(self.ok("run", "b.yaml", "--model", f"{open_one.url}/v1#script:m.json").out), "Tea, with 漢字 and \n lines.")
        self.write("troupe.yaml", f"models:\n  own: {{url: '{closed.url}/v1', model: 'script:m.json', key: '${{env:OWN_TOKEN}}', stream: false}}\n"
                   f"  locked: {{url: '{closed.url}/v1', model: 'script:m.json'}}\n  absent: {{url: '{open_one.url}/v1', model: other}}\n")
        self.write("b.yaml", ASK % "own")
        r = self.ok("run", "b.yaml")
        self.assertEqual(json.loads(r.out), "Tea, with 漢字 and \n lines.")
        self.assertNotIn(closed.token, r.err)
        for model, words in (("locked", "401"), ("absent", 'the model "other" does not exist')):
            self.write("b.yaml", ASK % model)
            self.fails(3, words, "run", "b.yaml")
        self.assertEqual((open_one.stop(), closed.stop()), (143, 143))

    def test_a_client_slower_than_the_model_gets_all_of_it(self):
        """The model's server sends 4 MB at once, and the client begins to read when that is over."""
        self.models("burst")
        s = self.serve("--no-token")
        body = json.dumps({"model": "burst", "stream": True, "max_tokens": 100000, "messages": [{"role": "user", "content": "x"}]})
        with socket.socket() as c:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.connect(("127.0.0.1", s.port))
            c.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            self.until(lambda: self.asked("burst"))
            time.sleep(1)
            r = http.client.HTTPResponse(c)
            r.begin()
            lines = [line[6:] for line in r.read().decode().splitlines() if line.startswith("data: ")]
        self.assertEqual(lines.pop(), "[DONE]")
        choices = [json.loads(line)["choices"][0] for line in lines]
        self.assertEqual("".join(x["delta"].get("content", "") for x in choices), "".join(f"word {i}, " for i in range(20000)))
        self.assertEqual(choices[-1]["finish_reason"], "stop")
        self.assertLess(len(choices), 15000, "what waited came in larger pieces")
        self.assertEqual(s.stop(), 143)

    def test_tools_of_a_remote_agent_run_here(self):
        self.write("m.json", json.dumps({"model": "script", "replies": [
            {"path": "v1/turn:0/*", "tool_calls": [{"name": "calculator", "arguments": {"expression": "3 + 4"}}]},
            {"path": "v1/turn:1/*", "text": "It is 7."}]}))
        s = self.serve("--no-token", "--model", "script:m.json")
        self.write("b.yaml", ASK % f"'{s.url}/v1#script:m.json'")
        self.assertEqual(json.loads(self.ok("run", "b.yaml").out), "It is 7.")
        steps = self.ok("show", "last", "--json").json()["steps"]
        self.assertEqual([x["status"] for x in steps if x["path"].endswith(":calculator")], ["ok"])
        self.assertEqual(len(self.ok("runs", "--json").json()["runs"]), 1, "the server records no run")
        s.stop()

    def test_a_model_of_a_server_gives_the_same(self):
        """Constraints of the wire: text, not tokens; greedy, so that both say the same."""
        s = self.serve("--no-token", "--model", self.digits())
        self.write("b.yaml", "schema: blueprint/v1\nagents: {a: {model: digits, max_tokens: 20}}\n"
                   "steps: {a: {agent: a, in: 'ORDd+7|GETd;>59|', on_length: continue}}\n")
        there = self.ok("run", "b.yaml", "--model", f"{s.url}/v1#digits").out
        chat = s.chat("digits", "ORDd+7|GETd;>59|", max_tokens=20, temperature=0).json()["choices"][0]["message"]["content"]
        self.assertEqual(json.loads(there), chat)
        s.stop()

    def test_a_blueprint_with_a_model_here_and_one_there(self):
        self.models("echo")
        self.write("b.yaml", "schema: blueprint/v1\nagents: {player: {model: embedded}, writer: {model: echo}}\nsteps:\n"
                   "  play: {agent: player, env: {name: ledger, horizon: 5}}\n"
                   "  tell: {agent: writer, in: 'success: ${play.verdict.success}'}\n")
        r = self.ok("run", "b.yaml", "--seed", "7")
        self.assertIn(json.loads(r.out), ("success: true", "success: false"))
        self.assertEqual(len(self.asked("echo")), 1)
        self.ok("replay", "last")
        self.assertEqual(len(self.odd.requests), 1)

    def test_a_required_call_is_required_of_the_other_server(self):
        self.write("troupe.yaml", f"models:\n  unwilling: {{url: '{self.odd.url}/v1', model: unwilling, stream: false, max_tries: 2}}\n"
                   f"  fine: {{url: '{self.odd.url}/v1', model: fine, stream: false, max_tries: 1}}\n")
        s = self.serve("--no-token")
        tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("look", "go")]
        r = s.chat("unwilling", "x", tools=tools, tool_choice="required")
        self.assertEqual(r.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "look")
        self.assertEqual([x["body"]["tool_choice"] for x in self.asked("unwilling")], ["required", "required"], "tried again")
        for choice, words in (("required", "a tool call was required"), ({"type": "function", "function": {"name": "go"}}, '"go"')):
            r = s.chat("fine", "x", tools=tools, tool_choice=choice)
            self.assertGreaterEqual(r.code, 500)
            self.assertIn(words, r.error()["message"])
        s.stop()

    def test_a_server_before_another(self):
        self.models("fine", "busy", "broken", "reasoning", "stall", "badkey")
        s = self.serve()
        r = s.chat("fine", "x")
        self.assertEqual(r.json()["choices"][0]["message"]["content"], "reply 1")
        self.assertEqual(r.json()["usage"]["prompt_tokens_details"]["cached_tokens"], 400)
        self.assertEqual(s.chat("busy", "x").json()["choices"][0]["message"]["content"], "at last")
        m = s.chat("reasoning", "x").json()["choices"][0]["message"]
        self.assertEqual((m["content"], m["reasoning_content"]), ("the answer", "let me think"))
        for name in ("broken", "stall", "badkey"):
            r = s.chat(name, "x")
            self.assertGreaterEqual(r.code, 500, name)
            self.assertTrue(r.error()["message"])
            self.assertNotIn(KEY, r.body.decode())
        # A client that leaves ends the request to the other server, too.
        c = s.send("POST", "/v1/chat/completions", {"model": "stall", "messages": [{"role": "user", "content": "x"}], "stream": True})
        self.assertIn(b"so far", c.getresponse().readline())
        c.close()
        self.assertEqual(s.stop(), 143)
        self.no_secret(s.log())


class Named(RemoteCase):
    def test_models_list_and_show(self):
        self.models("fine")
        rows = self.ok("models", "list", "--json").json()["models"]
        far = next(m for m in rows if m["name"] == "fine")
        self.assertEqual(far, {"name": "fine", "url": self.odd.url + "/v1", "model": "fine", "has_key": True, "context": 32000,
                               "price": {"input": 1.0, "cached": 0.1, "output": 10.0}})
        r = self.ok("models", "list")
        self.assertRegex(r.out, r"fine +remote .* 32000 +fine at http://127\.0\.0\.1:\d+/v1")
        shown = self.ok("models", "show", "fine")
        for word in ('"fine"', self.odd.url, "32000", '"output":10.0'):
            self.assertIn(word, shown.out)
        self.assertEqual({**self.ok("models", "show", "fine", "--json").json(), "schema": None}, {**far, "schema": None})
        url = self.odd.url + "/v1#other"
        self.assertEqual(self.ok("models", "show", url, "--json").json()["model"], "other")
        self.fails(2, "a user or a password", "models", "show", "http://u:p@127.0.0.1/v1#x")
        self.no_secret(r.out, shown.out, self.ok("config").out, self.ok("doctor").out)
        self.assertEqual(self.odd.requests, [], "nothing is sent to look at a model")

    def test_commands_that_need_a_model_here_refuse_a_remote_one(self):
        self.models("fine")
        for name in ("fine", self.odd.url + "/v1#fine"):
            for command in (("eval", "ledger", "--episodes", "2", "--horizon", "3"), ("generate", "--prompt", "x"),
                            ("train", "sft", "--env", "ledger", "--out", "o"), ("train", "grpo", "--env", "ledger", "--out", "o")):
                r = self.fails(1, f"--model {name} is a remote model", *command, "--model", name, timeout=30)
                self.assertIn("troupe run", r.err)
        self.assertEqual(self.odd.requests, [])

    def test_eval_of_a_blueprint_takes_a_remote_model(self):
        self.models("echo")
        self.write("b.yaml", ASK % "echo")
        self.ok("eval", "b.yaml", "--episodes", "3")
        self.assertEqual(len(self.asked("echo")), 3)

    def test_mistakes_of_troupe_yaml(self):
        for text, words in (("models: [x]", "models must be a mapping"), ("models: {embedded: {url: 'https://x/v1', model: x}}", "is the name of another model"),
                            ("models: {a/b: {url: 'https://x/v1', model: x}}", "1 to 64 letters"), ("models: {a: x}", "a mapping with url and model"),
                            ("models: {a: {model: x}}", "needs `url`"), ("models: {a: {url: 'ftp://x', model: x}}", "`url`"),
                            ("models: {a: {url: 'http://x.example/v1', model: x}}", "is not encrypted"),
                            ("models: {a: {url: 'https://x/v1?key=s', model: x}}", "has no query"),
                            ("models: {a: {url: 'https://x/v1', model: x, keys: y}}", 'unknown key "keys"; did you mean "key"?'),
                            ("models: {a: {url: 'https://x/v1', model: x, idle: 5}}", "a duration with its unit")):
            self.write("troupe.yaml", text + "\n")
            r = self.fails(78, words, "doctor")
            self.assertRegex(r.err, r"troupe\.yaml:1:\d+: ")


if __name__ == "__main__":
    main()
