# stop.sh - stops the server of start.sh and waits for its end.
# SPDX-License-Identifier: Apache-2.0
kill "$(cat serve.pid)"
while kill -0 "$(cat serve.pid)" 2>/dev/null; do sleep 0.1; done
