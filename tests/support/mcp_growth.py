"""mcp_growth.py - what stays behind in a hub: descriptors, processes, zombies, memory.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import os
import signal
import time

INIT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "growth", "version": "1"}}


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            found = [int(word) for word in f.read().split()]
    except OSError:
        return []
    return found + [deep for child in found for deep in children(child)]


def field(pid, name):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next((line.split()[1] for line in f if line.startswith(name + ":")), "")
    except OSError:
        return ""


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def state_of(pid):
    """Of the hub and what it has started."""
    all_pids = [pid, *children(pid)]
    return {"descriptors": sum(len(os.listdir(f"/proc/{p}/fd")) for p in [pid, *children(pid)] if os.path.exists(f"/proc/{p}/fd")),
            "processes": len(all_pids), "zombies": sum(field(p, "State") == "Z" for p in all_pids),
            "rss_kib": int(field(pid, "VmRSS") or 0)}


def settled(pid, want=None, seconds=20):
    """The state, once it is `want` in all but memory, or does not change any more."""
    end, last = time.monotonic() + seconds, None
    while True:
        now = state_of(pid)
        counts = {k: v for k, v in now.items() if k != "rss_kib"}
        if time.monotonic() > end or (counts == last if want is None else all(counts[k] <= want[k] for k in counts)):
            return now
        last = counts
        time.sleep(0.5)


class Session:
    """A client of 2025-11-25 on a connection that stays open."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.id = None

    def post(self, method, params, number=1):
        head = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self.id:
            head.update({"Mcp-Session-Id": self.id, "MCP-Protocol-Version": "2025-11-25"})
        body = {"jsonrpc": "2.0", "method": method, "params": params}
        if number:
            body["id"] = number
        self.http.request("POST", "/mcp", json.dumps(body), head)
        r = self.http.getresponse()
        text = r.read().decode()
        self.id = r.headers.get("Mcp-Session-Id") or self.id
        if r.status not in (200, 202):
            raise RuntimeError(f"{method}: {r.status} {text}")
        return text

    def begin(self):
        self.id = None
        self.post("initialize", INIT)

    def end(self):
        self.http.request("DELETE", "/mcp", headers={"Mcp-Session-Id": self.id, "MCP-Protocol-Version": "2025-11-25"})
        self.http.getresponse().read()


def kill_children(port, pid, tool, arguments, part, n):
    """n clients, each with an instance of a server (`instances: per_client`) that is killed by SIGKILL; how many were killed."""
    s, killed = Session(port), 0
    for _ in range(n):
        s.begin()
        answer = s.post("tools/call", {"name": tool, "arguments": arguments})
        if '"result"' not in answer:
            raise RuntimeError(answer)
        for child in children(pid):
            if part in cmdline(child) and field(child, "State") != "Z":
                try:
                    os.kill(child, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
        s.end()
    s.http.close()
    return killed


def abandon_sessions(port, n):
    s = Session(port)
    for _ in range(n):
        s.begin()
    s.http.close()
