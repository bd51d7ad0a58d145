"""mcp_checks.py - what the suites of MCP in Python share: a client of the hub, and the processes behind it.

SPDX-License-Identifier: Apache-2.0
"""
import os
import signal
import time

import mcp
import mcp.types as types

URL = os.environ.get("TROUPE_MCP_URL", "")
FILES = os.environ.get("TROUPE_MCP_FILES", "")
NODE, MODULES = os.environ.get("TROUPE_NODE", ""), os.environ.get("TROUPE_NODE_MODULES", "")


def text_of(result):
    return "\n".join(c.text for c in result.content if c.type == "text")


def client(mode="auto", **more):
    return mcp.Client(URL, mode=mode, read_timeout_seconds=60, **more)


async def elicit(context, params):
    """A person who accepts, with the defaults of the form and a name."""
    properties = getattr(params, "requested_schema", None) or {}
    content = {k: v["default"] for k, v in properties.get("properties", {}).items() if "default" in v}
    return types.ElicitResult(action="accept", content={**content, "name": "Ada"})


async def sample(context, params):
    return types.CreateMessageResult(role="assistant", model="a-model", content=types.TextContent(type="text", text="bees hum"))


async def roots(context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///srv/interop", name="interop")])


ALL = {"elicitation_callback": elicit, "sampling_callback": sample, "list_roots_callback": roots}


def descendants(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            found = [int(word) for word in f.read().split()]
    except OSError:
        return []
    return found + [deep for child in found for deep in descendants(child)]


def kill_server(part):
    """Kills the processes behind the hub whose command line has this part; how many."""
    n = 0
    for pid in descendants(int(os.environ["TROUPE_MCP_PID"])):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().decode()
            if part in words:
                os.kill(pid, signal.SIGKILL)
                n += 1
        except OSError:
            pass
    time.sleep(0.2)
    return n
