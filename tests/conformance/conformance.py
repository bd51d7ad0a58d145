"""conformance.py - runs the conformance suite of MCP and judges its results itself.

usage: conformance.py install
       conformance.py server (--url URL | --command WORDS) [--revision REV]... [--extras] [--except FILE] [--alone FILE] [--only NAME]...
       conformance.py client --command WORDS [...]

--command of `server` starts a server that prints an address ("listening on URL") and ends on SIGTERM; of `client`, the suite
calls it with the URL of its own server. --extras counts the scenarios that no score counts as well. --except names failures
that are known: REVISION NAME REASON a line; one that passes is an error, so that the list stays true. --alone names the
scenarios that pass, REVISION NAME a line: all others must fail (a server whose parts were taken away), but those with
"either" behind them. A leg with a fault is run a second time: some scenarios judge by the clock, and a machine may pause for
longer than they allow. What fails once is printed; what fails twice is a fault.
scenarios.txt lists what must run. Exit status: 0 all passed, 1 not, 77 not installed (install does that, outside the tree).
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import glob
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import packages  # noqa: E402

FOLDER = os.path.join(packages.CACHE, "conformance")
NODE = packages.NODE_22
SUITE = os.path.join(FOLDER, "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
REVISIONS = ("2025-11-25", "2026-07-28")
LEG_S = 180
# Optional in the protocol: without such messages the suite has nothing to check.
MAY_BE_EMPTY = ("tasks-status-notifications",)


def scenarios(side, revision):
    """Name -> whether it counts for no score."""
    found = {}
    with open(os.path.join(HERE, "scenarios.txt"), encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[:2] == [revision, side]:
                found[words[2]] = words[3:] == ["extra"]
    return found


def exceptions(path):
    """(revision, name) -> reason"""
    found = {}
    if path:
        with open(path, encoding="utf-8") as f:
            for line in f:
                words = line.split(None, 2)
                if words and not line.startswith("#"):
                    found[words[0], words[1]] = "".join(words[2:]).strip()
    return found


def expected_failures(o, listed, revision):
    """name -> reason"""
    known = exceptions(o.exceptions)
    failures = {name: reason for (of, name), reason in known.items() if of == revision}
    if o.alone:
        alone = exceptions(o.alone)
        failures.update({name: alone.get((revision, name), "nothing is there to answer") for name in listed
                         if alone.get((revision, name)) != ""})
    return failures


def judge(folder, side):
    """Name -> (passes, words), from the checks that the suite wrote."""
    found = {}
    for path in glob.glob(os.path.join(folder, "*", "checks.json")) + glob.glob(os.path.join(folder, "*", "*", "checks.json")):
        where = os.path.relpath(os.path.dirname(path), folder)
        name = re.sub(r"-\d{4}-\d\d-\d\dT.*$", "", where)
        name = name[len(side) + 1:] if name.startswith(side + "-") else name
        with open(path, encoding="utf-8") as f:
            checks = json.load(f)
        wrong = [c for c in checks if c["status"] == "FAILURE"]
        right = sum(c["status"] == "SUCCESS" for c in checks)
        passes = not wrong and (right > 0 or name in MAY_BE_EMPTY)
        words = "; ".join(f"{c['id']}: {c.get('errorMessage', '')}" for c in wrong) or f"{right} checks"
        found[name] = (passes, words)
    return found


def play(words, seconds):
    """Runs the suite; it ends in time, whatever it does."""
    p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         start_new_session=True)
    try:
        return p.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        return p.communicate()[0] + f"\nthe suite did not end in {seconds} s"


class Server:
    """A command that prints its address, or an address that is given."""

    def __init__(self, o):
        self.process = None
        self.url = o.url
        if o.url:
            return
        self.process = subprocess.Popen(shlex.split(o.command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"https?://\S+", line)
        if not found:
            self.stop()
            raise RuntimeError(f"{o.command} printed {line!r}, not its address")
        # The check of Host wants a name.
        self.url = found.group().replace("127.0.0.1", "localhost")
        if self.url.count("/") < 3:
            self.url += "/mcp"

    def stop(self):
        """The exit status; a sanitizer's finding is one that is not 0."""
        if not self.process:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def leg(o, revision, out):
    words = [NODE, SUITE, o.side, "--requirements", revision, "-o", out]
    if o.side == "client":
        return play(words + ["--command", o.command, "--timeout", "60000"], LEG_S)
    server = Server(o)
    try:
        return play(words + ["--url", server.url], LEG_S)
    finally:
        status = server.stop()
        if status not in (0, -signal.SIGTERM):
            raise RuntimeError(f"the server ended with {status}")


def faults_of(o, revision, found):
    """(name -> what is wrong, how many pass, how many count)"""
    listed = scenarios(o.side, revision)
    known = expected_failures(o, listed, revision)
    faults, passed, scored = {}, 0, 0
    for name, is_extra in listed.items():
        if (is_extra and not o.extras) or (o.only and name not in o.only):
            continue
        passes, words = found.get(name, (False, "it did not run"))
        reason = known.get(name)
        scored += 1
        passed += passes
        if passes != (reason is None) and reason != "either":
            faults[name] = "passes, but is listed as a known failure" if passes else words
    return faults, passed, scored


def judge_leg(o, revision):
    """Prints what did not pass; the number of faults."""
    for turn in (1, 2):
        with tempfile.TemporaryDirectory(prefix="troupe-conformance-") as out:
            output = leg(o, revision, out)
            found = judge(out, o.side)
        faults, passed, scored = faults_of(o, revision, found)
        for name, words in faults.items():
            print(f"{revision} {o.side} {name}: {words}" + (" (first of two runs)" if turn == 1 else ""))
        if not faults:
            break
    print(f"{revision} {o.side}: {passed} of {scored} scenarios pass", flush=True)
    if not found:
        print("\n".join(output.splitlines()[-8:]))
    return len(faults)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("side", choices=("install", "server", "client"))
    parser.add_argument("--url")
    parser.add_argument("--command")
    parser.add_argument("--revision", action="append", choices=REVISIONS)
    parser.add_argument("--extras", action="store_true")
    parser.add_argument("--except", dest="exceptions")
    parser.add_argument("--alone")
    parser.add_argument("--only", action="append")
    o = parser.parse_args()
    if o.side == "install":
        packages.node_packages(FOLDER, HERE)
        return 0
    if not (o.command or (o.side == "server" and o.url)):
        parser.error("--command, or --url of a server, is missing")
    if not packages.is_fresh(FOLDER, [os.path.join(HERE, n) for n in ("package.json", "package-lock.json")]):
        print("the suite is not installed: `./dev conformance` does that")
        return 77
    faults = 0
    for revision in o.revision or REVISIONS:
        faults += judge_leg(o, revision)
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, LookupError, OSError) as e:
        sys.exit(f"conformance: {e}")
