"""test_docs_examples.py - the program does what the guide shows.

usage: test_docs_examples.py TROUPE SOURCE_DIR

- Every docs/examples/**/*.session is run: a line `$ COMMAND` runs in a copy of its folder, and its
  standard output must equal the lines below it. `...` matches any text within a line; a line with
  only `...` matches any lines. A last line `[N]` is the exit code (default 0).
- A session that begins with `# needs MODEL or script:FILE` uses a model that `troupe models get` fetches. If the user
  has it, it runs; the test downloads nothing. Else the script gives the replies that the model gave, so that all else
  is checked. With `# needs MODEL` alone only its commands are read then.
- Every code block of docs/*.md that follows a line `<!-- examples/FILE -->` must be in that file,
  unchanged.
- A page of the guide, a session or another example names every file in docs/examples.
- Every test that docs/threat-model.md names exists.
SPDX-License-Identifier: Apache-2.0
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TROUPE = os.path.abspath(sys.argv[1])
SOURCE = os.path.abspath(sys.argv[2])
DOCS = os.path.join(SOURCE, "docs")
EXAMPLES = os.path.join(DOCS, "examples")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def needs_of(text):
    """(model, script or None) of a session that needs one, else None."""
    m = re.match(r"# needs (\w+)(?: or (script:\S+))?\n", text)
    return m and m.groups()


def fetched(model):
    """The folder of a model that `troupe models get` has fetched for the user, or None."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local/share")
    folder = os.path.join(data, "troupe/models", model)
    return folder if os.path.isdir(folder) else None


def steps_of(text):
    """[(command, expected lines, exit code)] of a session."""
    steps = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append([line[2:], [], 0])
        elif line.startswith("> ") and not steps[-1][1]:
            steps[-1][0] += "\n" + line[2:]
        elif re.fullmatch(r"\[\d+\]", line):
            steps[-1][2] = int(line[1:-1])
        elif steps:
            steps[-1][1].append(line)
    return steps


def pattern_of(lines):
    """A value that is left out ("...") may make a column wider or narrower."""
    out, loose = "", any("..." in line for line in lines)
    for line in lines:
        if line == "...":
            out += r"(?:.*\n)*?"
            continue
        text = ".*?".join(re.escape(part) for part in line.split("..."))
        out += (re.sub(r"(?:\\ ){2,}", " {2,}", text) if loose else text) + r"\n"
    return out


