"""mcp_server.py - a small MCP server over stdio (2025-11-25) that behaves as its tools say. Only the standard library.

usage: mcp_server.py [--log FILE] [--spawn N]
--log: what it hears, a line of JSON each with the time. --spawn: N processes that are forked twice and ignore SIGTERM.
Used by test_cli_mcp_hub.py.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import sys
import threading
import time

TOOLS = ("echo", "pid", "keep", "roots", "flood", "hang", "die")
LOCK = threading.Lock()
KEPT = []
ASKED = {}  # id of a request of ours: what to do with the answer


def option(name, otherwise=None):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else otherwise


def send(message):
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def spawn():
    """A process that no longer belongs to this one."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for fd in (0, 1, 2):
                os.close(fd)
            while True:
                time.sleep(60)
        os._exit(0)
    os.wait()


def text(value):
    return {"content": [{"type": "text", "text": str(value)}]}


def call(i, name, arguments):
    if name == "echo":
        time.sleep(arguments.get("ms", 0) / 1000)
        send({"id": i, "result": text(arguments.get("text", ""))})
    elif name == "pid":
        send({"id": i, "result": text(os.getpid())})
    elif name == "keep":
        KEPT.append(arguments["text"])
        send({"id": i, "result": text(" ".join(KEPT))})
    elif name == "roots":
        ASKED[f"r{i}"] = lambda m: send({"id": i, "result": text(" ".join(r["uri"] for r in m["result"]["roots"]))})
        send({"id": f"r{i}", "method": "roots/list"})
    elif name == "flood":
        for _ in range(arguments["n"]):
            send({"method": "notifications/tools/list_changed"})
            send({"method": "notifications/message", "params": {"level": "info", "data": "x" * 200}})
        send({"id": i, "result": text("flooded")})
    elif name == "die":
        os._exit(3)


def main():
    log = open(option("--log"), "a", encoding="utf-8") if option("--log") else None
    for _ in range(int(option("--spawn", "0"))):
        spawn()
    for line in sys.stdin:
        if log:
            log.write(json.dumps({"at": time.time(), "got": json.loads(line)}) + "\n")
            log.flush()
        m = json.loads(line)
        method, i, params = m.get("method"), m.get("id"), m.get("params", {})
        if method is None:
            ASKED.pop(i)(m)
            continue
        if method == "initialize":
            send({"id": i, "result": {"protocolVersion": "2025-11-25", "serverInfo": {"name": "small", "version": "1"},
                                      "capabilities": {"tools": {"listChanged": True}, "resources": {}, "prompts": {}}}})
        elif method == "tools/list":
            send({"id": i, "result": {"tools": [{"name": t, "inputSchema": {"type": "object"}} for t in TOOLS]}})
        elif method == "resources/list":
            send({"id": i, "result": {"resources": [{"uri": "x:hang", "name": "hang"}]}})
        elif method == "resources/templates/list":
            send({"id": i, "result": {"resourceTemplates": []}})
        elif method == "prompts/list":
            send({"id": i, "result": {"prompts": [{"name": "hang"}]}})
        elif method in ("resources/read", "prompts/get"):
            pass  # never answered
        elif method == "tools/call":
            threading.Thread(target=call, args=(i, params["name"], params.get("arguments", {})), daemon=True).start()
        elif i is not None:
            send({"id": i, "error": {"code": -32601, "message": "no such method"}})


main()
