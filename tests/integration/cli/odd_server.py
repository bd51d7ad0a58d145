"""odd_server.py - a small server of the OpenAI API that behaves as the name of the model says.

Used by test_cli_remote.py. Every request is kept, with its header fields. Only the standard library.
SPDX-License-Identifier: Apache-2.0
"""
import http.server
import json
import threading
import time


def chunk(delta=None, finish=None, **more):
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "created": 1,
            "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more}


USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, "prompt_tokens_details": {"cached_tokens": 400}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.requests.append({"path": self.path, "fields": dict(self.headers), "body": body})
            n = sum(1 for r in server.requests if r["body"]["model"] == body["model"])
        try:
            getattr(self, "do_" + body["model"].split(":")[0])(body, n)
        except (BrokenPipeError, ConnectionResetError):
            server.left += 1
        self.close_connection = True

    do_GET = do_POST

    # ---- parts

    def head(self, code=200, kind="application/json", **fields):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def events(self, *docs, done=True):
        self.head(kind="text/event-stream")
        for d in docs:
            self.event(d)
        if done:
            self.wfile.write(b"data: [DONE]\n\n")

    def event(self, doc):
        self.wfile.write(b"data: " + json.dumps(doc).encode() + b"\n\n")
        self.wfile.flush()

    def text(self, body, text, **more):
        """A whole or streamed reply, as the request asks."""
        if body.get("stream"):
            half = len(text) // 2
            self.events(chunk({"role": "assistant", "content": text[:half], **more}), chunk({"content": text[half:]}), chunk({}, "stop"),
                        {**chunk(), "choices": [], "usage": USAGE})
        else:
            self.head()
            self.wfile.write(json.dumps({"id": "c", "object": "chat.completion", "model": "m", "usage": USAGE, "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text, **more}}]}).encode())

    def wait(self):
        """Until the client leaves, or a minute has passed."""
        self.server.ended.wait(60)

    # ---- models

    def do_fine(self, body, n):
        self.text(body, f"reply {n}")

    def do_echo(self, body, n):
        self.text(body, str(body["messages"][-1]["content"]))

    def do_repeatkey(self, body, n):
        self.text(body, f"The key {self.headers['Authorization'][7:]} is fine.")

    def do_slow(self, body, n):
        time.sleep(0.3)
        self.text(body, f"reply {n}")

    def do_stall(self, body, n):
        self.events(chunk({"content": "so far"}), done=False)
        self.wait()

    def do_silent(self, body, n):
        self.wait()

    def do_later(self, body, n):
        if n == 1:
            self.wait()
        else:
            self.text(body, f"reply {n}")

    def do_cut(self, body, n):
        self.events(chunk({"content": "so far"}), done=False)

    def do_cutonce(self, body, n):
        if n == 1:
            self.events(chunk({"content": "so far"}), done=False)
        else:
            self.text(body, "whole")

    def do_nodone(self, body, n):
        self.events(chunk({"content": "whole"}), chunk({}, "stop"), done=False)

    def do_flood(self, body, n):
        self.head(kind="text/event-stream")
        while True:
            self.wfile.write(b"x" * 65536)

    def do_floodevents(self, body, n):
        self.head(kind="text/event-stream")
        while True:
            self.event(chunk({"content": "y" * 60000}))

    def do_burst(self, body, n):
        self.head(kind="text/event-stream")
        words = [chunk({"content": f"word {i}, "}) for i in range(20000)] + [chunk({}, "stop")]
        self.wfile.write(b"".join(b"data: " + json.dumps(d).encode() + b"\n\n" for d in words) + b"data: [DONE]\n\n")

    def do_html(self, body, n):
        self.head(kind="text/html")
        self.wfile.write(b"<html><body>Please <b>log in</b></body></html>")

    def do_garbage(self, body, n):
        self.events(done=False)
        self.wfile.write(b"data: {\"choices\": [{\"delta\"\n\n")

    def do_redirect(self, body, n):
        self.head(307, Location=self.server.elsewhere + "/v1/chat/completions")

    def do_busy(self, body, n):
        if n == 1:
            self.head(429, Retry_After="1")
            self.wfile.write(b'{"error": {"message": "slow down", "type": "rate_limit_error"}}')
        else:
            self.text(body, "at last")

    def do_nopath(self, body, n):
        self.head(404, kind="text/plain")
        self.wfile.write(b"404 page not found")

    def do_badkey(self, body, n):
        self.head(401)
        key = self.headers.get("Authorization", "")
        self.wfile.write(json.dumps({"error": {"message": f"Incorrect API key provided: {key}"}}).encode())

    def do_broken(self, body, n):
        self.head(500)
        self.wfile.write(b'{"error": {"message": "the server is on fire"}}')

    def error(self, http_code, message, **more):
        self.head(http_code, **more.pop("fields", {}))
        self.wfile.write(json.dumps({"error": {"message": message, **more}}).encode())

    def do_limited(self, body, n):
        self.error(429, "slow down", type="rate_limit_error", fields={"Retry_After": "90"})

    def do_loading(self, body, n):
        self.error(503, "loading /models/m.gguf")

    def do_refuses(self, body, n):
        self.error(400, "temperature must be at most 1")

    def do_context(self, body, n):
        self.error(400, "This model's maximum context length is 5 tokens", code="context_length_exceeded")

    def do_absent(self, body, n):
        self.error(404, "no such model")

    def do_calls(self, body, n):
        """More calls of tools than anybody means."""
        self.head(kind="text/event-stream")
        for i in range(5000):
            self.event(chunk({"tool_calls": [{"index": i, "id": f"c{i}", "type": "function", "function": {"name": "x", "arguments": "{}"}}]}))

    def do_late(self, body, n):
        """The head and some text, then the error."""
        self.events(chunk({"content": "so far"}), {"error": {"message": "the engine of 10.1.2.3 died", "code": 500}}, done=False)

    def do_comments(self, body, n):
        self.head(kind="text/event-stream")
        while not self.server.ended.wait(0.1):
            self.wfile.write(b": still here\n\n")
            self.wfile.flush()

    def do_reasoning(self, body, n):
        self.text(body, "the answer", reasoning_content="let me think")

    def do_ids(self, body, n):
        """As vLLM with return_token_ids; the test sets `encode`. A call of the calculator, then the answer."""
        encode = self.server.encode
        prompt = "".join(f"<|im_start|>{m['role']}\n{self.said(m)}<|im_end|>\n" for m in body["messages"]) + "<|im_start|>assistant\n"
        message, said = {"role": "assistant", "content": "It is 7."}, "It is 7."
        if body.get("tools") and not any(m["role"] == "tool" for m in body["messages"]):
            call = {"name": "calculator", "arguments": {"expression": "3 + 4"}}
            said = self.said({"tool_calls": [{"function": call}]})
            message = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": {
                **call, "arguments": json.dumps(call["arguments"])}}]}
        prompt, ids = encode(prompt), encode(said + "<|im_end|>")
        self.head()
        self.wfile.write(json.dumps({"id": "c", "object": "chat.completion", "model": "m", "prompt_token_ids": prompt, "choices": [
            {"index": 0, "finish_reason": "stop", "message": message, "token_ids": ids,
             "logprobs": {"content": [{"token": f"token_id:{i}", "logprob": -0.5} for i in ids]}}],
            "usage": {"prompt_tokens": len(prompt), "completion_tokens": len(ids)}}).encode())

    @staticmethod
    def said(m):
        """A message as the template of the model writes it."""
        text = m.get("content") or ""
        for call in m.get("tool_calls") or []:
            f = call["function"]
            arguments = json.loads(f["arguments"]) if isinstance(f["arguments"], str) else f["arguments"]
            text += f"<tool_call>{json.dumps({'name': f['name'], 'arguments': arguments})}</tool_call>"
        return text

    def do_unwilling(self, body, n):
        """Does what tool_choice wants only at the second request."""
        if n == 1 or body["stream"]:
            self.text(body, "I would rather talk.")
        else:
            self.head()
            self.wfile.write(json.dumps({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]}}], "usage": USAGE}).encode())

    def do_noindex(self, body, n):
        if any(m["role"] == "tool" for m in body["messages"]):
            self.text(body, "7 it is")
        else:
            call = {"id": "call_1", "type": "function", "function": {"name": "calculator", "arguments": '{"expression": '}}
            self.events(chunk({"tool_calls": [call]}), chunk({"tool_calls": [{"function": {"arguments": '"3 + 4"}'}}]}),
                        chunk({}, "tool_calls"))


class OddServer:
    def __init__(self, elsewhere=""):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.requests, self.server.left = [], 0
        self.server.lock, self.server.ended, self.server.elsewhere = threading.Lock(), threading.Event(), elsewhere
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    @property
    def requests(self):
        with self.server.lock:
            return list(self.server.requests)

    def stop(self):
        self.server.ended.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
