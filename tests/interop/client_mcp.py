"""client_mcp.py - the client of the Python package mcp against the hub, in both eras.

SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import time

import mcp
from checks import check, equal, main
from mcp_checks import ALL, client, text_of

MODES = {"auto": "2026-07-28", "2026-07-28": "2026-07-28", "legacy": "2025-11-25"}


def in_each_mode(name, **more):
    def add(function):
        for mode, version in MODES.items():
            async def run(mode=mode, version=version):
                async with client(mode, **more) as c:
                    equal(c.protocol_version, version)
                    await function(c)
            check(f"{mode}: {name}")(run)
        return function
    return add


# First: clients of 2026-07-28 have no sessions, so that they share the instance of a server, and this server keeps the first list
# of roots that it is given.
@in_each_mode("roots", **ALL)
async def list_roots(c):
    text = text_of(await c.call_tool("everything__get-roots-list", {}))
    equal("/srv/interop" in text, True, text)


@in_each_mode("tools are listed, with their schemas")
async def tools_are_listed(c):
    tools = {t.name: t for t in (await c.list_tools()).tools}
    for name in ("everything__echo", "files__read_text_file", "memory__read_graph", "thinking__sequentialthinking", "time__get_current_time", "git__git_log"):
        if name not in tools:
            raise AssertionError(f"{name} is not listed: {sorted(tools)}")
    equal(tools["everything__echo"].input_schema["required"], ["message"])


@in_each_mode("calls")
async def calls(c):
    equal(text_of(await c.call_tool("everything__echo", {"message": "ü 蜂"})), "Echo: ü 蜂")
    got = await c.call_tool("everything__get-structured-content", {"location": "New York"})
    equal(sorted(got.structured_content), ["conditions", "humidity", "temperature"])
    got = await c.call_tool("everything__get-tiny-image", {})
    equal([x.type for x in got.content], ["text", "image", "text"])


@in_each_mode("errors: arguments that are wrong, a tool that does not exist")
async def errors(c):
    got = await c.call_tool("everything__get-sum", {"a": "x"})
    equal(got.is_error, True)
    try:
        await c.call_tool("everything__no-such-tool", {})
    except mcp.MCPError as e:
        equal("no-such-tool" in str(e), True, str(e))
    else:
        raise AssertionError("no error for a tool that does not exist")


@in_each_mode("progress")
async def progress(c):
    seen = []

    async def on_progress(n, total, message):
        seen.append((n, total))

    got = await c.call_tool("everything__trigger-long-running-operation", {"duration": 0.4, "steps": 4}, progress_callback=on_progress)
    equal("completed" in text_of(got), True)
    equal(seen, [(1, 4), (2, 4), (3, 4), (4, 4)])


@in_each_mode("a call that is cancelled; the next one works")
async def cancel(c):
    began = time.monotonic()
    call = asyncio.ensure_future(c.call_tool("everything__trigger-long-running-operation", {"duration": 30, "steps": 3}))
    await asyncio.sleep(0.3)
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        pass
    equal(text_of(await c.call_tool("everything__echo", {"message": "again"})), "Echo: again")
    equal(time.monotonic() - began < 10, True, "time")


@in_each_mode("elicitation", **ALL)
async def elicitation(c):
    text = text_of(await c.call_tool("everything__trigger-elicitation-request", {}))
    equal("Ada" in text, True, text)


@in_each_mode("sampling", **ALL)
async def sampling(c):
    text = text_of(await c.call_tool("everything__trigger-sampling-request", {"prompt": "bees", "maxTokens": 10}))
    equal("bees hum" in text, True, text)


@in_each_mode("resources and templates")
async def resources(c):
    listed = (await c.list_resources()).resources
    equal(all(str(r.uri).startswith("troupe://") for r in listed), True)
    got = await c.read_resource(next(str(r.uri) for r in listed if str(r.uri).startswith("troupe://everything/")))
    equal(len(got.contents) > 0, True)
    templates = (await c.list_resource_templates()).resource_templates
    uri = next(t.uri_template for t in templates if "text" in t.uri_template).replace("{resourceId}", "1")
    equal("Resource 1" in (await c.read_resource(uri)).contents[0].text, True)


@in_each_mode("prompts")
async def prompts(c):
    names = [p.name for p in (await c.list_prompts()).prompts]
    equal("everything__args-prompt" in names, True, str(names))
    got = await c.get_prompt("everything__args-prompt", {"city": "Oslo"})
    equal("Oslo" in got.messages[0].content.text, True)


@in_each_mode("50 calls at once, each its own answer")
async def many(c):
    got = await asyncio.gather(*(c.call_tool("everything__echo", {"message": f"n{i}"}) for i in range(50)))
    equal([text_of(g) for g in got], [f"Echo: n{i}" for i in range(50)])


main()
