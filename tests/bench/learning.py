#!/usr/bin/env python3
"""learning.py - the tables of training results: trains over seeds, evaluates on reported seeds, runs controls.

A recipe (below) sets the supervised start, the GRPO options, the measured rows and the controls.
Every result is kept in --out and computed once, so an interrupted table continues. Every evaluation
is recorded in OUT/store.db before its line is printed. The worst seed is the result.

    learning.py ledger|ledger_cue|courier|itinerary [--out DIR] [--seeds 1,2,3,4,5] [--threads N]
                [--program build/release/runtime/app/troupe] [--rows short|full] [--train-only]
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import subprocess
import sys
import time

REPORTED = 1 << 21

# Rows: name, options of `troupe eval`, episodes. The first row ranks the seeds.
ROWS = {
    "short": [("@100", ["--horizon", "100"], 2000)],
    "full": [
        ("@100", ["--horizon", "100"], 2000),
        ("@300", ["--horizon", "300"], 300),
        ("@1000", ["--horizon", "1000"], 300),
        ("@100, T=1", ["--horizon", "100", "--temperature", "1"], 500),
        ("@100, p=0", ["--horizon", "100", "--noise", "0"], 300),
        ("@100, p=.03", ["--horizon", "100", "--noise", "0.03"], 300),
        ("@100, p=.1", ["--horizon", "100", "--noise", "0.1"], 300),
    ],
}
# The same tasks and faults without one ability, for the model of the first seed.
ABLATIONS = [
    ("@100, correction masked", ["--horizon", "100", "--ablate", "mask"], 1000),
    ("@100, checks muted", ["--horizon", "100", "--ablate", "mute"], 1000),
    ("@100, checks echo", ["--horizon", "100", "--ablate", "echo"], 1000),
    ("@100, false alarms", ["--horizon", "100", "--ablate", "alarm"], 300),
]
# The start at temperature 1: five samples of each call, of which the most frequent is used.
VOTE = ("@100, T=1", ["--horizon", "100", "--temperature", "1", "--vote", "5"], 300)

LOW = ["--lr", "1e-3", "--lr-min", "2e-5"]
IMITATE = ["--updates", "150", "--seed", "1"] + LOW
WHEN = ["--no-budget", "--lr-min", "3e-5"]

RECIPES = {
    "ledger": {
        "start": [("models/embedded/base", None)],
        "grpo": [],
        "every": "0",  # no validation: the last model is measured
        "imitate": ["check"],
        "scripts": ["plain", "check"],
        # Train with two kinds of faults, measure with the third.
        "held_out": (["--faults", "lost,value"], ["--faults", "target"]),
    },
    "ledger_cue": {
        "start": [("models/embedded/base", ["--updates", "800", "--seed", "1"] + LOW)],
        "grpo": WHEN + ["--call-target", "3.35", "--call-price-rate", "0.3", "--noise-schedule", "0:0.2", "--lr", "3e-4"],
        "imitate": ["blind", "check"],
        "scripts": ["plain", "blind", "blind_rolling", "cue", "cue_rolling", "check"],
    },
    "courier": {
        "start": [("new", ["--updates", "3600", "--seed", "1"])],
        # Many small groups have more legs per batch, so that the cost of a call is less noisy.
        "grpo": WHEN + ["--call-target", "6.1", "--call-price-rate", "0.2", "--noise-schedule", "0:0.2", "--horizon-schedule",
                        "0:3", "--groups", "64", "--group-size", "8", "--lr", "3e-4", "--updates", "100"],
        "imitate": ["blind", "check"],
        "scripts": ["plain", "blind", "blind_rolling", "cue", "cue_rolling", "check"],
    },
    "itinerary": {
        "start": [("new", ["--updates", "4000", "--seed", "1"]), (None, ["--updates", "4000", "--seed", "2"] + LOW)],
        "grpo": ["--noise-schedule", "0:0.2,30:0.05"],
        "imitate": ["check"],
        "scripts": ["plain", "check"],
    },
}


class Lab:
    def __init__(self, args):
        self.program, self.out, self.threads, self.env = args.program, args.out, args.threads, args.env
        os.makedirs(self.out, exist_ok=True)

    def run(self, *words):
        """Runs one command; returns its standard output, CPU seconds and wall seconds."""
        before, begin = os.times(), time.time()
        done = subprocess.run([self.program, *words, "--threads", str(self.threads)], stdout=subprocess.PIPE, text=True)
        after = os.times()
        if done.returncode:
            sys.exit(f"{' '.join(words)}: exit code {done.returncode}")
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return done.stdout, cpu, time.time() - begin

    def train(self, name, *words):
        """Trains a model unless it exists; returns its folder. NAME/took.json records time and result."""
        folder = os.path.join(self.out, name)
        took = os.path.join(folder, "took.json")
        if not os.path.exists(took):
            resume = ["--resume"] if os.path.exists(os.path.join(folder, "checkpoints")) else []
            out, cpu, wall = self.run("train", *words, "--env", self.env, "--out", folder, "--json", *resume)
            with open(took, "w") as f:
                json.dump({"cpu_s": cpu, "wall_s": wall, "result": json.loads(out), "command": words}, f)
        return os.path.join(folder, "model")

    def took(self, name):
        with open(os.path.join(self.out, name, "took.json")) as f:
            return json.load(f)

    def measure(self, label, words, row):
        """One row of `troupe eval`; it is saved and not measured again."""
        name, options, episodes = row
        path = os.path.join(self.out, "rows.json")
        rows = json.load(open(path)) if os.path.exists(path) else {}
        key = f"{label}|{name}|{episodes}"
        if key not in rows:
            out, _, _ = self.run("eval", self.env, *words, *options, "--episodes", str(episodes), "--seed", str(REPORTED),
                                 "--store", os.path.join(self.out, "store.db"), "--json", "--quiet")
            document = json.loads(out)
            rows[key] = dict(document["rows"][0], run=document["run"])
            with open(path + ".new", "w") as f:
                json.dump(rows, f)
            os.replace(path + ".new", path)
        return rows[key]


def show(label, name, r):
    def share(x, digits=3):
        return "-" if x is None else f"{x:.{digits}f}"
    print(f"| {label} | {name} | {r['success']:.3f} ({r['success_low']:.3f}-{r['success_high']:.3f}) | {r['ceiling']:.3f} | "
          f"{r['episodes']} | {share(r.get('step_accuracy'), 5)} | {share(r['recovered'])} | {share(r['false_alarm'], 4)} | "
          f"{r['calls_per_step']:.2f} |", flush=True)


def start_of(lab, recipe):
    model = None
    for i, (begin, words) in enumerate(recipe["start"]):
        begin = begin or model
        model = begin if words is None else lab.train(f"start{i}", "sft", "--model", begin, "--eval-every", "0", *words)
    return model


def train_seed(lab, recipe, start, name, seed, *more, every=None):
    every = every or recipe.get("every", "20")
    return lab.train(name, "grpo", "--model", start, "--seed", str(seed), "--keep-rollouts", "0", "--eval-every", every, *more,
                     *recipe["grpo"])


def controls(lab, recipe, start, row):
    for script in recipe["scripts"]:
        show(f"script {script}", row[0], lab.measure(f"script {script}", ["--expert", script], row))
    show("start (SFT)", row[0], lab.measure("start", ["--model", start], row))
    show("start, 5 votes", VOTE[0], lab.measure("vote", ["--model", start], VOTE))
    sampled = (row[0] + ", T=1", row[1] + ["--temperature", "1"], 500)
    for kind in recipe["imitate"]:
        model = lab.train(f"imitate-{kind}", "sft", "--model", start, "--kind", kind, "--eval-every", "0", *IMITATE)
        for how in (row, sampled):
            show(f"imitation of {kind} (SFT)", how[0], lab.measure(f"imitate {kind}", ["--model", model], how))
    model = train_seed(lab, recipe, start, "shuffled", 1, "--shuffle-advantages", every="20")
    show("GRPO, advantages shuffled", row[0], lab.measure("shuffled", ["--model", model], row))


def unseen(lab, recipe, start, seeds):
    """Measures the start and the models on a kind of fault that was not in their training."""
    seen, met = recipe["held_out"]
    row = ("@100, unseen kind", ["--horizon", "100", *met], 2000)
    show("start (SFT)", row[0], lab.measure("start", ["--model", start], row))
    for s in seeds:
        model = train_seed(lab, recipe, start, f"held-out{s}", s, *seen)
        show(f"GRPO without this kind, seed {s}", row[0], lab.measure(f"held-out{s}", ["--model", model], row))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("env", choices=RECIPES)
    parser.add_argument("--out")
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--program", default="build/release/runtime/app/troupe")
    parser.add_argument("--rows", choices=ROWS, default="full")
    parser.add_argument("--train-only", action="store_true")
    args = parser.parse_args()
    args.out = args.out or f"out/learning-{args.env}"
    recipe, lab, rows = RECIPES[args.env], Lab(args), ROWS[args.rows]
    seeds = [int(s) for s in args.seeds.split(",")]
    start = start_of(lab, recipe)
    models = {s: train_seed(lab, recipe, start, f"seed{s}", s) for s in seeds}
    if args.train_only:
        return
    print("| policy | episodes | success | ceiling | n | step accuracy | recovered | false alarms | calls/step |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    controls(lab, recipe, start, rows[0])
    for row in rows:
        results = {s: lab.measure(f"seed{s}", ["--model", models[s]], row) for s in seeds}
        for s in seeds:
            show(f"GRPO, seed {s}", row[0], results[s])
        worst = min(results.values(), key=lambda r: r["success"])
        show(f"**GRPO, worst of {len(seeds)}**", row[0], worst)
    for row in ABLATIONS if args.rows == "full" else []:
        show(f"GRPO, seed {seeds[0]}", row[0], lab.measure(f"seed{seeds[0]}", ["--model", models[seeds[0]]], row))
    if "held_out" in recipe and args.rows == "full":
        unseen(lab, recipe, start, seeds)
    print()
    for s in seeds:
        t = lab.took(f"seed{s}")
        r = t["result"]
        print(f"seed {s}: {r['updates']} updates ({r['ended']}), {r['rollouts']} rollouts, {r['sampled_tokens']} tokens sampled, "
              f"{r['trained_tokens']} trained, {t['cpu_s']:.0f} CPU-s, {t['wall_s']:.0f} s wall; "
              f"largest gap of log-probs {r['largest_first_gap']:g}")


if __name__ == "__main__":
    main()
