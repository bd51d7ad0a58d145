"""interop.py - other people's clients against `troupe serve`, and other people's servers as remote models.

usage: interop.py PATH/TO/troupe [--everything DIR | SUITE...]. Installs pinned packages once into $XDG_CACHE_HOME/troupe/interop, runs each
suite beside this file and prints a summary. Exits with 1 if a check failed. --everything runs the conformance suite of MCP
through the hub against the everything-server of the MCP Python SDK in that folder.
SPDX-License-Identifier: Apache-2.0
"""
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import digits_model  # noqa: E402
import mcp_hub  # noqa: E402
import packages  # noqa: E402
from packages import fresh, run, say  # noqa: E402

CACHE = os.path.join(packages.CACHE, "interop")
SECONDS = 300  # of one suite

# Suite -> program, its environment of Python (requirements-NAME.txt) or "node", and what it runs against: "v1" is `troupe serve`
# with the folder served/, "mcp" a hub (mcp_hub.py).
SUITES = {
    "openai": ("client_openai.py", "clients", "v1"),
    "openai-js": ("client_openai.mjs", "node", "v1"),
    "ai-sdk": ("client_ai_sdk.mjs", "node", "v1"),
    "langchain": ("client_langchain.py", "clients", "v1"),
    "litellm": ("client_litellm.py", "litellm", "v1"),
    "litellm-proxy": ("server_litellm.py", "litellm", "v1"),
    "llama-server": ("server_llama.py", "llama", None),
    "mcp-servers": ("server_mcp.py", "mcp-hub", "mcp"),
    "mcp-python": ("client_mcp.py", "mcp-hub", "mcp"),
    "mcp-js": ("client_mcp.mjs", "mcp-node", "mcp"),
    "mcp-tools": ("client_mcp_tools.py", "mcp-hub", "mcp"),
    "tokenizers": ("tokenizers_real.py", "tokenizers", None),
}


def python_of(name):
    folder = os.path.join(CACHE, name)
    needs = os.path.join(HERE, f"requirements-{name}.txt")

    def make(where):
        run([sys.executable, "-m", "venv", where])
        run([os.path.join(where, "bin/pip"), "install", "-q", "--no-deps", "-r", needs])

    fresh(folder, [needs], make)
    return os.path.join(folder, "bin/python")


def node_folder():
    folder = os.path.join(CACHE, "node")
    packages.node_packages(folder, HERE)
    return folder


def mcp_node():
    node, modules = packages.mcp_packages()
    return node, os.path.dirname(modules)


class Served:
    """`troupe serve` with a copy of the folder served/."""

    def __init__(self, troupe, folder):
        self.troupe, self.folder = troupe, os.path.join(folder, "served")
        self.running = []
        shutil.copytree(os.path.join(HERE, "served"), self.folder)
        digits_model.make(os.path.dirname(os.path.dirname(HERE)), os.path.join(self.folder, "digits"))
        self.env = {"PATH": os.environ["PATH"], "HOME": self.folder, "NO_COLOR": "1"}
        out = subprocess.run([troupe, "serve", "token", "interop", "--token-file", "tokens"], cwd=self.folder, env=self.env,
                             text=True, capture_output=True, check=True).stdout
        self.key = out.split()[1]

    def start(self, store, *more):
        p = subprocess.Popen([self.troupe, "serve", "--listen", "127.0.0.1:0", "--token-file", "tokens", "--store", store, *more],
                             cwd=self.folder, env=self.env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.running.append(p)
        line = p.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"troupe serve printed {line!r}")
        return line.split()[2]

    def stop(self):
        for p in self.running:
            p.send_signal(signal.SIGTERM)
        codes = [p.wait(30) for p in self.running]
        if set(codes) - {0, 128 + signal.SIGTERM}:
            raise RuntimeError(f"troupe serve ended with {codes}")


def play(words, env, cwd):
    """The lines of a suite as (kind, name, words)."""
    found = []
    done = subprocess.run(words, env=env, cwd=cwd, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    for line in done.stdout.splitlines():
        kind, _, rest = line.partition(" ")
        if kind in ("ok", "skip", "FAILED"):
            name, _, why = rest.partition(": ") if kind != "ok" else (rest, "", "")
            found.append((kind, name, why))
    if done.returncode or not found:
        found.append(("FAILED", "the suite itself", f"exit code {done.returncode}: " + " | ".join(done.stderr.splitlines()[-3:])))
    return found


def suite(name, troupe, folder):
    program, needs, against = SUITES[name]
    env = {**os.environ, "TROUPE": troupe, "TROUPE_CACHE": CACHE, "PYTHONPATH": HERE, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
           "OPENAI_API_KEY": "", "LANGSMITH_TRACING": "false"}
    path = os.path.join(HERE, program)
    if needs in ("node", "mcp-node"):
        node, where = ("node", node_folder()) if needs == "node" else mcp_node()
        for file in ("checks.mjs", program):  # beside node_modules, where imports are looked for
            shutil.copy(os.path.join(HERE, file), where)
        words = [node, os.path.join(where, program)]
    else:
        words = [python_of(needs), path]
    served = Served(troupe, folder) if against == "v1" else mcp_hub.Hub(troupe, folder, python_of("mcp-hub")) if against else None
    try:
        if against == "mcp":
            env.update(served.env)
        elif served:
            env.update(TROUPE_KEY=served.key, TROUPE_URL=served.start("wide.db"),
                       TROUPE_NARROW_URL=served.start("narrow.db", "--max-queue", "1"))
        found = play(words, env, folder)
    finally:
        if served:
            served.stop()
    return found


def everything(troupe, folder):
    conformance = os.path.join(os.path.dirname(HERE), "conformance")
    server = [sys.executable, os.path.join(conformance, "hub_server.py"), troupe, "--per-client", python_of("mcp"),
              os.path.join(HERE, "server_everything.py"), os.path.abspath(folder)]
    suite_of = [sys.executable, os.path.join(conformance, "conformance.py")]
    subprocess.run([*suite_of, "install"], check=True)
    sys.exit(subprocess.run([*suite_of, "server", "--except", os.path.join(HERE, "everything.txt"),
                             "--command", shlex.join(server)], check=False).returncode)


def main():
    troupe = os.path.abspath(sys.argv[1])
    if sys.argv[2:3] == ["--everything"] and len(sys.argv) == 4:
        everything(troupe, sys.argv[3])
    names = sys.argv[2:] or list(SUITES)
    failed, counts = [], []
    for name in names:
        if name not in SUITES:
            sys.exit(f"interop: there is no suite {name}; there are {', '.join(SUITES)}")
    for name in names:
        say(f"== {name}")
        with tempfile.TemporaryDirectory(prefix="troupe-interop-") as folder:
            try:
                found = suite(name, troupe, folder)
            except LookupError as e:
                found = [("skip", "all", str(e))]
            except (RuntimeError, subprocess.SubprocessError, OSError) as e:
                found = [("FAILED", "the suite itself", str(e))]
        for kind, what, why in found:
            print(f"{name:14} {kind:8} {what}{': ' if why else ''}{why}", flush=True)
        failed += [(name, what) for kind, what, _ in found if kind == "FAILED"]
        counts.append((name, [sum(f[0] == k for f in found) for k in ("ok", "skip", "FAILED")]))
    print()
    for name, (ok, skipped, wrong) in counts:
        print(f"{name:14} {ok} ok, {skipped} skipped, {wrong} failed")
    sys.exit(1 if failed else 0)


main()
