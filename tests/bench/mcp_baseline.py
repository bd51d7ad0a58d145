"""mcp_baseline.py - tools/call through `troupe serve` and mcp/server beside server-everything and npm's mcp-proxy.

usage: mcp_baseline.py [--ours BUILD] [--rounds 3] [--seconds 4] [--scale 1] [--minutes 60] [CASE...]

  http     CPU of a call of an echo tool over HTTP, against server-everything (Streamable HTTP)
  hub      what a hub adds in front of a stdio server: CPU, and p50 above that of the server itself, against mcp-proxy
  beside   p99 of a server's calls beside a server that floods, hangs or dies, over the same alone
  rate     10,000 calls a second on 64 connections for a minute
  growth   descriptors, zombies and memory of a hub over 1,000 killed servers, 100,000 abandoned sessions and a soak of 10 minutes
           (--scale 0.1: a tenth)
  soak     an hour (--minutes) at half of the highest rate: a stdio server, calls that leave a row each, a server that is
           killed each second, abandoned sessions; a line a minute. Runs only when it is named

Installs pinned npm packages once, outside the tree. Both sides are measured in turn in one run, Node after 8 s of calls. CPU
time is user and system of the processes in question, all their threads; of a hub, without the servers that it starts. Clients
are of 2025-11-25 with a session for each connection, as others speak it; `modern` is 2026-07-28.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import bench_world
from bench_world import show

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import mcp_growth  # noqa: E402
import packages  # noqa: E402

WARM_S = 8  # of Node
EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"
OURS = {"library": "mcp/server", "built-in": "built-in tool of troupe serve", "hub": "troupe serve and a stdio server behind it"}
PROXY = "mcp-proxy/dist/bin/mcp-proxy.mjs"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("a server does not start")


def exe(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


class Server:
    """A server over HTTP that is measured."""

    def __init__(self, process, port, tool="echo", argument="message"):
        self.process, self.port, self.tool, self.argument = process, port, tool, argument

    def own(self):
        """Its processes, without the servers that it starts."""
        pid = self.process.pid
        return [pid] + [p for p in mcp_growth.children(pid) if exe(p) == exe(pid)]

    def all(self):
        return [self.process.pid] + mcp_growth.children(self.process.pid)


class World(bench_world.World):
    def __init__(self, build):
        super().__init__()
        self.parts = os.path.join(build, "tests/bench/mcp_parts")
        self.troupe = os.path.join(build, "runtime/app/troupe")
        self.n_served = 0

    def in_process(self):
        p = self.start(self.parts, "http", stderr=subprocess.DEVNULL)
        return Server(p, int(p.stdout.readline()))

    def serve(self, more="mcp: {expose: {tools: [echo]}}\n", **servers):
        """`troupe serve` with stdio servers of the user, name=words, and the built-in tool echo."""
        self.n_served += 1
        folder = os.path.join(self.dir, f"serve{self.n_served}")
        self.file(os.path.join(folder, ".config/troupe/mcp.json"),
                  json.dumps({"mcpServers": {n: {"command": w[0], "args": list(w[1:])} for n, w in servers.items()}}))
        self.file(os.path.join(folder, ".config/troupe/config.yaml"), more)
        with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
            p = self.start(self.troupe, "serve", "--no-token", "--listen", "127.0.0.1:0", cwd=folder, stderr=log,
                           env={"HOME": folder, "XDG_CONFIG_HOME": os.path.join(folder, ".config")})
        return p, int(p.stdout.readline().rsplit(":", 1)[1])

    def built_in(self):
        return Server(*self.serve(), "troupe__echo", "text")

    def hub(self, **more):
        """more: of `serve`."""
        return Server(*self.serve(up=(self.parts, "stdio"), **more), "up__echo")

    def everything(self):
        node, modules = packages.mcp_packages()
        port = free_port()
        p = self.start(node, os.path.join(modules, EVERYTHING), "streamableHttp", env={"PORT": str(port)}, stderr=subprocess.DEVNULL)
        wait_for_port(port)
        return Server(p, port)

    def proxy(self):
        node, modules = packages.mcp_packages()
        port = free_port()
        p = self.start(node, os.path.join(modules, PROXY), "--port", str(port), "--host", "127.0.0.1", "--server", "stream", "--",
                       self.parts, "stdio", stderr=subprocess.DEVNULL)
        wait_for_port(port)
        return Server(p, port)

    def load(self, server, seconds, at_once, *options, pids=()):
        words = [self.parts, "load", "--seconds", seconds, "--at-once", at_once, "--tool", server.tool, "--argument", server.argument, *options]
        for pid in pids:
            words += ["--pid", pid]
        got = self.run(*words, server.port, "/mcp")
        if got["errors"]:
            raise RuntimeError(f"{got['errors']} of {got['calls']} calls failed")
        return got


def us(got):
    return got["cpu_s"] / got["calls"] * 1e6


def measure_in_turn(w, servers, a, at_once, pids_of, *options):
    """{name: [result of each round]}"""
    found = {name: [] for name in servers}
    for _ in range(a.rounds):
        for name, server in servers.items():
            found[name].append(w.load(server, a.seconds, at_once, *options, pids=pids_of(server)))
    return found


def warm(w, servers):
    for server in servers.values():
        w.load(server, WARM_S, 32)


def http(w, a):
    servers = {"everything": w.everything(), "library": w.in_process(), "built-in": w.built_in(), "hub": w.hub()}
    warm(w, servers)
    for at_once in (1, 32):
        got = measure_in_turn(w, servers, a, at_once, Server.all)
        cpu = {name: [us(r) for r in rounds] for name, rounds in got.items()}
        for name, what in OURS.items():
            show(f"CPU of a call over HTTP, {at_once} connections: {what}; server-everything", "us", cpu[name], cpu["everything"])
        got = measure_in_turn(w, {n: servers[n] for n in OURS}, a, at_once, Server.all, "--modern")
        for name, what in OURS.items():
            show(f"2026-07-28, {at_once} connections: {what}; in 2025-11-25", "us", [us(r) for r in got[name]], cpu[name])


def hub(w, a):
    read = "mcp: {servers: {up: {effect: read}}}\n"
    servers = {"mcp-proxy": w.proxy(), "ours": w.hub(), "read": w.hub(more=read)}
    warm(w, servers)
    for at_once in (1, 32):
        direct = []
        got = {name: [] for name in servers}
        for _ in range(a.rounds):
            direct.append(w.run(w.parts, "pipe", "--seconds", a.seconds, "--at-once", at_once, w.parts, "stdio"))
            for name, server in servers.items():
                got[name].append(w.load(server, a.seconds, at_once, pids=server.own()))
        cpu = {name: [us(r) for r in rounds] for name, rounds in got.items()}
        p50 = {name: [r["p50_ms"] - d["p50_ms"] for r, d in zip(rounds, direct)] for name, rounds in got.items()}
        for name, what in (("ours", "effect once: a row before the reply"), ("read", "effect read")):
            show(f"CPU of the hub for a call, {at_once} connections, {what}; mcp-proxy", "us", cpu[name], cpu["mcp-proxy"])
            show(f"p50 above that of the server itself, {at_once} connections, {what}; mcp-proxy", "ms", p50[name], p50["mcp-proxy"])


class Trouble(threading.Thread):
    """Keeps calling a tool that does harm, on a connection of its own."""

    def __init__(self, server, tool):
        super().__init__(daemon=True)
        self.url, self.tool, self.ended, self.answers = f"http://127.0.0.1:{server.port}/mcp", tool, threading.Event(), 0

    def run(self):
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": f"bad__{self.tool}", "arguments": {}, "_meta": meta}}
        head = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Method": "tools/call",
                "MCP-Protocol-Version": "2026-07-28", "Mcp-Name": f"bad__{self.tool}"}
        while not self.ended.wait(0.02):
            try:
                q = urllib.request.Request(self.url, json.dumps(body).encode(), head)
                urllib.request.urlopen(q, timeout=1).read()
                self.answers += 1
            except OSError:
                pass


def beside(w, a):
    for tool in ("flood", "hang", "die"):
        p99 = {"alone": [], "beside": []}
        for _ in range(a.rounds):
            for name in p99:
                server = w.hub(bad=(w.parts, "stdio"))
                w.load(server, 1, 8)
                trouble = [Trouble(server, tool) for _ in range(4)] if name == "beside" else []
                for t in trouble:
                    t.start()
                time.sleep(1)
                p99[name].append(w.load(server, a.seconds, 8, "--rate", 500)["p99_ms"])
                for t in trouble:
                    t.ended.set()
                w.stop(server.process)
        show(f"p99 of 500 calls a second beside a server that does `{tool}`; alone", "ms", p99["beside"], p99["alone"])


def rate(w, a):
    servers = {"built-in tool": w.built_in(), "stdio server": w.hub()}
    for name, server in servers.items():
        got = w.load(server, 60, 64, "--rate", 10000, pids=server.own())
        print(f"10,000 calls a second, 64 connections, 60 s: {name}: {got['calls']} calls, {got['errors']} errors, "
              f"{got['calls'] / got['wall_s']:.0f} /s, p50 {got['p50_ms']:.3f} ms, p99 {got['p99_ms']:.3f} ms, "
              f"p99 over p50 {got['p99_ms'] / got['p50_ms']:.1f}, longest {got['max_ms']:.1f} ms, CPU {us(got):.1f} us a call", flush=True)


def growth(w, a):
    """Memory after a part of the work, and at its end: what is kept for speed is there by then."""
    p, port = w.serve(more="mcp: {expose: {tools: [echo]}, servers: {up: {instances: per_client}}}\n", up=(w.parts, "stdio"))
    server = Server(p, port, "troupe__echo", "text")

    def compare(what, warm, work):
        warm()
        before = mcp_growth.settled(p.pid)
        work()
        after = mcp_growth.settled(p.pid, before)
        print(f"{what}: " + ", ".join(f"{k} {before[k]} -> {after[k]}" for k in before), flush=True)

    def kill(n):
        return lambda: mcp_growth.kill_children(port, p.pid, "up__echo", {"message": "x"}, w.parts, n)

    def soak(seconds):
        return lambda: w.load(server, seconds, 32, "--rate", 2000)

    kills, sessions, seconds = round(1000 * a.scale), round(100000 * a.scale), 600 * a.scale
    compare(f"{kills} servers killed", kill(100), kill(kills))
    compare(f"{sessions} sessions abandoned", lambda: mcp_growth.abandon_sessions(port, 2000),
            lambda: mcp_growth.abandon_sessions(port, sessions))
    compare(f"{seconds:.0f} s of 2,000 calls a second", soak(10), soak(seconds))


class Mishaps(threading.Thread):
    """Each second: a call that leaves a row, a killed server of another client, two abandoned sessions."""

    def __init__(self, w, p, port):
        super().__init__(daemon=True)
        self.parts, self.pid, self.port, self.ended, self.rounds, self.fault = w.parts, p.pid, port, threading.Event(), 0, None

    def run(self):
        try:
            caller = mcp_growth.Session(self.port)
            caller.begin()
            while not self.ended.wait(1):
                if '"result"' not in caller.post("tools/call", {"name": "row__echo", "arguments": {"message": "x"}}):
                    raise RuntimeError("a call that leaves a row failed")
                mcp_growth.kill_children(self.port, self.pid, "mortal__echo", {"message": "x"}, "mortal", 1)
                mcp_growth.abandon_sessions(self.port, 2)
                self.rounds += 1
        except (OSError, RuntimeError) as e:
            self.fault = e


def soak(w, a):
    servers = "mcp: {servers: {up: {effect: read}, mortal: {instances: per_client, effect: read}}}\n"
    p, port = w.serve(more=servers, up=(w.parts, "stdio"), row=(w.parts, "stdio"), mortal=(w.parts, "stdio", "mortal"))
    server = Server(p, port, "up__echo", "message")
    w.load(server, 3, 32)
    got = w.load(server, 5, 32)
    half = round(got["calls"] / got["wall_s"] / 2)
    mishaps = Mishaps(w, p, port)
    mishaps.start()
    print(f"half of {2 * half} calls a second, 32 connections", flush=True)
    for minute in range(1, a.minutes + 1):
        got = w.load(server, 60, 32, "--rate", half)
        now = mcp_growth.state_of(p.pid)
        print(f"minute {minute}: {got['calls']} calls, {got['errors']} errors, p50 {got['p50_ms']:.2f} ms, p99 {got['p99_ms']:.2f} ms, "
              f"{mishaps.rounds} rounds of mishaps, " + ", ".join(f"{k} {v}" for k, v in now.items()), flush=True)
        if mishaps.fault:
            raise RuntimeError(f"mishaps: {mishaps.fault}")
    mishaps.ended.set()
    mishaps.join()
    print("settled: " + ", ".join(f"{k} {v}" for k, v in mcp_growth.settled(p.pid).items()), flush=True)


def main():
    short = (http, hub, beside, rate, growth)
    cases = {f.__name__: f for f in (*short, soak)}
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--ours", default="build/release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    a = parser.parse_args()
    for name in a.cases or [f.__name__ for f in short]:
        if name not in cases:
            parser.error(f"there is no case {name}")
        w = World(os.path.abspath(a.ours))
        try:
            cases[name](w, a)
        finally:
            w.close()


main()
