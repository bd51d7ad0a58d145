"""server_mcp.py - MCP servers of other projects behind the hub: list, call, error, restart.

SPDX-License-Identifier: Apache-2.0
"""
import json
import time

from checks import Skip, check, equal, main
from mcp_checks import FILES, client, kill_server, text_of
from mcp_hub import browser

# Server -> its tools that must be there, a call and a part of its answer, a call that fails, a part of its command line.
SERVERS = {
    "everything": (["echo", "get-sum"], ("get-sum", {"a": 2, "b": 3}, "5"), ("get-sum", {"a": "x"}), "server-everything"),
    "files": (["read_text_file", "list_directory"], ("read_text_file", {"path": f"{FILES}/a.txt"}, "first line"),
              ("read_text_file", {"path": "/etc/passwd"}), "server-filesystem"),
    "memory": (["create_entities", "read_graph"], ("read_graph", {}, "entities"),
               ("add_observations", {"observations": [{"entityName": "none", "contents": ["x"]}]}), "server-memory"),
    "thinking": (["sequentialthinking"],
                 ("sequentialthinking", {"thought": "so", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}, "thoughtNumber"),
                 ("sequentialthinking", {"thought": 3}), "sequential-thinking"),
    "time": (["get_current_time"], ("get_current_time", {"timezone": "Europe/Oslo"}, "Europe/Oslo"),
             ("get_current_time", {"timezone": "No/Where"}), "mcp-server-time"),
    "git": (["git_log", "git_status"], ("git_log", {"repo_path": FILES}, "the first"), ("git_log", {"repo_path": "/no/such"}), "mcp-server-git"),
}


async def call(c, server, tool, arguments):
    return await c.call_tool(f"{server}__{tool}", arguments)


def in_both_eras(server, name):
    def add(function):
        for mode in ("legacy", "2026-07-28"):
            async def run(mode=mode):
                async with client(mode) as c:
                    await function(c, server)
            check(f"{server}, {mode} client: {name}")(run)
        return function
    return add


async def lists(c, server):
    names = [t.name for t in (await c.list_tools()).tools]
    for tool in SERVERS[server][0]:
        equal(f"{server}__{tool}" in names, True, f"{server}__{tool} in {names}")


async def calls(c, server):
    tool, arguments, part = SERVERS[server][1]
    got = await call(c, server, tool, arguments)
    equal(bool(got.is_error), False, text_of(got))
    equal(part in text_of(got), True, text_of(got)[:200])


async def fails(c, server):
    tool, arguments = SERVERS[server][2]
    got = await call(c, server, tool, arguments)
    equal(got.is_error, True, text_of(got)[:200])


async def restarts(c, server):
    """Killed, it is there again after a pause; meanwhile a call fails by name."""
    await calls(c, server)
    equal(kill_server(SERVERS[server][3]) > 0, True, "processes that were killed")
    end = time.monotonic() + 30
    while True:
        try:
            await calls(c, server)
            return
        except Exception as e:  # the client has several classes
            if server not in str(e) or time.monotonic() > end:
                raise
            time.sleep(0.3)


for one in SERVERS:
    in_both_eras(one, "lists its tools")(lists)
    in_both_eras(one, "answers a call")(calls)
    in_both_eras(one, "fails as a result")(fails)
    in_both_eras(one, "comes back after kill -9")(restarts)


@check("browser: a page, and a picture of it")
async def page():
    if not browser():
        raise Skip("there is no chromium")
    async with client("legacy") as c:
        got = await call(c, "browser", "browser_navigate", {"url": "data:text/html,<title>Bees</title><h1>Hum</h1>"})
        equal("Bees" in text_of(got), True, text_of(got)[:200])
        got = await call(c, "browser", "browser_take_screenshot", {})
        equal("image" in [x.type for x in got.content], True)


@check("memory: what was written is read after a restart")
async def kept():
    async with client("2026-07-28") as c:
        await call(c, "memory", "create_entities", {"entities": [{"name": "bee", "entityType": "insect", "observations": ["hums"]}]})
        await restarts(c, "memory")
        graph = json.loads(text_of(await call(c, "memory", "read_graph", {})))
        equal([e["name"] for e in graph["entities"]], ["bee"])


main()
