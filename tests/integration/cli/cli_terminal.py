"""cli_terminal.py - runs the program on a terminal of its own, for tests.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pty
import select
import signal
import time

from cli_case import TROUPE


class Terminal:
    """The program with these arguments, in the folder and the environment of a CliCase."""

    def __init__(self, case, *args):
        self.case, self.text = case, ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(case.dir)
            os.execve(TROUPE, [TROUPE, *args], {**case.env, "TERM": "xterm"})

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, word, seconds=60):
        """What comes up to the word."""
        end = time.time() + seconds
        while word not in self.text:
            if time.time() > end:
                self.case.fail(f"no {word!r} in {seconds} s: {self.text!r}")
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError: # it has ended
                    data = b""
                if not data:
                    self.case.fail(f"it ended without {word!r}: {self.text!r}")
                self.text += data.decode()
        at = self.text.index(word) + len(word)
        before, self.text = self.text[:at], self.text[at:]
        return before

    def end(self, seconds=60):
        """The exit code; what else was printed is lost."""
        limit = time.time() + seconds
        while time.time() < limit:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode()
                except OSError:
                    time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.case.fail(f"it does not end: {self.text!r}")
