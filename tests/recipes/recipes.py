"""recipes.py - applies the recipes to a copy of the tree, builds it and runs their tests.

usage: recipes.py SOURCE_DIR WORK_DIR [RECIPE...]. README.md explains recipes. Without TROUPE_SOAK in the
environment it does nothing (exit status 77: skipped). SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import shutil
import subprocess
import sys

LINES = 10  # the most lines that a recipe may add to existing files
# Order matters: the option belongs to the new command.
RECIPES = ["tool", "environment", "command", "option", "op", "step_kind"]


def copy_tree(source, work):
    """Copies the tracked and the untracked, not ignored files of the working tree."""
    names = subprocess.run(["git", "-C", source, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    shutil.rmtree(work, ignore_errors=True)
    for name in names:
        path = os.path.join(source, name)
        if os.path.isfile(path):
            os.makedirs(os.path.join(work, os.path.dirname(name)), exist_ok=True)
            shutil.copy2(path, os.path.join(work, name))


def change(work, verb, file, where, text):
    """Applies one line of `steps.txt`; returns the number of lines added."""
    path = os.path.join(work, file)
    with open(path, encoding="utf-8") as f:
        old = f.read()
    if verb == "word":
        at = old.find(where)
        if at < 0:
            raise SystemExit(f"{file}: there is no {where}")
        new, n = old[:at + len(where)] + " " + text + old[at + len(where):], 1
    else:
        m = re.search(where, old, flags=re.M)
        if not m:
            raise SystemExit(f"{file}: no line matches {where}")
        text = text.replace("\\n", "\n") + "\n"
        at = old.index("\n", m.start()) + 1 if verb == "below" else old.rfind("\n", 0, m.start()) + 1
        new, n = old[:at] + text + old[at:], text.count("\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write(new)
    return n


def apply(source, work, name):
    """Applies a recipe; returns the tests that it names."""
    folder = os.path.join(source, "tests", "recipes", name)
    tests, lines, new = [], 0, 0
    for d, _, files in os.walk(os.path.join(folder, "files")):
        for f in files:
            to = os.path.join(work, os.path.relpath(os.path.join(d, f), os.path.join(folder, "files")))
            if os.path.exists(to):
                raise SystemExit(f"{name}: {to} exists already")
            shutil.copy2(os.path.join(d, f), to)
            new += 1
    with open(os.path.join(folder, "steps.txt"), encoding="utf-8") as f:
        for line in f.read().splitlines():
            verb, _, rest = line.partition(" ")
            if verb == "test":
                tests += rest.split()
            elif verb in ("below", "above", "word"):
                lines += change(work, verb, *rest.split(" | ", 2))
            elif line and verb != "#":
                raise SystemExit(f"{name}/steps.txt: {line}")
    print(f"{name}: {new} new files, {lines} lines in existing files", flush=True)
    if lines > LINES:
        raise SystemExit(f"{name}: it adds more than {LINES} lines to existing files, which shows a design fault")
    return tests


def main():
    source, work = map(os.path.abspath, sys.argv[1:3])
    if not os.environ.get("TROUPE_SOAK"):
        print("skipped: ./dev soak runs it")
        return 77
    copy_tree(source, work)
    tests = [t for name in sys.argv[3:] or RECIPES for t in apply(source, work, name)]
    build = os.path.join(work, "build", "default")
    subprocess.run(["cmake", "--preset", "default", "-DTROUPE_SANITIZE="], cwd=work, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", build, "--quiet", "-j", str(min(2, os.cpu_count() or 1)), "troupe",
                    *sorted(t for t in set(tests) if t.startswith("test_"))], check=True)
    for rule in ("includes", "functions", "spdx", "defaults"):
        subprocess.run([sys.executable, os.path.join(work, "tests/lint/lint.py"), rule, work, build], check=True)
    done = subprocess.run(["ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error", "-R",
                           "^(" + "|".join(sorted(set(tests))) + ")$"], check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
