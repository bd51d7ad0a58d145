"""test_cli_agents.py - agents and tools from the command line: limits, first prompts, retries, files.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal

from cli_case import CliCase, main

ECHO = [{"name": "echo", "arguments": {"text": "again"}}]


def script(default, **more):
    return json.dumps({"model": "script", "replies": [], "default": default, **more})


class Agents(CliCase):
    def agent(self, default, agent="{tools: [echo]}", step="{agent: a, in: hi}"):
        self.write("model.json", script(default))
        return self.write("a.yaml", "schema: blueprint/v1\nmodels: {m: 'script:./model.json'}\n"
                          f"agents: {{a: {agent}}}\nsteps:\n  s: {step}\n".replace("a: {", "a: {model: m, ", 1))

    def test_a_model_that_always_calls_ends_after_25_calls(self):
        path = self.agent({"tool_calls": ECHO})
        r = self.run_cli("run", path, "--timeout", "20s", "--json")
        self.assertEqual(r.code, 3, r.err)
        self.assertEqual(r.json()["status"], "budget")
        self.assertIn("the limit of 25 model calls", r.err + r.out)
        steps = self.ok("show", "last", "--json").json()["steps"]
        self.assertEqual(sum(s["kind"] == "model" for s in steps), 25)

    def test_text_of_a_text_model_is_streamed_and_has_no_token_ids(self):
        path = self.agent({"text": "all at once"})
        r = self.ok("run", path, "--stream", "--json")
        said = [json.loads(line) for line in r.out.splitlines()]
        self.assertEqual("".join(t["text"] for t in said if t["type"] == "text"), "all at once")
        self.assertIn("all at once", self.ok("run", path, "--stream").err)
        self.assertIn("no token ids: the model gave only text", self.ok("show", "last", "--tokens").out)
        self.assertNotIn("no token ids", self.ok("show", "last").out)
        self.assertNotIn("cost", said[-1])

    def test_a_model_that_cannot_chat_is_refused_before_the_run(self):
        path = self.agent({"text": "fine"})
        words = ["a.yaml:3:21: the model of agent `a` cannot be used in step `s`: model embedded knows only the calls of environments",
                 "give the agent a `model` that can chat"]
        self.fails(78, words, "run", path, "--model", "embedded")
        self.fails(78, words, "run", path, "--model", "a=embedded")
        self.fails(1, ["no store at"], "runs")

    def test_a_budget_of_the_agent_sets_another_limit(self):
        path = self.agent({"tool_calls": ECHO}, agent="{tools: [echo], budget: {steps: 40}}")
        r = self.run_cli("run", path, "--timeout", "20s", "--json")
        self.assertEqual(r.json()["status"], "budget", r.err)
        steps = self.ok("show", "last", "--json").json()["steps"]
        self.assertEqual(sum(s["kind"] == "model" for s in steps), 40)

    def test_text_models_spend_the_tokens_of_a_budget(self):
        path = self.agent({"tool_calls": ECHO}, agent="{tools: [echo], budget: {tokens: 900}}")
        r = self.run_cli("run", path, "--timeout", "20s", "--json")
        self.assertEqual(r.json()["status"], "budget", r.err)
        self.assertIn("budget of 900 tokens", r.err + r.out)
        self.assertTrue(400 < r.json()["tokens"] <= 900, r.out)

    def test_the_schema_of_the_answer_is_in_the_first_prompt(self):
        path = self.agent({"text": "{\"n\": 1}"}, agent="{}",
                          step="{agent: a, in: hi, schema: {type: object, required: [n]}}")
        self.ok("run", path)
        shown = self.ok("show", "last", "--messages").out
        self.assertIn('{"type":"object","required":["n"]}', shown)

    def test_only_what_can_change_is_tried_again(self):
        for arguments in ("{expression: '1 / 0'}", "{expression: 7}"):
            path = self.write("t.yaml", "schema: blueprint/v1\ninputs: {x: {type: object}}\nsteps:\n"
                              "  s: {tool: calculator, in: '${inputs.x}', retry: {max: 3, backoff: 1}}\n")
            value = json.dumps({"expression": "1 / 0" if "1 /" in arguments else 7})
            r = self.run_cli("run", path, "--var", f"x={value}", "--json")
            self.assertEqual(r.code, 3, r.err)
            steps = self.ok("show", "last", "--json").json()["steps"]
            self.assertEqual([s["attempt"] for s in steps if s["path"].startswith("s")], [0])
            path = self.write("d.yaml", "schema: blueprint/v1\ninputs: {x: {type: object}}\nsteps:\n"
                              "  d: {do: {s: {tool: calculator, in: '${inputs.x}'}}, retry: {max: 2, backoff: 1}}\n")
            self.assertEqual(self.run_cli("run", path, "--var", f"x={value}").code, 3)
            steps = self.ok("show", "last", "--json").json()["steps"]
            self.assertEqual([s["path"] for s in steps], ["d", "d/s"])
            out = self.ok("show", "last").out
            self.assertNotIn("not_retryable", out)  # no result of the call
            self.assertEqual(out.count(" (not tried again: it would fail again)\n"), 2, out)


class Files(CliCase):
    def names(self):
        return sorted(os.path.relpath(os.path.join(d, n), self.root)
                      for d, dirs, files in os.walk(self.root) for n in dirs + files)

    def setUp(self):
        super().setUp()
        self.root = os.path.join(self.dir, "root")
        os.mkdir(self.root)

    def test_nothing_is_made_for_a_refused_path(self):
        for path in ("new/../x", "new/more/..", "new/" + 300 * "x" + "/y", "a/b/../../../c"):
            r = self.run_cli("tools", "call", "write_file", json.dumps({"path": path, "text": ""}), "--root", self.root)
            self.assertEqual(r.code, 1, r.out)
            self.assertEqual(self.names(), [], path)
        self.ok("tools", "call", "write_file", '{"path": "new/x", "text": "1"}', "--root", self.root)
        self.assertEqual(self.names(), ["new", "new/x"])

    def test_what_a_killed_write_left_is_swept_at_the_next_start(self):
        for name in (".troupe-0123456789abcdef.part", "mine.part"):
            with open(os.path.join(self.root, name), "w", encoding="utf-8") as f:
                f.write("half")
        self.ok("tools", "list", "--root", self.root)
        self.assertEqual(self.names(), ["mine.part"])


class GivenUp(CliCase):
    def test_calls_of_an_agent_that_ends_early_have_ended_too(self):
        self.write("say.json", json.dumps({"model": "script", "delay_ms": 60000, "replies": [], "default": {"text": "late"}}))
        head = 'schema: blueprint/v1\nagents: {a: {model: "script:say.json"}}\nsteps:\n'
        self.write("late.yaml", head + "  a: {agent: a, in: x, timeout: 300ms, on_error: continue}\n"
                   "  b: {do: {c: {agent: a, in: x}}, timeout: 300ms, on_error: continue}\n"
                   '  p: {parallel: {branches: {l: {agent: a, in: x}, r: {do: {w: {wait: {for: 300ms}}, f: {value: "${1 / 0}"}}}}}, on_error: continue}\n')
        self.ok("run", "late.yaml")
        shown = {s["path"]: s for s in self.ok("show", "last", "--json").json()["steps"]}
        self.assertEqual([shown[p]["status"] for p in ("a", "b/c", "p/l")], ["timeout", "cancelled", "cancelled"])
        for path, words in (("a", "the agent's time was over"), ("b/c", "the agent's time was over"), ("p/l", "the agent was cancelled")):
            call = shown[path + "/turn:0/model:0"]
            self.assertEqual((call["status"], call["error"]), ("cancelled", f"given up: {words}"))
            self.assertIn("ended_ms", call)
        self.ok("replay", "last")

    def test_an_interrupted_call_is_made_again(self):
        self.write("say.json", json.dumps({"model": "script", "delay_ms": 2000, "replies": [], "default": {"text": "in time"}}))
        self.write("slow.yaml", 'schema: blueprint/v1\nagents: {a: {model: "script:say.json"}}\nsteps: {a: {agent: a, in: x}}\n')
        p = self.start("run", "slow.yaml")
        self.until_main(p)
        self.until_recorded(n=2)
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=60)
        self.assertEqual([s["status"] for s in self.ok("show", "last", "--json").json()["steps"]], ["started", "started"])
        self.assertEqual(self.ok("resume", "last", "--json").json()["output"], "in time")

    def test_a_call_that_was_cancelled_is_made_again_by_a_repair(self):
        self.write("say.json", json.dumps({"model": "script", "replies": [{"path": "p/l/**", "text": "in time", "delay_ms": 1500}], "default": {"text": "x"}}))
        self.write("fails.yaml", 'schema: blueprint/v1\ninputs: {d: {type: integer, default: 0}}\nagents: {a: {model: "script:say.json"}}\nsteps:\n'
                   '  p: {parallel: {branches: {l: {agent: a, in: x}, r: {do: {w: {wait: {for: 300ms}}, f: {value: "${1 / inputs.d}"}}}}}}\n')
        self.assertEqual(self.run_cli("run", "fails.yaml").code, 3)
        self.assertEqual(self.ok("show", "last/p/l/turn:0", "--json").json()["steps"][0]["status"], "cancelled")
        self.assertEqual(self.ok("resume", "last", "--from-failed", "--var", "d=1", "--json").json()["output"], {"l": "in time", "r": 1})


if __name__ == "__main__":
    main()
