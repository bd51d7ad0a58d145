"""test_cli_grpo.py - train grpo, train replay and plot from the command line.

The model is random: it writes random tokens until each step reaches its limit of calls, so that all verdicts are equal.
Only the length of its replies differs; --overlong penalises it, so that with --train-agreed there is a gradient.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import signal
import time

from cli_case import SOURCE, CliCase, main

NEW = ("--model", "new", "--init-hidden", "32", "--init-heads", "2", "--init-ffn", "64", "--init-layers", "1")
SMALL = ("--model", "base/model", "--env", "ledger", "--groups", "3", "--group-size", "4", "--horizon-schedule", "2", "--seed", "4",
         "--overlong", "60", "--train-agreed", "--eval-horizon", "2", "--eval-episodes", "4", "--eval-every", "3", "--checkpoint-every", "2",
         "--probe-floor", "0")


class Grpo(CliCase):
    def setUp(self):
        super().setUp()
        self.ok("train", "sft", *NEW, "--env", "ledger", "--updates", "1", "--batch-tokens", "64", "--warmup", "0",
                "--lr", "1e-5", "--lr-min", "0", "--eval-every", "0", "--seed", "4", "--out", "base")

    def until_updated(self, child):
        """Waits until the training in `two` has written three updates."""
        until = time.time() + 60
        while time.time() < until and child.poll() is None:
            try:
                if sum("weights" in m for m in self.metrics("two")) >= 3:
                    return
            except (OSError, ValueError):
                pass
            time.sleep(0.01)

    def test_each_figure_of_the_live_line_is_explained(self):
        with open(os.path.join(SOURCE, "docs/training.md"), encoding="utf-8") as f:
            guide = f.read()
        tasks = ("--model", "base/model", "--env", "ledger,courier", "--groups", "2", "--group-size", "2", "--horizon-schedule", "2",
                 "--eval-every", "0", "--probe-floor", "0", "--updates", "1", "--out", "a")
        for args, want in ((("grpo", *tasks), ("reward", "success", "right steps", "checked", "time")),
                           (("sft", *NEW, "--env", "ledger", "--updates", "1", "--out", "b"), ("loss", "learning rate"))):
            line, = [x for x in self.ok("train", *args).err.splitlines() if re.match(r"update 1/1\b", x)]
            labels = set(re.findall(r"  ([a-z][a-z ]*[a-z]) [\d.e-]+(?=  )", line)) | set(re.findall(r"  (time):", line))
            self.assertLessEqual(set(want), labels, line)
            if args[0] == "grpo":  # nothing was checked, so nothing could be a false alarm
                self.assertRegex(line, r"  false alarms -  ledger: right steps [\d.]+, checked [\d.]+  courier: right steps")
            for label in labels | {"tokens/s", "of peak"}:
                self.assertIn(label, line)
                self.assertRegex(guide, rf"\| [^|]*`{re.escape(label)}`", line)

    def test_what_it_writes_is_a_model_and_its_story(self):
        r = self.ok("train", "grpo", *SMALL, "--updates", "4", "--out", "a", "--json").json()
        self.assertEqual(r["schema"], "troupe.train_grpo/1")
        self.assertEqual((r["updates"], r["skipped"], r["ended"]), (4, 0, "updates"))
        self.assertEqual(r["largest_first_gap"], 0)
        self.assertGreaterEqual(r["rollouts"], 4 * 3 * 4)
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            self.assertTrue(os.path.exists(os.path.join(self.dir, "a/model", name)), name)
        self.ok("generate", "--model", os.path.join(self.dir, "a/model"), "--prompt", "ORDd+7|", "--max-tokens", "4")
        shown = self.ok("models", "show", "a", "--json").json()
        self.assertEqual((shown["name"], shown["hidden_size"]), ("a", 32))
        updates = [m for m in self.metrics("a") if "weights" in m]
        self.assertEqual([m["update"] for m in updates], [1, 2, 3, 4])
        self.assertEqual(len({m["weights"] for m in updates}), 4)
        self.assertEqual({m["first_gap"] for m in updates}, {0})
        self.assertEqual([m["update"] for m in self.metrics("a") if "success_low" in m], [0, 3, 4])
        # `show` prints the newest rollouts like any run.
        runs = self.ok("runs", "--store", "a/rollouts.db", "--json").json()["runs"]
        trains = [run for run in runs if run["kind"] == "train"]
        self.assertEqual(len(trains), 4)
        self.assertIn("update[3]/group[0]/member[0]", self.ok("show", trains[0]["run"], "--store", "a/rollouts.db").out)

    def test_threads_and_interruption_do_not_change_the_bits(self):
        args = ("train", "grpo", *SMALL, "--updates", "12")
        self.ok(*args, "--out", "one", "--threads", "1", TROUPE_THREADS="")
        child = self.start(*args, "--out", "two", "--threads", "2", TROUPE_THREADS="")
        self.until_updated(child)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
        self.assertIn(child.returncode, (0, 130))
        self.ok(*args, "--out", "two", "--threads", "2", "--resume", TROUPE_THREADS="")
        self.assertEqual(self.weights("one"), self.weights("two"))
        self.assertEqual([m["weights"] for m in self.metrics("one") if "weights" in m],
                         [m["weights"] for m in self.metrics("two") if "weights" in m])

    def test_an_update_is_replayed(self):
        self.ok("train", "grpo", *SMALL, "--updates", "5", "--out", "r", "--keep-last", "1")
        before = sorted(os.listdir(os.path.join(self.dir, "r")))
        r = self.ok("train", "replay", "r", "3", "--json").json()
        self.assertTrue(r["equal"])
        self.assertEqual(len(r["now"]), 64)
        self.assertEqual(before, sorted(os.listdir(os.path.join(self.dir, "r"))))
        self.assertEqual(len([m for m in self.metrics("r") if "weights" in m]), 5)
        self.fails(2, "updates 1 to 5", "train", "replay", "r", "6")
        # With another learning rate it is another training.
        path = os.path.join(self.dir, "r/train.json")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.write("r/train.json", text.replace("--seed=4", "--seed=5"))
        self.fails(2, "seed (--seed) was 4 and is now 5", "train", "replay", "r", "5")

    def test_a_run_that_was_begun_goes_on_only_as_it_was(self):
        self.ok("train", "grpo", *SMALL, "--updates", "2", "--out", "x")
        self.fails(2, "--resume", "train", "grpo", *SMALL, "--updates", "2", "--out", "x")
        self.fails(2, "cost of a call (--call-cost) was 0.003 and is now 0.1", "train", "grpo", *SMALL, "--updates", "2",
                   "--out", "x", "--resume", "--call-cost", "0.1")
        # A refused option changes nothing in the folder.
        self.ok("train", "grpo", "--out", "x", "--resume")

    def test_the_folder_knows_its_options(self):
        args = ("train", "grpo", *SMALL, "--updates", "9")
        self.ok(*args, "--out", "one")
        child = self.start(*args, "--out", "two")
        self.until_updated(child)
        child.kill()
        child.communicate(timeout=60)
        self.ok("train", "grpo", "--out", "two", "--resume", "--keep-last", "7", "--threads", "1")
        self.assertEqual(self.weights("one"), self.weights("two"))
        with open(os.path.join(self.dir, "two/train.json"), encoding="utf-8") as f:
            args = json.load(f)["args"]
        self.assertIn("--updates=9", args)
        self.assertIn("--keep-last=7", args)
        self.fails(2, "was not started by `troupe train sft`", "train", "sft", "--out", "two", "--resume")

    def test_a_finished_run_goes_on_at_the_last_rate(self):
        self.ok("train", "grpo", *SMALL, "--updates", "4", "--warmup", "1", "--lr", "2e-4", "--lr-min", "3e-5", "--out", "a")
        begun = [m["weights"] for m in self.metrics("a") if "weights" in m]
        r = self.fails(2, "number of updates (--updates) was 4 and is now 7", "train", "grpo", "--out", "a", "--resume",
                       "--updates", "7")
        self.assertIn("--lr-schedule continue", r.err)
        self.fails(2, "--resume", "train", "grpo", *SMALL, "--lr-schedule", "continue", "--out", "b")
        self.fails(2, "has a schedule of 4 updates, but --updates is 3", "train", "grpo", "--out", "a", "--resume", "--updates", "3", "--lr-schedule",
                   "continue")
        self.ok("train", "grpo", "--out", "a", "--resume", "--updates", "7", "--lr-schedule", "continue")
        updates = [m for m in self.metrics("a") if "weights" in m]
        self.assertEqual([m["update"] for m in updates], list(range(1, 8)))
        self.assertEqual([m["weights"] for m in updates][:4], begun)
        self.assertEqual([m["lr"] for m in updates if "lr" in m][3:], [3e-5] * 4)
        # Both numbers are recorded, and the longer run continues without more options.
        with open(os.path.join(self.dir, "a/checkpoints/step-0000000007/state.json"), encoding="utf-8") as f:
            state = json.load(f)
        self.assertEqual((state["options"]["updates"], state["extra"]["updates"]), (4, 7))
        for u in (3, 7):
            self.assertTrue(self.ok("train", "replay", "a", u, "--json").json()["equal"])
        self.ok("train", "grpo", "--out", "a", "--resume", "--updates", "9")
        self.assertEqual([m["update"] for m in self.metrics("a") if "weights" in m], list(range(1, 10)))

    def test_metrics_that_another_program_cut_are_refused_by_name(self):
        self.ok("train", "grpo", *SMALL, "--updates", "2", "--out", "x")
        path = os.path.join(self.dir, "x/metrics.jsonl")
        with open(path, "rb") as f:
            whole = f.read()
        for bad in (whole[:len(whole) // 2], whole[:-1] + b" "):
            with open(path, "wb") as f:
                f.write(bad)
            self.fails(78, "metrics.jsonl was changed by another program", "train", "grpo", "--out", "x", "--resume", "--updates",
                       "4", "--lr-schedule", "continue")
            with open(path, "rb") as f:
                self.assertEqual(f.read(), bad)
        with open(path, "wb") as f:
            f.write(whole + b'{"update":3,"rew')
        self.ok("train", "grpo", "--out", "x", "--resume", "--updates", "4", "--lr-schedule", "continue")
        self.assertEqual([m["update"] for m in self.metrics("x") if "weights" in m], [1, 2, 3, 4])
        with open(path, "rb") as f:
            self.assertTrue(f.read().startswith(whole))

    def test_a_model_to_start_from_is_required(self):
        for command in (("train", "grpo"), ("train", "sft")):
            self.fails(2, "--model is required", *command, "--env", "ledger", "--out", "n", "--updates", "1")
            self.assertFalse(os.path.exists(os.path.join(self.dir, "n")))

    def test_faults_are_held_out_and_fixed(self):
        self.ok("train", "grpo", *SMALL, "--updates", "2", "--out", "f", "--faults", "lost,value")
        self.fails(2, "task", "train", "grpo", *SMALL, "--updates", "2", "--out", "f", "--resume", "--faults", "all")
        self.assertTrue(self.ok("train", "replay", "f", "2", "--json").json()["equal"])
        self.fails(2, "its kinds are", "train", "grpo", *SMALL, "--out", "m", "--faults", "all,lost")

    def test_several_environments_in_one_batch(self):
        sft = ("train", "sft", *NEW, "--env", "ledger,courier,itinerary", "--updates", "2", "--batch-tokens", "256", "--seed", "4",
               "--checkpoint-every", "1")
        self.ok(*sft, "--out", "mixed")
        mixed = ("train", "grpo", "--model", "mixed/model", "--env", "ledger,courier", "--groups", "4", "--noise-schedule",
                 "0:0.3;courier=0:0.1,2:0.05", "--horizon-schedule", "2", "--seed", "4", "--overlong", "60", "--train-agreed",
                 "--group-size", "3", "--eval-horizon", "2", "--eval-episodes", "4", "--eval-every", "2", "--checkpoint-every", "2",
                 "--updates", "4")
        self.fails(2, "--call-target works with one environment", *mixed, "--call-target", "4", "--out", "x")
        self.ok(*mixed, "--out", "a", "--threads", "1", TROUPE_THREADS="")
        lines = self.metrics("a")
        updates = [m for m in lines if "weights" in m]
        self.assertEqual([sorted(m["tasks"]) for m in updates], [["courier", "ledger"]] * 4)
        self.assertEqual([m["tasks"]["courier"]["noise"] for m in updates], [0.1, 0.1, 0.05, 0.05])
        self.assertEqual({m["tasks"]["ledger"]["noise"] for m in updates}, {0.3})
        for m in updates:
            self.assertEqual(sum(t["rollouts"] for t in m["tasks"].values()), m["rollouts"])
        # A validation run names the weights that it measured.
        validations = {m["model"] for m in self.ok("runs", "--store", "a/rollouts.db", "--json").json()["runs"] if m["kind"] == "eval"}
        self.assertEqual(validations, {f"a, update {u}" for u in (0, 2, 4)})
        evals = [m for m in lines if "tasks" in m and "weights" not in m]
        self.assertEqual([m["update"] for m in evals], [0, 2, 4])
        for m in evals:
            self.assertAlmostEqual(m["success"], sum(t["success"] for t in m["tasks"].values()) / 2)
        probes = [m for m in lines if any("courier: " in key for key in json.dumps(m).split('"'))]
        self.assertTrue(probes)
        self.assertIn("ledger: sum", json.dumps(probes[0]))
        # The same bits in two parts, and in a replay.
        child = self.start(*mixed, "--out", "b", "--threads", "2", TROUPE_THREADS="")
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
        self.ok(*mixed, "--out", "b", "--threads", "2", "--resume", TROUPE_THREADS="")
        self.assertEqual(self.weights("a"), self.weights("b"))
        self.assertTrue(self.ok("train", "replay", "a", "3", "--json").json()["equal"])
        names = {run["name"] for run in self.ok("runs", "--store", "a/rollouts.db", "--json").json()["runs"] if run["kind"] == "train"}
        self.assertEqual(names, {"ledger,courier"})
        # Another mixture gives another run.
        other = tuple("courier,ledger" if a == "ledger,courier" else a for a in mixed)
        self.fails(2, "task", *other, "--out", "a", "--resume")
        base = ("--model", "mixed/model")
        self.fails(2, "twice", "train", "grpo", *base, "--env", "ledger,ledger", "--out", "m")
        self.fails(2, "no part for courier", "train", "grpo", *base, "--env", "ledger,courier", "--out", "m", "--noise-schedule",
                   "ledger=0:0.1")
        self.fails(2, "not an environment of --env", "train", "grpo", *base, "--env", "ledger", "--out", "m", "--noise-schedule",
                   "courier=0:0.1")
        self.fails(2, "2 groups per update are too few for 3 tasks", "train", "grpo", "--model", "mixed/model", "--env", "ledger,courier,itinerary", "--groups",
                   "2", "--out", "m")
        self.ok("train", "grpo", "--model", "mixed/model", "--env", "ledger,itinerary", "--faults", "absent,lost", "--updates", "1",
                "--groups", "2", "--group-size", "2", "--horizon-schedule", "1", "--eval-every", "0", "--out", "h")
        self.fails(2, "no kind of fault", "train", "grpo", "--model", "mixed/model", "--env", "ledger,itinerary", "--faults", "absent,far",
                   "--out", "m")

    def size(self, out):
        return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(os.path.join(self.dir, out)) for name in names)

    def test_a_disk_budget_is_kept_and_changes_no_bit(self):
        args = ("train", "grpo", *SMALL, "--updates", "12", "--record", "--keep-last", "5")
        self.ok(*args, "--out", "free")
        free = self.size("free")
        budget = free * 6 // 10
        r = self.ok(*args, "--out", "bound", "--disk-budget", str(budget), "--json")
        self.assertIn("removing the oldest recorded rollouts", r.err)
        self.assertLessEqual(self.size("bound"), budget)
        self.assertEqual(self.weights("free"), self.weights("bound"))
        runs = {out: [x for x in self.ok("runs", "--store", out + "/rollouts.db", "--json").json()["runs"] if x["kind"] == "train"]
                for out in ("free", "bound")}
        self.assertLess(len(runs["bound"]), len(runs["free"]))
        self.assertIn("update[11]/group[0]/member[0]", self.ok("show", runs["bound"][0]["run"], "--store", "bound/rollouts.db").out)
        self.ok("store", "check", "--store", "bound/rollouts.db")
        # If the files that must stay do not fit, there is an error, and a larger budget continues from there.
        r = self.fails(1, "--disk-budget 100000", *args, "--out", "small", "--disk-budget", "100000")
        self.assertIn("--resume", r.err)
        self.ok(*args, "--out", "small", "--disk-budget", str(budget), "--resume")
        self.assertEqual(self.weights("free"), self.weights("small"))

    def test_plot_draws_a_training(self):
        self.ok("train", "grpo", *SMALL, "--updates", "3", "--out", "p")
        text = self.ok("plot", "p").out
        for word in ("success on validation seeds", "calls a step", "update 3"):
            self.assertIn(word, text)

    def test_mistakes(self):
        self.fails(2, "--out", "train", "grpo", "--env", "ledger")
        self.fails(2, "--env", "train", "grpo", "--out", "m")
        self.fails(2, "unknown environment", "train", "grpo", "--env", "leger", "--out", "m")
        self.fails(2, "out of range", "train", "grpo", "--env", "ledger", "--out", "m", "--group-size", "1")
        self.fails(2, "--noise-schedule", "train", "grpo", *SMALL, "--out", "m", "--noise-schedule", "5:0.1")
        self.fails(2, "--horizon-schedule", "train", "grpo", "--env", "ledger", "--out", "m",
                   "--model", "base/model", "--horizon-schedule", "0:5,zwei")
        self.fails(2, "train sft", "train", "grpo", *NEW[:2], "--env", "ledger", "--out", "m")
        self.fails(2, "temperature", "train", "grpo", *SMALL, "--out", "m", "--temperature", "0")
        self.fails(1, "train.json", "train", "replay", "nowhere", "1")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "m/metrics.jsonl")))


if __name__ == "__main__":
    main()
