#!/usr/bin/env bash
# make_venv.sh - torch and transformers in an environment outside the tree, for parity vectors and side-by-side figures.
# usage: tests/parity/make_venv.sh [DIR]   (default: ~/.cache/troupe-parity)
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/troupe-parity}
python3 -m venv "$dir"
"$dir/bin/pip" install -q torch transformers safetensors numpy
echo "$dir/bin/python"
