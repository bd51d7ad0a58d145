"""test_cli_v1_errors.py - whose fault an error of /v1 is, and what clients may see of it.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re

from cli_case import main
from odd_server import OddServer
from serve_case import ServeCase

CHAT = "/v1/chat/completions"
ENTRY = "  %s: {url: '%s/v1', model: %s, key: '${env:FAR_KEY}', first_byte: 1s, idle: 1s, timeout: %s, max_tries: 1}\n"
KINDS = [  # model, code, its name, Retry-After, whether clients shall ask again
    ("limited", 429, "rate_limit_exceeded", "90", True), ("loading", 503, "upstream_unavailable", None, True),
    ("refuses", 400, "invalid_value", None, True), ("context", 400, "context_length_exceeded", None, True),
    ("badkey", 502, "upstream_error", None, False), ("absent", 502, "upstream_error", None, False),
    ("redirect", 502, "upstream_error", None, False), ("html", 502, "upstream_error", None, False),
    ("flood", 502, "upstream_error", None, False), ("floodevents", 502, "upstream_error", None, False),
    ("calls", 502, "upstream_error", None, False), ("garbage", 502, "upstream_error", None, True),
    ("broken", 502, "upstream_error", None, True), ("cut", 502, "upstream_error", None, True),
    ("stall", 504, "upstream_timeout", None, True), ("silent", 504, "upstream_timeout", None, True),
    ("comments", 504, "upstream_timeout", None, True), ("closed", 503, "upstream_unavailable", None, True),
    ("nokey", 502, "upstream_error", None, False)]
INSIDE = {"floodevents", "cut", "stall"}  # text came first: in a stream the error is its last event
OWN_WORDS = {"refuses": "temperature must be at most 1", "context": "maximum context length is 5"}


class V1Errors(ServeCase):
    def setUp(self):
        super().setUp()
        self.odd = OddServer("http://127.0.0.1:1")
        self.env.update(FAR_KEY="sk-canary-0123456789")
        text = "models:\n"
        for name, *_ in KINDS + [("late",)]:
            text += ENTRY % (name, "http://127.0.0.1:1" if name == "closed" else self.odd.url, name, "2s" if name == "comments" else "1m")
        text = re.sub(r"(  nokey: .*)FAR_KEY", r"\1NOT_SET", text)
        self.write("troupe.yaml", text + "serve:\n  agents: {ask: {prompt: hi, model: broken}, file: {prompt: hi, model: loading}}\n")
        self.s = self.serve()
        self.admin = self.s.token
        self.client = self.ok("serve", "token", "client", "--scope", "v1", "--json").json()["token"]
        self.s.p.send_signal(1)
        self.until(lambda: "read again" in self.s.log())

    def tearDown(self):
        self.odd.stop()
        super().tearDown()

    def secrets(self):
        return ("FAR_KEY", "NOT_SET", "127.0.0.1", "10.1.2.3", self.dir, ".gguf", "sk-canary", "script")

    def ask(self, token, model, **more):
        self.s.token = token
        return self.s.chat(model, "x", **more)

    def last_event(self, model):
        self.s.token = self.client
        c = self.s.send("POST", CHAT, {"model": model, "stream": True, "messages": [{"role": "user", "content": "x"}]})
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        self.assertEqual(r.status, 200, text)
        data = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
        self.assertNotIn("[DONE]", data, model)
        return json.loads(data[-1])["error"], r.headers["X-Request-Id"]

    def test_each_failure_of_another_server_has_its_code_and_hides_this_one(self):
        for name, code, kind, wait, again in KINDS:
            r = self.ask(self.client, name)
            e = r.error()
            self.assertEqual((r.code, e["code"]), (code, kind), name + ": " + self.s.log()[-500:])
            self.assertEqual(r.headers["Retry-After"], wait, name)
            self.assertEqual(r.headers["X-Should-Retry"], None if again else "false", name)
            for secret in self.secrets():
                self.assertNotIn(secret, r.body.decode(), name)
            if name in OWN_WORDS:
                self.assertIn(OWN_WORDS[name], e["message"])
            else:
                self.assertTrue(e["message"].endswith(f"(request {r.headers['X-Request-Id']})"), e)
                self.assertIn(f"request {r.headers['X-Request-Id']} to model {name} failed ({code}): ", self.s.log())
        self.assertIn("${env:FAR_KEY}", self.s.log())
        self.assertNotIn("sk-canary", self.s.log())

    def test_the_same_in_a_stream(self):
        for name, code, kind, _, _ in KINDS:
            if name in INSIDE:
                e, request = self.last_event(name)
                self.assertIn(request, e["message"])
            else:
                r = self.ask(self.client, name, stream=True)
                self.assertEqual(r.code, code, name)
                e = r.error()
            self.assertEqual(e["code"], kind, name)
            for secret in self.secrets():
                self.assertNotIn(secret, e["message"], name)
        e, request = self.last_event("late")
        self.assertEqual(e["code"], "upstream_error")
        self.assertNotIn("10.1.2.3", e["message"])
        self.assertIn("10.1.2.3 died", next(line for line in self.s.log().splitlines() if request in line))

    def test_who_has_the_scope_api_sees_the_details(self):
        for name, words in (("badkey", "${env:FAR_KEY}"), ("closed", "127.0.0.1:1"), ("loading", "/models/m.gguf"), ("nokey", "NOT_SET")):
            self.assertIn(words, self.ask(self.admin, name).error()["message"])

    def test_lines_of_the_log_have_the_id_of_the_reply(self):
        s = self.serve("--no-token", "--verbose", "--log-format", "json", "--store", "other.db")
        r = s.chat("badkey", "x")
        lines = self.until(lambda: (lambda found: found if len(found) == 2 else None)(
            [x for x in map(json.loads, s.log().splitlines()) if x.get("request") == r.headers["X-Request-Id"]]))
        self.assertIn("failed (502)", lines[0]["message"])
        self.assertEqual((lines[1]["path"], lines[1]["status"]), (CHAT, 502))
        s.stop()

    def test_a_server_that_fails_all_the_time_is_503_with_the_time_to_wait(self):
        codes = [self.ask(self.client, "broken") for _ in range(6)]
        self.assertEqual([r.code for r in codes], [502] * 5 + [503])
        self.assertEqual(codes[5].error()["code"], "upstream_unavailable")
        self.assertIn(int(codes[5].headers["Retry-After"]), (1, 2))

    def test_runs_that_fail_say_their_id_and_no_more(self):
        r = self.ask(self.client, "agent/file")
        self.assertEqual((r.code, r.error()["code"]), (422, "run_failed"))
        self.assertEqual(r.error()["message"], f"run {r.headers['X-Troupe-Run']}: error")
        line = next(line for line in self.s.log().splitlines() if r.headers["X-Request-Id"] in line)
        self.assertIn("m.gguf", line)
        self.assertIn(r.headers["X-Troupe-Run"], line)
        self.assertIn("m.gguf", self.ask(self.admin, "agent/file").error()["message"])

    def test_a_model_that_does_not_exist_names_those_that_do(self):
        for r in (self.ask(self.client, "brokn"), self.s.get("/v1/models/brokn")):
            self.assertEqual((r.code, r.error()["code"], r.error()["param"]), (404, "model_not_found", "model"))
            self.assertIn('the model "brokn" does not exist; did you mean "broken"? this server offers ', r.error()["message"])
            self.assertIn("limited, loading, ", r.error()["message"])
        message = self.ask(self.client, "x" * 100).error()["message"]
        self.assertLess(len(message), 400)
        names = [m["id"] for m in self.s.get("/v1/models").json()["data"]]
        shown = re.search(r"offers (.*?)(?: and (\d+) more \(GET /v1/models\))?$", message)
        self.assertEqual(shown.group(1).split(", "), names[:len(names) - int(shown.group(2) or 0)])


if __name__ == "__main__":
    main()
