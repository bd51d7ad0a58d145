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
say "This model was not trained to correct itself, so it sits on the ceiling. That is what training is to change."
say
say "Recorded in $store. Look at it with:"
say "  $troupe runs"
say "  $troupe show last"
say "  $troupe show last/row[0]/episode[0] --tokens"
