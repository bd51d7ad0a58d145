#!/usr/bin/env bash
# demo.sh - what `./dev demo` shows: the shipped blueprint at three horizons, success against the ceiling.
# usage: demo.sh PATH/TO/troupe. Records into .troupe/ of the working folder.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
troupe=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
store=.troupe/store.db

say() { printf '%s\n' "$*"; }

say "An agent books orders into a ledger through tools. One call in a hundred goes wrong without saying so."
say "No policy that never looks back can finish H orders more often than 0.99^H."
say
say "1. The blueprint blueprints/shipped/ledger.yaml, one episode of 10 orders, durable step by step:"
"$troupe" run "$here/ledger.yaml" --var horizon=10 --seed 7 --store "$store"
say
say "2. The same agent in many episodes at once, horizons 10, 30 and 100:"
"$troupe" eval ledger --model embedded --horizon 10,30,100 --episodes 400 --store "$store"
say
say "This model was not trained to correct itself, so it sits on the ceiling."
say
say "3. The same model after 60 updates of GRPO in this environment (models/embedded/trained):"
"$troupe" eval ledger --model "$here/../../models/embedded/trained" --horizon 10,30,100 --episodes 400 --store "$store"
say
say "It learned when to look: everything above the ceiling is correction. To train it yourself (about two minutes):"
say "  $troupe train grpo --env ledger --model embedded --out out/trained --updates 60 --noise-schedule 0:0.2,30:0.05 \\"
say "      --seed 1 --eval-every 0 --warmup 5 --probe-floor 0.97"
say
say "Recorded in $store. Look at it with:"
say "  $troupe runs"
say "  $troupe show last"
say "  $troupe show last/row[0]/episode[0] --tokens"
