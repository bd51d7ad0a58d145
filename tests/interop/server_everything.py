"""server_everything.py - the everything-server of the MCP Python SDK over stdio.

usage: server_everything.py DIR, the folder examples/servers/everything-server of a checkout of the SDK
SPDX-License-Identifier: Apache-2.0
"""
import sys

sys.path.insert(0, sys.argv[1])
from mcp_everything_server.server import mcp  # noqa: E402

mcp.run("stdio")
