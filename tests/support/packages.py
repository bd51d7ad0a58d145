"""packages.py - packages that tests install once, outside the tree.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import os
import shutil
import subprocess
import sys

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "troupe")


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(words, **more):
    done = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n" + "\n".join(done.stdout.splitlines()[-8:]))


def digest_of(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def is_fresh(folder, paths):
    """Was the folder made from files with this content?"""
    try:
        with open(os.path.join(folder, "made-from"), encoding="ascii") as f:
            return f.read() == digest_of(paths)
    except OSError:
        return False


def fresh(folder, paths, make):
    """Calls make(folder) unless the folder was made from files with this content."""
    if is_fresh(folder, paths):
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    say(f"making {folder} from {', '.join(os.path.basename(p) for p in paths)}")
    make(folder)
    with open(os.path.join(folder, "made-from"), "w", encoding="ascii") as f:
        f.write(digest_of(paths))


def node_packages(folder, here, *options):
    """node_modules of package.json and package-lock.json in `here`; options: of `npm ci`."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise LookupError("node and npm are not installed")
    paths = [os.path.join(here, name) for name in ("package.json", "package-lock.json")]

    def make(where):
        for path in paths:
            shutil.copy(path, where)
        run(["npm", "ci", "--silent", "--no-audit", "--no-fund", *options], cwd=where)

    fresh(folder, paths, make)


# Of the conformance suite; some packages do not run on an older one.
NODE_22 = os.path.join(CACHE, "conformance", "node_modules", "node", "bin", "node")


def mcp_packages():
    """The servers, clients and the hub of tests/interop/mcp-npm: the Node for them, and their node_modules. Their scripts, which
    would fetch browsers and build add-ons, do not run."""
    here = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "interop", "mcp-npm")
    folder = os.path.join(CACHE, "interop", "mcp-node")
    node_packages(os.path.join(CACHE, "conformance"), os.path.join(os.path.dirname(os.path.dirname(here)), "conformance"))
    node_packages(folder, here, "--ignore-scripts")
    return NODE_22, os.path.join(folder, "node_modules")