class Examples(unittest.TestCase):
    maxDiff = None

    def provide(self, path, home):
        """The text of a session, with its model in this home, or with its script; None: there is neither."""
        text, needs = read(path), needs_of(read(path))
        if not needs:
            return text
        model, script = needs
        self.assertTrue(all(f"--model {model}" in c or "--model" not in c for c, _, _ in steps_of(text)), path)
        self.assertIn(f"--model {model}", text)
        if fetched(model):
            os.makedirs(os.path.join(home, ".local/share/troupe/models"))
            os.symlink(fetched(model), os.path.join(home, ".local/share/troupe/models", model))
            return text
        return text.replace(f"--model {model}", f"--model {script}") if script else None

    def run_session(self, path):
        with tempfile.TemporaryDirectory(prefix="troupe-docs-") as home:
            folder = os.path.join(home, "work")
            shutil.copytree(os.path.dirname(path), folder)
            os.mkdir(os.path.join(home, "bin"))
            os.symlink(TROUPE, os.path.join(home, "bin", "troupe"))
            env = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
            env.update(PATH=os.path.join(home, "bin") + ":" + os.environ["PATH"], HOME=home, NO_COLOR="1",
                       TROUPE_THREADS="2", LC_ALL="C.UTF-8")
            text = self.provide(path, home)
            if text is None:
                self.skipTest(f"it needs {needs_of(read(path))[0]}, which `troupe models get` fetches")
            for command, expected, code in steps_of(text):
                r = subprocess.run(["bash", "-c", command], cwd=folder, env=env, text=True, capture_output=True,
                                   stdin=subprocess.DEVNULL, timeout=240)
                self.assertEqual(r.returncode, code, f"$ {command}\n{r.stdout}{r.stderr}")
                while expected and not expected[-1]:
                    expected.pop()
                if not re.fullmatch(pattern_of(expected), r.stdout):
                    self.assertEqual(r.stdout, "\n".join(expected) + "\n", f"$ {command}\n{r.stderr}")

    def test_every_block_of_the_guide_is_in_its_file(self):
        for page in sorted(glob.glob(os.path.join(DOCS, "*.md"))):
            blocks = re.findall(r"<!-- (examples/\S+) -->\n+```\w*\n(.*?)```", read(page), flags=re.S)
            for name, block in blocks:
                with self.subTest(page=os.path.basename(page), file=name):
                    path = os.path.join(DOCS, name)
                    self.assertTrue(os.path.exists(path), f"{name} is missing")
                    self.assertIn("\n" + block, "\n" + read(path))

    def test_every_promise_of_the_threat_model_names_its_test(self):
        rows = [line.split("|") for line in read(os.path.join(DOCS, "threat-model.md")).splitlines() if line.startswith("| ")]
        rows = [row[2] for row in rows if len(row) == 4 and row[2].strip().startswith("`")]
        self.assertGreater(len(rows), 15)
        for row in rows:
            for test, names in re.findall(r"`(\w+)`(?:: ([\w, ]+?))?(?=, `| *$)", row):
                paths = glob.glob(os.path.join(SOURCE, "tests/**", test + ".c"), recursive=True) or glob.glob(
                    os.path.join(SOURCE, "tests/**", f"test_{test}.py"), recursive=True)
                self.assertEqual(len(paths), 1, test)
                for name in names.split(", ") if names else []:
                    self.assertIn(f"{name}(", read(paths[0]), f"{test}: {name}")
            self.assertEqual(len(re.findall("`", row)) / 2, len(re.findall(r"`(\w+)`(?:: ([\w, ]+?))?(?=, `| *$)", row)), row)

    def test_every_example_is_used(self):
        files = [p for p in glob.glob(os.path.join(EXAMPLES, "**"), recursive=True) if os.path.isfile(p)]
        texts = {p: read(p) for p in files + glob.glob(os.path.join(DOCS, "*.md"))}
        for path in files:
            if path.endswith(".session"):
                continue
            base = os.path.basename(path)
            with self.subTest(file=os.path.relpath(path, DOCS)):
                self.assertTrue(any(base in text for p, text in texts.items() if p != path), "nothing names it")


    def test_every_example_is_replayed_as_it_was(self):
        given = {"inputs.yaml": ["--var", "topic=bees"], "inner.yaml": ["--var", "n=1"]}
        n = 0
        with tempfile.TemporaryDirectory(prefix="troupe-docs-") as home:
            env = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
            env.update(PATH=os.environ["PATH"], HOME=home, NO_COLOR="1", TROUPE_THREADS="2", LC_ALL="C.UTF-8")

            def troupe(folder, *args):
                return subprocess.run([TROUPE, *args], cwd=folder, env=env, text=True, capture_output=True,
                                      stdin=subprocess.DEVNULL, timeout=240)

            shutil.copytree(EXAMPLES, os.path.join(home, "examples"))
            for path in sorted(glob.glob(os.path.join(home, "examples", "**", "*.yaml"), recursive=True)):
                folder, name = os.path.split(path)
                r = troupe(folder, "run", name, "--json", *given.get(name, []))
                if r.returncode == 78:  # an example of a blueprint that is refused
                    continue
                with self.subTest(example=name, code=r.returncode):
                    d = troupe(folder, "replay", json.loads(r.stdout)["run"])
                    self.assertEqual((d.returncode, d.stdout), (0, "0 steps differ\n"), d.stderr)
                    n += 1
        self.assertGreater(n, 30)


def add_session(path):
    name = "test_session_" + re.sub(r"\W+", "_", os.path.relpath(path, EXAMPLES)[:-len(".session")])
    setattr(Examples, name, lambda self: self.run_session(path))


if __name__ == "__main__":
    for session in sorted(glob.glob(os.path.join(EXAMPLES, "**", "*.session"), recursive=True)):
        add_session(session)
    unittest.main(argv=sys.argv[:1], verbosity=2)
