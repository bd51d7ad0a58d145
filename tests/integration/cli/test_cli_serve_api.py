"""test_cli_serve_api.py - /api/runs of troupe serve: documents, events, answers, and what a kill leaves.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import os
import signal
import socket
import threading
import time

from cli_case import main
from serve_case import ServeCase

WORK = """schema: blueprint/v1
inputs: {words: {type: array, default: [a, b, c]}}
agents: {w: {model: "script:say.json"}}
steps:
  first: {agent: w, in: hello}
  each: {map: "${inputs.words}", max_parallel: 2, agent: w, in: "${item}"}
  last: {agent: w, in: "${each[0]}"}
output: "${last}"
"""
ASK = """schema: blueprint/v1
inputs: {what: {type: string}}
steps:
  ask: {human: {prompt: "Publish ${inputs.what}?", options: [yes, no], timeout: %s, on_timeout: no, reject: []}}
output: "${ask}"
"""
FREE = """schema: blueprint/v1
steps:
  ask: {human: {prompt: "How many?"}}
output: "${ask}"
"""
PAUSE = """schema: blueprint/v1
steps:
  one: {wait: {for: %s}}
output: done
"""
CONFIG = """serve:
  models: ["script:say.json", "script:other.json"]
  blueprints:
    work: {file: work.yaml}
    ask: {file: ask.yaml}
    soon: {file: soon.yaml}
    free: {file: free.yaml}
    pause: {file: pause.yaml}
    broken: {file: broken.yaml}
  agents:
    helper: {prompt: Be brief., model: "script:say.json"}
