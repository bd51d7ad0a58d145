"""mcp_case.py - MCP servers for the tests of the command line: notes_server.py, which leaves marks in a file.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import sys

from cli_case import CliCase, SOURCE

NOTES = os.path.join(SOURCE, "tests/integration/cli/notes_server.py")


class McpCase(CliCase):
    def notes(self, name="notes", file=".mcp.json", **more):
        """Defines the server in a file, and does not approve it."""
        path = os.path.join(self.dir, file)
        doc = {"mcpServers": {}}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                doc = json.load(f)
        doc["mcpServers"][name] = {"command": sys.executable, "args": [NOTES, os.path.join(self.dir, "marks")], **more}
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.write(file, json.dumps(doc))

    def trust_project(self):
        self.env["TROUPE_TRUST_PROJECT"] = "true"

    def marks(self, word=""):
        """The lines that the server left."""
        path = os.path.join(self.dir, "marks")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return [line.strip() for line in f if line.startswith(word)]
