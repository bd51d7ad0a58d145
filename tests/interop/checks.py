"""checks.py - checks of a suite: each prints one line that interop.py reads.

    ok NAME
    skip NAME: the reason
    FAILED NAME: what differs

A suite is a program; it exits with 0, whatever its checks say.
SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import inspect
import os
import traceback

URL = os.environ.get("TROUPE_URL", "")  # of `troupe serve` with the folder served/: http://127.0.0.1:PORT
KEY = os.environ.get("TROUPE_KEY", "")
NARROW_URL = os.environ.get("TROUPE_NARROW_URL", "")  # the same with --max-queue 1
PLAIN, TOOLS, OBJECT, SLOW, DOWN = (f"script:{name}.json" for name in ("plain", "tools", "object", "slow", "down"))
BEES = "Bees live in hives: ü, 蜂, 🐝."
MODELS = [PLAIN, TOOLS, OBJECT, SLOW, DOWN, "embedded", "digits", "agent/clerk", "blueprint/echo", "blueprint/broken"]
SUM = "ORDd+7|GETd;>59|"  # the embedded model goes on with "SETd66;"

_checks = []


class Skip(Exception):
    """Nothing was checked."""


def check(name):
    def add(function):
        _checks.append((name, function))
        return function
    return add


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: {got!r}, expected {want!r}")


def raises(kind, function):
    """The error that the function raises, which must be of this class."""
    try:
        got = function()
    except Exception as e:
        if not isinstance(e, kind):
            raise AssertionError(f"{type(e).__name__}: {e}, expected {kind.__name__}") from e
        return e
    raise AssertionError(f"no error but {got!r}, expected {kind.__name__}")


def one_line(e):
    return " ".join(str(e).split())[:300] or type(e).__name__


def cause(e):
    """What is inside of groups of one exception."""
    while isinstance(e, BaseExceptionGroup) and len(e.exceptions) == 1:
        e = e.exceptions[0]
    return e


def main():
    for name, function in _checks:
        try:
            done = function()
            if inspect.iscoroutine(done):
                asyncio.run(done)
            print(f"ok {name}", flush=True)
        except Exception as group:
            e = cause(group)
            if isinstance(e, Skip):
                print(f"skip {name}: {one_line(e)}", flush=True)
                continue
            if os.environ.get("TROUPE_INTEROP_TRACE"):
                traceback.print_exc()
            print(f"FAILED {name}: {type(e).__name__}: {one_line(e)}", flush=True)
