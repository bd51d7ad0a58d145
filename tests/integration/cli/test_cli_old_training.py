"""test_cli_old_training.py - training folders of 0.1.0 continue bit for bit (tests/fixtures/v0.1/training).

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import json
import os
import tarfile

from cli_case import SOURCE, CliCase, main

SFT = "96b7589bad89133aae8dd5a280a191739a101aca1485bade29d5a1cd7cce91ce"
GRPO = "4e4e1eb2a2b4c32e0bb09020e6cb1163bce767b88a393004710d0b5a853f88d4"
CHAT = "adf0cb2a2214fb5b5026c75b9669c18a35a2401a8cbd612ef842f5e747503007"
CHAT_NEW = "d5cd3e975c971e378af533d2fe6c211481d0f55588703f2dac60458bef9a0db7"
MODEL = ("--model", "sft/model")  # its place in 0.1, as recorded in train.json


class OldTraining(CliCase):
    def setUp(self):
        super().setUp()
        with tarfile.open(os.path.join(SOURCE, "tests/fixtures/v0.1/training/folders.tar.gz")) as tar:
            tar.extractall(self.dir)

    def ok(self, *args, **more):
        r = super().ok(*args, **more)
        self.assertNotIn("corrupt", (r.out + r.err).lower())
        return r

    def kinds(self, out):
        """(update, kind of line) of all lines."""
        return [(m["update"], "probe" if "full" in m else "eval" if "episodes" in m or "held_out_loss" in m else "update")
                for m in self.metrics(out)]

    def test_they_are_drawn(self):
        for out in ("grpo", "grpo-killed", "grpo-killed-early", "sft", "sft-killed"):
            r = self.ok("plot", out)
            self.assertNotIn("warning", r.err)
        r = self.ok("plot", "grpo-cut")  # another program truncated a line, and 0.1 appended to it
        self.assertIn("1 of 22 lines", r.err)
        self.assertIn("update 12", r.out)

    def test_killed_reinforcement_goes_on(self):
        for out, kept in (("grpo-killed", 4), ("grpo-killed-early", 0)):
            with open(os.path.join(self.dir, out, "metrics.jsonl"), "rb") as f:
                before = f.read()
            self.ok("train", "grpo", "--out", out, "--resume", *MODEL)
            self.assertEqual(self.weights(out), GRPO)
            want = [(0, "probe"), (0, "eval")]
            for u in range(1, 13):
                want += [(u, "update"), (u, "probe")] + ([(u, "eval")] if u % 4 == 0 else [])
            self.assertEqual(self.kinds(out), want)  # no line is missing or duplicated
            with open(os.path.join(self.dir, out, "metrics.jsonl"), "rb") as f:
                lines = f.read().splitlines()
            n = sum(m["update"] <= kept for m in self.metrics(out))
            self.assertEqual(lines[:n], before.splitlines()[:n])
            self.assertNotIn("warning", self.ok("plot", out).err)
            self.assertTrue(self.ok("train", "replay", out, "11", "--json").json()["equal"])

    def test_killed_supervision_goes_on(self):
        args = ("--model", "new", "--init-layers", "1", "--init-hidden", "16", "--init-heads", "2", "--init-ffn", "32", "--env",
                "ledger", "--batch-tokens", "4096", "--warmup", "2", "--seed", "4", "--eval-every", "4", "--updates", "60",
                "--checkpoint-every", "4")  # 0.1 did not record them
        self.ok("train", "sft", *args, "--out", "sft-killed", "--resume")
        self.assertEqual(self.weights("sft-killed"), SFT)
        self.assertEqual([u for u, what in self.kinds("sft-killed") if what == "update"], list(range(1, 61)))
        # Now they are recorded.
        self.ok("train", "sft", "--out", "sft-killed", "--resume", "--updates", "62", "--lr-schedule", "continue")
        self.assertEqual([u for u, what in self.kinds("sft-killed") if what == "update"], list(range(1, 63)))

    def test_killed_training_on_conversations_goes_on(self):
        chat = ("--data", "chat.jsonl", "--batch-tokens", "512", "--warmup", "2", "--seed", "4", "--updates", "60",
                "--checkpoint-every", "4", "--keep-last", "1", "--eval-every", "0")
        new = ("--model", "new", "--init-layers", "1", "--init-hidden", "16", "--init-heads", "2", "--init-ffn", "32")
        for out, model, want in (("chat-new-killed", new, CHAT_NEW), ("chat-killed", ("--model", "chat-base"), CHAT)):
            r = self.ok("train", "sft", *model, *chat, "--out", out, "--resume")
            self.assertEqual(self.weights(out), want)
            self.assertEqual([m["update"] for m in self.metrics(out)], list(range(1, 61)))
            self.assertNotIn("nan", r.err)
            self.ok("train", "sft", "--out", out, "--resume")
        self.fails(2, "data (--data, --env, --kind)", "train", "sft", "--out", "chat-killed", "--resume", "--holdout", "0.5")

    def begun_with(self, out, text, template):
        """Makes a folder of 0.1 one that was begun with this data, as a finished checkpoint records it."""
        here = os.path.join(self.dir, out, "checkpoints/step-0000000004")
        with open(os.path.join(self.dir, template), "rb") as f:
            name = "chat:" + hashlib.sha256(text.encode() + f.read()).hexdigest()
        with open(os.path.join(here, "state.json"), encoding="utf-8") as f:
            state = f.read()
        was = json.loads(state)["options"]["data"]
        state = state.replace(was, name)
        self.write(os.path.join(here, "state.json"), state)
        with open(os.path.join(here, "manifest.json"), encoding="utf-8") as f:
            manifest = json.load(f)
        manifest["files"]["state.json"] = {"sha256": hashlib.sha256(state.encode()).hexdigest(), "bytes": len(state)}
        self.write(os.path.join(here, "manifest.json"), json.dumps(manifest))

    def test_data_with_keys_that_0_1_passed_over_is_read_as_it_was(self):
        with open(os.path.join(self.dir, "chat.jsonl"), encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        for line in lines:
            line["weight"] = 2
            line["messages"][0]["mood"] = "glad"
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.write("chat.jsonl", text)
        self.begun_with("chat-killed", text, "chat-base/chat_template.jinja")
        chat = ("--data", "chat.jsonl", "--batch-tokens", "512", "--warmup", "2", "--seed", "4", "--updates", "60",
                "--checkpoint-every", "4", "--keep-last", "1", "--eval-every", "0", "--model", "chat-base")
        self.ok("train", "sft", *chat, "--out", "chat-killed", "--resume")
        self.assertEqual(self.weights("chat-killed"), CHAT)  # such keys are not part of what is trained
        self.fails(1, 'chat.jsonl:1: unknown key "weight"', "train", "sft", *chat[:-1], "new", "--out", "new")

    def test_damage_of_the_options_is_named(self):
        for out, command in (("chat-killed", ("sft", "--data", "chat.jsonl", "--model", "chat-base")), ("sft", ("sft", "--env", "ledger")),
                             ("grpo", ("grpo", *MODEL))):
            folder = os.path.join(self.dir, out, "checkpoints")
            newest = sorted(n for n in os.listdir(folder) if n.startswith("step-"))[-1]
            path = os.path.join(folder, newest, "state.json")
            with open(path, encoding="utf-8") as f:
                text = f.read()
            for damaged in (text.replace('"seed": 4', '"seed": 5'), text.replace('"warmup"', '"warmuq"'), text[:-20]):
                self.assertNotEqual(damaged, text)
                self.write(path, damaged)
                r = self.fails(78, f"{out}/checkpoints/{newest}/state.json: ", "train", *command, "--out", out, "--resume", "--json")
                self.assertNotIn("other options", r.err)
                self.assertEqual(r.json()["error"]["code"], "corrupt")
                self.write(path, text)

    def test_a_finished_one_is_replayed_and_continued(self):
        self.ok("models", "show", "grpo")
        self.assertTrue(self.ok("train", "replay", "grpo", "3", *MODEL, "--json").json()["equal"])
        runs = self.ok("runs", "--store", "grpo/rollouts.db", "--json").json()["runs"]
        self.assertTrue(any(r["kind"] == "train" for r in runs))
        self.ok("train", "grpo", "--out", "grpo", "--resume", *MODEL)
        self.ok("train", "grpo", "--out", "grpo", "--resume", *MODEL, "--updates", "10", "--lr-schedule", "continue")
        self.assertEqual([u for u, what in self.kinds("grpo") if what == "update"], list(range(1, 11)))
        self.assertTrue(self.ok("train", "replay", "grpo", "10", "--json").json()["equal"])


if __name__ == "__main__":
    main()
