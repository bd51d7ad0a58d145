#!/bin/sh
# make_baseline_env.sh - the Python environment of the baselines, outside the tree.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/bench/make_baseline_env.sh [DIR]     then: DIR/bin/python tests/bench/transformers_baseline.py
set -eu
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/troupe/baseline-env}
[ -x "$dir/bin/python" ] || python3 -m venv "$dir"
"$dir/bin/python" -m pip install --quiet 'torch==2.15.*' 'transformers==5.23.*' numpy
"$dir/bin/python" -c 'import torch, transformers; print(torch.__version__, transformers.__version__)'
echo "$dir/bin/python"
