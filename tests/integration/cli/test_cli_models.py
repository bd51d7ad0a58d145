"""test_cli_models.py - the embedded model from the command line: generate, show, errors.

SPDX-License-Identifier: Apache-2.0
"""
import os
import resource
import subprocess

from cli_case import SOURCE, TROUPE, CliCase, main

PROMPT = "ORDd+7|GETd;>59|"


class Models(CliCase):
    def test_generate_gives_ids_log_probs_and_text(self):
        r = self.ok("generate", "--model", "embedded", "--prompt", PROMPT, "--max-tokens", "8", "--stop", ";",
                    "--json").json()
        self.assertEqual(r["schema"], "troupe.generate/1")
        self.assertEqual(r["text"], "SETd66")
        self.assertEqual(len(r["ids"]), len(r["logp"]))
        self.assertEqual(r["finish"], "stop")
        self.assertTrue(all(p <= 0 for p in r["logp"]))
        again = self.ok("generate", "--model", "embedded", "--ids", ",".join(map(str, r["prompt_ids"])), "--max-tokens",
                        "8", "--stop", ";", "--json").json()
        self.assertEqual(again["ids"], r["ids"])
        self.assertEqual(again["logp"], r["logp"])
        self.assertEqual(self.ok("generate", "--prompt", PROMPT, "--max-tokens", "8", "--stop", ";").out, "SETd66\n")

    def test_a_stop_text_ends_the_reply_and_is_not_shown(self):
        def text(*options):
            return self.ok("generate", "--model", "embedded", "--prompt", PROMPT, "--max-tokens", "8", *options)

        whole = text("--json").json()
        self.assertTrue(whole["text"].startswith("SETd66;"))
        for stops, want, n_ids in ((["Td6"], "SE", 3), (["66;x", "d66"], "SET", 4), (["6;", "66"], "SETd", 4),
                                   (["S"], "", 1), (["6x", "x"], whole["text"], len(whole["ids"]))):
            options = [o for s in stops for o in ("--stop", s)]
            r = text(*options, "--json").json()
            self.assertEqual(r["text"], want)
            self.assertEqual(r["ids"], whole["ids"][:n_ids], "the ids keep the stop text")
            self.assertEqual(r["finish"], "length" if want == whole["text"] else "stop")
            self.assertEqual(text(*options).out, want + "\n")
            self.assertEqual(text(*options, "--stream").out, want + "\n")

    def test_the_same_seed_gives_the_same_tokens_on_any_threads_and_instruction_set(self):
        base = None
        for threads in ("1", "2"):
            for isa in ("plain", "avx2", "avx512"):
                r = self.run_cli("generate", "--prompt", PROMPT, "--max-tokens", "40", "--temperature", "1.5", "--seed", "3",
                                 "--cpu-isa", isa, "--threads", threads, "--json")
                if r.code == 1 and "this CPU supports only" in r.err:
                    continue
                self.assertEqual(r.code, 0, r.err)
                got = (r.json()["ids"], r.json()["logp"])
                base = base or got
                self.assertEqual(got, base, f"{isa} on {threads} threads")

    def test_it_uses_the_available_memory(self):
        """Pages for all sessions need 2 GiB; the limit of the process is lower."""
        def few(mib):
            return lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))

        def run(mib, *args):
            done = subprocess.run([TROUPE, *args], cwd=self.dir, env={**self.env, "MALLOC_ARENA_MAX": "2"}, text=True,
                                  capture_output=True, timeout=120, preexec_fn=few(mib))
            return done.returncode, done.stdout, done.stderr

        if run(700, "version")[0] != 0:
            self.skipTest("sanitizers reserve more addresses than that")
        args = ("generate", "--model", "embedded", "--prompt", PROMPT, "--max-tokens", "8", "--stop", ";")
        for mib in (1500, 700):
            self.assertEqual(run(mib, *args)[:2], (0, "SETd66;\n"))
        code, _, err = run(700, *args, "--kv-memory", "2g")  # an explicit size is used, or is an error
        self.assertEqual(code, 1)
        self.assertIn("MiB are available", err)

    def test_mistakes(self):
        self.fails(2, "give one of --prompt TEXT, --ids 1,2,3 and --messages FILE", "generate")
        self.fails(2, "not a token id", "generate", "--ids", "1,999999")
        self.fails(1, "nowhere", "generate", "--model", "nowhere", "--prompt", "x")
        self.fails(1, "not in the local cache", "generate", "--model", "hf:a/b", "--prompt", "x")
        self.fails(1, "no CUDA plug-in", "generate", "--device", "cuda", "--prompt", "x")

    def test_a_damaged_model_folder_is_refused_with_its_place(self):
        source = os.path.join(SOURCE, "models/embedded/base")
        folder = os.path.join(self.dir, "m")
        os.mkdir(folder)
        for name in os.listdir(source):
            with open(os.path.join(source, name), "rb") as f:
                data = f.read()
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data[:len(data) // 2] if name == "model.safetensors" else data)
        r = self.fails(1, "model.safetensors", "generate", "--model", folder, "--prompt", PROMPT)
        self.assertNotIn("Sanitizer", r.err)

    def test_models_are_listed_and_shown(self):
        names = {m["name"]: m for m in self.ok("models", "list", "--json").json()["models"]}
        self.assertEqual(names["embedded"]["codec"], "compact")
        self.assertIn("memory plan", self.ok("models", "show", "embedded").out)
        self.assertIn("did you mean embedded?", self.run_cli("models", "show", "embeded").err)
        self.assertEqual(self.ok("models", "show", "embedded", "--json").json()["architecture"], "Qwen3ForCausalLM")


class NoModel(CliCase):
    def test_a_name_that_is_no_model_is_told_why(self):
        self.write("bad.json", "{")
        self.write("ok.json", '{"model": "script", "replies": [], "default": {"text": "x"}}')
        self.write("b.yaml", 'schema: blueprint/v1\nagents: {a: {model: "script:ok.json"}}\nsteps: {s: {agent: a, in: x}}\n')
        self.fails(1, ["there is no folder ", "nope\n"], "run", "b.yaml", "--model", "./nope")
        self.fails(1, "is not a GGUF file", "run", "b.yaml", "--model", "ok.json")
        for args in (("train", "sft", "--env", "ledger", "--out", "o"), ("train", "grpo", "--env", "ledger", "--out", "o")):
            self.fails(2, "script:ok.json has no weights", *args, "--model", "script:ok.json")
        r = self.fails(78, "bad.json:1:2: not valid JSON", "run", "b.yaml", "--model", "script:bad.json")
        self.assertNotIn("embedded", r.err)

    def test_a_model_in_a_blueprint_is_a_fault_of_its_line(self):
        """The same for `run` and for `validate`: the exit code, the place, the hint."""
        self.write("b.yaml", 'schema: blueprint/v1\nagents: {a: {model: "script:s.json"}}\nsteps: {s: {agent: a, in: x}}\n')
        for text, words in (('{"model": "script"', ["s.json:1:19: not valid JSON"]),
                            ('{"model": "script", "replies": [{"path": "**", "txt": ""}]}', ["replies[0]: unknown key", 'did you mean "text"?']),
                            (None, ["s.json"])):
            if text:
                self.write("s.json", text)
            else:
                os.remove(os.path.join(self.dir, "s.json"))
            for command in ("run", "validate"):
                self.fails(78, ["b.yaml:2:21: the model of agent `a` cannot be used", *words], command, "b.yaml")


if __name__ == "__main__":
    main()
