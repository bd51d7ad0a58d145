"""client_mcp_tools.py - programs for the command line against the hub: fastmcp, the inspector, mcpc.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess
import sys
import tempfile

from checks import check, equal, main
from mcp_checks import MODULES, NODE, URL

FASTMCP = os.path.join(os.path.dirname(sys.executable), "fastmcp")
INSPECTOR = [NODE, os.path.join(MODULES, "@modelcontextprotocol/inspector/clients/launcher/build/index.js"), "--cli", URL, "--transport", "http"]
HOME = tempfile.mkdtemp(prefix="troupe-interop-home-")


def run(*words, code=0):
    env = {**os.environ, "HOME": HOME, "PATH": os.path.dirname(NODE) + os.pathsep + os.environ["PATH"], "NO_COLOR": "1"}
    done = subprocess.run(words, env=env, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=90)
    if (done.returncode == 0) != (code == 0):
        raise AssertionError(f"exit code {done.returncode}: {done.stdout[-300:]} {done.stderr[-300:]}")
    return done.stdout + done.stderr


def has(text, part):
    equal(part in text, True, f"{part!r} in {text[-300:]!r}")


@check("fastmcp list")
def fastmcp_list():
    text = run(FASTMCP, "list", URL)
    has(text, "everything__echo")
    has(text, "git__git_log")


@check("fastmcp call")
def fastmcp_call():
    has(run(FASTMCP, "call", URL, "everything__echo", "message=hi"), "Echo: hi")


@check("fastmcp call, an error")
def fastmcp_error():
    has(run(FASTMCP, "call", URL, "everything__no-such-tool", code=1), "no-such-tool")


@check("inspector tools/list")
def inspector_list():
    listed, _ = json.JSONDecoder().raw_decode(run(*INSPECTOR, "--method", "tools/list"))  # a note may follow
    equal("everything__echo" in [t["name"] for t in listed["tools"]], True)


@check("inspector tools/call")
def inspector_call():
    has(run(*INSPECTOR, "--method", "tools/call", "--tool-name", "everything__echo", "--tool-arg", "message=hi"), "Echo: hi")


@check("inspector resources/list, prompts/list")
def inspector_others():
    has(run(*INSPECTOR, "--method", "resources/list"), "troupe://everything/")
    has(run(*INSPECTOR, "--method", "prompts/list"), "everything__args-prompt")


@check("mcpc connect, tools-list, tools-call, an error, close")
def mcpc():
    words = [NODE, os.path.join(MODULES, "@apify/mcpc/bin/mcpc")]
    run(*words, "connect", URL, "@hub")
    try:
        has(run(*words, "--json", "@hub", "tools-list"), "everything__echo")
        has(run(*words, "--json", "@hub", "tools-call", "everything__echo", "message:=hi"), "Echo: hi")
        run(*words, "--json", "@hub", "tools-call", "everything__no-such-tool", code=1)
    finally:
        run(*words, "close", "@hub")


main()
