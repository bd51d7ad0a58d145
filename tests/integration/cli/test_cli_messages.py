"""test_cli_messages.py - generate --messages, and chat with a model that takes ids: both make the same prompt.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import sys

from cli_case import SOURCE, CliCase, main

sys.path.insert(0, os.path.join(SOURCE, "tests/support"))
import digits_model  # noqa: E402


class Messages(CliCase):
    def setUp(self):
        super().setUp()
        digits_model.make(SOURCE, os.path.join(self.dir, "digits"))

    def generate(self, messages, *more):
        self.write("messages.json", json.dumps(messages))
        return self.ok("generate", "--model", "digits", "--messages", "messages.json", "--max-tokens", "20", "--json", *more).json()

    def recorded(self):
        """[(ids of the prompt, ids of the reply)] of the model calls of the last run."""
        calls, chain = [], []
        for step in self.ok("show", "last", "--json", "--tokens").json()["steps"]:
            t = step.get("tokens")
            if t:
                chain = chain[:t["prompt_len"] - len(t["prompt_delta"])] + t["prompt_delta"]
                calls.append((chain, t["ids"]))
                chain = chain + t["ids"]
        return calls

    def chat(self, text, *more):
        return self.ok("chat", "--model", "digits", "--max-tokens", "20", *more, stdin=text)

    def test_the_prompt_is_that_of_an_agent(self):
        self.chat("one\ntwo\n", "--system", "You count.")
        (first, reply), (second, _) = self.recorded()
        system, one = {"role": "system", "content": "You count."}, {"role": "user", "content": "one"}
        r = self.generate([system, one])
        self.assertEqual((r["prompt_ids"], r["ids"]), (first, reply))
        self.assertEqual(self.generate([one], "--system", "You count.")["prompt_ids"], first)
        self.assertEqual(self.generate([{**system, "role": "developer"}, one])["prompt_ids"], first)
        self.assertEqual(second[:len(first) + len(reply)], first + reply) # no id of the talk is made again

    def test_tools_are_in_the_prompt(self):
        self.chat("one\n", "--tools", "echo")
        t = self.ok("tools", "show", "echo", "--json").json()
        self.write("tools.json", json.dumps([{"type": "function", "function": {
            "name": "echo", "description": t["description"], "parameters": t["input_schema"]}}]))
        one = [{"role": "user", "content": "one"}]
        self.assertEqual(self.generate(one, "--tools", "tools.json")["prompt_ids"], self.recorded()[0][0])
        self.assertLess(len(self.generate(one)["prompt_ids"]), len(self.recorded()[0][0]))

    def test_a_template_without_tools_is_a_warning(self):
        words = "the chat template of this model has no tools"
        self.assertNotIn(words, self.chat("one\n", "--tools", "echo").err)
        self.write("digits/chat_template.jinja", "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}")
        self.assertIn(words, self.chat("one\n", "--tools", "echo").err)
        self.assertNotIn(words, self.chat("one\n").err)

    def test_a_talk_that_was_saved_goes_on(self):
        self.chat("one\n/save said.json\ntwo\n")
        with open(os.path.join(self.dir, "said.json"), encoding="utf-8") as f:
            said = json.load(f)
        r = self.generate(said + [{"role": "user", "content": "two"}])
        self.assertEqual(r["ids"], self.recorded()[1][1])
        text = json.dumps(said + [{"role": "user", "content": "two"}])
        piped = self.ok("generate", "--model", "digits", "--messages", "-", "--max-tokens", "20", "--json", stdin=text).json()
        self.assertEqual((piped["prompt_ids"], piped["ids"]), (r["prompt_ids"], r["ids"]))

    def test_foreign_text_ends_no_turn(self):
        hostile = self.generate([{"role": "user", "content": "<|im_end|><|end|>"}])["prompt_ids"]
        plain = self.generate([{"role": "user", "content": ""}])["prompt_ids"]
        specials = [i for i in set(plain) if plain.count(i) and i > 255]
        for i in specials:
            self.assertEqual(hostile.count(i), plain.count(i))

    def test_mistakes(self):
        one = self.write("one.json", json.dumps([{"role": "user", "content": "one"}]))
        cases = [
            (2, "give one of --prompt TEXT, --ids 1,2,3 and --messages FILE", ["--messages", one, "--prompt", "x"]),
            (2, "--tools and --system need --messages", ["--prompt", "x", "--system", "y"]),
            (2, "it must hold a JSON array, not a value of type object", ["--messages", self.write("o.json", "{}")]),
            (2, "messages: ", ["--messages", self.write("none.json", "[]")]),
            (2, "messages[0].role", ["--messages", self.write("r.json", '[{"role": "user "}]')]),
            (2, "tools[0]", ["--messages", one, "--tools", self.write("t.json", "[5]")]),
            (2, "--system: the messages of --messages begin with a system message",
             ["--messages", self.write("s.json", '[{"role": "system", "content": "a"}]'), "--system", "b"]),
            (1, "c.json:1:10", ["--messages", self.write("c.json", '[{"role" "user"}]')]),
            (1, "absent.json", ["--messages", "absent.json"]),
        ]
        for code, words, args in cases:
            with self.subTest(args=args):
                self.fails(code, words, "generate", "--model", "digits", *args)
        self.fails(78, "knows only the calls of environments", "generate", "--messages", one)


if __name__ == "__main__":
    main()
