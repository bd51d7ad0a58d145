#!/usr/bin/env bash
# horizon_figure.sh - draws the picture in README.md: evaluates success over horizon in the ledger.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/bench/horizon_figure.sh [OUT.svg [MODEL...]]
#
# TROUPE=PROGRAM uses another build, STORE=FILE keeps the evaluations. THREADS, EPISODES (up to 300
# steps) and EPISODES_LONG (1000 steps) are numbers. It uses the default seeds of `troupe eval`, so
# the same models give the same picture on every machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
troupe=${TROUPE:-build/release/runtime/app/troupe}
out=${1:-models/embedded/success-horizon.svg}
models=("${@:2}")
[ ${#models[@]} -gt 0 ] || models=(models/embedded/trained models/embedded/base)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
store=${STORE:-$scratch/store.db}

# One run per model and length; `plot` joins runs that differ only in their horizons.
runs=()
evaluate() { # MODEL HORIZONS EPISODES
    local json
    json=$("$troupe" eval ledger --model "$1" --horizon "$2" --episodes "$3" --threads "${THREADS:-1}" \
        --store "$store" --json)
    runs+=("$(sed -n 's/.*"run":"\([^"]*\)".*/\1/p' <<<"$json")")
}

for model in "${models[@]}"; do
    evaluate "$model" 10,30,100,300 "${EPISODES:-300}"
    evaluate "$model" 1000 "${EPISODES_LONG:-200}"
done
"$troupe" plot "${runs[@]}" --store "$store"
"$troupe" plot "${runs[@]}" --store "$store" --out "$out"
