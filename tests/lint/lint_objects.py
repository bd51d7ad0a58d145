"""lint_objects.py - rules that are checked in the object files: globals, circles, exports, asserts.

usage: lint_objects.py RULE SOURCE_DIR BUILD_DIR. Prints one line per finding; exits with 1 if there is one.
SPDX-License-Identifier: Apache-2.0
"""
import fnmatch
import os
import re
import subprocess
import sys

from lint import FOLDERS, code_only, main, read, tracked

DEFINED = set("TDBRVWCGS")
SANITIZER = ("__asan", "__odr_asan", ".LASAN", "__ubsan", ".Lubsan", "__gcov", "__sancov", "asan.", "tsan.", ".LC")

# A circle is a set of files that need each other, directly or through other files, to link. A circle of more
# than CIRCLE files is a finding. These recursions are allowed, with exactly these files.
CIRCLE = 5
NATURAL = {
    "the engine and the table of functions through which models reach it":
        ["models/engine/engine.c", "models/engine/engine_loop.c", "models/engine/engine_model.c"],
    "an architecture's forward and back": ["models/arch/arch_dense.c", "models/arch/arch_dense_back.c"],
    "an expression holds expressions": ["blueprints/expr_eval.c", "blueprints/expr_operator.c"],
    "a step holds steps": ["blueprints/plan_load.c", "blueprints/plan_step.c"],
    "a template's expression holds expressions, as text":
        ["models/chat/jinja_parse_expr.c", "models/chat/jinja_parser.c"],
    "a template's expression holds expressions, as values": ["models/chat/jinja_eval.c", "models/chat/jinja_expr.c"],
    "a schema holds schemas":
        ["*/schema.c", "*/schema_collection.c", "*/schema_combine.c", "*/schema_scalar.c"],
}
# Circles that are still to be cut: a pattern that matches all their files, and the largest number of files
# allowed. Delete a line when its circle is cut.
OPEN = []
# Called from outside: by the C runtime and libFuzzer; by programs that use the library.
ENTRIES = {"main", "LLVMFuzzerTestOneInput"}
LIBRARY = "runtime/api/"
# Files with mutable file-scope variables, and why.
GLOBALS = {"runtime/base/mapped_file.c": "a signal handler has no context"}
# Part of a contract that has no user yet.
CONTRACT = {
    "tool_call_finish_content": "for tools whose result is content (text, images), such as those of MCP servers",
}


def objects(root, build):
    """Source file -> its object files, for all our sources that were built. Object files of deleted sources do
    not count."""
    found = {}
    for d, _, files in os.walk(build):
        rel = os.path.relpath(d, build)
        if not rel.startswith(FOLDERS + ("tests",)) or "/CMakeFiles/" not in f"/{rel}/":
            continue
        for f in files:
            if f.endswith(".o"):
                source = re.sub(r"CMakeFiles/[^/]+/", "", os.path.join(rel, f))[:-2].replace("__/", "../")
                source = os.path.normpath(source)
                if os.path.exists(os.path.join(root, source)):
                    found.setdefault(source, []).append(os.path.join(d, f))
    if not any(s.startswith(FOLDERS) for s in found):
        raise SystemExit(f"{build}: no object files to read")
    return found


class Symbols:
    """Which file defines each symbol, and which files need it."""

    def __init__(self, root, build):
        self.files = objects(root, build)
        source_of = {o: s for s, os_ in self.files.items() for o in os_}
        out = subprocess.run(["nm", "-A", *sorted(source_of)], capture_output=True, text=True, check=True).stdout
        self.definer, self.users, self.rows = {}, {}, []
        for line in out.splitlines():
            path, rest = line.split(":", 1)
            words = rest.split()
            kind, name = words[-2], words[-1]
            source = source_of[path]
            if name.startswith(SANITIZER):
                continue
            self.rows.append((source, path, kind, name))
            if kind in "Uwv":
                self.users.setdefault(name, set()).add(source)
            elif kind in DEFINED and source.startswith(FOLDERS):
                self.definer[name] = source

    def needs(self):
        """File -> our files that it needs to link."""
        graph = {s: set() for s in self.files if s.startswith(FOLDERS)}
        for name, users in self.users.items():
            if name in self.definer:
                for user in users & graph.keys():
                    graph[user].add(self.definer[name])
        return graph


