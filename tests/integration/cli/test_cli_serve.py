"""test_cli_serve.py - troupe serve: who may call, what is refused, limits, signals.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import resource
import select
import signal
import socket
import stat
import time

from cli_case import SOURCE, main
from serve_case import PATIENCE, Reply, ServeCase

CHAT = "/v1/chat/completions"
MIB = 1 << 20
SCRIPT = '{"model": "script", "replies": [], "default": {"text": "fine", "delay_ms": %d}}'


class Tokens(ServeCase):
    def tokens_path(self):
        return os.path.join(self.dir, ".config/troupe/tokens")

    def test_the_first_start_prints_a_token_once(self):
        s = self.serve()
        self.assertRegex(s.token, r"^troupe_[A-Za-z0-9_-]{43}$")
        self.assertEqual(stat.S_IMODE(os.stat(self.tokens_path()).st_mode), 0o600)
        with open(self.tokens_path(), encoding="utf-8") as f:
            self.assertNotIn(s.token[7:], f.read())
        self.assertEqual(s.get("/v1/models").code, 200)
        token = s.token
        self.assertEqual(s.stop(), 143)
        again = self.serve()
        self.assertIsNone(again.token)
        self.assertEqual(again.get("/v1/models").code, 401)
        again.token = token
        self.assertEqual(again.get("/v1/models").code, 200)
        for server in (s, again):
            self.assertNotIn(token[7:], server.log())
        again.stop()

    def test_a_wrong_missing_or_late_token_is_401_and_another_scope_403(self):
        late = self.ok("serve", "token", "late", "--expires", "1s").out.split()[1]
        metrics = self.ok("serve", "token", "metrics", "--scope", "metrics", "--json").json()["token"]
        v1 = self.ok("serve", "token", "v1", "--scope", "v1").out.split()[1]
        s = self.serve()
        self.assertIsNone(s.token, "there was one")
        for value, code in ((None, 401), ("Bearer", 401), ("Bearer x", 401), (f"Basic {v1}", 401), (f"Bearer {v1}x", 401),
                            (f"Bearer {v1[:-1]}", 401), (f"Bearer  {v1}", 200), (f"bearer {v1}", 200),
                            (f"Bearer {metrics}", 403)):
            r = s.get("/v1/models", fields={"Authorization": value})
            self.assertEqual(r.code, code, value)
            if code == 401:
                self.assertTrue(r.headers["WWW-Authenticate"].startswith('Bearer realm="troupe"'))
                self.assertEqual(r.error()["code"], "invalid_api_key")
                self.assertEqual(r.error()["type"], "authentication_error")
            if code == 403:
                self.assertEqual(r.error()["type"], "permission_error")
                self.assertEqual(r.error()["message"], "the token metrics does not have the scope v1, which this path needs")
        self.assertEqual(s.get("/healthz", fields={"Authorization": None}).code, 200, "open")
        self.assertEqual(s.get("/version", fields={"Authorization": f"Bearer {metrics}"}).code, 200, "any scope")
        self.assertEqual(s.get("/version", fields={"Authorization": None}).code, 401)
        # What is not there is not shown to those who may not ask.
        self.assertEqual(s.get("/nothing", fields={"Authorization": None}).code, 401)
        self.until(lambda: s.get("/v1/models", fields={"Authorization": f"Bearer {late}"}).code == 401, 10)
        s.stop()

    def test_mistakes_of_serve_token(self):
        self.fails(2, "1 to 64 letters", "serve", "token", "a b")
        self.fails(2, '"read" is not a scope', "serve", "token", "a", "--scope", "v1,read")
        self.ok("serve", "token", "a")
        self.fails(2, "already has a token with the name a", "serve", "token", "a")
        os.chmod(self.tokens_path(), 0o640)
        self.fails(78, ["other users can read the file", "chmod 600"], "serve", "token", "b")
        self.fails(78, "other users can read the file", "serve", "--listen", "127.0.0.1:0")

    def test_a_server_follows_the_file_of_its_tokens(self):
        s = self.serve()
        first, second = s.token, self.ok("serve", "token", "second").out.split()[1]
        s.token = second
        self.until(lambda: s.get("/v1/models").code == 200, 10)
        with open(self.tokens_path(), encoding="utf-8") as f:
            lines = f.readlines()
        with open(self.tokens_path(), "w", encoding="utf-8") as f:  # in place, as some editors do
            f.writelines(line for line in lines if " first " not in line)
        self.until(lambda: s.get("/v1/models", fields={"Authorization": f"Bearer {first}"}).code == 401, 10)
        self.assertEqual(s.get("/v1/models").code, 200)
        os.unlink(self.tokens_path())
        self.until(lambda: "the tokens stay as they were" in s.log(), 10)
        time.sleep(2.2)
        self.assertEqual(s.log().count("the tokens stay as they were"), 1, "said once")
        self.assertEqual(s.get("/v1/models").code, 200)
        s.stop()

    def test_tokens_made_at_the_same_time_are_all_kept(self):
        names = [f"t{i}" for i in range(12)]
        made = [self.start("serve", "token", name) for name in names]
        tokens = [p.communicate(timeout=PATIENCE)[0].split()[1] for p in made]
        self.assertEqual([p.returncode for p in made], [0] * 12)
        with open(self.tokens_path(), encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(sorted(line.split()[1] for line in text.splitlines()[1:]), sorted(names))
        self.assertEqual(text.count("# tokens"), 1)
        s = self.serve()
        for token in tokens:
            self.assertEqual(s.get("/v1/models", fields={"Authorization": f"Bearer {token}"}).code, 200)
        s.stop()

    def test_sighup_reads_the_tokens_again(self):
        s = self.serve("--model", self.write_script(1500))
        first = s.token
        slow = s.send("POST", CHAT, {"model": self.script, "messages": [{"role": "user", "content": "x"}]})
        with open(self.tokens_path(), encoding="utf-8") as f:
            line = f.read()
        os.unlink(self.tokens_path())
        second = self.ok("serve", "token", "second").out.split()[1]
        s.p.send_signal(signal.SIGHUP)
        s.token = second
        self.until(lambda: s.get("/v1/models").code == 200)
        self.assertEqual(s.get("/v1/models", fields={"Authorization": f"Bearer {first}"}).code, 401)
        self.assertEqual(Reply(slow.getresponse()).code, 200, "it was allowed when it began")
        slow.close()
        # A file that cannot be read changes nothing.
        with open(self.tokens_path(), "a", encoding="utf-8") as f:
            f.write(line.splitlines()[1] + "\nbroken\n")
        s.p.send_signal(signal.SIGHUP)
        self.until(lambda: "the tokens stay as they were" in s.log())
        self.assertRegex(s.log(), r"tokens:4:1: expected SHA-256, name, scopes and expiry")
        self.assertEqual(s.get("/v1/models").code, 200)
        self.assertEqual(s.stop(), 143)

    def write_script(self, delay_ms):
        self.script = "script:" + self.write("slow.json", SCRIPT % delay_ms)
        return self.script


class Exposure(ServeCase):
    def test_an_address_that_others_reach_needs_a_token_and_tls(self):
        self.fails(78, "needs TLS", "serve", "--listen", "0.0.0.0:0")
        self.fails(78, ["needs a token", "--no-token"], "serve", "--listen", "0.0.0.0:0", "--no-token")
        self.fails(78, "needs a token", "serve", "--listen", "[::]:0", "--no-token", "--behind-proxy")
        cert, key = self.certificate("one")
        self.fails(78, "needs a token", "serve", "--listen", "0.0.0.0:0", "--no-token", "--tls-cert", cert, "--tls-key", key)
        self.assertFalse(os.path.exists(os.path.join(self.dir, ".config/troupe/tokens")), "no token was made")
        self.fails(2, "belong together", "serve", "--listen", "127.0.0.1:0", "--tls-cert", cert)
        self.fails(78, "--tls-key: opening y.pem: No such file", "serve", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", "y.pem")
        self.fails(78, "--tls-cert: opening x.pem: No such file", "serve", "--listen", "127.0.0.1:0", "--tls-cert", "x.pem", "--tls-key", key)

    def test_addresses_of_listen(self):
        for text in ("::1:80", "[::1]", "80:", ":80", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:x", "[]:1", "[::1:0", "x" * 90 + ":1"):
            self.fails(2, "expected ADDRESS:PORT", "serve", "--listen", text)
        s = self.serve(listen="localhost:0")
        self.assertTrue(s.url.startswith("http://127.0.0.1:"))
        s.stop()
        self.fails(78, "is not an IP address", "serve", "--listen", "127.evil.example:0")
        s = self.serve()
        self.fails(1, [f"127.0.0.1 port {s.port}", "another program uses this port", "listen on another port"],
                   "serve", "--listen", f"127.0.0.1:{s.port}", "--store", "other.db")
        s.stop()

    def test_names_that_no_request_can_have_are_refused(self):
        for option, value in ([("--allow-host", v) for v in ("", "a b", "https://box.example", "box.example/", "box:port", "box:0", ":80", "*")] +
                              [("--allow-origin", v) for v in ("", "foo", "*", "null", "https://", "https://box.example/", "a b://x", "https://x:99999")]):
            self.fails(2, [f"{option} {value}: expected "], "serve", "--listen", "127.0.0.1:0", option, value)
        self.serve("--allow-host", "[::1]:80", "--allow-host", "my_box", "--allow-origin", "app://local", "--model", self.digits()).stop()

    def test_browsers_let_a_page_of_an_allowed_origin_call(self):
        s = self.serve("--allow-origin", "https://page.example", "--model", self.digits())
        asks = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os"}
        token, s.token = s.token, None
        r = s.request("OPTIONS", CHAT, None, asks)
        self.assertEqual((r.code, r.body), (204, b""))
        self.assertEqual(r.headers["Access-Control-Allow-Origin"], "https://page.example")
        self.assertEqual(r.headers["Access-Control-Allow-Headers"], asks["Access-Control-Request-Headers"])
        self.assertIn("POST", r.headers["Access-Control-Allow-Methods"])
        self.assertEqual(s.request("OPTIONS", CHAT, None, {**asks, "Origin": "https://evil.example"}).code, 403)
        self.assertEqual(s.request("OPTIONS", CHAT, None, {"Access-Control-Request-Method": "POST"}).code, 401)
        r = s.request("GET", "/v1/models", None, {"Origin": "https://page.example"})
        self.assertEqual((r.code, r.headers["Access-Control-Allow-Origin"]), (401, "https://page.example"))
        s.token = token
        body = {"model": "digits", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1, "stream": True}
        r = s.request("POST", CHAT, body, {"Origin": "https://page.example"})
        self.assertEqual((r.code, r.headers["Access-Control-Allow-Origin"], r.headers["Access-Control-Expose-Headers"]),
                         (200, "https://page.example", "*"))
        s.stop()

    def test_names_that_are_not_the_servers(self):
        s = self.serve("--allow-host", "box.example:8443", "--allow-origin", "https://page.example", "--model", self.digits())
        for host, code in ((f"127.0.0.1:{s.port}", 200), (f"localhost:{s.port}", 200), (f"LOCALHOST:{s.port}", 200),
                           ("box.example:8443", 200), ("evil.example", 400), (f"evil.example:{s.port}", 400),
                           ("127.0.0.1", 400), ("127.0.0.1:1", 400), (f"127.0.0.1.evil.example:{s.port}", 400), ("", 400)):
            self.assertEqual(s.get("/v1/models", fields={"Host": host}).code, code, host)
        body = {"model": "digits", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
        for origin, code in ((None, 200), (f"http://127.0.0.1:{s.port}", 200), ("https://page.example", 200),
                             ("http://page.example", 403), ("https://page.example.evil", 403), ("null", 403),
                             ("https://evil.example", 403), (f"https://127.0.0.1:{s.port}", 403)):
            for method, path, sent in (("GET", "/v1/models", None), ("POST", CHAT, body)):
                r = s.request(method, path, sent, {"Origin": origin})
                self.assertEqual(r.code, code, (origin, path, r.body))
                listed = origin == "https://page.example"
                self.assertEqual(r.headers["Access-Control-Allow-Origin"], origin if listed else None, origin)
                self.assertEqual(r.headers["Vary"], "Origin" if listed else None)
        # A form of another page sends no token of its own, and its type of body does not matter.
        r = s.request("POST", CHAT, json.dumps(body), {"Authorization": None, "Content-Type": "text/plain"})
        self.assertEqual(r.code, 401)
        s.stop()

    def test_https_and_a_new_certificate(self):
        cert, key = self.certificate("one")
        s = self.serve("--tls-cert", cert, "--tls-key", key)
        self.assertTrue(s.url.startswith("https://127.0.0.1:"))

        def subject(trusted):
            c = s.connect(self.trust(trusted))
            c.connect()
            names = dict(pair[0] for pair in c.sock.getpeercert()["subject"])
            self.assertEqual(s.get("/v1/models", connection=c).code, 200)
            c.close()
            return names["commonName"]

        self.assertEqual(subject(cert), "one")
        self.assertNotIn(b"200", s.raw(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % s.port), "no plain http")
        kept = s.connect(self.trust(cert))
        self.assertEqual(s.get("/v1/models", connection=kept).code, 200)
        new_cert, new_key = self.certificate("two")
        os.replace(new_key, key)
        os.rename(new_cert, cert)
        s.p.send_signal(signal.SIGHUP)
        end = time.time() + 20
        while time.time() < end:
            try:
                name = subject(cert)
                break
            except OSError:  # the old one: not trusted
                time.sleep(0.05)
        self.assertEqual(name, "two")
        self.assertEqual(s.get("/v1/models", connection=kept).code, 200, "open connections stay")
        with open(cert, "w", encoding="utf-8") as f:
            f.write("not a certificate\n")
        s.p.send_signal(signal.SIGHUP)
        self.until(lambda: "the certificate stays as it was" in s.log())
        self.assertEqual(s.get("/v1/models", connection=kept).code, 200)
        kept.close()
        self.assertEqual(s.stop(), 143)


class Limits(ServeCase):
    def test_paths_methods_and_bodies(self):
        s = self.serve("--model", self.digits())
        for method, path, code, allow in (("GET", "/", 404, None), ("GET", "/v1", 404, None), ("GET", "/v1/nothing", 404, None),
                                          ("POST", "/v1/models", 405, "GET, HEAD"), ("GET", CHAT, 405, "POST"),
                                          ("PUT", CHAT, 405, "POST"), ("DELETE", "/healthz", 405, "GET, HEAD"),
                                          ("HEAD", "/v1/models", 200, None), ("HEAD", "/v1/models/none", 404, None),
                                          ("GET", "/v1/models/none", 404, None)):
            r = s.request(method, path)
            self.assertEqual((r.code, r.headers["Allow"]), (code, allow), (method, path))
            if method == "HEAD":
                self.assertEqual(r.body, b"")
                self.assertGreater(int(r.headers["Content-Length"]), 0)
            elif code >= 400:
                self.assertTrue(r.error()["message"], path)
        self.assertEqual(s.get("/v1/nothing").error()["type"], "invalid_request_error")
        self.assertEqual(s.get("/nothing").error()["code"], 404)

        def chat_of(size):
            head, tail = b'{"model": "digits", "max_tokens": 1, "messages": [{"role": "user", "content": "', b'"}]}'
            return head + b"a" * (size - len(head) - len(tail)) + tail

        for size, code, word in ((4 * MIB - 1, 400, "context_length_exceeded"), (4 * MIB, 400, "context_length_exceeded"),
                                 (4 * MIB + 1, 413, "request_too_large")):
            r = s.request("POST", CHAT, chat_of(size))
            self.assertEqual((r.code, r.error()["code"]), (code, word), size)
        s.stop()

    def test_heads_that_a_proxy_could_read_in_another_way(self):
        s = self.serve("--no-token")
        own = f"Host: 127.0.0.1:{s.port}\\r\\n"
        n = 0
        with open(os.path.join(SOURCE, "tests/fixtures/http/heads.txt"), encoding="ascii") as f:
            for line in f.read().splitlines():
                if line.startswith("#"):
                    continue
                code, text = line.split(" ", 1)
                text = text.replace("Host: h\\r\\n", own).replace("hOsT:h\\r\\n", "hOsT:" + own[6:])
                data = re.sub(rb"\\(x..|.)", unescape, text.encode("ascii"))
                got = s.raw(data + b"POST /v1/chat/completions HTTP/1.1\r\n", read=True) if code != "0" else s.raw(data)
                n += 1
                replies = re.findall(rb"HTTP/1\.1 (\d+) ", got)
                if code == "0":
                    self.assertIn(replies[0], (b"404", b"405", b"413"), line)
                else:
                    self.assertEqual(replies, [code.encode()], f"one reply, then the end: {line}")
        self.assertGreaterEqual(n, 100)
        self.assertEqual(s.get("/v1/models").code, 200)
        self.assertEqual(s.stop(), 143)

    def test_a_full_queue_is_429_with_retry_after(self):
        script = "script:" + self.write("slow.json", SCRIPT % 60000)
        s = self.serve("--model", script, "--max-queue", "2")
        body = {"model": script, "messages": [{"role": "user", "content": "x"}]}
        waiting = [s.send("POST", CHAT, body) for _ in range(2)]
        r = self.until(lambda: (lambda r: r if r.code == 429 else None)(s.request("POST", CHAT, {**body, "max_tokens": 1, "model": "none"})))
        self.assertGreaterEqual(int(r.headers["Retry-After"]), 1)
        self.assertEqual(r.error()["code"], "rate_limit_exceeded")
        self.assertEqual(r.error()["type"], "rate_limit_error")
        self.assertEqual(s.get("/v1/models").code, 200, "only replies of models are counted")
        for c in waiting:  # clients that leave make room
            c.close()
        self.until(lambda: s.chat("none", "x").code == 404, 10)
        # Each of n choices counts.
        many = s.send("POST", "/v1/chat/completions", {**body, "n": 2})
        self.until(lambda: s.chat("none", "x").code == 429, 10)
        many.close()
        self.assertEqual(s.stop(), 143)

    def test_the_bodies_of_all_requests_have_a_limit(self):
        self.fails(2, "--body-memory", "serve", "--body-memory", "1MiB")
        script = "script:" + self.write("slow.json", SCRIPT % 60000)
        s = self.serve("--model", script, "--body-memory", "4MiB")
        messages = [{"role": "user", "content": "x" * (3 << 20)}]
        first = s.send("POST", CHAT, {"model": script, "messages": messages})
        self.until(lambda: s.chat("none", "x" * (2 << 20)).code == 503)  # until the first has begun: 404
        r = s.chat("none", "x" * (2 << 20))
        self.assertEqual((r.code, r.error()["code"], r.headers["Retry-After"]), (503, "overloaded", "1"))
        self.assertEqual(s.chat("none", "x" * (512 << 10)).code, 404, "a short one fits")
        self.assertEqual(s.get("/healthz").code, 200)
        first.close()
        self.until(lambda: s.chat("none", "x" * (2 << 20)).code == 404)
        s.stop(signal.SIGTERM)

    def test_streams_of_one_token_are_limited(self):
        s = self.serve("--max-streams", "1", "--model", self.digits())
        body = {"model": "digits", "messages": [{"role": "user", "content": "x"}], "max_tokens": 400, "stream": True}
        first = s.send("POST", CHAT, body)
        r = first.getresponse()
        self.assertEqual(r.status, 200)
        second = s.request("POST", CHAT, body)
        self.assertEqual((second.code, second.error()["code"]), (429, "rate_limit_exceeded"))
        self.assertTrue(r.read().endswith(b"data: [DONE]\n\n"))
        first.close()
        self.assertEqual(s.request("POST", CHAT, body).code, 200)
        s.stop()

    def test_a_client_that_reads_nothing_uses_little_memory(self):
        """Streams of 900 tokens with log-probs: what is not read waits, up to a limit, and then the call ends."""
        asan = self.env.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"  # or it keeps what was freed
        s = self.serve("--max-queue", "1000", ASAN_OPTIONS=asan)
        body = json.dumps({"model": "embedded", "prompt": "ORDd+7|", "max_tokens": 900, "logprobs": 0, "stream": True, "n": 2})
        head = (f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nAuthorization: Bearer {s.token}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

        def clients(read):
            """The largest memory while 30 of them are served."""
            open_ones, most, end = [], 0, time.time() + PATIENCE
            for _ in range(30):
                c = socket.socket()
                c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                c.connect(("127.0.0.1", s.port))
                c.sendall(head)
                open_ones.append(c)
            left = list(open_ones)
            while left and time.time() < end:
                for c in select.select(left, [], [], 0.05)[0] if read else []:
                    if b"data: [DONE]" in c.recv(1 << 20):
                        left.remove(c)
                if not read:
                    began = time.time()
                    self.assertEqual(s.complete("embedded", "ORDd+7|", max_tokens=5).code, 200, "others are served")
                    if time.time() - began < 0.1:  # nothing else is computed any more
                        break
                most = max(most, s.memory_kib())
            self.assertLess(time.time(), end)
            for c in open_ones:
                c.close()
            return most

        usual = clients(read=True)
        self.assertLess(clients(read=False), usual + 32 * 1024)
        self.assertEqual(s.stop(), 143)


class Draining(ServeCase):
    def refused(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return False
        except OSError:  # a reset: it was waiting to be accepted
            return True

    def test_sigterm_lets_calls_end(self):
        script = "script:" + self.write("slow.json", SCRIPT % 1500)
        s = self.serve("--model", script, "--grace", "30s")
        idle = s.connect()
        self.assertEqual(s.get("/v1/models", connection=idle).code, 200)
        whole = s.send("POST", CHAT, {"model": script, "messages": [{"role": "user", "content": "x"}]})
        stream = s.send("POST", CHAT, {"model": script, "messages": [{"role": "user", "content": "x"}], "stream": True})
        self.until(lambda: s.get("/healthz").code == 200)
        s.p.send_signal(signal.SIGTERM)
        self.until(lambda: self.refused(s.port))
        self.assertIsNone(s.p.poll())
        r = Reply(whole.getresponse())
        self.assertEqual(r.json()["choices"][0]["message"]["content"], "fine")
        self.assertEqual(r.headers["Connection"], "close")
        self.assertTrue(stream.getresponse().read().endswith(b"data: [DONE]\n\n"))
        began = time.time()
        self.assertEqual(s.end(), 143)
        self.assertLess(time.time() - began, 10, "nothing is waited for")

    def test_the_last_bytes_reach_a_slow_reader(self):
        s = self.serve("--grace", "60s")
        body = json.dumps({"model": "embedded", "prompt": "ORDd+7|", "max_tokens": 700, "stream": True})
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect(("127.0.0.1", s.port))
        c.sendall((f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nAuthorization: Bearer {s.token}\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        got = c.recv(1000)
        s.p.send_signal(signal.SIGTERM)
        self.until(lambda: self.refused(s.port))
        time.sleep(3)  # the call has ended, and its bytes wait
        while more := c.recv(4096):
            got += more
            time.sleep(0.001)
        c.close()
        self.assertTrue(got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"), got[-200:])
        self.assertEqual(s.end(), 143)

    def test_what_takes_longer_than_the_grace_is_cut_with_an_error(self):
        script = "script:" + self.write("slow.json", SCRIPT % 60000)
        s = self.serve("--model", script, "--grace", "500ms")
        body = {"model": script, "messages": [{"role": "user", "content": "x"}], "n": 2}
        whole = s.send("POST", CHAT, body)
        stream = s.send("POST", CHAT, {**body, "stream": True}).getresponse()
        self.assertEqual(stream.status, 200)  # it has begun
        began = time.time()
        self.assertEqual(s.stop(), 143)
        self.assertLess(time.time() - began, 15)
        r = Reply(whole.getresponse())
        self.assertEqual((r.code, r.error()["code"], r.headers["Retry-After"]), (503, "shutting_down", "1"))
        data = [line[6:] for line in stream.read().decode().splitlines() if line.startswith("data: ")]
        self.assertEqual(json.loads(data[-1])["error"]["code"], "shutting_down")
        self.assertNotIn("[DONE]", data)

    def test_a_second_signal_does_not_wait(self):
        script = "script:" + self.write("slow.json", SCRIPT % 60000)
        s = self.serve("--model", script, "--grace", "60s")
        c = s.send("POST", CHAT, {"model": script, "messages": [{"role": "user", "content": "x"}]})
        s.p.send_signal(signal.SIGINT)
        self.until(lambda: self.refused(s.port))
        self.assertEqual(s.stop(signal.SIGINT), 130)
        c.close()


class Store(ServeCase):
    """A store that takes no more records: nothing can be acknowledged, so the server ends, and may be started again."""

    def test_a_store_that_is_deleted_ends_the_server(self):
        s = self.serve("--store", "s.db")
        self.assertEqual(s.get("/healthz").json(), {"status": "ok"})
        for tail in ("", "-wal", "-shm"):
            os.unlink(os.path.join(self.dir, "s.db" + tail))
        self.assertEqual(s.end(), 1)
        self.assertIn("nothing more can be recorded, so the server stops: ", s.log())
        self.assertIn("was deleted or replaced", s.log())

    def test_an_io_error_ends_the_server_after_the_replies_under_way(self):
        self.write("echo.yaml", "schema: blueprint/v1\ninputs: {text: {type: string}}\nsteps: {a: {value: \"${inputs.text}\"}}\n")
        script = "script:" + self.write("slow.json", SCRIPT % 2500)
        self.write("troupe.yaml", "serve: {models: ['%s'], blueprints: {echo: {file: echo.yaml}}}\n" % script)
        s = self.serve("--store", "s.db", "--grace", "30s")
        kept = s.chat("blueprint/echo", "kept").headers["X-Troupe-Run"]
        health = s.connect()
        self.assertEqual(s.get("/healthz", connection=health).code, 200)
        slow = s.send("POST", CHAT, {"model": script, "messages": [{"role": "user", "content": "x"}]})
        time.sleep(0.3)  # it has begun
        resource.prlimit(s.p.pid, resource.RLIMIT_FSIZE, (8192, 8192))
        self.assertGreaterEqual(s.chat("blueprint/echo", "x" * 100000).code, 422)
        r = s.get("/healthz", connection=health)
        self.assertEqual(r.code, 503)
        self.assertRegex(json.dumps(r.json()), "takes no more records|shutting down")
        self.assertEqual(Reply(slow.getresponse()).json()["choices"][0]["message"]["content"], "fine")
        self.assertEqual(s.end(), 1, s.log())
        again = self.serve("--store", "s.db")
        self.assertEqual(again.get("/healthz").code, 200)
        self.assertEqual(self.ok("show", kept, "--json", "--store", "s.db").json()["status"], "ok")
        self.assertEqual(again.stop(), 143)


def unescape(m):
    what = m.group(1)
    return bytes([int(what[1:], 16)]) if what[:1] == b"x" else {b"r": b"\r", b"n": b"\n", b"t": b"\t"}.get(what, what)


if __name__ == "__main__":
    main()
