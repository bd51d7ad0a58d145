"""server_litellm.py - LiteLLM's proxy as a server of remote models: by itself (mock_response), and in front of `troupe serve`.

SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess
import sys
import sysconfig

from checks import BEES, KEY as TROUPE_KEY, URL as TROUPE_URL, check, equal, main
from runs import Folder, free_port, post, wait_for

KEY = "sk-interop"
CONFIG = f"""
model_list:
  - model_name: mock
    litellm_params: {{model: openai/mock, api_key: none, mock_response: "{BEES}"}}
  - model_name: limited
    litellm_params: {{model: openai/mock, api_key: none, mock_response: "litellm.RateLimitError"}}
  - model_name: broken
    litellm_params: {{model: openai/mock, api_key: none, mock_response: "litellm.InternalServerError"}}
  - model_name: full
    litellm_params: {{model: openai/mock, api_key: none, mock_response: "litellm.ContextWindowExceededError"}}
""" + "".join(f"""  - model_name: {name}
    litellm_params: {{model: "openai/{model}", api_base: "{TROUPE_URL}/v1", api_key: "{TROUPE_KEY}", max_retries: 0}}
""" for name, model in (("bees", "script:plain.json"), ("tools", "script:tools.json"), ("object", "script:object.json"),
                        ("digits", "digits"), ("clerk", "agent/clerk"))) + f"""
general_settings: {{master_key: {KEY}}}
litellm_settings: {{num_retries: 0, telemetry: false}}
"""


def begin():
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    spec = f'url: "{url}", key: "${{env:PROXY_KEY}}", max_tries: 1'
    folder = Folder({**{n: f"{{{spec}, model: {n}}}" for n in ("mock", "limited", "broken", "full", "bees", "tools", "object",
                                                               "digits", "absent")},
                     "clerk": f"{{{spec}, model: clerk}}",
                     "whole": f"{{{spec}, model: bees, stream: false}}",
                     "mock-whole": f"{{{spec}, model: mock, stream: false}}", "strict": f"{{{spec}, model: object, strict_schema: true}}",
                     "wrong": f'{{url: "{url}", model: mock, key: other}}'}, {"PROXY_KEY": KEY})
    folder.write("proxy.yaml", CONFIG)
    p = subprocess.Popen([os.path.join(sysconfig.get_path("scripts"), "litellm"), "--config", os.path.join(folder.dir, "proxy.yaml"),
                          "--host", "127.0.0.1", "--port", str(port)],
                         stdout=open(os.path.join(folder.dir, "proxy.log"), "w", encoding="utf-8"), stderr=subprocess.STDOUT,
                         env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        wait_for(url, KEY, p)
    except RuntimeError:
        p.kill()
        with open(os.path.join(folder.dir, "proxy.log"), encoding="utf-8") as f:
            print("".join(f.readlines()[-5:]), file=sys.stderr)
        raise
    return url, p, folder


URL, PROXY, FOLDER = begin()
QUESTION = "Where do bees live?"


def says(model, want, step="", more="", *options):
    code, got, err = FOLDER.agent(model, QUESTION, step, more, *options)
    equal((code, got), (0, want), err)
    return err


def fails(model, words):
    code, _, err = FOLDER.agent(model, QUESTION)
    equal(code, 3, err)
    assert words in err, err


@check("chat, mock")
def mock():
    says("mock-whole", BEES)
    want = post(URL, KEY, {"model": "mock", "messages": [{"role": "user", "content": QUESTION}]})["usage"]
    run = FOLDER.last()
    equal((run["tokens_in"], run["tokens_out"]), (want["prompt_tokens"], want["completion_tokens"]))


@check("stream, mock")
def mock_stream():
    assert BEES in says("mock", BEES, "", "", "--stream")


@check("chat, of troupe serve")
def plain():
    says("whole", BEES)
    run = FOLDER.last()
    equal((run["tokens_in"], run["tokens_out"]), (5, 9))


@check("stream, of troupe serve")
def stream():
    assert BEES in says("bees", BEES, "", "", "--stream")


@check("tool loop, of troupe serve")
def tools():
    """The scripted model calls a tool that the agent does not have, and gets the error back."""
    says("tools", "It is 7 degrees in Oslo.", "", ", tools: [calculator]")
    calls = [s for s in FOLDER.last()["steps"] if s["kind"] == "model"]
    equal(len(calls), 2)
    call = calls[0]["output"]["tool_calls"][0]
    equal((call["name"], call["arguments"]), ("weather", {"city": "Oslo", "days": 2}), str(call))


@check("json_schema, of troupe serve")
def schema():
    says("strict", {"city": "Oslo", "days": 2}, ", schema: {type: object, required: [city, days], properties: "
                                                "{city: {type: string}, days: {type: integer}}, additionalProperties: false}")


@check("agent, of troupe serve")
def agent():
    says("clerk", "It is 7.")


@check("error 401")
def wrong_key():
    """Without a database the proxy says 400 for a key that is not the master key."""
    fails("wrong", "the server refused the request (400): No connected db.")


@check("error 404")
def absent():
    fails("absent", "absent")


@check("error 429")
def limited():
    fails("limited", "429")


@check("error 500")
def broken():
    fails("broken", "500")


@check("error: context")
def full():
    fails("full", "context")


@check("error: context, of troupe serve")
def overflow():
    code, _, err = FOLDER.agent("digits", "9" * 3000)
    equal(code, 3, err)
    assert "the prompt is too long for the model's context" in err and "1024 tokens" in err, err


try:
    main()
finally:
    PROXY.terminate()
    PROXY.wait(30)
