"""test_cli_serve_clients.py - what clients of /v1 rely on; each was a fault with a client of tests/interop.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json

from cli_case import main
from serve_case import ServeCase

SCRIPT = """{"model": "script", "replies": [
  {"path": "v1/turn:0/model:0", "tool_calls": [{"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}]},
  {"path": "v1/turn:0/model:1", "text": "another"},
  {"path": "v1/turn:1/*", "text": "done"}]}"""
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in "fg"]
FAILS = """schema: blueprint/v1
inputs: {text: {type: string}}
steps: {stop: {tool: read_file, in: {path: "absent/${inputs.text}"}}}
output: "${stop}"
"""
ASKS = """schema: blueprint/v1
inputs: {text: {type: string}}
steps: {ask: {human: {prompt: "${inputs.text}?"}}}
output: "${ask}"
"""
SERVES = """serve:
  models: ["script:tools.json", digits]
  blueprints: {fails: {file: fails.yaml, input: text}, asks: {file: asks.yaml, input: text}}
"""


class Clients(ServeCase):
    def setUp(self):
        super().setUp()
        for name, text in (("tools.json", SCRIPT), ("fails.yaml", FAILS), ("asks.yaml", ASKS), ("troupe.yaml", SERVES)):
            self.write(name, text)
        self.digits()
        p = self.start("serve", "--no-token", "--listen", "127.0.0.1:0")
        line = p.stdout.readline()
        self.assertTrue(line.startswith("listening on http://127.0.0.1:"), line)
        self.port = int(line.rsplit(":", 1)[1])

    def chat(self, model, **more):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = {"model": model, "messages": [{"role": "user", "content": "Go"}], **more}
        c.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        return r.status, r.headers, text if more.get("stream") else json.loads(text)

    def names(self, r):
        return [c["function"]["name"] for c in r["choices"][0]["message"]["tool_calls"]]

    def test_a_scripted_model_answers_each_turn_and_choice_by_its_own_reply(self):
        first = self.chat("script:tools.json", tools=TOOLS, n=2)[2]
        self.assertEqual(self.names(first), ["f", "g"])
        self.assertEqual(first["choices"][1]["message"]["content"], "another")
        after = [{"role": "user", "content": "Go"}, first["choices"][0]["message"]] + [
            {"role": "tool", "tool_call_id": c["id"], "content": "1"} for c in first["choices"][0]["message"]["tool_calls"]]
        self.assertEqual(self.chat("script:tools.json", tools=TOOLS, messages=after)[2]["choices"][0]["message"]["content"], "done")

    def test_parallel_tool_calls_false_gives_one_call(self):
        self.assertEqual(self.names(self.chat("script:tools.json", tools=TOOLS, parallel_tool_calls=False)[2]), ["f"])
        self.assertEqual(self.names(self.chat("script:tools.json", tools=TOOLS, parallel_tool_calls=True)[2]), ["f", "g"])
        stream = self.chat("script:tools.json", tools=TOOLS, parallel_tool_calls=False, stream=True)[2]
        self.assertEqual((stream.count('"name":"f"'), stream.count('"name":"g"')), (1, 0))

    def test_no_client_tries_a_run_again_by_itself(self):
        """Clients repeat 408, 409, 429 and 5xx, and that would start another run."""
        for model, code in (("blueprint/fails", "run_failed"), ("blueprint/asks", "run_waiting")):
            status, headers, r = self.chat(model)
            self.assertEqual((status, r["error"]["type"], r["error"]["code"]), (422, "invalid_request_error", code))
            self.assertEqual(headers["X-Should-Retry"], "false")
            self.assertEqual(self.ok("show", headers["X-Troupe-Run"], "--json").json()["run"], headers["X-Troupe-Run"])

    def test_the_error_of_a_long_prompt_has_the_words_that_clients_look_for(self):
        status, _, r = self.chat("digits", messages=[{"role": "user", "content": "9" * 3000}])
        self.assertEqual((status, r["error"]["code"]), (400, "context_length_exceeded"))
        self.assertIn("this model's maximum context length is 1024 tokens", r["error"]["message"])


main()
