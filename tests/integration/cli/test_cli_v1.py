"""test_cli_v1.py - /v1 of troupe serve over models: the same reply whole, streamed and repeated; errors.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import threading
import time

from cli_case import main
from serve_case import ServeCase

CHAT, COMPLETE = "/v1/chat/completions", "/v1/completions"
PROMPT = "ORDd+7|GETd;>59|"
WEATHER = {"type": "function", "function": {"name": "weather", "description": "the weather of a place",
                                            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}}
PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": {
    "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]}}}


def user(text):
    return [{"role": "user", "content": text}]


def joined(events, key="content"):
    """The text of each choice, from its chunks."""
    texts = {}
    for e in events:
        for c in e["choices"]:
            part = c["text"] if "text" in c else c["delta"].get(key)
            texts[c["index"]] = texts.get(c["index"], "") + (part or "")
    return [texts[i] for i in sorted(texts)]


class Models(ServeCase):
    def test_the_list_of_models(self):
        self.write("troupe.yaml", "models:\n  far: {url: 'http://127.0.0.1:1/v1', model: x, context: 3000}\n"
                   "serve:\n  models: [far, embedded, './here.json', 'script:here.json']\n  agents: {helper: {prompt: hi, model: far}}\n")
        self.fails(78, ["troupe.yaml:4:27", "here.json"], "serve", "--listen", "127.0.0.1:0")
        self.write("troupe.yaml", "models:\n  far: {url: 'http://127.0.0.1:1/v1', model: x, context: 3000}\n"
                   "serve:\n  models: [far, embedded, 'script:here.json']\n  agents: {helper: {prompt: hi, model: far}}\n")
        self.write("here.json", '{"model": "script", "replies": [], "default": {"text": "here"}}')
        s = self.serve()
        listed = s.get("/v1/models").json()
        self.assertEqual(listed["object"], "list")
        self.assertEqual([(m["id"], m["object"], m.get("context_length")) for m in listed["data"]],
                         [("far", "model", 3000), ("embedded", "model", 1024), ("script:here.json", "model", None),
                          ("agent/helper", "model", None)])
        for m in listed["data"]:
            self.assertEqual(s.get("/v1/models/" + m["id"]).json(), m)
        self.assertEqual(s.get("/v1/models/other").error()["code"], "model_not_found")
        self.assertEqual(s.chat("script:here.json", "x").json()["choices"][0]["message"]["content"], "here")
        s.stop()
        # The names of the section without a list; a path starts at the file's folder.
        self.write("troupe.yaml", "models:\n  far: {url: 'http://127.0.0.1:1/v1', model: x}\n")
        s = self.serve("--model", "script:here.json", "--no-token")
        self.assertEqual([m["id"] for m in s.get("/v1/models").json()["data"]], ["script:here.json", "far"])
        # No name of a request opens a file or a connection.
        for name in ("embedded", "script:" + self.dir + "/here.json", "/etc/passwd", "http://127.0.0.1:1/v1#x", ""):
            r = s.chat(name, "x")
            self.assertEqual((r.code, r.error()["param"]), (404 if name else 400, "model"), name)
        s.stop()

    def test_a_mistake_of_the_section_ends_the_start(self):
        for text, where in (("serve: {models: [nothing]}", "troupe.yaml:1:18: unknown model `nothing`"),
                            ("serve: {agents: {a: {tools: [none]}}}", "troupe.yaml:1:21: agent/a: unknown tool `none`"),
                            ("serve: {agents: {a: {model: none}}}", "troupe.yaml:1:21: agent/a: the model of agent"),
                            ("serve: {agents: {a: {model: 'script:no.json'}}}", "troupe.yaml:1:21: agent/a: the model of agent"),
                            ("serve: {blueprints: {b: {file: no.yaml}}}", "troupe.yaml:1:32: cannot open blueprint"),
                            ("models: {a: {url: 'http://127.0.0.1:1/v1'}}", "troupe.yaml:1:13: a remote model needs `model`"),
                            ("serve: 3", "troupe.yaml:1:8: serve must be a mapping")):
            self.write("troupe.yaml", text + "\n")
            r = self.fails(78, where, "serve", "--listen", "127.0.0.1:0")
            self.assertEqual(r.out, "", "no token is made before all else is right")
        self.write("troupe.yaml", "")
        self.assertRegex(self.serve().token, "^troupe_")


class Embedded(ServeCase):
    def test_whole_and_streamed_are_the_same(self):
        s = self.serve("--model", self.digits())
        for path, more in ((CHAT, {"messages": user(PROMPT)}), (COMPLETE, {"prompt": PROMPT}), (COMPLETE, {"prompt": PROMPT, "echo": True}),
                           (COMPLETE, {"prompt": [PROMPT, "ORDe+5|"]}), (CHAT, {"messages": user(PROMPT), "n": 3}),
                           (COMPLETE, {"prompt": PROMPT, "stop": "66"}), (COMPLETE, {"prompt": PROMPT, "stop": ["x", "d6"]}),
                           (COMPLETE, {"prompt": PROMPT, "temperature": 0}), (COMPLETE, {"prompt": PROMPT, "top_k": 2, "min_p": 0.1})):
            body = {"model": "digits", "max_tokens": 12, "seed": 5, **more}
            whole = s.request("POST", path, body).json()
            again = s.request("POST", path, body).json()
            for r in (whole, again):
                del r["id"], r["created"], r["usage"]["prompt_tokens_details"]
            self.assertEqual(whole, again, "the same seed gives the same")
            events, done = s.events(path, {**body, "stream_options": {"include_usage": True}})
            self.assertTrue(done)
            self.assertEqual(joined(events), [c["text"] if "text" in c else c["message"]["content"] for c in whole["choices"]])
            ends = {c["index"]: c["finish_reason"] for e in events for c in e["choices"] if c["finish_reason"]}
            self.assertEqual(ends, {c["index"]: c["finish_reason"] for c in whole["choices"]})
            usage = events[-1]["usage"]
            del usage["prompt_tokens_details"]
            self.assertEqual((events[-1]["choices"], usage), ([], whole["usage"]))
            self.assertTrue(all(e["usage"] is None for e in events[:-1]))
            self.assertEqual(len({e["id"] for e in events}), 1)
            self.assertEqual({e["system_fingerprint"] for e in events}, {whole["system_fingerprint"]})
            if "stop" in more:
                self.assertEqual(whole["choices"][0]["finish_reason"], "stop")
        self.assertNotIn("usage", s.events(CHAT, {"model": "digits", "messages": user("x"), "max_tokens": 1})[0][-1])
        s.stop()

    def test_the_tokens_are_those_of_generate(self):
        s = self.serve()
        own = self.ok("generate", "--prompt", PROMPT, "--max-tokens", "8", "--json").json()
        for prompt in (PROMPT, own["prompt_ids"]):
            r = s.complete("embedded", prompt, max_tokens=8, temperature=0, logprobs=0).json()
            c = r["choices"][0]
            self.assertEqual(c["text"], own["text"])
            self.assertEqual(c["finish_reason"], "length")
            self.assertEqual("".join(c["logprobs"]["tokens"]), c["text"])
            self.assertEqual(c["logprobs"]["text_offset"], [len("".join(c["logprobs"]["tokens"][:i])) for i in range(8)])
            for a, b in zip(c["logprobs"]["token_logprobs"], own["logp"]):
                self.assertAlmostEqual(a, b, places=6)
            self.assertEqual(r["usage"]["prompt_tokens"], len(own["prompt_ids"]))
            self.assertEqual(r["usage"]["completion_tokens"], 8)
            self.assertEqual(r["usage"]["total_tokens"], 8 + len(own["prompt_ids"]))
        s.stop()

    def test_log_probs_of_chunks_are_those_of_the_whole(self):
        s = self.serve("--model", self.digits())
        for path, more in ((CHAT, {"messages": user(PROMPT), "logprobs": True}), (COMPLETE, {"prompt": PROMPT, "logprobs": 0})):
            body = {"model": "digits", "max_tokens": 20, "seed": 3, "temperature": 1.3, "n": 2, **more}
            whole = s.request("POST", path, body).json()
            events, _ = s.events(path, body)
            for c in whole["choices"]:
                parts = [x["logprobs"] for e in events for x in e["choices"] if x["index"] == c["index"] and x["logprobs"]]
                if path == CHAT:
                    want = [(t["token"], t["logprob"], t["bytes"]) for t in c["logprobs"]["content"]]
                    got = [(t["token"], t["logprob"], t["bytes"]) for p in parts for t in p["content"]]
                    self.assertEqual(b"".join(bytes(t[2]) for t in got).decode(), c["message"]["content"])
                else:
                    want = list(zip(*[c["logprobs"][k] for k in ("tokens", "token_logprobs", "text_offset")]))
                    got = [t for p in parts for t in zip(*[p[k] for k in ("tokens", "token_logprobs", "text_offset")])]
                self.assertEqual(got, want)
                self.assertEqual(len(got), 20)
                self.assertTrue(all(t[1] <= 0 for t in got))
        s.stop()

    def test_n_replies_differ_and_share_their_prompt(self):
        s = self.serve()
        r = s.complete("embedded", "ORDd+7|", max_tokens=30, temperature=2, n=3, seed=1).json()
        texts = [c["text"] for c in r["choices"]]
        self.assertEqual([c["index"] for c in r["choices"]], [0, 1, 2])
        self.assertEqual(len(set(texts)), 3)
        one = s.complete("embedded", "ORDd+7|", max_tokens=30, temperature=2, seed=1).json()
        self.assertEqual(one["choices"][0]["text"], texts[0])
        self.assertEqual(r["usage"]["prompt_tokens"], one["usage"]["prompt_tokens"], "counted once")
        s.stop()

    def test_a_model_of_environments_does_not_chat(self):
        s = self.serve()
        for more in ({}, {"stream": True}):
            r = s.chat("embedded", "Hello", **more)
            self.assertEqual((r.code, r.error()["param"], r.error()["code"]), (400, "model", "unsupported_value"), r.body)
            self.assertEqual(r.error()["message"], "the model knows only the calls of environments and cannot chat; "
                             "/v1/completions continues a text")
        r = s.complete("embedded", PROMPT, max_tokens=8, temperature=0, stop=";")
        self.assertEqual(r.json()["choices"][0]["text"], "SETd66")
        s.stop()

    def test_errors_name_the_parameter(self):
        s = self.serve("--model", self.digits())
        ok = {"model": "digits", "messages": user("x"), "max_tokens": 1}
        for more, param, code in (({"messages": user("x" * 5000)}, None, "context_length_exceeded"),
                                  ({"model": "none"}, "model", "model_not_found"), ({"model": None}, "model", None),
                                  ({"functions": []}, "functions", "unsupported_parameter"),
                                  ({"audio": {}}, "audio", "unsupported_parameter"),
                                  ({"top_logprobs": 3, "logprobs": True}, "top_logprobs", "unsupported_parameter"),
                                  ({"reasoning_effort": "low"}, "reasoning_effort", "unsupported_parameter"),
                                  ({"presence_penalty": 1}, "presence_penalty", "unsupported_parameter"),
                                  ({"magic": 1}, "magic", None), ({"n": 0}, "n", "invalid_value"), ({"n": 17}, "n", "invalid_value"),
                                  ({"temperature": 3}, "temperature", "invalid_value"),
                                  ({"temperature": "hot"}, "temperature", "invalid_type"),
                                  ({"messages": []}, "messages", None), ({"messages": "hi"}, "messages", "invalid_type"),
                                  ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", None)):
            r = s.request("POST", CHAT, {**ok, **more})
            self.assertEqual((r.code, r.error()["param"]), (404 if param == "model" and code else 400, param), more)
            self.assertTrue(r.error()["message"])
            if code:
                self.assertEqual(r.error()["code"], code)
        for body in (b"", b"{", b"[]", b'"x"', b"{}", b'{"model": "digits", "model": "x"}', b"\xff\xfe", b"null",
                     b'{"a":' * 100 + b"1" + b"}" * 100):
            r = s.request("POST", CHAT, body)
            self.assertEqual((r.code, r.error()["type"]), (400, "invalid_request_error"), body[:40])
        for name in ("user", "metadata", "store", "service_tier", "prompt_cache_key"):
            self.assertEqual(s.request("POST", CHAT, {**ok, name: {"a": "b"} if name == "metadata" else "x"}).code, 200, name)
        # Too long while it streams: nothing has begun, so it is a plain error.
        r = s.request("POST", CHAT, {**ok, "messages": user("x" * 5000), "stream": True})
        self.assertEqual((r.code, r.error()["code"]), (400, "context_length_exceeded"))
        s.stop()

    def test_a_client_that_leaves_frees_its_pages(self):
        """Pages for two sequences: if 12 calls kept theirs, the last one could not run."""
        s = self.serve("--kv-memory", "4MiB", "--max-queue", "2")

        def pages(kind=""):
            return int(re.search(rf"^troupe_engine_pages{kind}{{.*}} (\d+)$", s.get("/metrics").body.decode(), re.M).group(1))

        self.until(lambda: pages("_free") == pages(), 10)  # before the first call, too
        long = {"model": "embedded", "prompt": "ORDd+7|", "max_tokens": 900}
        began = time.time()
        whole = s.request("POST", COMPLETE, {**long, "seed": 1})
        self.assertEqual(whole.json()["usage"]["completion_tokens"], 900)
        takes = time.time() - began
        for i in range(12):
            c = s.send("POST", COMPLETE, {**long, "stream": True} if i % 2 else {**long, "n": 2})
            if i % 2:
                self.assertTrue(c.getresponse().readline().startswith(b"data: {"))
            else:
                time.sleep(0.05)
            c.close()
            # Its place in the queue is free at once, not when 900 tokens are there.
            began = time.time()
            self.until(lambda: s.complete("embedded", "ORDd+7|", max_tokens=1).code == 200, 30)
            self.assertLess(time.time() - began, max(1, takes / 2))
        again = s.request("POST", COMPLETE, {**long, "seed": 1})
        self.assertEqual(again.json()["choices"], whole.json()["choices"])

        self.assertGreater(pages(), 0)
        self.until(lambda: pages("_free") + pages("_cached") == pages(), 10)
        self.assertEqual(s.stop(), 143)

    def test_many_at_once_are_the_same_as_one_by_one(self):
        s = self.serve()
        bodies = [{"model": "embedded", "prompt": f"ORDd+{i % 9}|", "max_tokens": 40, "temperature": 1, "seed": i} for i in range(24)]
        alone = [s.request("POST", COMPLETE, b).json()["choices"] for b in bodies]
        got = [None] * len(bodies)

        def ask(i):
            if i % 2:
                got[i] = joined(s.events(COMPLETE, bodies[i])[0])[0]
            else:
                got[i] = s.request("POST", COMPLETE, bodies[i]).json()["choices"][0]["text"]

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(bodies))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(got, [c[0]["text"] for c in alone])
        s.stop()


class Scripted(ServeCase):
    def script(self, **reply):
        self.write("m.json", json.dumps({"model": "script", "replies": [], "default": reply}))
        return self.serve("--no-token", "--model", "script:m.json")

    def ask(self, s, **more):
        return s.request("POST", CHAT, {"model": "script:m.json", "messages": user("x"), **more})

    def test_text_whole_and_streamed(self):
        text = "Grüße, 漢字 and \u0001 \" \\ \n 👍"
        s = self.script(text=text)
        self.assertEqual(self.ask(s).json()["choices"][0]["message"]["content"], text)
        events, done = s.events(CHAT, {"model": "script:m.json", "messages": user("x")})
        self.assertTrue(done)
        self.assertEqual(joined(events), [text])
        self.assertEqual([c["message"]["content"] for c in self.ask(s, n=3).json()["choices"]], [text] * 3)
        r = self.ask(s, logprobs=True)
        self.assertEqual(r.code, 400, "a model without tokens has no log-probs")
        r = s.complete("script:m.json", "x")
        self.assertEqual(r.code, 400, "nor does it continue a text")
        s.stop()

    def test_a_long_reply_that_comes_at_once_is_streamed_whole(self):
        text = "a long reply. " * 100000
        s = self.script(text=text)
        events, done = s.events(CHAT, {"model": "script:m.json", "messages": user("x"), "n": 3})
        self.assertTrue(done)
        self.assertEqual(joined(events), [text] * 3)
        s.stop()

    def test_calls_of_tools_are_returned_not_run(self):
        s = self.script(tool_calls=[{"name": "weather", "arguments": {"place": "Ulm"}}, {"name": "weather", "arguments": {"place": "Köln"}}])
        body = {"tools": [WEATHER]}
        c = self.ask(s, **body).json()["choices"][0]
        self.assertEqual(c["finish_reason"], "tool_calls")
        calls = c["message"]["tool_calls"]
        self.assertEqual([(x["type"], x["function"]["name"], json.loads(x["function"]["arguments"])) for x in calls],
                         [("function", "weather", {"place": "Ulm"}), ("function", "weather", {"place": "Köln"})])
        self.assertEqual(len({x["id"] for x in calls}), 2)
        events, done = s.events(CHAT, {"model": "script:m.json", "messages": user("x"), **body})
        self.assertTrue(done)
        deltas = [d for e in events for ch in e["choices"] for d in ch["delta"].get("tool_calls", [])]
        self.assertEqual([(d["index"], d["function"]) for d in deltas], [(i, x["function"]) for i, x in enumerate(calls)])
        self.assertEqual(events[-1]["choices"][0]["finish_reason"], "tool_calls")
        # The results come back as messages.
        said = user("x") + [{"role": "assistant", "content": None, "tool_calls": calls}] + [
            {"role": "tool", "tool_call_id": x["id"], "content": "rain"} for x in calls]
        self.assertEqual(self.ask(s, messages=said, **body).code, 200)
        r = self.ask(s, messages=[{"role": "tool", "tool_call_id": "none", "content": "x"}], **body)
        self.assertEqual(r.code, 400)
        s.stop()

    def test_a_reply_must_fit_its_schema(self):
        s = self.script(text='{"name": "Ada", "age": 36}')
        self.assertEqual(json.loads(self.ask(s, response_format=PERSON).json()["choices"][0]["message"]["content"]), {"name": "Ada", "age": 36})
        self.assertEqual(self.ask(s, response_format={"type": "json_object"}).code, 200)
        s.stop()
        s = self.script(text='{"name": "Ada", "age": "old"}')
        r = self.ask(s, response_format=PERSON)
        self.assertEqual((r.code, r.error()["code"]), (400, "json_validate_failed"))
        self.assertIn("age", r.error()["message"])
        r = self.ask(s, response_format=PERSON, stream=True)
        self.assertEqual((r.code, r.error()["code"]), (400, "json_validate_failed"))
        bad = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"if": {}}}}
        r = self.ask(s, response_format=bad)
        self.assertEqual(r.code, 400)
        self.assertTrue(r.error()["param"].startswith("response_format"), r.body)
        s.stop()

    def test_a_model_that_fails(self):
        s = self.script(error="the model is on fire")
        r = self.ask(s)
        self.assertEqual((r.code, r.error()["type"]), (500, "server_error"))
        self.assertIn("the model is on fire", r.error()["message"])
        self.assertEqual(self.ask(s, stream=True).code, 500)
        s.stop()

    def test_usage_and_a_cut_reply(self):
        s = self.script(text="12345678", finish="length")
        r = self.ask(s).json()
        self.assertEqual(r["choices"][0]["finish_reason"], "length")
        self.assertEqual(r["usage"]["completion_tokens"], 2)
        s.stop()


if __name__ == "__main__":
    main()
