"""mcp_hub.py - `troupe serve` as a hub with servers of other projects, for the suites of MCP.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import packages  # noqa: E402

# Upstream -> its program in node_modules and its words; "{folder}" is the folder that the suite may change.
NPM = {"everything": ("@modelcontextprotocol/server-everything/dist/index.js", "stdio"),
       "files": ("@modelcontextprotocol/server-filesystem/dist/index.js", "{folder}"),
       "memory": ("@modelcontextprotocol/server-memory/dist/index.js",),
       "thinking": ("@modelcontextprotocol/server-sequential-thinking/dist/index.js",)}
PYPI = {"time": ("mcp-server-time",), "git": ("mcp-server-git", "--repository", "{folder}")}
BROWSER = ("@playwright/mcp/cli.js", "--headless", "--no-sandbox", "--executable-path")


def browser():
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Hub:
    def __init__(self, troupe, folder, python):
        node, modules = packages.mcp_packages()
        self.home = os.path.join(folder, "hub")
        self.files = os.path.join(self.home, "files")
        os.makedirs(os.path.join(self.home, ".config/troupe"))
        os.makedirs(self.files)
        with open(os.path.join(self.files, "a.txt"), "w", encoding="utf-8") as f:
            f.write("first line\n")
        for words in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "the first"]):
            subprocess.run(["git", "-C", self.files, *words], check=True, capture_output=True)
        servers = {name: [node, os.path.join(modules, words[0]), *words[1:]] for name, words in NPM.items()}
        servers.update({name: [os.path.join(os.path.dirname(python), words[0]), *words[1:]] for name, words in PYPI.items()})
        if browser():
            servers["browser"] = [node, os.path.join(modules, BROWSER[0]), *BROWSER[1:], browser()]
        with open(os.path.join(self.home, ".config/troupe/mcp.json"), "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {name: {"command": words[0], "args": [w.replace("{folder}", self.files) for w in words[1:]],
                                             "env": {"MEMORY_FILE_PATH": os.path.join(self.home, "memory.jsonl")}}
                                      for name, words in servers.items()}}, f)
        with open(os.path.join(self.home, "troupe.yaml"), "w", encoding="utf-8") as f:
            f.write("mcp:\n  servers:\n    everything: {instances: per_client}\n")
        with open(os.path.join(self.home, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [troupe, "serve", "--no-token", "--listen", "127.0.0.1:0"], cwd=self.home, text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": self.home, "XDG_CONFIG_HOME": os.path.join(self.home, ".config")})
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"troupe serve printed {line!r}")
        self.env = {"TROUPE_MCP_URL": line.split()[2] + "/mcp", "TROUPE_MCP_PID": str(self.process.pid),
                    "TROUPE_MCP_FILES": self.files, "TROUPE_NODE": node, "TROUPE_NODE_MODULES": modules}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        if code not in (0, 128 + signal.SIGTERM):
            raise RuntimeError(f"troupe serve ended with {code}")
