"""runs.py - a folder in which `troupe run` calls the models of a server.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request

TROUPE = os.environ["TROUPE"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def post(url, key, body):
    """The answer of a server itself."""
    q = urllib.request.Request(url + "/chat/completions", json.dumps(body).encode(),
                               {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(q, timeout=60) as r:
        return json.load(r)


def wait_for(url, key, process, seconds=120):
    """Until the server answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(urllib.request.Request(url + "/models", headers={"Authorization": f"Bearer {key}"}), timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{url} does not answer")


class Folder:
    def __init__(self, models, env):
        self.folder = tempfile.TemporaryDirectory(prefix="troupe-runs-")
        self.dir = self.folder.name
        self.env = {"PATH": os.environ["PATH"], "HOME": self.dir, "NO_COLOR": "1", **env}
        self.write("troupe.yaml", "models:\n" + "".join(f"  {name}: {spec}\n" for name, spec in models.items()))

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)

    def troupe(self, *words, **env):
        done = subprocess.run([TROUPE, *words], cwd=self.dir, env={**self.env, **env}, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def agent(self, model, text, step="", more="", *options, **env):
        """Runs one agent; (exit code, its output as JSON or None, standard error)."""
        self.write("ask.yaml", f"""schema: blueprint/v1
inputs: {{text: {{type: string}}}}
agents: {{a: {{model: "{model}"{more}}}}}
steps: {{say: {{agent: a, in: "${{inputs.text}}"{step}}}}}
output: "${{say}}"
""")
        code, out, err = self.troupe("run", "ask.yaml", "--var", f"text={text}", *options, **env)
        return code, json.loads(out) if code == 0 else None, err

    def last(self, *options):
        code, out, err = self.troupe("show", "last", "--json", *options)
        if code:
            raise AssertionError(err)
        return json.loads(out)
