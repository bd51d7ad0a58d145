# client.py - an MCP client: `client.py FILE [TOOL JSON]` starts the server of FILE, or connects to it, and lists its tools or
# calls one. Only the standard library.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys
import urllib.request

with open(sys.argv[1], encoding="utf-8") as f:
    doc = json.load(f)
server = (doc.get("mcpServers") or doc["servers"])["troupe"]
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


def over_stdio(method, params):
    p = subprocess.Popen([server["command"], *server["args"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}) + "\n")
    p.stdin.flush()
    reply = p.stdout.readline()
    p.communicate()
    return reply


def over_http(method, params):
    url = os.environ.get("TROUPE_URL", server["url"].rsplit("/", 1)[0]) + "/mcp"
    headers = {k: v.replace("${env:TROUPE_TOKEN}", os.environ["TROUPE_TOKEN"]) for k, v in server["headers"].items()}
    headers.update({"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                    "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method})
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}})
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers)) as r:
        lines = r.read().decode().splitlines()
    return next(line.removeprefix("data: ") for line in reversed(lines) if line.startswith(("{", "data: {")))


ask = over_http if "url" in server else over_stdio
if len(sys.argv) > 2:
    r = json.loads(ask("tools/call", {"name": sys.argv[2], "arguments": json.loads(sys.argv[3])}))["result"]
    print(r["content"][0]["text"])
else:
    print("\n".join(t["name"] for t in json.loads(ask("tools/list", {}))["result"]["tools"]))
