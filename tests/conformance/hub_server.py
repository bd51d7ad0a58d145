"""hub_server.py - `troupe serve` in front of one server over stdio, as a server under test: it prints its address.

usage: hub_server.py TROUPE [--kill | --per-client] COMMAND...

COMMAND is in the .mcp.json of a folder of its own, and the hub starts it; the view `fixtures` shows it under its own names.
--per-client: each client has a process of COMMAND. --kill ends each process of COMMAND as soon as it is there. Ends on SIGTERM, with the status of `troupe serve`, or 0 where it ended on SIGTERM too; with
1 if there was nothing to kill.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

SETTINGS = """mcp:
  views:
    fixtures: {servers: [fix], names: bare}
"""
PER_CLIENT = "  servers: {fix: {instances: per_client}}\n"


def processes_of(command):
    """The pids of all processes with these arguments."""
    wanted = b"\0".join(os.fsencode(word) for word in command) + b"\0"
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as f:
                if name.isdigit() and f.read() == wanted:
                    found.append(int(name))
        except OSError:
            pass
    return found


class Killer:
    """Ends the processes of a command for ever."""

    def __init__(self, command):
        self.command, self.killed = command, 0
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            for pid in processes_of(self.command):
                try:
                    os.kill(pid, signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    pass
            time.sleep(0.005)


def serve(troupe, folder):
    env = {**os.environ, "HOME": folder, "NO_COLOR": "1", "TROUPE_TRUST_PROJECT": "true"}
    p = subprocess.Popen([troupe, "serve", "--no-token", "--listen", "127.0.0.1:0"], cwd=folder, env=env,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    for signo in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signo, lambda *_: p.terminate())
    for line in p.stdout:
        if line.startswith("listening on "):
            print(f"listening on {line.split()[2].replace('127.0.0.1', 'localhost')}/mcp/fixtures", flush=True)
    status = p.wait()
    return 0 if status == 128 + signal.SIGTERM else status


def main(troupe, *command):
    kills, per_client = command[0] == "--kill", command[0] == "--per-client"
    command = list(command[kills or per_client:])
    with tempfile.TemporaryDirectory(prefix="troupe-hub-") as folder:
        killer = None
        if kills:  # a name of its own, so that no other process is meant
            os.symlink(os.path.abspath(command[0]), os.path.join(folder, "server"))
            command[0] = os.path.join(folder, "server")
            killer = Killer(command)
        with open(os.path.join(folder, ".mcp.json"), "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {"fix": {"command": command[0], "args": command[1:]}}}, f)
        with open(os.path.join(folder, "troupe.yaml"), "w", encoding="utf-8") as f:
            f.write(SETTINGS + (PER_CLIENT if per_client else ""))
        status = serve(troupe, folder)
        return 1 if killer and not killer.killed else status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
