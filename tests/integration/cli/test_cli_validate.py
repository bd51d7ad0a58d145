"""test_cli_validate.py - what `validate` finds without running anything: names, arguments, models, effects; each with its
place, and `run` refuses the same before it begins.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os

from cli_case import CliCase, main

HEAD = "schema: blueprint/v1\n"
AGENT = HEAD + "models: {m: '%s'}\nagents: {bot: {model: m, tools: [echo]}}\nsteps:\n  s: {agent: bot, %s}\n"


class Validate(CliCase):
    def refused(self, text, place, *words):
        self.write("b.yaml", text)
        for command in ("validate", "run"):
            self.fails(78, [f"b.yaml:{place}", *words], command, "b.yaml")
        self.assertFalse(os.path.exists(os.path.join(self.dir, ".local")))  # no store, no run

    def test_an_input_that_does_not_exist(self):
        self.refused(HEAD + "inputs: {topic: {type: string, default: x}}\nsteps: {a: {value: 'on ${inputs.tpoic}'}}\n",
                     "3:", "unknown input `tpoic`", "did you mean `topic`?")

    def test_the_state_of_a_step_that_does_not_exist(self):
        self.refused(HEAD + "steps: {ask: {value: 1}, a: {value: 'on ${state.aks}'}}\n",
                     "2:", "no step `aks`", "did you mean `ask`?")

    def test_arguments_that_do_not_fit(self):
        self.refused(HEAD + "steps: {a: {tool: echo, in: {text: 5}}}\n", "2:", "echo", "expected string, got integer")
        self.refused(HEAD + "steps: {a: {tool: echo, in: {txet: x}}}\n", "2:", "txet")
        self.refused(HEAD + "steps: {a: {tool: echo, in: {}}}\n", "2:", "text")

    def test_a_model_that_is_not_there(self):
        for name in ("./nowhere", "script:./nowhere.json", "./nowhere.gguf"):
            self.write("b.yaml", AGENT % (name, "in: hi"))
            r = self.fails(78, ["b.yaml:", "agent `bot`", "nowhere", "No such file" if "script" in name else "there is no folder"],
                           "validate", "b.yaml")
            self.assertIn("^", r.err)
        self.write("bad.json", "{")
        self.write("b.yaml", AGENT % ("script:./bad.json", "in: hi"))
        self.fails(78, ["b.yaml:", "bad.json"], "validate", "b.yaml")

    def test_constants_that_a_step_would_refuse(self):
        agent = HEAD + "agents: {a: {model: embedded}}\nsteps: {s: {agent: a, env: {name: ledger, %s}}}\n"
        for key, value, words in (("horizon", "many", "integer from 1 to 100000"), ("horizon", "0", "got 0"), ("noise", "2", "0 to 1"),
                                  ("seed", "-1", "not negative"), ("profile", "soft", "std or hard")):
            self.refused(agent % f"{key}: {value}", "3:", f"`{key}` takes", words)
        self.refused(HEAD + "steps: {s: {map: -1, value: 1}}\n", "2:", "`map` takes 0 to", "got -1")
        for cond in ("1", "'\"yes\"'", "1 + 1"):
            self.refused(HEAD + "steps: {s: {if: {cond: %s, then: {a: {value: 1}}}}}\n" % cond, "2:", "`cond` must be true or false")
        # The type is known before the run, or only in it: the place is that of the expression.
        self.refused(HEAD + 'steps: {l: {loop: {until: "l", max: 2}, value: "${round}"}}\n', "2:27", "`until` must be true or false, got integer")
        self.write("b.yaml", HEAD + 'steps: {l: {loop: {until: "l", max: 2}, value: "${parse_json(string(round))}"}}\n')
        self.fails(3, "b.yaml:2:27: `until` must be true or false, got integer", "run", "b.yaml")
        self.write("b.yaml", agent % "horizon: 3, noise: 0.5, seed: 7, profile: hard")
        self.ok("validate", "b.yaml")

    def test_a_timeout_beside_human(self):
        self.refused(HEAD + "steps: {s: {human: {prompt: Go?}, timeout: 1h}}\n", "2:", "put `timeout` inside `human`", "timeout: 1h}")

    def test_a_list_given_as_words(self):
        self.write("b.yaml", HEAD + "inputs: {tags: {type: array}, more: {type: object}}\nsteps: {s: {value: 1}}\n")
        self.fails(2, ['"a,b" is not JSON', """--var 'tags=["a", "b"]'"""], "run", "b.yaml", "--var", "tags=a,b")
        self.fails(2, ["is not JSON", """--var 'more={"a": 1}'"""], "run", "b.yaml", "--var", "more=x")
        self.ok("run", "b.yaml", "--var", 'tags=["a", "b"]', "--var", 'more={"a": 1}')

    def test_a_model_of_another_kind(self):
        self.write("b.yaml", AGENT % ("embedded", "in: hi"))
        self.fails(78, ["b.yaml:3:", "agent `bot`", "embedded"], "validate", "b.yaml")
        self.write("b.yaml", (AGENT % ("embedded", "env: {name: ledger, horizon: 2}")).replace(", tools: [echo]", ""))
        self.ok("validate", "b.yaml")

    def test_a_model_is_looked_for_beside_its_blueprint(self):
        os.mkdir(os.path.join(self.dir, "plans"))
        self.write("plans/m.json", json.dumps({"model": "script", "replies": [], "default": {"text": "x"}}))
        self.write("plans/b.yaml", AGENT % ("script:./m.json", "in: hi"))
        self.ok("validate", "plans/b.yaml")
        self.write("plans/c.yaml", HEAD + "steps: {sub: {blueprint: file://b.yaml}}\n")
        self.ok("validate", "plans/c.yaml")
        os.remove(os.path.join(self.dir, "plans/m.json"))
        self.fails(78, ["b.yaml:", "m.json"], "validate", "plans/c.yaml")

    def test_an_effect_that_means_nothing(self):
        self.write("m.json", json.dumps({"model": "script", "replies": [], "default": {"text": "x"}}))
        self.refused(AGENT % ("script:./m.json", "in: hi, effect: once"), "5:", "`effect: once`", "agent")

    def test_an_expression_without_quotes_in_a_flow_map(self):
        self.refused(HEAD + "steps: {a: {value: ${1}}}\n", "2:", "needs quotes")


if __name__ == "__main__":
    main()
