#!/bin/sh
# make_baseline_env.sh - creates the Python environment of the baselines, outside the tree.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/bench/make_baseline_env.sh [DIR]     then: DIR/bin/python tests/bench/transformers_baseline.py
#
# pip finds the torch wheels; TORCH_INDEX=URL sets an index that has wheels without CUDA.
set -eu
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/troupe/baseline-env}
[ -x "$dir/bin/python" ] || python3 -m venv "$dir"
"$dir/bin/python" -m pip install --quiet ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} 'torch==2.15.*'
"$dir/bin/python" -m pip install --quiet 'transformers==5.23.*' 'trl==1.16.*' numpy
"$dir/bin/python" -c 'import torch, transformers, trl
print("torch", torch.__version__, "transformers", transformers.__version__, "trl", trl.__version__)'
echo "$dir/bin/python"
