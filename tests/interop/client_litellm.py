"""client_litellm.py - LiteLLM as a client, provider openai, against `troupe serve`.

SPDX-License-Identifier: Apache-2.0
"""
import litellm
import openai
from pydantic import BaseModel

from checks import BEES, KEY, OBJECT, PLAIN, SUM, TOOLS, URL, check, equal, main, raises

HELLO = [{"role": "user", "content": "Where do bees live?"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"]}}}
litellm.suppress_debug_info = True
litellm.telemetry = False


class Trip(BaseModel):
    city: str
    days: int


def chat(**more):
    options = {"model": PLAIN, "messages": HELLO, "api_base": URL + "/v1", "api_key": KEY, "max_retries": 0, **more}
    return litellm.completion(**{**options, "model": "openai/" + options["model"]})


@check("chat")
def plain():
    r = chat()
    equal((r.choices[0].message.content, r.choices[0].finish_reason), (BEES, "stop"))
    equal((r.usage.prompt_tokens, r.usage.completion_tokens, r.usage.total_tokens), (5, 9, 14))


@check("stream")
def stream():
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    equal("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), BEES)
    equal(litellm.stream_chunk_builder(chunks).usage.total_tokens, 14)


@check("stream that ends in an error")
def stream_error():
    try:
        list(chat(model="blueprint/broken", stream=True))
        raise AssertionError("no error")
    except litellm.exceptions.APIError as e:
        assert "absent" in str(e), e
    except litellm.exceptions.MidStreamFallbackError as e:
        assert "absent" in str(e), e


@check("tools")
def tools():
    r = chat(model=TOOLS, tools=[WEATHER], tool_choice="required")
    call = r.choices[0].message.tool_calls[0].function
    equal((call.name, call.arguments, r.choices[0].finish_reason), ("weather", '{"city":"Oslo","days":2}', "tool_calls"))


@check("tools, streamed")
def tools_streamed():
    r = litellm.stream_chunk_builder(list(chat(model=TOOLS, tools=[WEATHER], stream=True)))
    call = r.choices[0].message.tool_calls[0].function
    equal((call.name, call.arguments, r.choices[0].finish_reason), ("weather", '{"city":"Oslo","days":2}', "tool_calls"))


@check("tool loop")
def tool_loop():
    first = chat(model=TOOLS, tools=[WEATHER]).choices[0].message
    r = chat(model=TOOLS, tools=[WEATHER],
             messages=[*HELLO, first, {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "7"}])
    equal(r.choices[0].message.content, "It is 7 degrees in Oslo.")


@check("json_schema")
def schema():
    equal(Trip.model_validate_json(chat(model=OBJECT, response_format=Trip).choices[0].message.content), Trip(city="Oslo", days=2))


@check("logprobs")
def logprobs():
    r = chat(model="digits", messages=[{"role": "user", "content": SUM}], logprobs=True, max_tokens=4, temperature=0)
    equal("".join(t["token"] for t in r.choices[0].logprobs["content"]), r.choices[0].message.content)


@check("completions")
def completions():
    r = litellm.text_completion(model="text-completion-openai/embedded", prompt=SUM, max_tokens=8, temperature=0, stop=[";"],
                                api_base=URL + "/v1", api_key=KEY)
    equal(r.choices[0].text, "SETd66")


@check("error 401")
def unauthorized():
    raises(litellm.AuthenticationError, lambda: chat(api_key="wrong"))


@check("error 404")
def absent():
    raises(litellm.NotFoundError, lambda: chat(model="gpt-9"))


@check("error: context_length_exceeded")
def overflow():
    raises(litellm.ContextWindowExceededError, lambda: chat(model="digits", messages=[{"role": "user", "content": "9" * 3000}]))


@check("agent")
def agent():
    equal(chat(model="agent/clerk").choices[0].message.content, "It is 7.")


@check("blueprint")
def blueprint():
    equal(chat(model="blueprint/echo").choices[0].message.content, "You wrote: Where do bees live?")


@check("a failed run is not tried again")
def run_failed():
    tries = []
    with openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=2) as c:
        c._client.event_hooks["response"] = [lambda r: tries.append(r.status_code)]
        raises(litellm.BadRequestError, lambda: chat(model="blueprint/broken", client=c))
    equal(tries, [422])


main()
