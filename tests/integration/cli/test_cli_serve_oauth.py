"""test_cli_serve_oauth.py - /mcp as a protected resource: tokens of an authorization server beside the server's own.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import os
import subprocess
import time

from cli_case import main
from serve_case import ServeCase

ISSUER = "https://login.example.com"
RESOURCE = "https://agents.example.com/mcp"
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
FIELDS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
          "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Oauth(ServeCase):
    def setUp(self):
        super().setUp()
        self.key = os.path.join(self.dir, "key.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key],
                       check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"], check=True, capture_output=True,
                                 text=True).stdout.strip().split("=")[1]
        self.write("keys.json", json.dumps({"keys": [{"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig", "e": "AQAB",
                                                      "n": b64(bytes.fromhex(modulus))}]}))
        self.write("troupe.yaml", f"""
serve:
  oauth:
    issuers: [{ISSUER}]
    jwks_file: keys.json
    resource: {RESOURCE}
    scopes: [tools]
""")

    def token(self, **more):
        claims = {"iss": ISSUER, "aud": RESOURCE, "sub": "ada", "exp": int(time.time()) + 600, "scope": "tools", **more}
        head = b64(json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": "k1"}).encode())
        text = f"{head}.{b64(json.dumps({k: v for k, v in claims.items() if v is not None}).encode())}"
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(), check=True,
                                capture_output=True).stdout
        return f"{text}.{b64(signed)}"

    def list_tools(self, s, token):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
        return s.request("POST", "/mcp", body, {**FIELDS, "Authorization": f"Bearer {token}" if token else None})

    def test_a_token_for_this_resource_is_good_for_mcp_alone(self):
        s = self.serve()
        r = self.list_tools(s, self.token())
        self.assertEqual(r.code, 200, r.body)
        self.assertEqual(r.json()["result"]["tools"], [])
        self.assertEqual(self.list_tools(s, s.token).code, 200)
        r = s.get("/v1/models", fields={"Authorization": f"Bearer {self.token()}"})
        self.assertEqual(r.code, 403)
        self.assertIn("scope v1", r.error()["message"])
        s.stop()

    def test_what_is_not_for_this_resource_is_401_and_names_the_document(self):
        s = self.serve()
        good = self.token()
        for name, token in (("another audience", self.token(aud="https://other.example.com/mcp")),
                            ("another issuer", self.token(iss="https://evil.example.com")),
                            ("expired", self.token(exp=int(time.time()) - 600)), ("without exp", self.token(exp=None)),
                            ("without subject", self.token(sub=None)), ("without the scope", self.token(scope="other")),
                            ("changed", good[:-8] + "AAAAAAAA"), ("of no key", good.rsplit(".", 1)[0] + ".")):
            r = self.list_tools(s, token)
            self.assertEqual(r.code, 401, name)
            self.assertIn('error="invalid_token"', r.headers["WWW-Authenticate"], name)
            self.assertNotIn(token, s.log())
        r = self.list_tools(s, None)
        self.assertEqual(r.code, 401)
        challenge = r.headers["WWW-Authenticate"]
        document = "https://agents.example.com/.well-known/oauth-protected-resource/mcp"
        self.assertIn(f'resource_metadata="{document}"', challenge)
        for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"):
            r = s.get(path, fields={"Authorization": None})
            self.assertEqual(r.code, 200)
            self.assertEqual((r.json()["resource"], r.json()["authorization_servers"]), (RESOURCE, [ISSUER]))
        self.assertEqual(s.get("/.well-known/oauth-protected-resource/other").code, 404)
        self.assertEqual(s.get("/v1/models", fields={"Authorization": None}).headers["WWW-Authenticate"],
                         'Bearer realm="troupe"')
        s.stop()

    def test_a_subject_is_never_one_of_the_own_tokens(self):
        """A subject with the name of a token has not its scopes."""
        s = self.serve()
        r = s.get("/v1/models", fields={"Authorization": f"Bearer {self.token(sub='first')}"})
        self.assertEqual(r.code, 403)
        s.stop()

    def test_faults_of_the_configuration_have_their_place(self):
        for text, words in (("serve: {oauth: {issuers: [], jwks_file: keys.json}}", "troupe.yaml:1:16"),
                            ("serve: {oauth: {issuers: [https://a.example], jwks_file: nope.json, resource: https://b.example/mcp}}", "nope.json"),
                            ("serve: {oauth: {issuers: [https://a.example]}}", "`jwks_url` or `jwks_file`"),
                            ("serve: {oauth: {issuer: x}}", "issuers")):
            self.write("troupe.yaml", text)
            self.fails(78, words, "serve", "--listen", "127.0.0.1:0")


if __name__ == "__main__":
    main()
