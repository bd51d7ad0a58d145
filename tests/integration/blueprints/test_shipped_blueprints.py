"""test_shipped_blueprints.py - the shipped blueprints with two scripted models each: one without errors, one with errors.

usage: test_shipped_blueprints.py TROUPE SOURCE_DIR
SPDX-License-Identifier: Apache-2.0
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.abspath(sys.argv[2]), "tests/integration/cli"))
from cli_case import SOURCE, CliCase, main  # noqa: E402

SHIPPED = os.path.join(SOURCE, "blueprints/shipped")


class Shipped(CliCase):
    maxDiff = None

    def run_shipped(self, name, script=None, code=0, more=()):
        args = ["run", f"blueprints/shipped/{name}.yaml", "--json", *more]
        store = {"TROUPE_STORE": os.path.join(self.dir, "s.db")}
        if script:
            args += ["--model", "script:" + os.path.join(SHIPPED, script + ".json")]
        self.ok("validate", os.path.join(SHIPPED, name + ".yaml"))
        r = self.run_cli(*args, cwd=SOURCE, **store)  # as its README says
        self.assertEqual(r.code, code, r.out + r.err)
        steps = self.ok("show", r.json()["run"], "--json", **store).json()["steps"]
        return r.json(), {s["path"] + (f"@{s['attempt']}" if s["attempt"] else ""): s["status"] for s in steps}

    def test_an_agent_with_tools(self):
        answer = {"number": 19, "reason": "3 apples, 4 pears and 12 plums"}
        r, states = self.run_shipped("stock")
        self.assertEqual((r["status"], r["output"]), ("ok", answer))
        self.assertEqual(set(states.values()), {"ok"})
        r, states = self.run_shipped("stock", "stock_errs")
        self.assertEqual((r["status"], r["output"]), ("ok", answer))
        self.assertEqual({p for p, s in states.items() if s == "error"}, {
            "answer/turn:0/tool:0:read_file", "answer/turn:1/tool:0:read_file", "answer/turn:4/tool:0:calculator"})
        self.assertIn("answer/turn:6/model:0", states)  # the answer that did not fit was returned to the model

    def test_without_the_file_the_run_says_so(self):
        for name, code in (("stock", 3), ("research", 0)):
            r = self.run_cli("run", os.path.join(SHIPPED, name + ".yaml"), "--json")
            self.assertEqual(r.code, code, r.out + r.err)
            if code:
                self.assertIn("blueprints/shipped/stock.csv", r.err)
            else:
                self.assertEqual(r.json()["output"]["missing"], 2)

    def test_a_loop_until_it_is_good(self):
        r, states = self.run_shipped("refine")
        self.assertEqual(r["output"], {"text": "Bees steer by the sun and remember landmarks.", "good": True, "notes": ""})
        self.assertEqual((states["text[0]"], states["text[1]"]), ("ok", "ok"))
        self.assertNotIn("text[2]", states)
        r, states = self.run_shipped("refine", "refine_errs")
        self.assertEqual(r["output"], {"text": "Bees know the way by heart.", "good": False, "notes": "Say how they know it."})
        self.assertEqual([states["text[0]/draft" + a] for a in ("", "@1", "@2")], ["error", "error", "ok"])
        self.assertIn("text[2]", states)
        self.assertNotIn("text[3]", states)

    def test_a_map_with_a_typed_join(self):
        r, states = self.run_shipped("triage")
        self.assertEqual(r["output"], {
            "urgent": ["My order never came.", "The invoice is wrong, and I need it today."],
            "kinds": ["billing", "delivery", "praise"], "delivery": 1, "billing": 1, "failed": []})
        r, states = self.run_shipped("triage", "triage_errs")
        self.assertEqual(r["output"], {
            "urgent": ["The invoice is wrong, and I need it today."], "kinds": ["billing"], "delivery": 0, "billing": 1,
            "failed": ["My order never came. (timeout)", "Great shop! (length)"]})
        self.assertEqual([states[f"sort[{i}]"] for i in range(3)], ["timeout", "error", "ok"])
        self.assertEqual(states["sort"], "ok")
        r, states = self.run_shipped("triage", "triage_errs", 124, ("--timeout", "500ms"))
        self.assertEqual(r["status"], "timeout")

    def test_a_blueprint_inside_with_retry(self):
        apples = {"question": "How many apples are there?", "answer": "There are 3 apples."}
        plums = {"question": "How many plums are there?", "answer": "There are 12 plums."}
        r, states = self.run_shipped("research")
        self.assertEqual(r["output"], {"report": [apples, plums], "missing": 0})
        r, states = self.run_shipped("research", "lookup_errs")
        self.assertEqual(r["output"], {"report": [apples, {**plums, "answer": None}], "missing": 1})
        self.assertEqual([states["answers[0]" + a] for a in ("", "@1")], ["error", "ok"])
        self.assertEqual([states["answers[1]" + a] for a in ("", "@1", "@2")], ["error", "timeout", "error"])
        self.assertNotIn("answers[0]@2", states)
        self.assertNotIn("answers[1]@3", states)
        r, states = self.run_shipped("lookup", "lookup_errs", 3,
                                     ("--var", "file=blueprints/shipped/stock.csv", "--var", "question=How many plums are there?"))
        self.assertEqual((r["status"], states["answer"], states["text"]), ("error", "error", "ok"))
        self.assertIn("length", r["error"]["message"] if isinstance(r.get("error"), dict) else r["message"])


if __name__ == "__main__":
    main()
