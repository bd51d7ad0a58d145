"""test_cli_train_runs.py - training on recorded runs: the token ids that a server gave, exactly as recorded.

SPDX-License-Identifier: Apache-2.0
"""
import json
import math
import os
import shutil

from cli_case import CliCase, main
from odd_server import OddServer

TINY = ("--init-layers", "1", "--init-hidden", "32", "--init-heads", "2", "--init-ffn", "64", "--seed", "4", "--warmup", "1")
ONE = ("--updates", "1", "--batch-tokens", "65536", "--warmup", "1", "--eval-every", "0", "--seed", "3")


def byte_letters():
    """The letter of each byte in tokenizer.json (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}


class Tokenizer:
    """The byte tokenizer of a model of `--model new`."""

    def __init__(self, folder):
        with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
            doc = json.load(f)
        letters = byte_letters()
        self.byte = {b: doc["model"]["vocab"][letters[b]] for b in range(256)}
        self.added = {t["content"]: t["id"] for t in doc["added_tokens"]}

    def encode(self, text):
        ids = []
        while text:
            word = next((w for w in self.added if text.startswith(w)), None)
            ids += [self.added[word]] if word else [self.byte[b] for b in text[0].encode()]
            text = text[len(word or " "):]
        return ids


class TrainRuns(CliCase):
    def setUp(self):
        super().setUp()
        self.server = OddServer()
        self.write("d.jsonl", json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}) + "\n")
        self.ok("train", "sft", "--model", "new", *TINY, "--data", "d.jsonl", "--updates", "1", "--eval-every", "0", "--out", "m")
        self.server.server.encode = Tokenizer(os.path.join(self.dir, "m/model")).encode
        self.write("troupe.yaml", f"models:\n  far: {{url: '{self.server.url}/v1', model: ids, ids: vllm}}\n"
                   f"  text: {{url: '{self.server.url}/v1', model: echo, ids: vllm}}\n")
        self.write("b.yaml", "schema: blueprint/v1\nagents: {a: {model: far, tools: [calculator], temperature: 1}, t: {model: text, temperature: 1}}\n"
                   "steps:\n  far: {agent: a, in: hello}\n")

    def tearDown(self):
        self.server.stop()
        super().tearDown()

    def sampled(self, run="last"):
        steps = self.ok("show", run, "--tokens", "--json").json()["steps"]
        return [s["tokens"] for s in steps if s["kind"] == "model"]

    def test_the_ids_of_a_server_are_trained(self):
        self.assertEqual(json.loads(self.ok("run", "b.yaml", "--seed", "5").out), "It is 7.")
        calls = self.sampled()
        self.assertEqual(len(calls), 2, "a call of the tool, and the answer")
        encode = self.server.server.encode
        self.assertEqual(calls[0]["ids"], encode('<tool_call>{"name": "calculator", "arguments": {"expression": "3 + 4"}}</tool_call><|im_end|>'))
        self.assertEqual(calls[1]["ids"], encode("It is 7.<|im_end|>"))
        self.assertEqual(calls[1]["prefix_len"], calls[0]["prompt_len"] + len(calls[0]["ids"]), "the second call continues the chain")
        r = self.ok("train", "sft", "--model", "m/model", "--from-runs", "last", *ONE, "--out", "o", "--json").json()
        self.assertEqual(r["updates"], 1)
        self.assertTrue(math.isfinite(r["loss"]) and r["loss"] > 0, r)
        n_chain = calls[1]["prompt_len"] + len(calls[1]["ids"]) - 1  # rows: the last id predicts nothing
        n_sampled = len(calls[0]["ids"]) + len(calls[1]["ids"])
        self.assertEqual(r["tokens"] % n_chain, 0, "whole chains")
        self.assertEqual(r["trained_tokens"] / r["tokens"], n_sampled / n_chain, "sampled ids are trained, the others are not")
        self.assertNotEqual(self.weights("o"), self.weights("m"))
        self.ok("train", "sft", "--model", "m/model", "--from-runs", "last", *ONE, "--out", "again")
        self.assertEqual(self.weights("again"), self.weights("o"))
        with open(os.path.join(self.dir, "o/model/README.md"), encoding="utf-8") as f:
            self.assertIn("recorded runs", f.read())

    def test_a_record_of_text_is_not_trained(self):
        self.ok("run", "b.yaml", "--seed", "5")
        self.write("t.yaml", "schema: blueprint/v1\nagents: {t: {model: text}}\nsteps: {t: {agent: t, in: hello}}\n")
        self.ok("run", "t.yaml")
        self.assertIn("no token ids: the model gave only text", self.ok("show", "last", "--tokens").out)
        r = self.fails(1, ["--from-runs: no model call of these runs has token ids", "ids: vllm"],
                       "train", "sft", "--model", "m/model", "--from-runs", "last", *ONE, "--out", "o")
        runs = [x["run"] for x in self.ok("runs", "--json").json()["runs"]]
        r = self.ok("train", "sft", "--model", "m/model", "--from-runs", ",".join(runs), *ONE, "--out", "o")
        self.assertIn(f"warning: run {runs[0]}: 1 of 1 model calls have no token ids", r.err)

    def test_ids_of_another_tokenizer_are_refused(self):
        encode = self.server.server.encode
        train = ("train", "sft", "--model", "m/model", "--from-runs", "last", *ONE, "--out", "o")
        self.server.server.encode = lambda text: [i + 1 if i < 255 else i for i in encode(text)]
        self.ok("run", "b.yaml")
        self.fails(1, ["far/turn:0/model:0: its token ids are", "not its recorded text"], *train)
        self.server.server.encode = lambda text: [i + 5000 for i in encode(text)]
        self.ok("run", "b.yaml")
        self.fails(1, "is not in the model's vocabulary of", *train)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "o/checkpoints")))

    def test_wrong_use(self):
        self.ok("run", "b.yaml")
        base = ("train", "sft", "--from-runs", "last", *ONE, "--out", "o")
        self.fails(2, "--model new has a tokenizer of its own", *base, "--model", "new")
        self.fails(2, "--holdout is for --data", *base, "--model", "m/model", "--holdout", "0.1")
        self.fails(2, "give one of --data", *base, "--model", "m/model", "--data", "d.jsonl")
        self.ok("eval", "b.yaml", "--episodes", "1")
        evals = [x["run"] for x in self.ok("runs", "--json").json()["runs"] if x["kind"] == "eval"]
        self.fails(1, "is an evaluation", "train", "sft", "--model", "m/model", "--from-runs", evals[0], *ONE, "--out", "o")
        shutil.rmtree(os.path.join(self.dir, "o"), ignore_errors=True)

    def test_a_run_of_a_model_here(self):
        """Its ids are always recorded."""
        self.write("c.yaml", "schema: blueprint/v1\nagents: {a: {model: ./m/model, max_tokens: 8}}\n"
                   "steps: {a: {agent: a, in: hello, on_length: continue}}\n")
        self.ok("run", "c.yaml", "--seed", "2")
        call = self.sampled()[0]
        r = self.ok("train", "sft", "--model", "m/model", "--from-runs", "last", *ONE, "--out", "o", "--json").json()
        self.assertEqual(r["trained_tokens"] / r["tokens"], len(call["ids"]) / (call["prompt_len"] + len(call["ids"]) - 1))


if __name__ == "__main__":
    main()
