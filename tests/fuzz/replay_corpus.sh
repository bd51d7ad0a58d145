#!/usr/bin/env bash
# replay_corpus.sh PROGRAM FOLDER - runs a libFuzzer program over each file of its corpus.
# Exit status 77 (skipped) when the program has not been built: `./dev build fuzz`.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
program=$1 corpus=("$2"/*)
[ -x "$program" ] || { echo "skipped: $program is not built (./dev build fuzz)"; exit 77; }
[ -e "${corpus[0]}" ] || { echo "$2 holds no inputs"; exit 1; }
exec "$program" -timeout=60 -rss_limit_mb=4096 -artifact_prefix="$(dirname "$program")/" "${corpus[@]}"
