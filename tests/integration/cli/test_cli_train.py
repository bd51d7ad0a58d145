"""test_cli_train.py - train sft from the command line: from random weights, resumed, used; and wrong usage.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import json
import os
import signal
import time

from cli_case import CliCase, main

SMALL = ("--model", "new", "--init-hidden", "32", "--init-heads", "2", "--init-ffn", "64", "--init-layers", "1",
         "--env", "ledger", "--batch-tokens", "512", "--warmup", "2", "--eval-every", "5", "--seed", "4")


class Train(CliCase):
    def test_what_it_writes_is_a_model_that_can_be_used(self):
        r = self.ok("train", "sft", *SMALL, "--updates", "10", "--out", "a", "--json").json()
        self.assertEqual(r["updates"], 10)
        for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
            self.assertTrue(os.path.exists(os.path.join(self.dir, "a/model", name)), name)
        self.ok("generate", "--model", os.path.join(self.dir, "a/model"), "--prompt", "ORDd+7|", "--max-tokens", "4")
        lines = self.metrics("a")
        self.assertGreaterEqual(len(lines), 10)

    def test_threads_and_interruption_do_not_change_the_bits(self):
        self.ok("train", "sft", *SMALL, "--updates", "12", "--out", "one", "--threads", "1", TROUPE_THREADS="")
        self.ok("train", "sft", *SMALL, "--updates", "12", "--out", "two", "--threads", "2", "--checkpoint-every", "6",
                TROUPE_THREADS="")
        self.assertEqual(self.weights("one"), self.weights("two"))

    def test_chat_data_trains_assistant_tokens(self):
        rows = [{"messages": [{"role": "user", "content": f"add {i} and 1"}, {"role": "assistant", "content": str(i + 1)}]}
                for i in range(20)]
        self.write("d.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
        r = self.ok("train", "sft", "--model", "new", "--init-hidden", "32", "--init-heads", "2", "--init-ffn", "64",
                    "--init-layers", "1", "--data", "d.jsonl", "--updates", "3", "--batch-tokens", "512", "--out", "c",
                    "--json")
        self.assertIn("warning: --updates 3 is less than --warmup 50: the learning rate never reaches --lr\n", r.err)
        r = r.json()
        self.assertGreater(r["trained_tokens"], 0)
        self.assertLess(r["trained_tokens"], r["tokens"])

    def test_the_folder_knows_its_options(self):
        self.ok("train", "sft", *SMALL, "--updates", "6", "--out", "a", "--lr-min", "1e-4")
        self.fails(2, "already contains a training", "train", "sft", *SMALL, "--updates", "6", "--out", "a", "--lr-min", "1e-4")
        self.fails(2, "seed (--seed) was 4 and is now 5", "train", "sft", "--out", "a", "--resume", "--seed", "5")
        before = self.weights("a")
        self.assertNotIn("--warmup", self.ok("train", "sft", *SMALL, "--updates", "3", "--out", "w").err)
        self.ok("train", "sft", "--out", "a", "--resume")
        self.assertEqual(self.weights("a"), before)
        self.fails(2, ["number of updates (--updates) was 6 and is now 8", "--lr-schedule continue"], "train", "sft", "--out", "a",
                   "--resume", "--updates", "8")
        self.ok("train", "sft", "--out", "a", "--resume", "--updates", "8", "--lr-schedule", "continue")
        lines = self.metrics("a")
        self.assertEqual([m["lr"] for m in lines if m.get("lr") and m["update"] > 6], [1e-4, 1e-4])

    def test_an_interrupted_training_says_how_to_go_on(self):
        p = self.start("train", "sft", *SMALL, "--updates", "100000", "--out", "my out", "--checkpoint-every", "1")
        end = time.time() + 60
        while not glob.glob(os.path.join(self.dir, "my out/checkpoints/*")) and time.time() < end:
            time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130, err)
        self.assertIn("`troupe train sft --resume --out 'my out'` continues the training", err)
        for args in (("generate", "--prompt", "x"), ("eval", "ledger"), ("train", "sft", "--env", "ledger", "--out", "z")):
            self.fails(1, ["my out is not finished: it has no model yet", "`troupe train sft --resume --out "], *args,
                       "--model", "my out")
        self.fails(2, "none contains no training", "train", "sft", "--resume", "--out", "none")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "none")))

    def test_mistakes(self):
        self.fails(2, "--out", "train", "sft", "--env", "ledger")
        self.fails(2, "--data", "train", "sft", "--out", "x")
        self.write("bad.jsonl", '{"messages": []}\nnot json\n')
        self.fails(1, "bad.jsonl:", "train", "sft", "--model", "new", "--data", "bad.jsonl", "--out", "y")


if __name__ == "__main__":
    main()
