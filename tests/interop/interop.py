"""interop.py - other people's clients against `troupe serve`, and other people's servers as remote models.

usage: interop.py PATH/TO/troupe [SUITE...]. Installs pinned packages once into $XDG_CACHE_HOME/troupe/interop, runs each
suite beside this file and prints a summary. Exits with 1 if a check failed.
SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import digits_model  # noqa: E402
import packages  # noqa: E402
from packages import fresh, run, say  # noqa: E402

CACHE = os.path.join(packages.CACHE, "interop")
SECONDS = 300  # of one suite

# Suite -> program, its environment of Python (requirements-NAME.txt) or "node", whether it needs `troupe serve`.
SUITES = {
    "openai": ("client_openai.py", "clients", True),
    "openai-js": ("client_openai.mjs", "node", True),
    "ai-sdk": ("client_ai_sdk.mjs", "node", True),
    "langchain": ("client_langchain.py", "clients", True),
    "litellm": ("client_litellm.py", "litellm", True),
    "litellm-proxy": ("server_litellm.py", "litellm", True),
    "llama-server": ("server_llama.py", "llama", False),
    "tokenizers": ("tokenizers_real.py", "tokenizers", False),
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
    program, needs, wants_server = SUITES[name]
    env = {**os.environ, "TROUPE": troupe, "TROUPE_CACHE": CACHE, "PYTHONPATH": HERE, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
           "OPENAI_API_KEY": "", "LANGSMITH_TRACING": "false"}
    path = os.path.join(HERE, program)
    if needs == "node":
        where = node_folder()
        for file in ("checks.mjs", program):  # beside node_modules, where imports are looked for
            shutil.copy(os.path.join(HERE, file), where)
        words = ["node", os.path.join(where, program)]
    else:
        words = [python_of(needs), path]
    served = Served(troupe, folder) if wants_server else None
    try:
        if served:
            env.update(TROUPE_KEY=served.key, TROUPE_URL=served.start("wide.db"),
                       TROUPE_NARROW_URL=served.start("narrow.db", "--max-queue", "1"))
        found = play(words, env, folder)
    finally:
        if served:
            served.stop()
    return found


def main():
    troupe = os.path.abspath(sys.argv[1])
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
