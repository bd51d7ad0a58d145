"""v1_baseline.py - /v1 of `troupe serve` and remote models beside other programs that do the same.

usage: v1_baseline.py [--ours BUILD] [--rounds 3] [--only chat|remote|stream]. Run it with the Python that
`./dev interop openai` made (fastapi, uvicorn, uvloop, httptools, openai). Both sides are measured in turn in one run; CPU
time is user and system of the process in question, all its threads; the median of the ratios counts.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import shutil
import sys

import bench_world
from bench_world import cpu_s, show

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
import digits_model  # noqa: E402

SERVED = os.path.join(HERE, "../interop/served")
BODY = {"model": "script:plain.json", "messages": [{"role": "system", "content": "You answer briefly."},
                                                   {"role": "user", "content": "Where do bees live?"}],
        "temperature": 0.5, "max_tokens": 100}
TEXT = "Bees live in hives: ü, 蜂, 🐝."
CHUNKS = 64  # of the streamed answer of a remote model

CLIENT = """
import asyncio, json, openai, sys, time
url, calls, at_once, stream = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "stream"
messages = [{"role": "system", "content": "You answer briefly."}, {"role": "user", "content": "Where do bees live?"}]

async def ask(client):
    r = await client.chat.completions.create(model="m", messages=messages, temperature=0, max_tokens=100, stream=stream)
    if not stream:
        return len(r.choices[0].message.content)
    n = 0
    async for c in r:
        if c.choices and c.choices[0].delta.content:
            n += len(c.choices[0].delta.content)
    return n

async def work(client, n):
    return [await ask(client) for _ in range(n)]

