"""serve_case.py - starts `troupe serve` on a free port of 127.0.0.1 and speaks HTTP with it.

Used by test_cli_serve*.py, test_cli_v1*.py and test_cli_remote.py. Only the standard library.
SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import os
import signal
import socket
import ssl
import sys
import time

from cli_case import CliCase, SOURCE

sys.path.insert(0, os.path.join(SOURCE, "tests/support"))
import digits_model  # noqa: E402

PATIENCE = 60  # seconds that nothing here takes, unless something is wrong


class Reply:
    def __init__(self, response):
        self.code, self.headers = response.status, response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]


class Server:
    """One process of `troupe serve`. Its standard error is a file."""

    def __init__(self, case, *args, listen="127.0.0.1:0", **env):
        self.case, self.token = case, None
        self.log_path = os.path.join(case.dir, f"serve-{len(case.started)}.log")
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.p = case.start("serve", "--listen", listen, *args, to=log, **env)
        for line in self.p.stdout:
            if line.startswith("token "):
                self.token = line.split()[1]
            if line.startswith("listening on "):
                self.url = line.split()[2]
                break
        else:
            self.case.fail(f"serve ended with {self.p.wait()}: {self.log()}")
        self.port = int(self.url.rsplit(":", 1)[1])

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def connect(self, context=None):
        if context:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def fields(self, more=None):
        fields = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {k: v for k, v in {**fields, **(more or {})}.items() if v is not None}

    def send(self, method, path, body=None, fields=None, connection=None):
        """The connection, its reply not read yet."""
        c = connection or self.connect()
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        c.request(method, path, body, self.fields(fields))
        return c

    def request(self, method, path, body=None, fields=None, connection=None):
        c = self.send(method, path, body, fields, connection)
        r = Reply(c.getresponse())
        if not connection:
            c.close()
        return r

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def chat(self, model, messages, **more):
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        return self.request("POST", "/v1/chat/completions", {"model": model, "messages": messages, **more})

    def complete(self, model, prompt, **more):
        return self.request("POST", "/v1/completions", {"model": model, "prompt": prompt, **more})

    def events(self, path, body):
        """All events of a streamed reply as documents, without [DONE]; and whether it came."""
        c = self.send("POST", path, {**body, "stream": True})
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        self.case.assertEqual(r.status, 200, text)
        self.case.assertTrue(r.headers["Content-Type"].startswith("text/event-stream"))
        data = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
        done = bool(data) and data[-1] == "[DONE]"
        return [json.loads(d) for d in data if d != "[DONE]"], done

    def raw(self, data, read=True):
        """Sends bytes over a socket of their own; what comes until the end, or nothing for 2 s."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as s:
            s.sendall(data)
            got = b""
            try:
                while read and (more := s.recv(65536)):
                    got += more
            except (TimeoutError, ConnectionResetError):
                pass
            return got

    def memory_kib(self, key="VmRSS"):
        with open(f"/proc/{self.p.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))

    def stop(self, signo=signal.SIGTERM):
        self.p.send_signal(signo)
        return self.end()

    def end(self):
        code = self.p.wait(PATIENCE)
        self.p.stdout.close()
        return code


class ServeCase(CliCase):
    def serve(self, *args, **env):
        return Server(self, *args, **env)

    def digits(self):
        """The name of a model of this process that chats."""
        digits_model.make(SOURCE, os.path.join(self.dir, "digits"))
        return "digits"

    def until(self, what, seconds=PATIENCE):
        """Waits until what() is true, and gives it."""
        end = time.time() + seconds
        while time.time() < end:
            value = what()
            if value:
                return value
            time.sleep(0.02)
        self.fail(f"not within {seconds} s")

    def certificate(self, name, days=2):
        """A self-signed certificate for 127.0.0.1, made by the openssl program."""
        import subprocess
        cert, key = os.path.join(self.dir, name + ".pem"), os.path.join(self.dir, name + ".key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", str(days), "-keyout", key,
                        "-out", cert], check=True, capture_output=True)
        return cert, key

    def trust(self, cert):
        return ssl.create_default_context(cafile=cert)
