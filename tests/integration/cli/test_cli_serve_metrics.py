"""test_cli_serve_metrics.py - the logs, the metrics and the traces of `troupe serve`, and of runs.

SPDX-License-Identifier: Apache-2.0
"""
import http.server
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

from cli_case import SOURCE, CliCase, main
from odd_server import OddServer

SECRET = "canary-5e1f7a"
SCRIPT = {"model": "script", "replies": [
    {"path": "v1/**", "text": "Hello there."},
    {"path": "reply/turn:0/model:0", "tool_calls": [{"name": "calculator", "arguments": {"expression": "3 + 4"}}]},
    {"path": "reply/turn:1/model:0", "text": "It is 7, " + SECRET},
    {"path": "ask/turn:0/model:0", "tool_calls": [{"name": "calculator", "arguments": {"expression": "1 + 1"}}]},
    {"path": "ask/turn:1/model:0", "text": "two"},
    {"path": "items*/turn:0/model:0", "text": "item"},
], "default": {"text": "done"}}
CONFIG = """serve:
  agents:
    helper: {prompt: You count., tools: [calculator], model: "script:m.json"}
"""
BLUEPRINT = """schema: blueprint/v1
models: {m: "script:m.json"}
agents:
  counter: {prompt: Count., tools: [calculator], model: m}
  plain: {prompt: Say., model: m}
steps:
  ask: {agent: counter, in: "What is 1 + 1?"}
  items: {map: "${[1, 2]}", agent: plain, in: "x"}
  calc: {tool: calculator, in: {expression: "2 * 3"}}
output: "${ask}"
"""
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """Takes spans; the first `fail` requests get 503."""

    def __init__(self, fail=0):
        self.spans, self.headers, self.bodies, self.fail = [], [], [], fail
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.headers.append((self.path, dict(self.headers)))
                outer.fail -= 1
                if outer.fail < 0:
                    outer.bodies.append(body.decode())
                    for r in json.loads(body)["resourceSpans"]:
                        for s in r["scopeSpans"]:
                            outer.spans += s["spans"]
                self.send_response(200 if outer.fail < 0 else 503)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def named(self, name):
        return [s for s in self.spans if s["name"] == name]


def attributes(span):
    return {a["key"]: list(a["value"].values())[0] for a in span["attributes"]}


LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')


