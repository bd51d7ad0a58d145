"""test_cli_mcp_growth.py - killed servers and abandoned sessions leave nothing behind in a hub.

TROUPE_SOAK=1 makes it long: 1,000 kills and 100,000 sessions. Memory is measured by tests/bench/mcp_baseline.py, without sanitizers.
SPDX-License-Identifier: Apache-2.0
"""
import os
import sys

from cli_case import SOURCE, main
from mcp_case import McpCase
from serve_case import ServeCase

sys.path.insert(0, os.path.join(SOURCE, "tests/support"))
import mcp_growth  # noqa: E402

KILLS, SESSIONS = (1000, 100000) if os.environ.get("TROUPE_SOAK") else (20, 3000)


class Growth(McpCase, ServeCase):
    def assertNoGrowth(self, pid, before):
        after = mcp_growth.settled(pid, before)
        for what in ("descriptors", "processes", "zombies"):
            self.assertLessEqual(after[what], before[what], what)

    def test_killed_servers_leave_no_descriptor_and_no_zombie(self):
        self.notes()
        self.trust_project()
        self.write("troupe.yaml", "mcp: {servers: {notes: {instances: per_client}}}\n")
        server = self.serve("--no-token")
        call = ("notes__read", {}, "notes_server.py")
        mcp_growth.kill_children(server.port, server.p.pid, *call, 3)
        before = mcp_growth.settled(server.p.pid)
        killed = mcp_growth.kill_children(server.port, server.p.pid, *call, KILLS)
        self.assertGreaterEqual(killed, KILLS)
        self.assertNoGrowth(server.p.pid, before)

    def test_abandoned_sessions_are_ended(self):
        server = self.serve("--no-token")
        mcp_growth.abandon_sessions(server.port, 1100)
        before = mcp_growth.settled(server.p.pid)
        mcp_growth.abandon_sessions(server.port, SESSIONS)
        self.assertNoGrowth(server.p.pid, before)


main()
