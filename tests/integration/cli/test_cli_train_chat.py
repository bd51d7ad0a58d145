"""test_cli_train_chat.py - train sft on conversations: the model chats and calls tools, a share is held out, and
templates are found in the files of models.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import signal
import time

from cli_case import CliCase, main

SMALL = ("--init-layers", "2", "--init-hidden", "64", "--init-heads", "4", "--init-ffn", "128", "--seed", "4")
TINY = ("--init-layers", "1", "--init-hidden", "32", "--init-heads", "2", "--init-ffn", "64", "--seed", "4", "--warmup", "1")
BLUEPRINT = """schema: blueprint/v1
inputs:
  word: {type: string, default: ping}
agents:
  bot: {model: ./m, prompt: "You echo.", tools: [echo]}
  plain: {model: ./m}
steps:
  talk: {agent: bot, in: "${inputs.word}"}
  chat: {agent: plain, in: "say ${inputs.word}"}
output: ["${talk}", "${chat}"]
"""
# Two lists whose places share children: few values, 2^60 places to compare.
ENDLESS = ("{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}"
           "{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}")


# Takes seconds: each round runs a filter.
SLOW = "{% for a in range(2000) %}{% for b in range(2000) %}{% set c = (b | string) ~ a %}{% endfor %}{% endfor %}"


def lines(rows):
    return "".join(json.dumps(r) + "\n" for r in rows)


class TrainChat(CliCase):
    def conversations(self):
        """Conversations in which the model calls a tool to echo a word, or without tools repeats it."""
        shown = self.ok("tools", "show", "echo", "--json").json()
        tool = {"type": "function",
                "function": {"name": "echo", "description": shown["description"], "parameters": shown["input_schema"]}}
        rows = []
        for word in ("ping", "pong"):
            call = {"id": "call_0_0", "type": "function", "function": {"name": "echo", "arguments": {"text": word}}}
            rows.append({"tools": [tool], "messages": [
                {"role": "system", "content": "You echo."}, {"role": "user", "content": word},
                {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "content": json.dumps({"text": word}, separators=(",", ":"))},
                {"role": "assistant", "content": f"It says {word}."}]})
            rows.append({"messages": [{"role": "user", "content": f"say {word}"}, {"role": "assistant", "content": word}]})
        return rows

    def test_a_new_model_chats_and_calls_tools(self):
        self.write("d.jsonl", lines(self.conversations()))
        r = self.ok("train", "sft", "--model", "new", *SMALL, "--data", "d.jsonl", "--updates", "200", "--batch-tokens", "2048",
                    "--lr", "5e-3", "--warmup", "20", "--eval-every", "0", "--out", "m")
        self.assertNotIn("nan", r.err)
        self.assertNotIn("warning", r.err)
        with open(os.path.join(self.dir, "m/model/config.json"), encoding="utf-8") as f:
            config = json.load(f)
        with open(os.path.join(self.dir, "m/model/tokenizer.json"), encoding="utf-8") as f:
            ids = {t["content"]: t["id"] for t in json.load(f)["added_tokens"]}
        self.assertEqual(config["troupe"]["codec"], "json")
        self.assertIn(ids["<|im_end|>"], config["eos_token_id"])
        with open(os.path.join(self.dir, "m/model/chat_template.jinja"), encoding="utf-8") as f:
            self.assertIn("<|im_end|>", f.read())
        self.write("b.yaml", BLUEPRINT)
        for word in ("ping", "pong"):
            r = self.ok("run", "b.yaml", "--var", f"word={word}", "--json").json()
            self.assertEqual(r["output"], [f"It says {word}.", word])
            steps = json.dumps(self.ok("show", r["run"], "--json").json()["steps"])
            self.assertIn("echo", steps)  # the tool was called
        with open(os.path.join(self.dir, "m/model/chat_template.jinja"), "w", encoding="utf-8") as f:
            f.write(ENDLESS)
        r = self.run_cli("run", "b.yaml", timeout=120)  # comparing two lists of 2^60 places ends all the same
        self.assertEqual(r.code, 3, r.err)
        self.assertIn("steps", r.err)
        with open(os.path.join(self.dir, "m/model/chat_template.jinja"), "w", encoding="utf-8") as f:
            f.write(SLOW)
        p = self.start("run", "b.yaml", "--store", "slow.db")
        self.until_recorded("--store", "slow.db", n=1)
        p.send_signal(signal.SIGTERM)
        began = time.time()
        p.communicate(timeout=60)
        self.assertEqual(p.returncode, 143)
        self.assertLess(time.time() - began, 2)
        self.assertEqual(self.ok("show", "last", "--json", "--store", "slow.db").json()["status"], "interrupted")

    def test_conversations_are_held_out(self):
        rows = [{"messages": [{"role": "user", "content": f"add {i} and 1"}, {"role": "assistant", "content": str(i + 1)}]}
                for i in range(20)]
        self.write("d.jsonl", lines(rows))
        self.write("h.jsonl", lines(rows[:3]))
        sft = ("train", "sft", "--model", "new", *TINY, "--data", "d.jsonl", "--updates", "4", "--batch-tokens", "256",
               "--eval-every", "2")
        plain = self.ok(*sft, "--out", "plain", "--json")
        self.assertIsNone(plain.json()["held_out_loss"])
        self.assertNotIn("nan", plain.err)
        self.assertNotIn("held out", plain.err)
        share = self.ok(*sft, "--out", "share", "--holdout", "0.25", "--json")
        self.assertGreater(share.json()["held_out_loss"], 0)
        self.assertIn("held out", share.err)
        with open(os.path.join(self.dir, "share/checkpoints/step-0000000004/state.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f)["options"]["data_examples"], 15)
        other = self.ok(*sft, "--out", "file", "--holdout", "h.jsonl", "--json")
        self.assertGreater(other.json()["held_out_loss"], 0)
        # Held-out conversations are not trained: the weights equal those of a training without them.
        with open(os.path.join(self.dir, "plain/model/model.safetensors"), "rb") as a, \
                open(os.path.join(self.dir, "file/model/model.safetensors"), "rb") as b:
            self.assertEqual(a.read(), b.read())
        self.ok("train", "sft", "--out", "share", "--resume")
        self.fails(2, "data (--data", "train", "sft", "--out", "share", "--resume", "--holdout", "0.5")
        self.fails(2, "above 0 and below 1", *sft, "--out", "x", "--holdout", "1.5")
        self.fails(1, "none.jsonl", *sft, "--out", "x", "--holdout", "none.jsonl")
        self.fails(2, "--holdout is for --data", "train", "sft", "--model", "new", "--env", "ledger", "--holdout", "0.1", "--out", "x")
        self.fails(2, "compact codec", "train", "sft", "--model", "embedded", "--data", "d.jsonl", "--out", "x")

    def test_misspelt_roles_and_keys_are_named_with_the_nearest(self):
        user, bot = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
        good = {"messages": [user, {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "echo", "arguments": {}}}]},
                {"role": "tool", "content": "{}", "name": "echo", "tool_call_id": "1"}, bot], "tools": []}
        cases = (({"messages": [{**user, "role": "sistem"}, bot]}, 'd.jsonl:3: messages[0]: unknown role "sistem"', "did you mean system?"),
                 ({"messages": [user, {**bot, "role": "asistant"}]}, 'messages[1]: unknown role "asistant"', "did you mean assistant?"),
                 ({"messages": [user, {"role": "assistant", "contents": "b"}]}, 'messages[1]: unknown key "contents"',
                  "did you mean content?"),
                 ({"messages": [user, {**bot, "tool_call": []}]}, 'messages[1]: unknown key "tool_call"', "did you mean tool_calls?"),
                 ({"messages": [user, bot], "tols": []}, 'd.jsonl:3: unknown key "tols"', "did you mean tools?"),
                 ({"messages": [user, {**bot, "content": ["b"]}]}, 'messages[1]: "content" is not text', "d.jsonl:3"),
                 *((dict(messages=[user, {"role": "assistant", "tool_calls": [call]}, bot]),
                    f"d.jsonl:3: messages[1].tool_calls[0]{words}", hint)
                   for call, words, hint in (
                       ({"name": "c"}, ': there is no "function"', ""), ("c", ": expected an object", ""),
                       ({"function": "c"}, ': "function" is not an object', ""),
                       ({"function": {"name": 3, "arguments": {}}}, ': "name" is not text', ""),
                       ({"function": {"arguments": {}}}, ': there is no "name"', ""),
                       ({"type": "tool", "function": {"name": "c", "arguments": {}}}, ': "type" is not "function"', ""),
                       ({"function": {"name": "c"}}, '.function: there is no "arguments"', ""),
                       ({"function": {"name": "c", "arguments": [1]}}, '.function: "arguments" is not an object', ""),
                       ({"function": {"name": "c", "arguments": '{"a": }'}}, '.function: "arguments" is not an object: not valid JSON', ""),
                       ({"function": {"name": "c", "argument": {}}}, '.function: unknown key "argument"', "did you mean arguments?"))),
                 ({"messages": [{**user, "tool_calls": []}, bot]}, 'messages[0]: "tool_calls" is only for an assistant', ""),
                 ({"messages": [{**user, "name": 3}, bot]}, 'messages[0]: "name" is not text', ""),
                 ({"messages": [user, {**bot, "reasoning_content": {}}]}, 'messages[1]: "reasoning_content" is not text', ""),
                 ({"messages": [user, bot], "tools": [{"name": "c"}]}, 'tools[0]: there is no "function"', ""),
                 ({"messages": [user, bot], "tools": [{"function": {"name": "c", "parameters": 1}}]},
                  'tools[0].function: "parameters" is not an object', ""))
        for case, words, hint in cases:
            self.write("d.jsonl", lines([good, good, case]))
            self.fails(1, [words, hint], "train", "sft", "--model", "new", *TINY, "--data", "d.jsonl", "--out", "x")
        self.write("d.jsonl", lines([good]) + '{"messages": oops}\n')
        self.fails(1, 'd.jsonl:2:14: not valid JSON', "train", "sft", "--model", "new", *TINY, "--data", "d.jsonl", "--out", "x")
        good["messages"][1]["tool_calls"][0]["function"]["arguments"] = '{"text": "a"}'
        good["tools"] = [{"type": "function", "function": {"name": "echo", "description": "says it again"}}]
        self.write("d.jsonl", lines([good]))
        self.ok("train", "sft", "--model", "new", *TINY, "--data", "d.jsonl", "--updates", "1", "--batch-tokens", "512",
                "--eval-every", "0", "--out", "x")

    def test_a_template_is_found_where_the_model_has_it(self):
        self.write("d.jsonl", lines([{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]))
        sft = ("train", "sft", *TINY, "--data", "d.jsonl", "--updates", "1", "--batch-tokens", "64", "--eval-every", "0")
        self.ok(*sft, "--model", "new", "--out", "base")
        ends = "{% for m in messages %}{{ m.role }}: {{ m.content + eos_token }}\n{% endfor %}" \
               "{% if add_generation_prompt %}assistant: {% endif %}"
        found = "{{ raise_exception('the one that was found') }}"
        other = "{{ raise_exception('another') }}"
        lists = [{"name": "tool_use", "template": other}, {"name": "default", "template": found}]
        for n, (config, jinja) in enumerate(((found, None), (lists, None), (other, found))):
            folder = os.path.join(self.dir, f"t{n}")
            shutil.copytree(os.path.join(self.dir, "base/model"), folder)
            os.remove(os.path.join(folder, "chat_template.jinja"))
            path = os.path.join(folder, "tokenizer_config.json")
            with open(path, encoding="utf-8") as f:
                doc = json.load(f)
            doc["chat_template"] = config
            self.write(path, json.dumps(doc))
            if jinja:
                self.write(os.path.join(folder, "chat_template.jinja"), jinja)
            self.fails(1, "the one that was found", *sft, "--model", f"t{n}", "--out", f"o{n}")
        # Its eos_token ends messages of the assistant and is trained; the template is copied.
        doc["chat_template"] = ends
        os.remove(os.path.join(folder, "chat_template.jinja"))
        self.write(path, json.dumps(doc))
        r = self.ok(*sft, "--model", "t2", "--out", "e", "--json")
        self.assertEqual(r.json()["trained_tokens"] % 2, 0)  # "b" and the end
        self.assertNotIn("warning", r.err)
        with open(os.path.join(self.dir, "e/model/tokenizer_config.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f)["chat_template"], ends)
        doc["chat_template"] = ends.replace("+ eos_token ", "")
        self.write(path, json.dumps(doc))
        self.assertIn("will not learn to end a reply", self.ok(*sft, "--model", "t2", "--out", "f").err)


if __name__ == "__main__":
    main()