def parse(text):
    """{family: (type, {(sample name, labels): value})}; fails on what is not the text format."""
    families, name = {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in families, line
            families[name] = [None, {}]
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == name, line
            families[name][0] = line.split(" ")[3]
        else:
            m = SAMPLE.match(line)
            assert m and m.group(1) in (name, name + "_bucket", name + "_sum", name + "_count"), line
            labels = m.group(2) or ""
            assert LABEL.sub("", labels).strip(",") == "", line
            key = (m.group(1), tuple(sorted(LABEL.findall(labels))))
            assert key not in families[name][1], line
            families[name][1][key] = float(m.group(3))
    assert text.endswith("\n")
    return families


class ServeMetrics(CliCase):
    def setUp(self):
        super().setUp()
        self.write("m.json", json.dumps(SCRIPT))
        self.write("troupe.yaml", CONFIG)

    def serve(self, *args, **env):
        p = self.start("serve", "--listen", "127.0.0.1:0", "--store", "s.db", "--model", "script:m.json", *args, **env)
        line = p.stdout.readline()
        if line.startswith("token "):
            self.token = line.split()[1]
            line = p.stdout.readline()
        self.assertTrue(line.startswith("listening on "), line + (p.stderr.read() if p.poll() is not None else ""))
        self.url = line.split()[2]
        return p

    def stop(self, p, seconds=60):
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate(timeout=seconds)
        return err

    def call(self, path, body=None, **headers):
        data = None if body is None else json.dumps(body).encode()
        q = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(q, timeout=60) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def chat(self, model, text="hi", **more):
        headers = more.pop("headers", {})
        return self.call("/v1/chat/completions",
                         {"model": model, "messages": [{"role": "user", "content": text}], **more}, **headers)

    def scrape(self, **headers):
        code, text = self.call("/metrics", **headers)
        self.assertEqual(code, 200, text)
        return parse(text)

    def value(self, families, name, **labels):
        """The sum of the samples that have these labels."""
        base = re.sub("_(bucket|sum|count)$", "", name)
        family = families.get(name) or families[base]
        return sum(v for (n, have), v in family[1].items() if n == name and set(labels.items()) <= set(have))

    # ---- metrics

    def test_sums_are_those_of_the_calls(self):
        p = self.serve("--no-token")
        for _ in range(3):
            self.assertEqual(self.chat("script:m.json")[0], 200)
        self.assertEqual(self.chat("script:m.json", stream=True)[0], 200)
        self.assertEqual(self.chat("nobody")[0], 404)
        self.assertEqual(self.call("/v1/chat/completions", "x")[0], 400)
        self.assertEqual(self.call("/nothing")[0], 404)
        self.assertEqual(self.call("/healthz", {})[0], 405)
        self.assertEqual(self.call("/v1/models/a/b?key=" + SECRET)[0], 404)
        self.assertEqual(self.chat("agent/helper")[0], 200)
        f = self.scrape()
        route = {"http_route": "/v1/chat/completions", "http_request_method": "POST"}
        name = "http_server_request_duration_seconds"
        self.assertEqual(f[name][0], "histogram")
        self.assertEqual(self.value(f, name + "_count", **route, http_response_status_code="200"), 5)
        self.assertEqual(self.value(f, name + "_count", **route, http_response_status_code="404"), 1)
        self.assertEqual(self.value(f, name + "_count", **route, http_response_status_code="400"), 1)
        self.assertEqual(self.value(f, name + "_count", http_route="/v1/models/{id...}"), 1)
        self.assertEqual(self.value(f, name + "_count", http_route=""), 2)
        self.assertEqual(self.value(f, name + "_bucket", **route, http_response_status_code="200", le="+Inf"), 5)
        self.assertEqual(self.value(f, "troupe_http_requests_total"), 11)
        self.assertEqual(self.value(f, "http_server_active_requests"), 1)
        server = "gen_ai_server_request_duration_seconds_count"
        self.assertEqual(self.value(f, server, gen_ai_request_model="script:m.json", gen_ai_operation_name="chat"), 4)
        self.assertEqual(self.value(f, server, gen_ai_request_model="agent/helper",
                                    gen_ai_operation_name="invoke_agent"), 1)
        tokens = "gen_ai_client_token_usage"
        calls = self.value(f, "gen_ai_client_operation_duration_seconds_count")
        self.assertEqual(calls, 6)  # four of requests, two in the run
        self.assertEqual(self.value(f, tokens + "_count", gen_ai_token_type="input"), calls)
        self.assertEqual(self.value(f, tokens + "_sum", gen_ai_token_type="output", gen_ai_operation_name="chat") > 0,
                         True)
        self.assertEqual(self.value(f, "troupe_runs_total", status="ok"), 1)
        self.assertEqual(self.value(f, "troupe_runs_active"), 0)
        self.assertGreater(self.value(f, "troupe_store_commits_total"), 0)
        self.assertGreater(self.value(f, "process_resident_memory_bytes"), 1 << 20)
        self.assertGreater(self.value(f, "process_open_fds"), 5)
        self.assertLess(abs(self.value(f, "process_start_time_seconds") - time.time()), 120)
        self.assertEqual(self.value(f, "troupe_build_info"), 1)
        # Counters never fall, and the scrapes count themselves.
        g = self.scrape()
        self.assertEqual(self.value(g, name + "_count", http_route="/metrics"), 1)
        for family, (kind, samples) in f.items():
            for key, v in samples.items():
                if kind == "counter" or (kind == "histogram"):
                    self.assertGreaterEqual(g[family][1][key], v, key)
        err = self.stop(p)
        self.assertNotIn(SECRET, json.dumps(list(map(str, g.items()))) + err)

    def test_buckets_are_cumulative(self):
        p = self.serve("--no-token")
        self.chat("script:m.json")
        for family, (kind, samples) in self.scrape().items():
            self.assertIn(kind, ("counter", "gauge", "histogram"))
            if kind == "counter":
                self.assertTrue(family.endswith("_total"), family)
            series = {}
            for (n, labels), v in samples.items():
                rest = tuple(x for x in labels if x[0] != "le")
                series.setdefault(rest, {})[(n, dict(labels).get("le"))] = v
            for of in series.values() if kind == "histogram" else ():
                buckets = sorted((float(le), v) for (n, le), v in of.items() if le)
                self.assertEqual([v for _, v in buckets], sorted(v for _, v in buckets))
                self.assertEqual(buckets[-1], (float("inf"), of[(family + "_count", None)]))
        self.stop(p)

    def test_a_token_needs_the_scope(self):
        p = self.serve("--token-file", "tokens")
        self.assertEqual(self.call("/metrics")[0], 401)
        only = self.ok("serve", "token", "scraper", "--scope", "metrics", "--token-file", "tokens", "--json").json()["token"]
        other = self.ok("serve", "token", "caller", "--scope", "v1", "--token-file", "tokens", "--json").json()["token"]
        p.send_signal(signal.SIGHUP)
        for _ in range(100):
            code, _ = self.call("/metrics", Authorization="Bearer " + only)
            if code == 200:
                break
            time.sleep(0.05)
        self.assertEqual(code, 200)
        self.assertEqual(self.call("/metrics", Authorization="Bearer " + other)[0], 403)
        self.assertEqual(self.call("/v1/models", Authorization="Bearer " + only)[0], 403)
        self.stop(p)

    def test_the_table_of_the_guide_is_that_of_the_server(self):
        p = self.serve("--no-token")
        families = self.scrape()
        self.stop(p)
        with open(os.path.join(SOURCE, "docs/observability.md"), encoding="utf-8") as f:
            rows = re.findall(r"^\| `([a-z0-9_]+)` \| (counter|gauge|histogram) \|", f.read(), re.M)
        self.assertEqual(rows, [(n, kind) for n, (kind, _) in families.items()])

    # ---- logs

    def test_each_message_is_a_line_of_json(self):
        p = self.serve("--no-token", "--log-format", "json", "--verbose")
        self.assertEqual(self.chat("script:m.json", "my " + SECRET)[0], 200)
        self.assertEqual(self.call("/v1/models?key=" + SECRET, Authorization="Bearer " + SECRET)[0], 200)
        self.assertEqual(self.chat("agent/helper", "my " + SECRET, stream=True)[0], 200)
        self.assertEqual(self.call("/no%22where")[0], 404)
        # A client that leaves amid its body, and one that is still there at the end.
        host, port = self.url[7:].split(":")
        head = b"POST /v1/completions HTTP/1.1\r\nHost: %s:%s\r\nContent-Length: 50\r\n\r\n{" % (host.encode(), port.encode())
        with socket.create_connection((host, int(port))) as s:
            s.sendall(head)
        last = socket.create_connection((host, int(port)))
        last.sendall(head)
        time.sleep(0.2)
        err = self.stop(p)
        last.close()
        lines = [json.loads(line) for line in err.splitlines()]
        for line in lines:
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(line["level"], ("error", "warning", "info", "debug"))
            self.assertTrue(line["message"])
        access = [line for line in lines if "status" in line]
        self.assertEqual([(x["method"], x["path"], x["status"]) for x in access[:4]],
                         [("POST", "/v1/chat/completions", 200), ("GET", "/v1/models", 200),
                          ("POST", "/v1/chat/completions", 200), ("GET", "/no\"where", 404)])
        self.assertEqual([x["status"] for x in access[4:]], [0, 0])
        self.assertTrue(all(x["us"] >= 0 and x["bytes"] > 0 for x in access[:4]))
        self.assertEqual(len({x["request"] for x in access[:3]}), 3)
        self.assertNotIn(SECRET, err)

    def test_errors_of_commands_are_lines_of_json_too(self):
        r = self.run_cli("run", "none.yaml", TROUPE_LOG_FORMAT="json")
        self.assertEqual([json.loads(x)["level"] for x in r.err.splitlines()], ["error"])
        r = self.run_cli("serve", "--log-format", "xml")
        self.assertEqual(r.code, 2)

    # ---- traces

    def tree(self, collector, span, depth=0):
        """The names of a span and those below it, indented, in the order of their starts."""
        below = sorted((s for s in collector.spans if s.get("parentSpanId") == span["spanId"]),
                       key=lambda s: (int(s["startTimeUnixNano"]), attributes(s).get("troupe.path", "")))
        return ["  " * depth + span["name"]] + [x for s in below for x in self.tree(collector, s, depth + 1)]

    def test_the_spans_of_a_run_are_a_tree(self):
        self.write("counting.yaml", BLUEPRINT)
        c = Collector(fail=1)
        r = self.ok("run", "counting.yaml", "--json", "--store", "s.db", "--otlp-url", c.url,
                    OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20" + SECRET)
        c.close()
        run = r.json()["run"]
        self.assertEqual([h[0] for h in c.headers], ["/v1/traces"] * len(c.headers))
        self.assertEqual({k.lower(): v for k, v in c.headers[0][1].items()}["authorization"], "Bearer " + SECRET)
        self.assertEqual({s["traceId"] for s in c.spans}, {run.replace("-", "")})
        self.assertEqual(len({s["spanId"] for s in c.spans}), len(c.spans))
        root, = [s for s in c.spans if "parentSpanId" not in s]
        model = "chat script:" + os.path.realpath(os.path.join(self.dir, "m.json"))
        chats = {s["name"] for s in c.spans if s["name"].startswith("chat ")}
        self.assertEqual(len(chats), 1, chats)
        model = chats.pop()
        self.assertEqual(self.tree(c, root), [
            "invoke_workflow counting",
            "  invoke_agent counter", "    " + model, "    execute_tool calculator", "    " + model,
            "  map", "    invoke_agent plain", "      " + model, "    invoke_agent plain", "      " + model,
            "  execute_tool calculator"])
        for s in c.spans:
            a = attributes(s)
            self.assertEqual(a["troupe.run"], run)
            self.assertLessEqual(int(s["startTimeUnixNano"]), int(s["endTimeUnixNano"]))
            self.assertEqual(s["status"], {})
            if s["name"] == model:
                self.assertEqual(a["gen_ai.operation.name"], "chat")
                self.assertEqual("chat " + a["gen_ai.request.model"], model)
                self.assertGreater(int(a["gen_ai.usage.input_tokens"]), 0)
                self.assertEqual(a["gen_ai.response.finish_reasons"], {"values": [{"stringValue": "stop"}]})
        everything = "".join(c.bodies)
        for text in (SECRET, "What is", "1 + 1", "2 * 3"):
            self.assertNotIn(text, everything)
        self.assertIn("warning: traces cannot be sent", r.err)
        self.assertNotIn(SECRET, r.err)

    def test_contents_are_sent_only_where_asked_for(self):
        self.write("counting.yaml", BLUEPRINT)
        c = Collector()
        self.ok("run", "counting.yaml", "--otlp-content", "--store", "s.db", OTEL_EXPORTER_OTLP_ENDPOINT=c.url)
        c.close()
        agent, = c.named("invoke_agent counter")
        a = attributes(agent)
        self.assertEqual(json.loads(a["gen_ai.input.messages"]),
                         [{"role": "user", "parts": [{"type": "text", "content": "What is 1 + 1?"}]}])
        self.assertEqual(json.loads(a["gen_ai.output.messages"])[0]["parts"][0]["content"], "two")
        tool = attributes(c.named("execute_tool calculator")[0])
        self.assertEqual(json.loads(tool["gen_ai.tool.call.arguments"]), {"expression": "1 + 1"})

    def test_a_run_of_a_request_goes_on_in_its_trace(self):
        c = Collector()
        p = self.serve("--no-token", "--otlp-url", c.url)
        self.assertEqual(self.chat("agent/helper", headers={"traceparent": PARENT})[0], 200)
        self.assertEqual(self.chat("script:m.json")[0], 200)
        self.assertEqual(self.chat("script:m.json", headers={"traceparent": PARENT[:-1] + "0"})[0], 200)
        self.assertEqual(self.call("/healthz")[0], 200)
        self.stop(p)
        c.close()
        first, second = c.named("POST /v1/chat/completions")
        if first["traceId"] != PARENT[3:35]:
            first, second = second, first
        self.assertEqual((first["traceId"], first["parentSpanId"], first["kind"]), (PARENT[3:35], PARENT[36:52], 2))
        self.assertEqual(attributes(first)["http.response.status_code"], "200")
        tree = self.tree(c, first)
        self.assertEqual([re.sub("chat .*", "chat", x) for x in tree],
                         ["POST /v1/chat/completions", "  invoke_workflow helper", "    invoke_agent helper", "      chat",
                          "      execute_tool calculator", "      chat"])
        self.assertNotIn("parentSpanId", second)
        self.assertEqual(self.tree(c, second), ["POST /v1/chat/completions", "  chat script:m.json"])
        self.assertEqual(len(c.spans), len(tree) + 2)  # not those of the caller that samples nothing
        self.assertNotIn(SECRET, "".join(c.bodies))

    def test_the_span_of_a_call_has_its_provider_and_cost(self):
        odd, c = OddServer(), Collector()
        self.write("troupe.yaml", "models:\n  far: {url: '%s/v1', model: fine, price: {input: 2, output: 4}}\nserve:\n  models: [far]\n"
                   "  agents: {helper: {model: far, prompt: hi}}\n" % odd.url)
        p = self.serve("--no-token", "--otlp-url", c.url)
        for model in ("far", "script:m.json", "agent/helper"):
            self.assertEqual(self.chat(model)[0], 200, model)
        self.stop(p)
        c.close()
        odd.stop()
        direct, inside = (attributes(s) for s in c.named("chat far"))
        for key in ("gen_ai.provider.name", "troupe.cost_dollars", "gen_ai.usage.output_tokens"):
            self.assertEqual(direct[key], inside[key], key)
        self.assertEqual(direct["gen_ai.provider.name"], "openai")
        self.assertGreater(direct["troupe.cost_dollars"], 0)
        here = attributes(c.named("chat script:m.json")[0])
        self.assertEqual((here["gen_ai.provider.name"], here.get("troupe.cost_dollars")), ("troupe", None))

    def test_a_resumed_run_goes_on_in_the_same_trace(self):
        self.write("asking.yaml", "schema: blueprint/v1\nsteps:\n  one: {value: 1}\n"
                             "  ask: {human: {prompt: \"Go on?\"}}\n  two: {value: 2}\noutput: \"${ask}\"\n")
        c = Collector()
        r = self.run_cli("run", "asking.yaml", "--json", "--store", "s.db", "--otlp-url", c.url)
        self.assertEqual(r.code, 4, r.err)
        run = r.json()["run"]
        self.assertEqual([s["name"] for s in c.spans], ["value"])
        self.ok("answer", run, "yes", "--store", "s.db")
        self.ok("resume", run, "--store", "s.db", "--otlp-url", c.url)
        c.close()
        self.assertEqual({s["traceId"] for s in c.spans}, {run.replace("-", "")})
        self.assertEqual(sorted(s["name"] for s in c.spans), ["human", "invoke_workflow asking", "value", "value"])
        root, = c.named("invoke_workflow asking")
        human, = c.named("human")
        self.assertLess(int(root["startTimeUnixNano"]), int(human["startTimeUnixNano"]) + 1)
        self.assertTrue(all(s.get("parentSpanId") == root["spanId"] for s in c.spans if s is not root))

    def test_a_killed_run_goes_on_in_the_same_trace(self):
        script = json.loads(json.dumps(SCRIPT))
        script["replies"][4]["delay_ms"] = 3000  # the second call of `ask`
        self.write("m.json", json.dumps(script))
        self.write("counting.yaml", BLUEPRINT)
        c = Collector()
        p = self.start("run", "counting.yaml", "--store", "s.db", "--otlp-url", c.url)
        for _ in range(600):  # the first spans have come, and the second call is under way
            if c.named("execute_tool calculator"):
                break
            time.sleep(0.05)
        p.kill()
        p.communicate()
        before = len(c.spans)
        self.assertEqual(before, 2, c.spans)
        self.ok("resume", "last", "--store", "s.db", "--otlp-url", c.url)
        run = self.ok("show", "last", "--json", "--store", "s.db").json()["run"]
        c.close()
        self.assertEqual({s["traceId"] for s in c.spans}, {run.replace("-", "")})
        self.assertEqual(len({s["spanId"] for s in c.spans}), len(c.spans))  # none was sent again
        agent, = c.named("invoke_agent counter")
        self.assertEqual([s.get("parentSpanId") for s in c.spans[:before]], [agent["spanId"]] * before)
        self.assertLessEqual(int(agent["startTimeUnixNano"]), int(c.spans[0]["endTimeUnixNano"]))
        root, = c.named("invoke_workflow counting")
        self.assertEqual(len(self.tree(c, root)), len(c.spans))

    def test_a_dead_collector_is_one_warning_and_costs_little(self):
        self.write("counting.yaml", BLUEPRINT)
        with socket.socket() as s:  # bound, but nobody listens
            s.bind(("127.0.0.1", 0))
            begin = time.time()
            r = self.ok("run", "counting.yaml", "--store", "s.db", "--otlp-url", f"http://127.0.0.1:{s.getsockname()[1]}")
            self.assertLess(time.time() - begin, 30)
        self.assertEqual(r.err.count("traces cannot be sent"), 1)
        self.fails(2, "--otlp-headers", "run", "counting.yaml", "--otlp-url", "http://127.0.0.1:1", "--otlp-headers", "a=" + SECRET)
        self.fails(2, "the collector of traces", "run", "counting.yaml", "--otlp-url", "nonsense")


main()