"""


class Event:
    def __init__(self):
        self.type, self.id, self.data = "message", None, ""

    def json(self):
        return json.loads(self.data)


class Stream:
    """Server-sent events, one at a time."""

    def __init__(self, connection):
        self.connection, self.response = connection, connection.getresponse()
        self.code = self.response.status

    def __iter__(self):
        event = Event()
        for raw in self.response:
            line = raw.decode().rstrip("\n")
            if not line:
                if event.data:
                    yield event
                event = Event()
            elif not line.startswith(":"):
                key, _, value = line.partition(": ")
                if key == "data":
                    event.data += value
                else:
                    setattr(event, {"event": "type"}.get(key, key), value)

    def all(self):
        """All events up to the end."""
        events = list(self)
        self.close()
        return events

    def close(self):
        self.response.close()
        self.connection.close()


class Api(ServeCase):
    server = None

    def begin(self, *args):
        self.server = self.serve("--no-token", *args)

    def stop(self, how=signal.SIGTERM, code=143):
        self.assertEqual(self.server.stop(how), -how if how == signal.SIGKILL else code)
        self.assertNotRegex(self.server.log(), "Sanitizer|runtime error")
        self.server = None

    def tearDown(self):
        if self.server:
            self.stop()
        super().tearDown()

    def ask(self, method, path, body=None, **fields):
        """_ in the name of a field is a dash."""
        return self.server.request(method, path, body, {k.replace("_", "-"): v for k, v in fields.items()})

    def get(self, path, code=200):
        r = self.ask("GET", path)
        self.assertEqual(r.code, code, r.body)
        return r.json()

    def post(self, path, body=None, code=200, **fields):
        r = self.ask("POST", path, body or {}, **fields)
        self.assertEqual(r.code, code, r.body)
        return r.json()

    def events(self, run, last=None, buffer=None):
        """buffer: bytes that the system keeps for a client that does not read."""
        c = self.server.connect()
        if buffer:
            c.sock = socket.socket()
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            c.sock.connect(("127.0.0.1", self.server.port))
        return Stream(self.server.send("GET", f"/api/runs/{run}/events", fields={"Last-Event-ID": last}, connection=c))

    def refused(self, run, last=None):
        """The code of a stream that does not begin."""
        stream = self.events(run, last)
        stream.close()
        return stream.code

    def setUp(self):
        super().setUp()
        self.write("work.yaml", WORK)
        self.write("ask.yaml", ASK % "1h")
        self.write("soon.yaml", ASK % "1s")
        self.write("free.yaml", FREE)
        self.write("pause.yaml", PAUSE % "1h")
        self.write("broken.yaml", WORK.replace("say.json", "fails.json"))
        self.write("troupe.yaml", CONFIG)
        self.write("fails.json", json.dumps({"model": "script", "replies": [], "default": {"error": "down"}}))
        self.say(0)
        self.say(0, "other.json", "other")

    def say(self, ms, name="say.json", text="said"):
        self.write(name, json.dumps({"model": "script", "replies": [], "default": {"text": text}, "delay_ms": ms}))

    def new(self, blueprint, code=201, body=None, **headers):
        return self.post("/api/runs", {"blueprint": blueprint, **(body or {})}, code, **headers)

    def show(self, run):
        return self.get(f"/api/runs/{run}")

    def until_is(self, run, *status, seconds=60):
        end = time.time() + seconds
        while (doc := self.show(run))["status"] not in status:
            self.assertLess(time.time(), end, f"{run} is {doc['status']}, not {status}")
            time.sleep(0.05)
        return doc

    def cli(self, *args):
        return self.ok(*args, "--json").json()

    # ---- documents

    def test_documents_are_those_of_the_command_line(self):
        self.begin()
        r = self.ask("POST", "/api/runs", {"blueprint": "work", "inputs": {"words": ["x", "y"]}, "seed": 7})
        self.assertEqual(r.code, 201, r.body)
        begun = r.json()
        run = begun["run"]
        self.assertEqual(r.headers["Location"], f"/api/runs/{run}")
        self.assertEqual((begun["schema"], begun["output"]), ("troupe.run/1", None))
        self.assertIn(begun["status"], ("running", "interrupted"))
        self.assertEqual(self.until_is(run, "ok")["output"], "said")
        asked = self.new("ask", body={"inputs": {"what": "it"}})["run"]
        self.until_is(asked, "waiting")
        self.assertEqual(self.get("/api/runs"), self.cli("runs"))
        self.assertEqual([x["run"] for x in self.get("/api/runs?status=waiting")["runs"]], [asked])
        self.assertEqual(len(self.get("/api/runs?since=1h")["runs"]), 2)
        self.assertEqual(self.get("/api/runs?since=2999-01-01T00:00:00Z")["runs"], [])
        self.assertEqual(self.show(run), self.cli("show", run))
        self.assertEqual(self.show(run)["seed"], 7)
        self.assertEqual(self.show("last"), self.cli("show", asked))
        self.assertEqual(self.get(f"/api/runs/{run}?tokens=1&messages=1"), self.cli("show", run, "--tokens", "--messages"))
        self.assertEqual(self.get(f"/api/runs/{run}?path=each%5B1%5D"), self.cli("show", f"{run}/each[1]"))
        self.assertEqual(self.get("/api/inbox"), self.cli("inbox"))
        self.assertEqual(self.get("/api/inbox")["waits"][0]["prompt"], "Publish it?")
        for path in (f"/api/runs/{run}", f"/api/runs/{asked}/events"):
            head = self.ask("HEAD", path)
            self.assertEqual((head.code, head.body), (200, b""))

    def test_a_model_and_an_agent_of_the_configuration(self):
        self.begin()
        run = self.new("work", body={"model": "script:other.json"})["run"]
        self.assertEqual(self.until_is(run, "ok")["output"], "other")
        run = self.new("agent/helper", body={"inputs": {"question": "hi"}})["run"]
        self.assertEqual(self.until_is(run, "ok")["output"], "said")

    def test_a_token_needs_the_scope_of_runs(self):
        self.server = self.serve()
        run = self.new("work", Authorization=f"Bearer {self.server.token}")["run"]
        self.assertEqual(self.ask("GET", f"/api/runs/{run}").code, 200)
        v1 = self.cli("serve", "token", "chat", "--scope", "v1")["token"]
        self.server.p.send_signal(signal.SIGHUP)
        self.until(lambda: self.ask("GET", "/v1/models", Authorization=f"Bearer {v1}").code == 200)
        for method, path in (("GET", "/api/runs"), ("GET", f"/api/runs/{run}"), ("GET", f"/api/runs/{run}/events"),
                             ("DELETE", f"/api/runs/{run}"), ("GET", "/api/inbox")):
            self.assertEqual(self.ask(method, path, Authorization=f"Bearer {v1}").code, 403, path)
        self.server.token = None
        self.assertEqual(self.ask("GET", "/api/runs").code, 401)

    def test_pages(self):
        self.begin()
        runs = [self.new("work")["run"] for _ in range(5)]
        for run in runs:
            self.until_is(run, "ok")
        whole, seen, where = self.get("/api/runs")["runs"], [], "/api/runs?limit=2"
        self.assertEqual([r["run"] for r in whole], runs[::-1])
        for n in (2, 2, 1):
            page = self.get(where)
            self.assertEqual(len(page["runs"]), n)
            seen += page["runs"]
            where = f"/api/runs?limit=2&before={page.get('next')}"
        self.assertEqual(seen, whole)
        self.assertNotIn("next", page)

    def test_errors_have_the_code_and_the_reason(self):
        self.begin()
        ok = self.new("work")["run"]
        self.until_is(ok, "ok")
        none = "01900000-0000-7000-8000-000000000000"
        for code, words, method, path, body in (
                (404, "not found", "GET", f"/api/runs/{none}", None),
                (404, "not found", "GET", f"/api/runs/{none}/events", None),
                (404, "not found", "DELETE", f"/api/runs/{none}", None),
                (404, "not found", "POST", f"/api/runs/{none}/cancel", None),
                (404, "not found", "POST", f"/api/runs/{none}/answers", {"answer": "x"}),
                (404, "not found", "GET", f"/api/runs?before={none}", None),
                (404, "no step nothing", "GET", f"/api/runs/{ok}?path=nothing", None),
                (404, "the blueprint \"other\" is not offered; this server offers ", "POST", "/api/runs", {"blueprint": "other"}),
                (404, "the blueprint \"wrok\" is not offered; did you mean \"work\"? this server offers ", "POST", "/api/runs", {"blueprint": "wrok"}),
                (404, "is not offered", "POST", "/api/runs", {"blueprint": "../work.yaml"}),
                (400, "blueprint: expected the name", "POST", "/api/runs", {}),
                (400, "unknown member \"input\"", "POST", "/api/runs", {"blueprint": "work", "input": {}}),
                (400, "inputs: expected an object", "POST", "/api/runs", {"blueprint": "work", "inputs": []}),
                (400, "what", "POST", "/api/runs", {"blueprint": "ask", "inputs": {"what": 5}}),
                (400, "model: \"/etc/passwd\" is not offered; this server offers ", "POST", "/api/runs", {"blueprint": "work", "model": "/etc/passwd"}),
                (400, "seed: expected", "POST", "/api/runs", {"blueprint": "work", "seed": -1}),
                (400, "body:1:", "POST", "/api/runs", "{"),
                (400, "must be a JSON object", "POST", "/api/runs", []),
                (400, "status: unknown status \"done\"; the statuses are ", "GET", "/api/runs?status=done", None),
                (400, "since: expected", "GET", "/api/runs?since=1", None),
                (400, "limit: expected", "GET", "/api/runs?limit=0", None),
                (400, "unknown parameter \"limt\"", "GET", "/api/runs?limt=1", None),
                (400, "tokens: expected 1 or 0", "GET", f"/api/runs/{ok}?tokens=yes", None),
                (409, "has ended (ok)", "POST", f"/api/runs/{ok}/cancel", None),
                (404, "no open question", "POST", f"/api/runs/{ok}/answers", {"answer": "x"}),
                (400, "answer: expected a value", "POST", f"/api/runs/{ok}/answers", {}),
                (405, "does not have this method", "PUT", "/api/runs", None)):
            with self.subTest(words=words, path=path):
                r = self.ask(method, path, body)
                self.assertEqual(r.code, code, r.body)
                self.assertIn(words, r.json()["error"]["message"])
        self.assertEqual(len(self.get("/api/runs")["runs"]), 1)

    # ---- events

    def final(self, events):
        """The state of each step after all events."""
        steps = {}
        for e in events:
            if e.type == "step":
                s = e.json()
                steps[s["path"], s["attempt"]] = {k: v for k, v in s.items() if k != "type"}
        return steps

    def shown(self, run):
        return {(s["path"], s["attempt"]): s for s in self.show(run)["steps"]}

    def test_events_resumed_at_every_id_end_alike(self):
        self.say(300)
        self.begin()
        run = self.new("work", body={"inputs": {"words": [str(i) for i in range(6)]}})["run"]
        events = self.events(run).all()
        self.assertEqual((events[-1].type, events[-1].json()["status"]), ("result", "ok"))
        self.assertEqual(self.final(events), self.shown(run))
        result = events[-1].json()
        head = {k: v for k, v in self.show(run).items() if k not in ("steps", "models")}
        self.assertEqual({k: v for k, v in result.items() if k != "type"}, head)
        statuses = [e.json()["status"] for e in events if e.type == "status"]
        self.assertEqual((statuses[0], statuses[-1]), ("running", "ok"))
        ids = [e.id for e in events if e.id]
        self.assertGreater(len(set(ids)), 10)
        for i, e in enumerate(events[:-1]):
            if not e.id:
                continue
            rest = self.events(run, e.id).all()
            self.assertEqual(self.final(events[:i + 1] + rest), self.shown(run), e.id)
            self.assertEqual(rest[-1].data, events[-1].data)
        self.assertEqual(self.refused(run, ids[-1]), 204)  # it has ended
        self.assertEqual(self.final(self.events(run).all()), self.shown(run))
        self.assertEqual(self.refused(run, "x-1"), 400)
        for wrong in ("1-9", "9223372036854775807-9223372036854775808", "9" * 100, "-1-0-en"):
            self.assertEqual(self.refused(run, wrong), 400, wrong)
        most = str(2 ** 63 - 1)
        self.assertEqual(self.refused(run, f"{most}-{most}"), 200)

    def test_events_cut_in_the_middle_miss_nothing(self):
        self.say(200)
        self.begin()
        run = self.new("work", body={"inputs": {"words": [str(i) for i in range(8)]}})["run"]
        seen, last, cuts = [], None, 0
        while not seen or seen[-1].type != "result":
            stream = self.events(run, last)
            for e in stream:
                seen.append(e)
                last = e.id or last
                if len(seen) % 7 == 0:
                    cuts += 1
                    break
            stream.close()
        self.assertGreater(cuts, 3)
        self.assertEqual(self.final(seen), self.shown(run))

    def test_text_arrives_while_a_run_of_this_server_goes_on(self):
        self.say(1000, text="provisional words")
        self.begin()
        run = self.new("work")["run"]
        events = self.events(run).all()
        text = {}
        for e in events:
            if e.type == "text":
                self.assertIsNone(e.id)
                text[e.json()["path"]] = text.get(e.json()["path"], "") + e.json()["text"]
        self.assertEqual(text.get("last/turn:0/model:0"), "provisional words")
        order = [e.json().get("status", "text") for e in events if e.type in ("step", "text") and e.json()["path"] == "last/turn:0/model:0"]
        self.assertEqual((order[0], order[-1]), ("started", "ok"))
        self.assertIn("text", order[1:-1])
        self.assertEqual(len(order), 2 + order.count("text"))

    def test_events_of_a_run_of_another_process(self):
        self.say(400)
        self.begin()
        p = self.start("run", "work.yaml", "--json")
        self.until_recorded()
        run = self.cli("runs")["runs"][0]["run"]
        events = self.events(run).all()
        self.assertEqual(json.loads(p.communicate()[0])["run"], run)
        self.assertEqual((events[-1].type, events[-1].json()["output"]), ("result", "said"))
        self.assertEqual(self.final(events), self.shown(run))

    def test_events_of_a_question_and_of_a_deleted_run(self):
        self.begin()
        run = self.new("free")["run"]
        stream = self.events(run)
        seen = []
        for e in stream:
            seen.append(e)
            if e.type == "status" and e.json()["waits"]:
                self.assertEqual(e.json()["waits"][0]["prompt"], "How many?")
                self.post(f"/api/runs/{run}/answers", {"answer": 5})
        self.assertEqual((seen[-1].type, seen[-1].json()["output"]), ("result", "5"))
        self.assertEqual(self.final(seen), self.shown(run))
        gone = self.new("pause")["run"]
        self.until_is(gone, "waiting")
        stream.close()
        stream = self.events(gone)
        next(iter(stream))
        self.assertEqual(self.ask("DELETE", f"/api/runs/{gone}").code, 200)
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):  # cut, not complete
            for e in stream:
                self.assertNotEqual(e.type, "result")
        stream.close()
        self.assertEqual(self.refused(gone), 404)

    def test_a_slow_reader_gets_everything(self):
        self.say(0, text="x" * 12000)  # more than all buffers
        self.write("work.yaml", WORK.replace("max_parallel: 2", "max_parallel: 50"))
        self.begin()
        run = self.new("work", body={"inputs": {"words": [str(i) for i in range(150)]}})["run"]
        self.until_is(run, "ok")
        stream = self.events(run, buffer=4096)
        time.sleep(1)
        events = []
        for e in stream:
            events.append(e)
            if len(events) % 50 == 0:
                time.sleep(0.05)
        stream.close()
        self.assertEqual(self.final(events), self.shown(run))
        self.assertEqual(events[-1].type, "result")

    def test_many_readers_and_those_that_leave(self):
        self.say(200)
        self.begin()
        run = self.new("work")["run"]
        ends = []

        def read(n):
            stream = self.events(run)
            events = []
            for e in stream:
                events.append(e)
                if len(events) == n:
                    break
            stream.close()
            ends.append((n, self.final(events)))

        threads = [threading.Thread(target=read, args=(n,)) for n in (0, 1, 2, 5, 0, 0)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertEqual(len(ends), 6)
        for n, final in ends:
            if n == 0:
                self.assertEqual(final, self.shown(run))

    # ---- answers, cancel, delete

    def test_answers_and_their_deadlines(self):
        self.begin()
        run = self.new("ask", body={"inputs": {"what": "it"}})["run"]
        self.until_is(run, "waiting")
        wrong = self.post(f"/api/runs/{run}/answers", {"answer": "perhaps"}, 400)
        self.assertIn("yes, no", wrong["error"]["message"])
        self.post(f"/api/runs/{run}/answers", {"path": "other", "answer": "yes"}, 404)
        done = self.post(f"/api/runs/{run}/answers", {"path": "ask", "answer": "yes"})
        self.assertEqual(done, {"schema": "troupe.answer/1", "run": run})
        self.assertEqual(self.until_is(run, "ok")["output"], "yes")
        late = self.post(f"/api/runs/{run}/answers", {"answer": "no"}, 409)
        self.assertIn("ask", late["error"]["message"])
        soon = self.new("soon", body={"inputs": {"what": "it"}})["run"]
        self.assertEqual(self.until_is(soon, "ok")["output"], "no")  # nobody answered within its second
        self.post(f"/api/runs/{soon}/answers", {"answer": "yes"}, 409)

    def test_an_answer_after_the_deadline_is_refused_before_anyone_notices_it(self):
        self.begin()
        late = self.run_cli("run", "soon.yaml", "--var", "what=it", "--json", TROUPE_STORE=os.path.join(self.dir, "t.db"))
        self.assertEqual(late.code, 4, late.err)
        run = late.json()["run"]
        self.stop()
        time.sleep(1.1)
        self.begin("--store", "t.db")
        refused = self.post(f"/api/runs/{run}/answers", {"answer": "yes"}, 409)  # the first request
        self.assertIn("ask", refused["error"]["message"])
        self.assertEqual(self.until_is(run, "ok")["output"], "no")

    def test_cancel_and_delete(self):
        self.say(60000)
        self.begin()
        run = self.new("work")["run"]
        self.until_recorded()
        refused = self.ask("DELETE", f"/api/runs/{run}")
        self.assertEqual((refused.code, refused.error()["message"]),
                         (409, f"run {run} is under way in this server; end it first with POST /api/runs/{run}/cancel"))
        self.assertEqual(self.post(f"/api/runs/{run}/cancel"), {"schema": "troupe.cancel/1", "run": run})
        self.until_is(run, "cancelled", seconds=10)
        waits = self.new("pause")["run"]
        self.until_is(waits, "waiting")
        self.post(f"/api/runs/{waits}/cancel")
        self.assertEqual(self.show(waits)["status"], "cancelled")  # at once: no process drives it
        r = self.ask("DELETE", f"/api/runs/{waits}")
        self.assertEqual((r.code, r.json()), (200, {"schema": "troupe.rm/1", "run": waits}))
        self.get(f"/api/runs/{waits}", 404)
        self.assertEqual([x["run"] for x in self.get("/api/runs")["runs"]], [run])

    # ---- what a kill leaves

    def test_an_idempotency_key_gives_one_run_over_a_kill(self):
        self.say(300)
        self.begin()
        body = {"inputs": {"words": ["a"]}}
        run = self.new("work", body=body, Idempotency_Key="k-1")["run"]
        self.assertEqual(self.new("work", 200, body, Idempotency_Key="k-1")["run"], run)
        other = self.new("work", body=body, Idempotency_Key="k-2")["run"]
        self.assertNotEqual(other, run)
        clash = self.new("work", 409, {"inputs": {"words": ["b"]}}, Idempotency_Key="k-1")
        self.assertIn("another request", clash["error"]["message"])
        self.stop(signal.SIGKILL)
        self.begin()
        self.assertEqual(self.new("work", 200, body, Idempotency_Key="k-1")["run"], run)
        self.until_is(run, "ok")
        again = self.new("work", 200, body, Idempotency_Key="k-1")
        self.assertEqual((again["run"], again["status"], again["output"]), (run, "ok", "said"))
        self.until_is(other, "ok")
        self.assertEqual(len(self.get("/api/runs")["runs"]), 2)
        self.assertEqual(self.ask("DELETE", f"/api/runs/{run}").code, 200)
        self.assertNotEqual(self.new("work", 201, body, Idempotency_Key="k-1")["run"], run)  # the key is free again
        self.assertEqual(self.new("work", 400, body, Idempotency_Key="k" * 256)["error"]["code"], 400)

    def test_one_key_at_two_servers_is_one_run(self):
        self.begin()
        servers, runs = [self.server, self.serve("--no-token")], []

        def post(i):
            r = servers[i % 2].request("POST", "/api/runs", {"blueprint": "work"}, {"Idempotency-Key": f"k{i // 8}"})
            runs.append((i // 8, r.code, r.json()["run"]))

        threads = [threading.Thread(target=post, args=(i,)) for i in range(32)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertEqual(len(runs), 32)
        for key in range(4):
            self.assertEqual(len({run for k, _, run in runs if k == key}), 1)
            self.assertEqual(sorted(code for k, code, _ in runs if k == key), [200] * 7 + [201])
        self.assertEqual(len(self.get("/api/runs")["runs"]), 4)
        self.assertEqual(servers[1].stop(), 143)

    def test_a_kill_after_the_acknowledgement_loses_nothing(self):
        self.say(100)
        for _ in range(5):
            self.begin()
            run = self.new("work")["run"]
            self.stop(signal.SIGKILL)
            self.assertEqual(self.cli("show", run)["status"], "interrupted")
        self.begin()
        for r in self.get("/api/runs")["runs"]:
            self.assertEqual(self.until_is(r["run"], "ok")["output"], "said")
        self.assertEqual(len(self.get("/api/runs")["runs"]), 5)
        asked = self.new("ask", body={"inputs": {"what": "it"}})["run"]
        self.until_is(asked, "waiting")
        self.post(f"/api/runs/{asked}/answers", {"answer": "yes"})
        self.stop(signal.SIGKILL)
        self.begin()
        self.assertEqual(self.until_is(asked, "ok")["output"], "yes")

    def test_more_runs_than_are_driven_at_once(self):
        self.say(100)
        self.begin("--in-flight", "2")
        runs = [self.new("work")["run"] for _ in range(10)]
        for run in runs:
            self.assertEqual(self.until_is(run, "ok")["output"], "said")

    def test_sigterm_with_runs_that_wait_and_streams(self):
        self.say(60000)
        self.begin("--grace", "60s")
        asked = self.new("ask", body={"inputs": {"what": "it"}})["run"]
        self.until_is(asked, "waiting")
        busy = self.new("work")["run"]
        streams = [self.events(run) for run in (asked, busy)]
        for stream in streams:
            next(iter(stream))
        began = time.time()
        self.stop()
        self.assertLess(time.time() - began, 30)  # streams do not hold it
        for stream in streams:
            self.assertNotIn("result", [e.type for e in stream])
            stream.close()
        self.assertEqual(self.cli("show", asked)["status"], "waiting")
        self.assertEqual(self.cli("show", busy)["status"], "interrupted")
        self.say(0)
        self.write("troupe.yaml", CONFIG)
        self.ok("answer", asked, "yes")
        self.begin()
        self.assertEqual(self.until_is(asked, "ok")["output"], "yes")

    def test_another_process_watches_the_same_store(self):
        self.say(150)
        self.begin()
        waits = self.new("free")["run"]
        self.until_is(waits, "waiting")
        p = self.start("resume", "--all", "--watch", "--json")
        runs = [self.new("work")["run"] for _ in range(12)]
        asked = self.new("ask", body={"inputs": {"what": "it"}})["run"]
        self.until_is(asked, "waiting")
        self.post(f"/api/runs/{asked}/answers", {"answer": "yes"})
        for run in runs:
            doc = self.until_is(run, "ok")
            self.assertEqual(doc["output"], "said")
            self.assertEqual({s.get("tries", 1) for s in doc["steps"]}, {1})  # nothing was done twice
        self.assertEqual(self.until_is(asked, "ok")["output"], "yes")
        self.post(f"/api/runs/{waits}/answers", {"answer": "many"})
        self.assertEqual(self.until_is(waits, "ok")["output"], "many")
        out, err = p.communicate(timeout=120)
        self.assertEqual(p.returncode, 0, err)
        self.assertEqual(json.loads(out)["waits"], [])

    def test_a_run_that_fails(self):
        self.begin()
        run = self.new("broken")["run"]
        self.until_is(run, "error")
        events = self.events(run).all()
        self.assertEqual((events[-1].type, events[-1].json()["status"]), ("result", "error"))
        self.assertIn("down", events[-1].json()["error"])


if __name__ == "__main__":
    main()
