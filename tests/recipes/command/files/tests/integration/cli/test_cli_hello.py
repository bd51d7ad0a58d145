"""test_cli_hello.py - the command of the recipe, with the option of the next one where it is there.

SPDX-License-Identifier: Apache-2.0
"""
from cli_case import CliCase, main


class Hello(CliCase):
    def test_it_greets(self):
        self.assertEqual(self.ok("hello").out, "hello, world\n")
        self.assertEqual(self.ok("hello", "--json").json(), {"schema": "troupe.hello/1", "hello": "world"})
        self.assertIn("greets", self.ok("help").out)
        self.assertIn("hello\t", self.ok("completion", "words", "--", "hel").out)

    def test_it_takes_its_option(self):
        if "--whom" not in self.ok("help", "hello").out:
            self.skipTest("the recipe `option` was not applied")
        self.assertEqual(self.ok("hello", "--whom", "Ada").out, "hello, Ada\n")
        self.assertIn("--whom NAME", self.ok("help", "hello").out)


if __name__ == "__main__":
    main()
