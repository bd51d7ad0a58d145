"""serve_case.py - starts `troupe serve` in the folder of a CliCase and talks to it.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import os
import signal
import socket
import threading
import urllib.parse

from cli_case import CliCase


class Reply:
    def __init__(self, response):
        self.code, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)


class Event:
    def __init__(self):
        self.type, self.id, self.data = "message", None, ""

    def json(self):
        return json.loads(self.data)


class Stream:
    """Server-sent events, one at a time."""

    def __init__(self, connection, response):
        self.connection, self.response = connection, response
        self.code = response.status

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


class ServeCase(CliCase):
    def setUp(self):
        super().setUp()
        self.env["TROUPE_STORE"] = os.path.join(self.dir, "s.db")
        self.server = None

    def tearDown(self):
        if self.server and self.server.poll() is None:
            self.stop()
        super().tearDown()

    def serve(self, *args, **more):
        """Starts the server and waits until it listens."""
        p = self.start("serve", "--listen", "127.0.0.1:0", "--no-token", *args, **more)
        line = p.stdout.readline()
        if not line.startswith("listening on "):
            self.fail(f"the server does not listen: {line}{p.communicate()[1]}")
        url = urllib.parse.urlsplit(line.split()[-1])
        self.server, self.port = p, url.port
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(p.stderr), daemon=True)
        self.reader.start()
        return p

    def stop(self, how=signal.SIGTERM, code=143):
        self.server.send_signal(how)
        self.assertEqual(self.server.wait(timeout=60), -signal.SIGKILL if how == signal.SIGKILL else code)
        self.reader.join(timeout=10)
        self.server.stdout.close()
        self.server.stderr.close()
        self.server = None
        return "".join(self.log)

    def ask(self, method, path, body=None, **headers):
        """One request on a connection of its own; _ in a header's name is a dash."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        fields = {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        c.request(method, path, body, fields)
        reply = Reply(c.getresponse())
        c.close()
        return reply

    def get(self, path, code=200, **headers):
        r = self.ask("GET", path, **headers)
        self.assertEqual(r.code, code, r.body)
        return r.json()

    def post(self, path, body=None, code=200, **headers):
        r = self.ask("POST", path, {} if body is None else body, **headers)
        self.assertEqual(r.code, code, r.body)
        return r.json()

    def events(self, run, last=None, buffer=None):
        """buffer: bytes that the system keeps for a client that does not read."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if buffer:
            c.sock = socket.socket()
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            c.sock.connect(("127.0.0.1", self.port))
        c.request("GET", f"/api/runs/{run}/events", headers={"Last-Event-ID": last} if last else {})
        return Stream(c, c.getresponse())

    def refused(self, run, last=None):
        """The code of a stream that does not begin."""
        stream = self.events(run, last)
        stream.close()
        return stream.code
