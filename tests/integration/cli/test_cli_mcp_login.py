"""test_cli_mcp_login.py - troupe mcp login: a login in the browser, with a server of this test that is both MCP and OAuth.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import http.server
import json
import os
import stat
import threading
import urllib.parse
import urllib.request

from cli_case import main
from mcp_case import McpCase

TOKEN = "a-token-that-nobody-prints"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, code, doc, **fields):
        body = json.dumps(doc).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for k, v in fields.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        base, url = self.server.base, urllib.parse.urlsplit(self.path)
        if url.path.startswith("/.well-known/oauth-protected-resource"):
            self.answer(200, {"resource": base + "/mcp", "authorization_servers": [base]})
        elif url.path.startswith("/.well-known/"):
            self.answer(200, {"issuer": base, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token",
                              "registration_endpoint": base + "/register", "response_types_supported": ["code"],
                              "code_challenge_methods_supported": ["S256"], "token_endpoint_auth_methods_supported": ["none"]})
        elif url.path == "/authorize":
            q = dict(urllib.parse.parse_qsl(url.query))
            self.server.challenge = q["code_challenge"]
            self.send_response(302)
            self.send_header("Location", q["redirect_uri"] + "?" + urllib.parse.urlencode({"code": "c", "state": q["state"]}))
            self.end_headers()
        else:
            self.answer(405, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/register":
            self.answer(201, {**json.loads(body), "client_id": "id"})
        elif self.path == "/token":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            right = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.server.challenge and form["code"] == "c"
            self.answer(200 if right else 400, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600} if right
                        else {"error": "invalid_grant"})
        elif self.headers.get("Authorization") != "Bearer " + TOKEN:
            self.answer(401, {}, WWW_Authenticate=f'Bearer resource_metadata="{self.server.base}/.well-known/oauth-protected-resource/mcp"')
        else:
            self.mcp(json.loads(body))

    def mcp(self, m):
        results = {"server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
                   "tools/list": {"tools": [{"name": "hello", "inputSchema": {"type": "object"}}]},
                   "tools/call": {"content": [{"type": "text", "text": "hello"}]}}
        result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", **results.get(m["method"], {})}
        if m["method"] in results:
            self.answer(200, {"jsonrpc": "2.0", "id": m["id"], "result": result})
        else:
            self.answer(404, {"jsonrpc": "2.0", "id": m.get("id"), "error": {"code": -32601, "message": "not here"}})


class Login(McpCase):
    def setUp(self):
        super().setUp()
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.web.base = f"http://127.0.0.1:{self.web.server_port}"
        threading.Thread(target=self.web.serve_forever, daemon=True).start()

    def tearDown(self):
        self.web.shutdown()
        self.web.server_close()
        super().tearDown()

    def test_the_url_is_printed_and_the_redirect_ends_it(self):
        self.ok("mcp", "add", "web", "--url", self.web.base + "/mcp")
        r = self.fails(1, "troupe mcp login web", "mcp", "ping", "web")
        p = self.start("mcp", "login", "web")
        seen = ""
        for line in p.stderr:
            seen += line
            if line.startswith("http"):
                with urllib.request.urlopen(line.strip()) as page:  # follows the redirect to the program, as a browser does
                    self.assertEqual(page.status, 200)
        self.assertEqual(p.wait(60), 0, seen)
        p.stdout.close()
        p.stderr.close()
        self.assertEqual(self.ok("mcp", "call", "web__hello").out, "hello\n")
        path = os.path.join(self.dir, ".local/state/troupe/mcp-auth.json")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertNotIn(TOKEN, seen + r.err)


if __name__ == "__main__":
    main()
