# notes.py - a small MCP server: notes in a file. Only the standard library.
# SPDX-License-Identifier: Apache-2.0
import json
import sys

PATH = sys.argv[1]
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = [{"name": "add", "description": "Adds a note.", "inputSchema": TEXT},
         {"name": "list", "description": "Lists the notes.", "inputSchema": {"type": "object"}}]
NOTES = {"uri": "notes://all", "name": "all", "description": "All notes.", "mimeType": "text/plain"}
SUM_UP = {"name": "sum_up", "description": "Asks for a summary.", "arguments": [{"name": "length", "required": True}]}


def notes():
    with open(PATH, "a+", encoding="utf-8") as f:
        f.seek(0)
        return f.read().splitlines()


def call(name, arguments):
    if name == "list":
        return {"content": [{"type": "text", "text": "\n".join(notes())}], "structuredContent": {"notes": notes()}}
    with open(PATH, "a", encoding="utf-8") as f:
        f.write(arguments["text"] + "\n")
    return {"content": [{"type": "text", "text": "added: " + arguments["text"]}]}


def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": "2025-11-25", "serverInfo": {"name": "notes", "version": "1"},
                "capabilities": {"tools": {}, "resources": {}, "prompts": {}}}
    if method == "tools/call":
        return call(params["name"], params.get("arguments", {}))
    if method == "resources/read":
        return {"contents": [{**NOTES, "text": "\n".join(notes())}]}
    if method == "prompts/get":
        text = f"Sum up these notes in {params['arguments']['length']}:"
        return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}
    return {"tools/list": {"tools": TOOLS}, "resources/list": {"resources": [NOTES]}, "prompts/list": {"prompts": [SUM_UP]},
            "resources/templates/list": {"resourceTemplates": []}}.get(method)


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        result = answer(message["method"], message.get("params", {}))
        end = {"result": result} if result is not None else {"error": {"code": -32601, "message": "not known"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **end}), flush=True)
