"""notes_server.py - an MCP server over stdio whose calls leave marks in a file: for tests of effects and of starts.

`python3 notes_server.py FILE [NAME]`: each start, call and question is a line of FILE. It speaks 2025-11-25.
Tools: note (adds a line), book (asks a person first), read (reads), broken (fails), slow (takes a while, with progress),
crash (ends the process). Only the standard library.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import sys
import time

FILE = sys.argv[1]
asked = 0


def mark(text):
    with open(FILE, "a", encoding="utf-8") as f:
        f.write(text + "\n")


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def text(words, **more):
    return {"content": [{"type": "text", "text": words}], **more}


def ask(message, properties):
    """The answer to a form; other requests do not come meanwhile."""
    global asked
    asked += 1
    mark("asks " + message)
    send({"id": f"ask-{asked}", "method": "elicitation/create",
          "params": {"message": message, "requestedSchema": {"type": "object", "properties": properties,
                                                             "required": list(properties)}}})
    while True:
        m = receive()
        if m.get("id") == f"ask-{asked}":
            return m.get("result", {"action": "cancel"})
        if m.get("method") == "notifications/cancelled":
            return {"action": "cancel"}


def call(name, a, meta):
    if name == "note":
        mark("note " + a["text"])
        return text("noted: " + a["text"])
    if name == "read":
        with open(FILE, encoding="utf-8") as f:
            lines = [line.strip() for line in f]
        return text("\n".join(lines), structuredContent={"lines": lines})
    if name == "book":
        answer = ask("How many seats?", {"seats": {"type": "integer", "title": "Seats"},
                                         "window": {"type": "boolean", "title": "At the window"}})
        if answer["action"] != "accept":
            return text("not booked", isError=True)
        mark("book " + json.dumps(answer["content"], sort_keys=True))
        return text("booked " + json.dumps(answer["content"], sort_keys=True))
    if name == "slow":
        mark("slow")
        for i in range(1, 4):
            if "progressToken" in meta:
                send({"method": "notifications/progress",
                      "params": {"progressToken": meta["progressToken"], "progress": i, "total": 3, "message": f"part {i}"}})
            time.sleep(a.get("seconds", 0.3) / 3)
        mark("slow done")
        return text("slow")
    if name == "crash":
        mark("crash")
        os._exit(3)
    return text("it is broken", isError=True)


def tool(name, about, **properties):
    return {"name": name, "description": about, "inputSchema": {"type": "object", "properties": properties,
                                                                "required": [k for k in properties if k != "seconds"]}}


TOOLS = [tool("note", "Writes a note.", text={"type": "string"}), tool("read", "Reads all notes."),
         tool("book", "Books seats."), tool("broken", "Always fails."),
         tool("slow", "Takes a while.", seconds={"type": "number"}), tool("crash", "Ends the server.")]
RESOURCES = [{"uri": "notes://all", "name": "all", "description": "All notes.", "mimeType": "text/plain"}]
PROMPTS = [{"name": "greet", "description": "A greeting.", "arguments": [{"name": "who", "required": True}]}]


def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": "2025-11-25", "serverInfo": {"name": "notes", "version": "1.0"},
                "capabilities": {"tools": {}, "resources": {}, "prompts": {}}}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "resources/list":
        return {"resources": RESOURCES}
    if method == "resources/templates/list":
        return {"resourceTemplates": []}
    if method == "prompts/list":
        return {"prompts": PROMPTS}
    if method == "resources/read" and params["uri"] == "notes://all":
        mark("resource")
        return {"contents": [{"uri": "notes://all", "mimeType": "text/plain", "text": "the notes"}]}
    if method == "prompts/get" and params["name"] == "greet":
        mark("prompt")
        who = params.get("arguments", {}).get("who", "?")
        return {"messages": [{"role": "user", "content": {"type": "text", "text": f"Greet {who} politely."}}]}
    if method == "tools/call":
        return call(params["name"], params.get("arguments", {}), params.get("_meta", {}))
    if method == "ping":
        return {}
    return None


def main():
    mark("start " + (sys.argv[2] if len(sys.argv) > 2 else ""))
    sys.stderr.write("notes: a line for the log\n")
    sys.stderr.flush()
    while True:
        m = receive()
        if "method" not in m or "id" not in m:
            continue
        result = answer(m["method"], m.get("params", {}))
        if result is None:
            send({"id": m["id"], "error": {"code": -32601, "message": "method not found"}})
        else:
            send({"id": m["id"], "result": result})


main()
