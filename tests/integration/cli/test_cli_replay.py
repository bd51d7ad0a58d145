"""test_cli_replay.py - replay of runs in which steps were ended early: the record decides, not the clock.

SPDX-License-Identifier: Apache-2.0
"""
import json
import time

from cli_case import CliCase, main

HEAD = 'schema: blueprint/v1\nagents: {a: {model: "script:say.json"}}\nsteps:\n'
SAY = json.dumps({"model": "script", "delay_ms": 0,
                  "replies": [{"path": "**/slow/**", "text": "late", "delay_ms": 60000}, {"path": "slow*/**", "text": "late", "delay_ms": 60000}],
                  "default": {"text": "hello"}})


class Replay(CliCase):
    def replayed(self, steps, code, more=(), status=None):
        """A run of these steps, and its replays, each of which is quick and equal."""
        self.write("say.json", SAY)
        self.write("b.yaml", HEAD + steps)
        r = self.run_cli("run", "b.yaml", *more)
        self.assertEqual(r.code, code, r.err)
        shown = self.ok("show", "last", "--json").json()
        if status:
            self.assertEqual(shown["status"], status)
        self.replay_again()
        return {s["path"]: s["status"] for s in shown["steps"]}

    def replay_again(self):
        """A replay has the same end for each step and for the run, and does not wait for anything."""
        for _ in range(2):
            began = time.time()
            d = self.run_cli("replay", "last", "--json")
            self.assertEqual((d.code, d.json()["different"]), (0, 0), d.out)
            self.assertLess(time.time() - began, 20)

    def test_a_question_under_a_time_out(self):
        for human in ("prompt: hi", 'prompt: hi, timeout: 1h', "prompt: hi, timeout: 1h, on_timeout: no"):
            ends = self.replayed(f"  q: {{do: {{h: {{human: {{{human}}}}}}}, timeout: 300ms, on_error: continue}}\n"
                                 '  after: {value: "${q}"}\n', 4)
            self.assertEqual(ends["q"], "started")  # it waits, and the replay too
            time.sleep(0.4)
            self.ok("resume", "last")
            self.replay_again()
            ends = {s["path"]: s["status"] for s in self.ok("show", "last", "--json").json()["steps"]}
            self.assertEqual(ends, {"q": "timeout", "q/h": "cancelled", "after": "ok"})

    def test_a_question_that_nobody_answered(self):
        for on_timeout, code, end in (("", 3, "timeout"), (", on_timeout: yes", 0, "ok")):
            self.write("b.yaml", HEAD + f"  h: {{human: {{prompt: hi, timeout: 300ms{on_timeout}}}}}\n")
            self.write("say.json", SAY)
            self.assertEqual(self.run_cli("run", "b.yaml").code, 4)
            time.sleep(0.4)
            self.assertIn(self.run_cli("resume", "last").code, (0, 3, 124))
            self.assertEqual(self.ok("show", "last/h", "--json").json()["steps"][0]["status"], end)
            self.replay_again()

    def test_an_agent_out_of_time(self):
        ends = self.replayed("  slow: {agent: a, in: hi, timeout: 300ms, on_error: continue}\n  after: {agent: a, in: hi}\n", 0)
        self.assertEqual((ends["slow"], ends["after"]), ("timeout", "ok"))

    def test_each_attempt_of_an_agent_out_of_time(self):
        ends = self.replayed("  slow: {agent: a, in: hi, timeout: 300ms, on_error: continue, retry: {max: 2, backoff: 1}}\n", 0)
        self.assertEqual(ends["slow"], "timeout")
        self.assertEqual([s["attempt"] for s in self.ok("show", "last", "--json").json()["steps"] if s["path"] == "slow"], [0, 1, 2])

    def test_a_run_out_of_time(self):
        self.replayed("  a: {tool: echo, in: {text: hi}}\n  slow: {agent: a, in: hi}\n  b: {tool: echo, in: {text: hi}}\n", 124,
                      ("--timeout", "500ms"), "timeout")
        self.replayed("  b: {wait: {for: 1h}}\n", 124, ("--timeout", "500ms"), "timeout")

    def test_a_run_whose_wall_budget_is_used_up(self):
        self.write("say.json", SAY)
        self.write("b.yaml", HEAD.replace("steps:", "budget: {wall: 500ms}\nsteps:") +
                   "  a: {tool: echo, in: {text: hi}}\n  slow: {agent: a, in: hi}\n  b: {tool: echo, in: {text: hi}}\n")
        self.assertEqual(self.run_cli("run", "b.yaml").code, 124)
        self.replay_again()

    def test_branches_that_end_each_other(self):
        steps = """  p:
    parallel: {branches: {
      slow: {do: {first: {tool: echo, in: {text: x}}, ag: {agent: a, in: hi}, never: {tool: echo, in: {text: y}}}},
      waits: {do: {w: {wait: {for: 1h}}}},
      done: {do: {x: {tool: echo, in: {text: x}}, y: {tool: echo, in: {text: x}}, z: {value: 1}}},
      fails: {do: {w: {wait: {for: 500ms}}, f: {tool: read_file, in: {path: none.txt}}}}}}
    on_error: continue
  after: {value: "${p}"}
"""
        ends = self.replayed(steps, 0)
        self.assertEqual((ends["p"], ends["p/slow"], ends["p/waits"], ends["p/waits/w"], ends["p/done"], ends["p/fails"]),
                         ("error", "cancelled", "cancelled", "cancelled", "ok", "error"))
        self.assertNotIn("p/slow/never", ends)

    def test_items_of_a_map_one_of_which_fails(self):
        steps = """  o:
    do:
      m:
        map: [1h, 600ms, 10ms, 1h, 10ms]
        max_parallel: 2
        do: {w: {wait: {for: "${item}"}}, f: {value: "${1 / (index - 2)}"}}
    on_error: continue
  after: {value: "${o}"}
"""
        ends = self.replayed(steps, 0)
        self.assertEqual([ends.get(f"o/m[{i}]") for i in range(5)], ["cancelled", "ok", "error", None, None])
        self.assertEqual((ends["o"], ends["o/m"]), ("error", "error"))

    def test_a_map_and_a_loop_out_of_time(self):
        ends = self.replayed("  m: {map: [10ms, 1h, 10ms], max_parallel: 1, do: {w: {wait: {for: \"${item}\"}}}, timeout: 500ms, on_error: continue}\n"
                             "  l: {do: {r: {loop: {max: 10000}, do: {w: {wait: {for: 100ms}}}}}, timeout: 450ms, on_error: continue}\n", 0)
        self.assertEqual((ends["m[0]"], ends["m[1]"], ends["m[2]"], ends["l"]), ("ok", "timeout", "ok", "timeout"))
        self.assertEqual((ends["l/r"], ends["l/r[0]"]), ("cancelled", "ok"))

    def test_time_outs_inside_each_other(self):
        self.write("sub.yaml", "schema: blueprint/v1\nbudget: {wall: 400ms}\nsteps:\n"
                   "  a: {tool: echo, in: {text: hi}}\n  b: {wait: {for: 1h}}\n")
        steps = """  outer:
    do:
      inner: {do: {w: {wait: {for: 1h}}}, timeout: 200ms, on_error: continue}
      part: {blueprint: "file://sub.yaml", on_error: continue, retry: {max: 1, backoff: 1}}
      both: {parallel: {branches: {left: {do: {w: {wait: {for: 1h}}}, timeout: 200ms, on_error: continue}, right: {do: {w: {wait: {for: 1h}}}, timeout: 300ms}}}, on_error: continue}
      last: {do: {w: {wait: {for: 1h}}}}
      never: {tool: echo, in: {text: hi}}
    timeout: 4s
    on_error: continue
  after: {value: "${outer}"}
"""
        ends = self.replayed(steps, 0)
        self.assertEqual([ends["outer"], ends["outer/inner"], ends["outer/part"], ends["outer/both"], ends["outer/both/left"],
                          ends["outer/both/right"], ends["outer/last"]],
                         ["timeout", "timeout", "timeout", "timeout", "timeout", "timeout", "cancelled"])
        self.assertNotIn("outer/never", ends)

    def test_between_two_attempts_when_the_time_was_over(self):
        ends = self.replayed("  o: {do: {t: {tool: read_file, in: {path: none.txt}, retry: {max: 5, backoff: 10}}}, timeout: 1s, on_error: continue}\n"
                             "  after: {value: \"${o}\"}\n", 0)
        self.assertEqual((ends["o"], ends["o/t"]), ("timeout", "error"))

    def test_a_run_that_was_cancelled(self):
        steps = "  p: {parallel: {branches: {h: {human: {prompt: hi}}, d: {do: {t: {tool: echo, in: {text: x}}, w: {wait: {for: 1h}}, n: {value: 1}}}}}}\n"
        self.write("b.yaml", HEAD + steps)
        self.write("say.json", SAY)
        p = self.start("run", "b.yaml")  # it stays for the wait
        self.until_recorded(n=5)
        self.ok("cancel", "last")
        p.communicate(timeout=60)
        self.assertEqual(self.ok("show", "last", "--json").json()["status"], "cancelled")
        self.replay_again()
        self.write("b.yaml", HEAD + "  d: {do: {t: {tool: echo, in: {text: x}}, h: {human: {prompt: hi}}}}\n")
        self.assertEqual(self.run_cli("run", "b.yaml").code, 4)
        self.replay_again()
        self.ok("cancel", "last")  # without a process
        self.replay_again()

    def test_an_error_of_a_model(self):
        self.write("say.json", json.dumps({"model": "script", "replies": [{"path": "bad*/**", "error": "no"}], "default": {"text": "hello"}}))
        self.write("b.yaml", HEAD + "  bad: {agent: a, in: hi, on_error: continue, retry: {max: 1, backoff: 1}}\n  after: {value: \"${bad}\"}\n")
        self.ok("run", "b.yaml")
        self.replay_again()


if __name__ == "__main__":
    main()
