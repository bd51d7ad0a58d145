"""test_cli_serve_runs.py - agents and blueprints of troupe serve: each request is a run of the store.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import threading

from cli_case import main
from serve_case import Reply, ServeCase

CHAT = "/v1/chat/completions"
CLERK = {"model": "script", "replies": [
    {"path": "reply/turn:0/model:0", "tool_calls": [{"name": "calculator", "arguments": {"expression": "3 + 4"}}]},
    {"path": "reply/turn:1/model:0", "text": "It is 7."}]}
CONFIG = """serve:
  models: [embedded]
  agents:
    clerk: {prompt: You count., model: "script:clerk.json", tools: [calculator]}
    slow: {model: "script:slow.json"}
    broken: {model: "script:broken.json"}
    poor: {model: "script:clerk.json", tools: [calculator], budget: {calls: 1, steps: 1}}
  blueprints:
    echo: {file: echo.yaml}
    all: {file: all.yaml}
    ask: {file: ask.yaml}
    late: {file: late.yaml}
    long: {file: long.yaml}
"""
FILES = {
    "echo.yaml": "inputs: {text: {type: string, required: true}}\nsteps: {a: {tool: echo, in: {text: '${inputs.text}'}}}\n"
                 "output: {said: '${inputs.text}', n: 3}\n",
    "all.yaml": "inputs: {messages: {type: array}}\nsteps: {a: {value: '${inputs.messages}'}}\n",
    "ask.yaml": "inputs: {text: {type: string}}\nsteps: {a: {human: {prompt: 'Go on with ${inputs.text}?', options: [yes, no]}}}\n"
                "output: 'the answer was ${a}'\n",
    "late.yaml": "inputs: {text: {type: string}}\nagents: {a: {model: 'script:slow.json'}}\n"
                 "steps: {a: {agent: a, in: x, timeout: 200ms}}\n",
    "long.yaml": "inputs: {text: {type: string}}\nagents: {a: {model: 'script:second.json'}}\n"
                 "steps: {a: {map: 3, max_parallel: 1, agent: a, in: '${inputs.text}'}}\noutput: '${inputs.text}'\n",
}


def user(text):
    return [{"role": "user", "content": text}]


class Runs(ServeCase):
    def setUp(self):
        super().setUp()
        self.write("troupe.yaml", CONFIG)
        for name, text in FILES.items():
            self.write(name, "schema: blueprint/v1\n" + text)
        self.write("clerk.json", json.dumps(CLERK))
        self.write("broken.json", '{"model": "script", "replies": [], "default": {"error": "out of order"}}')
        for name, ms in (("slow", 60000), ("second", 1000)):
            self.write(name + ".json", '{"model": "script", "replies": [], "default": {"text": "done", "delay_ms": %d}}' % ms)

    def run_of(self, uuid):
        return self.ok("show", uuid, "--json").json()

    def until_status(self, uuid, status):
        return self.until(lambda: (lambda r: r if r["status"] == status else None)(self.run_of(uuid)))

    def test_an_agent_runs_its_tools_here(self):
        s = self.serve("--model", "script:broken.json")  # is only offered: the agent keeps its own
        r = s.chat("agent/clerk", "What is 3 + 4?", seed=-5, user="me")
        self.assertEqual(r.code, 200, r.body)
        reply = r.json()
        self.assertEqual(reply["model"], "agent/clerk")
        self.assertEqual(reply["choices"][0]["message"]["content"], "It is 7.")
        self.assertEqual(reply["choices"][0]["finish_reason"], "stop")
        self.assertNotIn("tool_calls", reply["choices"][0]["message"])
        self.assertGreater(reply["usage"]["completion_tokens"], 0)
        run = self.run_of(r.headers["X-Troupe-Run"])
        self.assertEqual((run["status"], run["output"]), ("ok", "It is 7."))
        self.assertIn("reply/turn:0/tool:0:calculator", [step["path"] for step in run["steps"]])
        self.assertEqual(self.ok("runs", "--json").json()["runs"][0]["run"], run["run"])
        events, done = s.events(CHAT, {"model": "agent/clerk", "messages": user("What is 3 + 4?"), "stream_options": {"include_usage": True}})
        self.assertTrue(done)
        self.assertEqual("".join(c["delta"].get("content") or "" for e in events for c in e["choices"]), "It is 7.")
        self.assertEqual(events[-1]["usage"]["total_tokens"], reply["usage"]["total_tokens"])
        c = s.send("POST", CHAT, {"model": "agent/clerk", "messages": user("x"), "stream": True})
        r = c.getresponse()
        uuid = r.headers["X-Troupe-Run"]
        r.read()
        c.close()
        self.assertEqual(self.run_of(uuid)["status"], "ok")
        s.stop()

    def test_an_agent_gets_the_whole_conversation(self):
        s = self.serve()
        messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": [{"type": "text", "text": "Hello "}, {"type": "text", "text": "there"}]},
                    {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": "What is 3 + 4?"}]
        r = s.chat("agent/clerk", messages)
        self.assertEqual(r.code, 200, r.body)
        shown = self.ok("show", r.headers["X-Troupe-Run"], "--messages").out
        places = [shown.index(t) for t in ("You count.", "user: Be kind.", "user: Hello there", "assistant: Hi!", "user: What is 3 + 4?")]
        self.assertEqual(places, sorted(places))
        self.ok("replay", r.headers["X-Troupe-Run"])
        s.stop()

    def test_a_blueprint_gets_the_message(self):
        s = self.serve()
        r = s.chat("blueprint/echo", "ten words")
        self.assertEqual(json.loads(r.json()["choices"][0]["message"]["content"]), {"said": "ten words", "n": 3})
        self.assertEqual(self.run_of(r.headers["X-Troupe-Run"])["config"]["inputs"], {"text": "ten words"})
        r = s.chat("blueprint/all", [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}])
        self.assertEqual(json.loads(r.json()["choices"][0]["message"]["content"]),
                         [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}])
        s.stop()

    def test_what_a_message_cannot_start_is_for_api_runs(self):
        self.write("order.yaml", "schema: blueprint/v1\ninputs: {item: {type: string, required: true}, n: {type: integer, required: true},\n"
                   "  tags: {type: array, default: []}}\nsteps: {a: {value: '${inputs.n}'}}\noutput: '${inputs.item} ${a}'\n")
        self.write("troupe.yaml", CONFIG + "    order: {file: order.yaml}\n")
        s = self.serve()
        listed = [m["id"] for m in s.get("/v1/models").json()["data"]]
        self.assertIn("blueprint/echo", listed)
        self.assertNotIn("blueprint/order", listed)
        self.assertEqual(s.get("/v1/models/blueprint/order").code, 404)
        r = s.chat("blueprint/order", "six")
        self.assertEqual((r.code, r.error()["param"]), (400, "model"), r.body)
        self.assertEqual(r.error()["message"], "blueprint/order is for POST /api/runs only: a message cannot start it, since it has 3 "
                         "inputs, and `input` does not name the one for the message")
        for inputs, words in (({"item": "pen"}, "input `n` (integer) is missing"),
                              ({"item": "pen", "n": "6"}, "input `n` is of type integer, got string"),
                              ({"item": 5, "n": 6}, "input `item` is of type string, got integer"),
                              ({"item": "pen", "n": 6, "tags": {}}, "input `tags` is of type array, got object"),
                              ({"item": "pen", "n": 6, "tag": []}, "unknown input `tag`; did you mean `tags`?"),
                              ([], "inputs: expected an object")):
            r = s.request("POST", "/api/runs", {"blueprint": "order", "inputs": inputs})
            self.assertEqual((r.code, r.error()["message"]), (400, words))
        self.assertEqual(self.ok("runs", "--json").json()["runs"], [])
        r = s.request("POST", "/api/runs", {"blueprint": "order", "inputs": {"item": "pen", "n": 6}})
        self.assertEqual(r.code, 201, r.body)
        self.assertEqual(self.until_status(r.json()["run"], "ok")["output"], "pen 6")
        s.stop()

    def test_an_agent_needs_a_model_that_chats(self):
        for agent in ("prompt: hi", "model: embedded"):
            self.write("troupe.yaml", "serve:\n  agents:\n    helper: {%s}\n" % agent)
            r = self.fails(78, ["troupe.yaml:3:13: agent/helper: the model of agent `helper` cannot be used in step `reply`: "
                                "model embedded knows only the calls of environments", "give the agent a `model` that can chat"],
                           "serve", "--listen", "127.0.0.1:0")
        self.write("troupe.yaml", "serve:\n  blueprints:\n    a: {file: a.yaml}\n")
        self.write("a.yaml", "schema: blueprint/v1\nagents: {w: {model: embedded}}\nsteps:\n  a: {agent: w, in: x}\n")
        self.fails(78, ["a.yaml:2:21: the model of agent `w` cannot be used in step `a`"], "serve", "--listen", "127.0.0.1:0")
        self.write("a.yaml", "schema: blueprint/v1\nagents: {w: {model: embedded}}\nsteps:\n  a: {agent: w, env: {name: ledger, horizon: 2}}\n")
        s = self.serve()
        self.assertEqual(s.chat("blueprint/a", "x").code, 200, "in an environment it works")
        s.stop()

    def test_a_run_with_another_model_needs_one_that_chats(self):
        self.write("m.json", json.dumps({"model": "script", "replies": [], "default": {"text": "fine"}}))
        self.write("troupe.yaml", "serve:\n  models: [embedded, 'script:m.json']\n  agents: {helper: {model: 'script:m.json'}}\n")
        s = self.serve()
        order = {"blueprint": "agent/helper", "inputs": {"question": "x"}, "model": "embedded"}
        r = s.request("POST", "/api/runs", order)
        self.assertEqual(r.code, 400, r.body)
        self.assertIn("model embedded knows only the calls of environments", r.error()["message"])
        r = s.request("POST", "/api/runs", {**order, "model": "script:m.jsn"})
        self.assertEqual(r.code, 400, r.body)
        self.assertIn('did you mean "script:m.json"?', r.error()["message"])
        r = s.request("POST", "/api/runs", {"blueprint": "agent/helper", "inputs": {"history": []}})
        self.assertEqual(r.code, 400, r.body)
        self.assertIn("question", r.error()["message"])
        self.assertEqual(self.ok("runs", "--json").json()["runs"], [])
        self.assertEqual(s.request("POST", "/api/runs", {**order, "model": "script:m.json"}).code, 201)
        s.stop()

    def test_mistakes_of_what_is_offered_have_their_place(self):
        for offer, place, words in (("blueprints: {a: no.yaml}", "2:19", "expected a mapping, as in {file: BLUEPRINT}"),
                                    ("blueprints: {a: {file: no.yaml}}", "2:26", "cannot open blueprint"),
                                    ("models: [nobody]", "2:12", "unknown model `nobody`"),
                                    ("models: [./nowhere]", "2:12", "nowhere"),
                                    ("agents: {a: {tools: [nothing], model: 'script:clerk.json'}}", "2:15", "nothing")):
            self.write("troupe.yaml", "serve:\n  " + offer + "\n")
            self.fails(78, [f"troupe.yaml:{place}: ", words], "serve", "--listen", "127.0.0.1:0")

    def test_nothing_to_offer_is_a_warning(self):
        self.write("troupe.yaml", "serve:\n  models: []\n")
        s = self.serve("--no-token")
        self.assertRegex(s.log(), r"troupe\.yaml:2:11: nothing is offered: the list of models is empty")
        self.assertEqual(s.get("/v1/models").json()["data"], [])
        s.stop()
        self.write("troupe.yaml", "serve:\n  models: []\n  agents: {clerk: {model: 'script:clerk.json'}}\n")
        s = self.serve("--no-token")
        self.assertNotIn("nothing is offered", s.log())
        self.assertEqual([m["id"] for m in s.get("/v1/models").json()["data"]], ["agent/clerk"])
        s.stop()

    def test_a_long_output_is_streamed_whole(self):
        text = "a long output. " * 50000
        s = self.serve()
        events, done = s.events(CHAT, {"model": "blueprint/echo", "messages": user(text)})
        self.assertTrue(done)
        said = "".join(c["delta"].get("content", "") for e in events for c in e["choices"])
        self.assertEqual(json.loads(said), {"said": text, "n": 3})
        s.stop()

    def test_what_a_run_cannot_honour_is_refused_by_name(self):
        s = self.serve()
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        for more, param in (({"tools": [tool]}, "tools"), ({"n": 2}, "n"), ({"logprobs": True}, "logprobs"),
                            ({"response_format": {"type": "json_object"}}, "response_format"), ({"stop": "x"}, "stop"), ({"top_k": 5}, "top_k"),
                            ({"logit_bias": {"5": 1}}, "logit_bias"),
                            ({"messages": user("x") + [{"role": "assistant", "content": "y"}]}, "messages")):
            r = s.request("POST", CHAT, {"model": "agent/clerk", "messages": user("x"), **more})
            self.assertEqual((r.code, r.error()["param"]), (400, param), r.body)
        for more in ({"n": 1}, {"temperature": 0.5, "top_p": 0.5, "max_tokens": 5}, {"tools": []}, {"logprobs": False}, {"response_format": {"type": "text"}}):
            self.assertEqual(s.request("POST", CHAT, {"model": "blueprint/echo", "messages": user("x"), **more}).code, 200, more)
        self.assertEqual(s.complete("agent/clerk", "x").error()["param"], "model")
        self.assertEqual(s.chat("agent/none", "x").error()["code"], "model_not_found")
        self.assertEqual(len(self.ok("runs", "--json").json()["runs"]), 5, "a refused request makes none")
        s.stop()

    def test_runs_that_do_not_end_well(self):
        s = self.serve()
        for name, code, word, status in (("agent/broken", 422, "run_failed", "error"), ("agent/poor", 422, "run_budget", "budget"),
                                         ("blueprint/late", 422, "run_timeout", "timeout")):
            r = s.chat(name, "x")
            self.assertEqual((r.code, r.error()["code"]), (code, word), r.body)
            uuid = r.headers["X-Troupe-Run"]
            self.assertIn(uuid, r.error()["message"])
            self.assertEqual(r.headers["X-Should-Retry"], "false", "a client that repeats it would begin another run")
            self.assertEqual(self.run_of(uuid)["status"], status)
            events, done = s.events(CHAT, {"model": name, "messages": user("x")})
            self.assertEqual((events[-1]["error"]["code"], done), (word, False))
        s.stop()

    def test_a_question_is_an_error_and_its_answer_goes_on(self):
        s = self.serve()
        r = s.chat("blueprint/ask", "the plan")
        self.assertEqual((r.code, r.error()["code"]), (422, "run_waiting"))
        uuid = r.headers["X-Troupe-Run"]
        for words in ("GET /api/inbox", f"POST /api/runs/{uuid}/answers"):
            self.assertIn(words, r.error()["message"])
        self.assertEqual(self.run_of(uuid)["status"], "waiting")
        self.assertIn("Go on with the plan?", self.ok("inbox").out)
        self.ok("answer", uuid, "yes")
        self.assertEqual(self.until_status(uuid, "ok")["output"], "the answer was yes")
        late = s.chat("blueprint/ask", "two").headers["X-Troupe-Run"]
        self.assertEqual(s.stop(), 143)
        self.assertEqual(self.run_of(late)["status"], "waiting")
        self.ok("answer", late, "yes")
        s = self.serve()  # an answer that came while nothing ran
        self.assertEqual(self.until_status(late, "ok")["output"], "the answer was yes")
        s.stop()

    def test_a_client_that_leaves_cancels_its_run(self):
        s = self.serve("--max-queue", "1")
        for stream in (False, True):
            c = s.send("POST", CHAT, {"model": "agent/slow", "messages": user("x"), "stream": stream})
            if stream:
                self.assertEqual(c.getresponse().status, 200)
            self.until(lambda: self.ok("runs", "--json").json()["runs"][0]["status"] == "running")
            c.sock.close() if c.sock else None
            c.close()
            self.until(lambda: self.ok("runs", "--json").json()["runs"][0]["status"] == "cancelled", 20)
            self.until(lambda: s.chat("blueprint/echo", "x").code == 200, 10)
        s.stop()

    def test_a_run_that_outlives_the_server_goes_on(self):
        s = self.serve("--grace", "200ms")
        whole = s.send("POST", CHAT, {"model": "blueprint/long", "messages": user("first")})
        stream = s.send("POST", CHAT, {"model": "blueprint/long", "messages": user("second"), "stream": True})
        streamed = stream.getresponse()
        self.assertEqual(streamed.status, 200)
        self.until(lambda: len(self.ok("runs", "--json").json()["runs"]) == 2)
        code = s.stop()
        self.assertEqual(code, 143, s.log())
        r = Reply(whole.getresponse())
        self.assertEqual((r.code, r.error()["code"]), (503, "run_interrupted"))
        data = [line[6:] for line in streamed.read().decode().splitlines() if line.startswith("data: ")]
        self.assertEqual([json.loads(d)["error"]["code"] for d in data], ["run_interrupted"])
        stream.close()
        s = self.serve()
        self.until(lambda: all(r["status"] in ("ok", "cancelled") for r in self.ok("runs", "--json").json()["runs"]))
        self.assertEqual(self.run_of(r.headers["X-Troupe-Run"])["output"], "first")
        s.stop()

    def test_kill_9_under_load_loses_no_run(self):
        s = self.serve()
        known, clients, lock = [], [], threading.Lock()

        def ask(i):
            try:
                c = s.send("POST", CHAT, {"model": "blueprint/long", "messages": user(f"run {i}"), "stream": True})
                r = c.getresponse()
            except (OSError, http.client.HTTPException):
                return  # it was killed first
            with lock:
                clients.append(c)
                if r.status == 200:
                    known.append((r.headers["X-Troupe-Run"], f"run {i}"))

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(20)]
        for t in threads:
            t.start()
        self.until(lambda: len(known) >= 8)
        s.p.kill()
        for t in threads:
            t.join()
        s.end()
        for c in clients:
            c.close()
        self.assertGreaterEqual(len(known), 8)
        s2 = self.serve()
        self.until(lambda: all(self.run_of(u)["status"] == "ok" for u, _ in known), 120)
        for uuid, text in known:
            self.assertEqual(self.run_of(uuid)["output"], text)
        self.assertEqual(s2.stop(), 143)
        self.assertEqual(self.run_cli("store", "check").code, 0)

    def test_two_servers_share_a_store(self):
        one, two = self.serve(), self.serve("--no-token")
        for i in range(4):
            self.assertEqual(one.chat("blueprint/echo", "x").code, 200)
            self.assertEqual(two.chat("agent/clerk", "x").code, 200)
        self.assertEqual({r["status"] for r in self.ok("runs", "--json").json()["runs"]}, {"ok"})
        one.stop()
        two.stop()


if __name__ == "__main__":
    main()
