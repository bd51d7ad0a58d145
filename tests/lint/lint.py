"""lint.py - the house rules that a program can check.

usage: lint.py RULE SOURCE_DIR BUILD_DIR. Prints one line per finding; exits with 1 if there is one.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import subprocess
import sys

FOLDERS = ("runtime", "kernels", "models", "tools", "mcp", "agents", "blueprints")

# Folder -> the folders that it may include, in addition to itself and runtime/base. CONTRIBUTING.md
# ("Which folders may include which") says the same in words. The longest matching folder applies.
MAY = {
    "runtime/base": [],
    "runtime/loop": [],
    "runtime/http": ["runtime/loop"],
    "runtime/trace": ["runtime/loop", "runtime/http"],
    "runtime/store": [],
    "runtime/config": [],
    "runtime/plot": [],
    "kernels": ["kernels/dtype.h"],
    "kernels/cpu": ["kernels"],
    "kernels/cuda": ["kernels"],
    "kernels/collectives": ["kernels"],
    "models": ["kernels"],
    "models/formats": ["kernels/dtype.h"],
    "models/chat": ["models/formats"],
    "models/arch": ["models/formats", "kernels"],
    "models/engine": ["models/arch", "models/formats", "models/model.h", "kernels"],
    "models/remote": ["models/model.h", "runtime/http", "runtime/loop", "runtime/config/secret.h"],
    "models/script": ["models/model.h"],
    "models/train": ["models/engine", "models/arch", "models/formats", "models/model.h", "kernels"],
    "models/embedded": ["models/engine", "models/formats"],
    "tools": ["runtime/loop", "runtime/http"],
    "tools/environments": ["tools"],
    "mcp/rpc": [],
    "mcp/exchange": ["mcp/rpc"],
    "mcp/config": ["runtime/config/secret.h"],
    "mcp/auth": ["runtime/loop", "runtime/http", "runtime/config/secret.h"],
    "mcp/server": ["mcp/rpc", "mcp/exchange", "runtime/loop", "runtime/http"],
    "mcp/client": ["mcp/rpc", "mcp/exchange", "mcp/auth", "runtime/loop", "runtime/http"],
    "mcp/hub": ["mcp/rpc", "mcp/exchange", "mcp/config", "mcp/auth", "mcp/client", "tools/tool.h", "tools/tool_result.h", "tools/registry.h",
                "runtime/loop", "runtime/http", "runtime/store"],
    "agents": ["models", "tools", "runtime/store", "runtime/loop", "kernels"],
    "blueprints": ["agents", "tools", "runtime/store", "runtime/loop", "models/model.h"],
    "runtime/api": ["runtime/loop", "runtime/http", "runtime/trace", "runtime/store", "kernels", "kernels/cpu", "models", "tools",
                    "tools/environments", "mcp", "agents", "blueprints"],
    "runtime/serve": ["runtime/loop", "runtime/http", "runtime/trace", "runtime/store", "runtime/config", "runtime/plot", "runtime/api",
                      "kernels", "kernels/cpu", "models", "tools", "tools/environments", "mcp", "agents", "blueprints"],
    "runtime/app": [""],
}
FOREIGN = {
    "jansson.h": ["runtime/base"], "yaml.h": ["runtime/base"], "utf8proc.h": ["runtime/base"],
    "pcre2.h": ["runtime/base"], "openssl/": ["runtime/base"], "uv.h": ["runtime/loop"],
    "libwebsockets.h": ["runtime/http"], "curl/": ["runtime/http"], "sqlite3.h": ["runtime/store"],
    "zstd.h": ["runtime/store"], "cuda": ["kernels/cuda"], "cublas": ["kernels/cuda"],
    "nccl.h": ["kernels/collectives"], "mpi.h": ["kernels/collectives"], "seccomp.h": ["tools"],
    "immintrin.h": ["kernels/cpu"], "png.h": ["runtime/plot"],
    "histedit.h": ["runtime/app"],
}
BANNED = {
    "strcpy": "str.h or memcpy", "strcat": "str.h", "sprintf": "snprintf or str_printf", "vsprintf": "snprintf",
    "gets": "fgets", "strtok": "strtok_r", "atoi": "text_to_i64", "atol": "text_to_i64", "atof": "text_to_double",
    "rand": "rng.h", "srand": "rng.h", "random": "rng.h", "drand48": "rng.h", "system": "runtime/loop/child.h",
    "popen": "runtime/loop/child.h", "alloca": "an arena", "setjmp": "status", "longjmp": "status",
    "regcomp": "pattern.h", "abort": "enum status", "exit": "a return to main",
}
SEAMED = {"clock_gettime": "seams.h", "gettimeofday": "seams.h", "time": "seams.h", "getrandom": "seams.h",
          "getentropy": "seams.h"}
# Files that users name are opened with runtime/base/file_open.h: regular files only, without blocking. Other
# files may call open() for these reasons:
OPENS = {
    "runtime/base/file_open.c": "the implementation",
    "runtime/base/seams_file.c": "our own temporary file, created with O_EXCL",
    "runtime/store/store_backup.c": "syncs the copy that was just written",
    "runtime/app/app_detach.c": "/dev/null",
    "runtime/loop/loop.c": "/dev/null, to count descriptors",
    "runtime/loop/reaper.c": "/proc/PID/stat",
    "runtime/loop/supervisor_main.c": "/dev/null",
    "tools/root_dir.c": "openat2 below a root, O_NONBLOCK; checks the file type",
    "tools/part_file.c": "created with O_EXCL below the root; opened with O_NONBLOCK and checked before it is deleted",
}
LONG_LINES, LONG_FUNCTION = 1200, 70
SPDX = "SPDX-License-Identifier: Apache-2.0"
# The endings that a tracked file outside tests/fixtures may have.
SUFFIXES = (".c", ".h", ".cu", ".inc", ".def", ".sql", ".py", ".mjs", ".sh", ".md", ".txt", ".yaml", ".json", ".jsonl",
            ".jinja", ".csv", ".session", ".safetensors", ".svg", ".gitignore", ".clang-format")
PLAIN = ("LICENSE", "dev", ".ci/run")
# Files of other projects and of users that comments may name.
ELSEWHERE = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "train.json",
             "state.json", "package.json", "METADATA.json", "troupe.yaml", "config.yaml", "model.safetensors.index.json",
             "modeling_qwen3.py", "lexer.py", "parser.py", "record_writer.h", "os_unix.c")


def tracked(root, *suffixes):
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if out.returncode == 0:
        names = out.stdout.splitlines()
    else:
        names = [os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs
                 if "/build/" not in d + "/" and "/.git/" not in d + "/"]
    return sorted(n for n in set(names) if n.endswith(suffixes) and os.path.exists(os.path.join(root, n)))


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="replace") as f:
        return f.read()


def owner(name):
    best = ""
    for folder in MAY:
        if name.startswith(folder + "/") and len(folder) > len(best):
            best = folder
    return best


def code_only(text):
    """The text with comments and string contents replaced by blanks; the lines stay."""
    def blank(m):
        s = m.group(0)
        if s.startswith("/"):
            return re.sub(r"[^\n]", " ", s)
        return s[0] + re.sub(r"[^\n]", " ", s[1:-1]) + s[-1]
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)


def lint_includes(root, _):
    for name in tracked(root, ".c", ".h", ".cu", ".inc", ".def"):
        if not name.startswith(FOLDERS):
            continue
        mine = owner(name)
        for i, line in enumerate(read(root, name).splitlines(), 1):
            m = re.match(r"\s*#\s*include\s+([\"<])([^\">]+)", line)
            if not m:
                continue
            kind, what = m.groups()
            if kind == '"':
                if what.startswith(("runtime/base/", mine + "/")) or "generated/" in what:
                    continue
                target = owner(what)
                if target == mine or any(a == "" or what == a or target == a or
                                         (what.startswith(a + "/") and a not in ("kernels", "tools")) or
                                         (a in ("kernels", "tools") and target == a) or
                                         (a == "tools" and target == "tools/environments" and mine in ("agents", "blueprints"))
                                         for a in MAY.get(mine, [])):
                    continue
                yield f"{name}:{i}: {mine or name} must not include {what}"
            else:
                for header, homes in FOREIGN.items():
                    if what.startswith(header) and mine not in homes:
                        yield f"{name}:{i}: <{what}> may be included only in {', '.join(homes)}"


def lint_files(root, _):
    seen = {}
    for name in tracked(root, ".c", ".h", ".cu", ".py", ".sh"):
        base = os.path.basename(name)
        if base in seen:
            yield f"{name}:1: the base name is also that of {seen[base]}"
        seen[base] = name
        text = read(root, name)
        n = text.count("\n")
        if n > LONG_LINES:
            yield f"{name}:{LONG_LINES}: {n} lines; split a file of more than {LONG_LINES} lines"
        if name.endswith((".c", ".h", ".cu")):
            if not text.startswith("/* "):
                yield f"{name}:1: the file does not begin with a comment that says what it is"
            for i, line in enumerate(text.splitlines(), 1):
                if "\t" in line or line != line.rstrip():
                    yield f"{name}:{i}: tab or trailing blank"
    for folder in sorted({os.path.dirname(n) for n in tracked(root, ".c") if n.startswith(FOLDERS)}):
        readme = os.path.join(root, folder, "README.md")
        if not os.path.exists(readme):
            yield f"{folder}: has no README.md"
        elif read(root, os.path.join(folder, "README.md")).count("\n") > 40:
            yield f"{folder}/README.md:40: longer than 40 lines"
    for entry in sorted(os.listdir(root)):
        if os.path.isdir(os.path.join(root, entry)) and not entry.startswith(".") and \
                entry not in FOLDERS + ("tests", "docs", "build", "out"):
            yield f"{entry}: not one of the top-level folders"


def lint_suffixes(root, _):
    """Leftovers of editors and merges are not committed."""
    for name in tracked(root, ""):
        if name in PLAIN or name.startswith("tests/fixtures/"):
            continue
        base = os.path.basename(name)
        if not base.endswith(SUFFIXES):
            yield f"{name}: unknown kind of file (SUFFIXES in tests/lint/lint.py lists the known ones)"


def lint_spdx(root, _):
    for name in tracked(root, ".c", ".h", ".cu", ".inc", ".def", ".sql", ".py", ".mjs", ".sh", "CMakeLists.txt") + ["dev"]:
        text = read(root, name)
        # In C the first comment; in other files the first 4,000 characters.
        head = text[:text.find("*/")] if text.startswith("/*") else text[:4000]
        if SPDX not in head:
            yield f"{name}:1: missing line {SPDX}"


def comments(name, text):
    """Line number and text of each comment line; in Markdown, of every line."""
    if name.endswith(".md"):
        yield from enumerate(text.splitlines(), 1)
    elif name.endswith((".py", ".sh", ".txt")) or os.path.basename(name) == "dev":
        for i, line in enumerate(text.splitlines(), 1):
            if "#" in line:
                yield i, line[line.index("#"):]
    else:
        strings = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
        for m in re.finditer(r"/\*.*?\*/|//[^\n]*|--[^\n]*|" + strings, text, flags=re.S):
            comment = m.group(0)
            if comment.startswith("--") and not name.endswith(".sql") or comment[0] in "\"'":
                continue
            first = text.count("\n", 0, m.start()) + 1
            yield from enumerate(comment.splitlines(), first)


def lint_references(root, _):
    """The source files that comments and READMEs name exist."""
    names = tracked(root, "")
    bases = {os.path.basename(n) for n in names} | set(FOREIGN)
    for name in names:
        if not name.endswith((".c", ".h", ".cu", ".def", ".sql", ".md", ".py", ".sh", "CMakeLists.txt")) or \
                name.startswith("tests/fixtures/") or name == "CHANGELOG.md":
            continue
        for i, line in comments(name, read(root, name)):
            for m in re.finditer(r"(?<![\w./*~$<-])((?:[\w-]+/)*[\w-]+\.(?:[ch]|cu|md|py|sh|def|sql))(?![\w*-]|\.\w)", line):
                path = m.group(1)
                base = os.path.basename(path)
                if base in ELSEWHERE or base.index(".") == 1 or re.search(r"[A-Z]{2}", base) and not base.endswith(".md"):
                    continue  # a pattern: cmd_NAME.c; an expression: a.c
                if base not in bases or ("/" in path and not any(n == path or n.endswith("/" + path) for n in names)):
                    yield f"{name}:{i}: {path} does not exist"


def lint_defaults(root, _):
    """A default that differs by command is in options.def, so that the help shows it."""
    for name in tracked(root, ".c"):
        if name.startswith("runtime/"):
            text = code_only(read(root, name))
            for m in re.finditer(r"option_is_set\([^)]*\)\s*\?[^:;]*:\s*(?:-?[\d.]|\"|[A-Z_]{3})", text):
                yield f"{name}:{text.count(chr(10), 0, m.start()) + 1}: a default outside options.def: use a D line there"


def lint_functions(root, _):
    for name in tracked(root, ".c", ".cu"):
        lines = code_only(read(root, name)).splitlines()
        start = None
        for i, line in enumerate(lines, 1):
            if line.startswith("{"):
                start = i
            elif line.startswith("}") and start:
                head = lines[start - 2] if start > 1 else ""
                if i - start - 1 > LONG_FUNCTION and "=" not in head:
                    yield f"{name}:{start}: function of {i - start - 1} lines; the limit is {LONG_FUNCTION}"
                start = None


def lint_calls(root, _):
    for name in tracked(root, ".c", ".h", ".cu", ".inc"):
        if not name.startswith(FOLDERS):
            continue
        text = code_only(read(root, name))
        for i, line in enumerate(text.splitlines(), 1):
            for m in re.finditer(r"(?<![\w.>])(\w+)\s*\(", line):
                call = m.group(1)
                if call in BANNED and not re.search(r"(MUST_CHECK|enum|void|int|static).*\b" + call + r"\s*\(", line):
                    yield f"{name}:{i}: {call}() is banned; use {BANNED[call]}"
                if call == "pthread_create" and name != "runtime/base/thread.c":
                    yield f"{name}:{i}: pthread_create() does not block signals; use runtime/base/thread.h"
                if call in SEAMED and not name.startswith("runtime/base/seams"):
                    yield f"{name}:{i}: {call}() is banned; use {SEAMED[call]}"
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                yield f"{name}:{i}: unfinished work"


def lint_opens(root, _):
    """A FIFO, a device or a folder in place of a file must not block the program: see file_open.h."""
    for name in tracked(root, ".c", ".h", ".cu", ".inc"):
        if not name.startswith(FOLDERS) or name in OPENS:
            continue
        text = code_only(read(root, name))
        for m in re.finditer(r"(?<![\w.>])(open|open64|openat|openat2|creat|fopen|fopen64|freopen|mkfifo)\s*\(([^;]*);",
                             text):
            if "O_DIRECTORY" not in m.group(2):
                line = text.count("\n", 0, m.start()) + 1
                yield f"{name}:{line}: {m.group(1)}() also opens FIFOs and devices; use runtime/base/file_open.h"
    for name in OPENS:
        if not os.path.exists(os.path.join(root, name)):
            yield f"tests/lint/lint.py:1: {name} is missing; delete its line in OPENS"


def lint_readme(root, _):
    bases = {os.path.basename(n) for n in tracked(root, "")}
    for name in tracked(root, ".md"):
        folder = os.path.dirname(name)
        for i, line in enumerate(read(root, name).splitlines(), 1):
            for m in re.finditer(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:c|h|md|py|sh|yaml|def|sql|cu))`|\]\(([^)#:]+)\)", line):
                if m.group(1) and name.startswith("docs/"):
                    continue  # the guide also names files of users; a test runs its examples
                path = (m.group(1) or m.group(2)).rstrip("/")
                if path.startswith((".troupe", "build", "/", "~", "$", "out/", "DIR")) or "*" in path or \
                        path in ("troupe.yaml", "config.yaml", "config.json", "chat_template.jinja"):
                    continue
                if re.search(r"[A-Z]{3}", os.path.basename(path)) and not path.endswith(".md"):
                    continue  # a pattern: cmd_NAME.c
                if "/" not in path and (path in bases or path in FOREIGN):
                    continue
                first = os.path.normpath(path).split("/")[0]
                if folder == "docs" and m.group(1) and first not in FOLDERS + ("examples", "tests", "docs"):
                    continue  # a file of the user, or a path in a run: both/sum
                if os.path.exists(os.path.join(root, path + ".c")):
                    continue  # a program, named after its source file
                if not any(os.path.exists(os.path.join(root, p)) for p in (path, os.path.join(folder, path))):
                    yield f"{name}:{i}: {path} does not exist"


def word_table(root):
    """The banned words with the plain ones, and the words that a file may quote, from words.txt."""
    plain, quoted = {}, {}
    for line in read(root, "tests/lint/words.txt").splitlines():
        verb, _, rest = line.partition(" ")
        parts = [p.strip() for p in rest.split(" | ")]
        if verb == "word":
            plain[parts[0]] = parts[1]
        elif verb == "quoted":
            quoted[parts[0]] = [w.strip() for w in parts[1].split(",")]
        elif line and verb != "#":
            raise SystemExit(f"tests/lint/words.txt: unknown line: {line}")
    return plain, quoted


def lint_words(root, _):
    """Plain English, also in the parts of a name, split at `_`; in tests, whose names are sentences, only as a
    word of its own. "There is no" and "is no longer" are allowed."""
    plain, quoted = word_table(root)
    word = r"(?<!there )(" + "|".join(plain) + r")(?! longer)"
    parts, whole = re.compile(rf"(?<![^\W_]){word}(?![^\W_])", flags=re.I), re.compile(rf"\b{word}\b", flags=re.I)
    for name in tracked(root, ".c", ".h", ".cu", ".inc", ".def", ".sql", ".md", ".py", ".mjs", ".sh"):
        if name.startswith("tests/fixtures/"):
            continue
        found = set()
        for i, line in enumerate(read(root, name).splitlines(), 1):
            for m in (whole if name.startswith("tests/") else parts).finditer(line):
                used = m.group(1).lower()
                found.add(used)
                if used not in quoted.get(name, []):
                    yield f"{name}:{i}: `{used}` is not plain English; use instead: {plain[used]}"
        for unused in sorted(set(quoted.get(name, [])) - found):
            yield f"tests/lint/words.txt:1: {name} does not contain `{unused}` any more"
    for name in quoted:
        if not os.path.exists(os.path.join(root, name)):
            yield f"tests/lint/words.txt:1: {name} does not exist"


def lint_format(root, _):
    tool = next((t for t in ("clang-format-14",) if subprocess.run(["which", t], capture_output=True).returncode == 0), None)
    if not tool:
        yield "clang-format-14 is not installed"
        return
    names = tracked(root, ".c", ".h", ".cu")
    for i in range(0, len(names), 40):
        out = subprocess.run([tool, "--dry-run", "--ferror-limit=1"] + names[i:i + 40], cwd=root,
                             capture_output=True, text=True).stderr
        for m in re.finditer(r"^([^\s:]+:\d+):\d+: warning", out, flags=re.M):
            yield f"{m.group(1)}: not formatted (./dev format)"


def lint_fixtures(root, _):
    """No part of the program knows the server that the conformance suite is run against."""
    with open(os.path.join(root, "tests/conformance/fixture/fixture.json"), encoding="utf-8") as f:
        fixture = json.load(f)
    names = {entry[key] for part in ("tools", "prompts", "resources") for entry in fixture[part] for key in ("name", "uri")
             if key in entry}
    found = re.compile('"(?:' + "|".join(re.escape(n) for n in sorted(names)) + ')"|test://')
    for name in tracked(root, ".c", ".h", ".def"):
        if name.startswith(FOLDERS):
            for m in found.finditer(text := read(root, name)):
                yield f"{name}:{text.count(chr(10), 0, m.start()) + 1}: {m.group(0)} is of the conformance fixture"


def main(rules):
    rule, root, build = sys.argv[1:4]
    findings = list(rules["lint_" + rule](root, build))
    for f in findings:
        print(f)
    print(f"lint {rule}: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(globals()))