def circles(graph):
    """The strongly connected components of more than one file (Tarjan, without recursion)."""
    index, low, stack, on = {}, {}, [], set()
    for start in sorted(graph):
        if start in index:
            continue
        work = [(start, iter(sorted(graph[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on.add(start)
        while work:
            v, rest = work[-1]
            for w in rest:
                if w not in index:
                    index[w] = low[w] = len(index)
                    stack.append(w)
                    on.add(w)
                    work.append((w, iter(sorted(graph[w]))))
                    break
                if w in on:
                    low[v] = min(low[v], index[w])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[v])
                if low[v] == index[v]:
                    at = stack.index(v)
                    circle = stack[at:]
                    del stack[at:]
                    on -= set(circle)
                    if len(circle) > 1:
                        yield sorted(circle)


def lint_circles(root, build):
    still_open = set()
    for circle in circles(Symbols(root, build).needs()):
        if any(all(any(fnmatch.fnmatch(f, p) for p in files) for f in circle) for files in NATURAL.values()):
            continue
        if len(circle) <= CIRCLE:
            continue
        listed = next(((p, n) for p, n in OPEN if all(fnmatch.fnmatch(f, p) for f in circle)), None)
        if listed:
            still_open.add(listed)
        if not listed or len(circle) > listed[1]:
            yield f"{circle[0]}: a circle of {len(circle)} files" + \
                (f", at most {listed[1]} are allowed" if listed else "") + ": " + " ".join(circle)
    for pattern, n in OPEN:
        if (pattern, n) not in still_open:
            yield f"tests/lint/lint_objects.py: {pattern} has no circle of more than {CIRCLE} files any more: delete its line in OPEN"


def lint_exports(root, build):
    """Every exported symbol is used in another file. If only tests use it, a header declares it."""
    symbols = Symbols(root, build)
    declared, tables = set(), set()
    for name in tracked(root, ".def"):  # F(double, ...) is expr_fn_double: external, since the table contains the names
        tables |= set(re.findall(r"(?m)^[A-Z]+\((\w+)", read(root, name)))
    for name in tracked(root, ".h", ".inc"):
        if name.startswith(FOLDERS):
            declared |= set(re.findall(r"\w+", code_only(read(root, name))))
    for name, definer in sorted(symbols.definer.items(), key=lambda x: (x[1], x[0])):
        users = symbols.users.get(name, set()) - {definer}
        if name in CONTRACT or any(name.endswith("_" + word) for word in tables):
            continue
        if name in ENTRIES or definer.startswith(LIBRARY) or any(u.startswith(FOLDERS) for u in users):
            continue
        if not users:
            yield f"{definer}: only this file uses {name}: make it static, or delete it"
        elif name not in declared and not name.startswith(tuple(SANITIZER)):
            yield f"{definer}: only tests use {name}, and no header declares it"


def lint_globals(root, build):
    """No mutable file-scope variables: no data or bss symbols in our object files (thread-local is allowed, and
    GLOBALS)."""
    tables = {}
    for source, path, kind, name in Symbols(root, build).rows:
        if source in GLOBALS or not source.startswith(FOLDERS) or kind not in "dDbBC" or re.match(r"^(\.?L|__func__|__PRETTY|\*)", name):
            continue
        if path not in tables:
            tables[path] = subprocess.run(["objdump", "-t", path], capture_output=True, text=True).stdout.splitlines()
        row = next((r for r in tables[path] if r.endswith(" " + name)), "")
        if not re.search(r"\.data\.rel\.ro|\.tbss|\.tdata|\.rodata", row):
            yield f"{source}: mutable file-scope variable {name}"


def lint_asserts(root, build):
    """Asserts are on in the build that runs the tests, and off in a release."""
    with_asserts = [s for s, _, _, name in Symbols(root, build).rows if name == "__assert_fail" and s.startswith(FOLDERS)]
    if not with_asserts:
        yield f"{build}: no file has asserts: is NDEBUG set?"
    release = os.path.join(root, "build", "release")
    if os.path.isdir(release):
        for source, _, _, name in Symbols(root, release).rows:
            if name == "__assert_fail" and source.startswith(FOLDERS):
                yield f"{release}: asserts are on in {source}"


if __name__ == "__main__":
    sys.exit(main(globals()))