async def main():
    async with openai.AsyncOpenAI(base_url=url, api_key="x", max_retries=0) as client:
        await asyncio.gather(*(work(client, 2) for _ in range(at_once)))
        cpu = time.process_time()
        done = await asyncio.gather(*(work(client, calls // at_once) for _ in range(at_once)))
        cpu = time.process_time() - cpu
    print(json.dumps({"calls": sum(map(len, done)), "cpu_s": cpu, "bytes": sum(map(sum, done))}))

asyncio.run(main())
"""


class World(bench_world.World):
    def __init__(self, build):
        super().__init__()
        self.bench = os.path.join(build, "tests/bench/v1_parts")
        self.troupe = os.path.join(build, "runtime/app/troupe")
        shutil.copytree(SERVED, os.path.join(self.dir, "served"))
        digits_model.make(os.path.dirname(os.path.dirname(HERE)), os.path.join(self.dir, "served/digits"))

    def serve(self):
        p = self.start(self.troupe, "serve", "--no-token", "--listen", "127.0.0.1:0", cwd=os.path.join(self.dir, "served"))
        return p, int(p.stdout.readline().rsplit(":", 1)[1])

    def server(self, mode, reply_file):
        p = self.start(self.bench, mode, reply_file)
        return p, int(p.stdout.readline())

    def uvicorn(self, loop, http):
        p = self.start(sys.executable, "-m", "uvicorn", "v1_app:app", "--app-dir", HERE, "--port", "0", "--no-access-log",
                       "--loop", loop, "--http", http)
        for line in p.stderr:
            if "running on" in line:
                return p, int(line.split("127.0.0.1:")[1].split()[0])
        raise RuntimeError("uvicorn does not start")


def chat(w, rounds, seconds):
    """CPU of a POST of a chat completion."""
    body = w.file("body.json", json.dumps(BODY))
    answer = json.dumps({"id": "chatcmpl-0123456789abcdef0123456789abcdef", "object": "chat.completion", "created": 1764300000,
                         "model": BODY["model"], "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT},
                                                              "finish_reason": "stop"}],
                         "usage": {"prompt_tokens": 10, "completion_tokens": 9, "total_tokens": 19}}, separators=(",", ":"))
    servers = {"ours": w.serve(), "FastAPI, uvloop and httptools": w.uvicorn("uvloop", "httptools"),
               "FastAPI, asyncio and h11": w.uvicorn("asyncio", "h11"), "bare libwebsockets": w.server("bare", w.file("answer.json", answer))}
    for at_once in (1, 16):
        us = {name: [] for name in servers}
        for i in range(rounds + 1):
            for name, (p, port) in servers.items():
                before = cpu_s(p)
                done = w.run(w.bench, "load", port, "/v1/chat/completions", body, seconds, at_once)["requests"]
                if i > 0:  # the first warms up
                    us[name].append((cpu_s(p) - before) / done * 1e6)
        for other in list(servers)[1:]:
            show(f"CPU of a chat completion, {at_once} at a time; {other}", "us", us["ours"], us[other])


def remote(w, rounds, calls):
    """CPU of a call on a remote model, in the client."""
    whole = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "word " * CHUNKS}, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": CHUNKS, "total_tokens": 20 + CHUNKS}})

    def chunk(choices, **more):
        return "data: " + json.dumps({"id": "chatcmpl-0123456789abcdef", "object": "chat.completion.chunk", "created": 1, "model": "m",
                                      "choices": choices, **more}) + "\n\n"

    stream = "".join(chunk([{"index": 0, "delta": {"content": "word "}, "logprobs": None, "finish_reason": None}]) for _ in range(CHUNKS))
    stream += chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]) + "data: [DONE]\n\n"

    def reply(kind, body):
        return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}"

    for mode, text in (("whole", reply("application/json", whole)), ("stream", reply("text/event-stream", stream))):
        _, port = w.server("canned", w.file(mode, text))
        us = {"ours": [], "openai": []}
        for i in range(rounds + 1):
            ours = w.run(w.bench, "remote", f"http://127.0.0.1:{port}/v1#m", calls * 4, 8, mode)
            theirs = w.run(sys.executable, "-c", CLIENT, f"http://127.0.0.1:{port}/v1", calls, 8, mode)
            if ours["bytes"] != 5 * CHUNKS * ours["calls"] or theirs["bytes"] != 5 * CHUNKS * theirs["calls"]:
                raise RuntimeError(f"texts differ: {ours} {theirs}")
            if i > 0:
                us["ours"].append(ours["cpu_s"] / ours["calls"] * 1e6)
                us["openai"].append(theirs["cpu_s"] / theirs["calls"] * 1e6)
        show(f"CPU of a remote call, {mode}; the openai client", "us", us["ours"], us["openai"])


def stream(w, rounds, repeats):
    """The embedded model through /v1 and in process: 32 clients, 64 tokens each."""
    p, port = w.serve()
    cpu, wall = {"ours": [], "process": []}, {"ours": [], "process": []}
    for i in range(rounds + 1):
        before = cpu_s(p)
        ours = w.run(w.bench, "streams", port, 32, repeats, 64)
        ours["cpu_s"] = cpu_s(p) - before
        inside = w.run(w.bench, "engine", 32, repeats, 64)
        if ours["tokens"] != inside["tokens"]:
            raise RuntimeError(f"tokens differ: {ours} {inside}")
        if i > 0:
            for name, r in (("ours", ours), ("process", inside)):
                cpu[name].append(r["tokens"] / r["cpu_s"])
                wall[name].append(r["tokens"] / r["wall_s"])
    show("tokens a CPU second, 32 streams; in process", "/s", cpu["ours"], cpu["process"], True)
    show("tokens a second, 32 streams; in process", "/s", wall["ours"], wall["process"], True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", default="build/release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("chat", "remote", "stream"))
    a = parser.parse_args()
    w = World(os.path.abspath(a.ours))
    try:
        if a.only in (None, "chat"):
            chat(w, a.rounds, 2)
        if a.only in (None, "remote"):
            remote(w, a.rounds, 400)
        if a.only in (None, "stream"):
            stream(w, a.rounds, 40)
    finally:
        w.close()


main()
