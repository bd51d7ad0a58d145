"""bench_world.py - what the baselines that start several programs share: a folder, processes, ratios.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time


def cpu_s(process):
    """User and system time of another process, from the clock of its CPU time."""
    return time.clock_gettime(~process.pid << 3 | 2)


class World:
    """A temporary folder, which is the home of the programs that are started in it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="troupe-bench-")
        self.dir = self.folder.name
        self.running = []

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def start(self, *words, cwd=None, env=None, stderr=subprocess.PIPE):
        p = subprocess.Popen(words, cwd=cwd or self.dir, env={**os.environ, "HOME": self.dir, **(env or {})}, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
        self.running.append(p)
        return p

    def run(self, *words):
        """The JSON that a program prints."""
        done = subprocess.run([str(w) for w in words], cwd=self.dir, text=True, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    def stop(self, p):
        p.send_signal(signal.SIGKILL)
        p.wait()
        self.running.remove(p)

    def close(self):
        for p in list(self.running):
            self.stop(p)


def show(what, unit, ours, other, more_is_better=False):
    """Medians of both sides and of the ratios; how many times less (or the part that remains)."""
    ratios = [a / b if more_is_better else b / a for a, b in zip(ours, other)]
    print(f"{what:74} {statistics.median(ours):10.2f} {unit}  other {statistics.median(other):10.2f}  "
          f"ratio {statistics.median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in ratios)})", flush=True)
