#!/usr/bin/env bash
# demo.sh - what `./dev demo` shows: the shipped blueprint, success against the ceiling before and
# after training; with --train, a training before the reader's eyes.
# usage: demo.sh PATH/TO/troupe [--train]. Records into .troupe/ of the working folder; trains into out/.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
troupe=$1
train=no
case ${2:-} in
'') ;;
--train) train=yes ;;
*)
    printf 'usage: demo.sh PATH/TO/troupe [--train]\n' >&2
    exit 2
    ;;
esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
trained=$(cd "$here/../.." && pwd)/models/embedded/trained
[[ $trained == "$PWD"/* ]] && trained=${trained#"$PWD"/} # shorter to read
store=.troupe/store.db
mkdir -p .troupe
horizons=10,30,100

say() { printf '%s\n' "$*"; }

# Prints the evaluation's table and leaves it in $table, its run's id in $run.
evaluate() { # MODEL EPISODES
    table=$("$troupe" eval ledger --model "$1" --horizon $horizons --episodes "$2" --store "$store")
    say "$table"
    run=$(sed -n 's/^recorded as \([^:]*\):.*/\1/p' <<<"$table")
}

# A folder that is not there yet: what somebody trained is never written over.
free_folder() {
    local n=1 name=out/demo
    while [ -e "$name" ]; do
        n=$((n + 1))
        name=out/demo-$n
    done
    say "$name"
}

say "An agent books orders into a ledger through tools. One call in a hundred goes wrong without saying so."
say "No policy that never looks back can finish H orders more often than 0.99^H."
say
say "1. The blueprint blueprints/shipped/ledger.yaml, one episode of 10 orders, durable step by step:"
"$troupe" run "$here/ledger.yaml" --var horizon=10 --seed 7 --store "$store"
say
say "2. The same agent in many episodes at once, $horizons orders long:"
evaluate embedded 400
base_run=$run base_table=$table
say
say "This model was not trained to correct itself, so it sits on the ceiling."
say
say "3. The same model after 60 updates of GRPO in this environment ($trained):"
evaluate "$trained" 400
trained_run=$run
say
say "It learned when to look: everything above the ceiling is correction."

if [ $train = yes ]; then
    out=$(free_folder)
    say
    say "4. Now the same training here, from the base to $out/model: about a minute on two idle cores. Most of the line"
    say "   below is the last update's: what its rollouts earned, how often they looked, what of their errors they repaired."
    say "   $troupe train grpo --env ledger --model embedded --out $out --seed 1"
    "$troupe" train grpo --env ledger --model embedded --out "$out" --seed 1
    say
    say "Before (the table of 2.) and after, on the same tasks:"
    say "$base_table"
    say
    evaluate "$out/model" 400
    say
    "$troupe" plot "$base_run" "$run" --store "$store"
    say
    say "Curves of the training: $troupe plot $out            (a picture: --out curves.svg or curves.png)"
    say "Success against horizon: $troupe plot $base_run $run --out horizon.svg"
else
    say "To see it learned here, in about a minute: ./dev demo --train"
fi
say
say "Recorded in $store. Look at it with:"
say "  $troupe runs"
say "  $troupe show last"
say "  $troupe show $trained_run/row[0]/episode[0] --tokens"
say "  $troupe plot $base_run $trained_run"
