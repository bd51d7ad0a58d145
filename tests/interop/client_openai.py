"""client_openai.py - the openai package for Python against `troupe serve`.

SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import time
from typing import List

import openai
from pydantic import BaseModel

from checks import BEES, DOWN, KEY, MODELS, NARROW_URL, OBJECT, PLAIN, SLOW, SUM, TOOLS, URL, check, equal, main, raises

client = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=30)
HELLO = [{"role": "user", "content": "Where do bees live?"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"],
    "additionalProperties": False}, "strict": True}}
ARGUMENTS = '{"city":"Oslo","days":2}'


class Trip(BaseModel):
    city: str
    days: int


def chat(**more):
    return client.chat.completions.create(**{"model": PLAIN, "messages": HELLO, **more})


def usage_of(u):
    return u.prompt_tokens, u.completion_tokens, u.total_tokens


@check("models")
def models():
    equal([m.id for m in client.models.list()], MODELS)
    equal(client.models.retrieve("embedded").id, "embedded")
    equal(client.models.retrieve(PLAIN).owned_by, "troupe")


@check("chat")
def plain():
    r = chat()
    equal((r.object, r.model, len(r.choices), r.choices[0].index), ("chat.completion", PLAIN, 1, 0))
    equal((r.choices[0].message.role, r.choices[0].message.content), ("assistant", BEES))
    equal(r.choices[0].finish_reason, "stop")
    equal(usage_of(r.usage), (5, 9, 14), "usage")
    equal((r.choices[0].message.tool_calls, r.choices[0].message.refusal, r.choices[0].logprobs), (None, None, None))
    assert abs(r.created - time.time()) < 60 and r.id.startswith("chatcmpl-")


@check("chat, more turns")
def turns():
    r = chat(messages=[{"role": "system", "content": "Be brief."}, *HELLO, {"role": "assistant", "content": BEES},
                       {"role": "user", "content": [{"type": "text", "text": "And "}, {"type": "text", "text": "then?"}]}])
    equal(r.choices[0].message.content, "That was the second turn.")


@check("chat, n = 2")
def two():
    equal([(c.index, c.message.content) for c in chat(n=2).choices], [(0, BEES), (1, "A second reply.")])


@check("stream")
def stream():
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    parts = [c.choices[0] for c in chunks if c.choices]
    equal("".join(p.delta.content or "" for p in parts), BEES)
    equal([p.delta.role for p in parts if p.delta.role], ["assistant"], "roles")
    equal([p.finish_reason for p in parts], [None] * (len(parts) - 1) + ["stop"])
    equal((chunks[-1].choices, usage_of(chunks[-1].usage)), ([], (5, 9, 14)))
    equal(len({c.id for c in chunks}), 1, "ids")
    equal([c.usage for c in chunks[:-1]], [None] * (len(chunks) - 1))


@check("stream, helper")
def stream_helper():
    with client.chat.completions.stream(model=PLAIN, messages=HELLO) as s:
        kinds = [e.type for e in s]
        equal(s.get_final_completion().choices[0].message.content, BEES)
    equal((kinds[0], "content.delta" in kinds, kinds[-1]), ("chunk", True, "content.done"))


@check("stream, left early")
def left():
    for _ in range(3):
        with chat(model=SLOW, stream=True) as s:
            equal(next(iter(s)).choices[0].delta.content, "la")  # of "late", which comes in pieces
    equal(chat().choices[0].message.content, BEES)


@check("stream that ends in an error")
def stream_error():
    e = raises(openai.APIError, lambda: list(chat(model="blueprint/broken", stream=True)))
    equal(e.code, "run_failed")


def call_of(message):
    equal((message.content, len(message.tool_calls)), (None, 1))
    call = message.tool_calls[0]
    equal((call.type, call.function.name, call.function.arguments), ("function", "weather", ARGUMENTS))
    return call


@check("tools")
def tools():
    for choice in ("auto", "required", {"type": "function", "function": {"name": "weather"}}):
        r = chat(model=TOOLS, tools=[WEATHER], tool_choice=choice)
        call_of(r.choices[0].message)
        equal(r.choices[0].finish_reason, "tool_calls")
    chat(model=TOOLS, tools=[WEATHER], parallel_tool_calls=True)


@check("tools, streamed")
def tools_streamed():
    name, arguments, ids = "", "", []
    for c in chat(model=TOOLS, tools=[WEATHER], stream=True):
        for call in c.choices[0].delta.tool_calls or []:
            equal(call.index, 0, "index")
            name += call.function.name or ""
            arguments += call.function.arguments or ""
            ids += [call.id] if call.id else []
        end = c.choices[0].finish_reason
    equal((name, arguments, len(ids), end), ("weather", ARGUMENTS, 1, "tool_calls"))
    with client.chat.completions.stream(model=TOOLS, messages=HELLO, tools=[WEATHER]) as s:
        s.until_done()
        equal(s.get_final_completion().choices[0].message.tool_calls[0].function.parsed_arguments, {"city": "Oslo", "days": 2})


@check("tool loop")
def tool_loop():
    messages = list(HELLO)
    r = chat(model=TOOLS, messages=messages, tools=[WEATHER])
    call = call_of(r.choices[0].message)
    messages += [r.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "7"}]
    r = chat(model=TOOLS, messages=messages, tools=[WEATHER])
    equal((r.choices[0].message.content, r.choices[0].finish_reason), ("It is 7 degrees in Oslo.", "stop"))


@check("tools by pydantic")
def pydantic_tool():
    r = client.chat.completions.parse(model=TOOLS, messages=HELLO, tools=[openai.pydantic_function_tool(Trip, name="weather")])
    equal(r.choices[0].message.tool_calls[0].function.parsed_arguments, Trip(city="Oslo", days=2))


@check("json_schema")
def parse():
    r = client.chat.completions.parse(model=OBJECT, messages=HELLO, response_format=Trip)
    equal(r.choices[0].message.parsed, Trip(city="Oslo", days=2))
    with client.chat.completions.stream(model=OBJECT, messages=HELLO, response_format=Trip) as s:
        equal(s.get_final_completion().choices[0].message.parsed, Trip(city="Oslo", days=2))
    equal(chat(model=OBJECT, response_format={"type": "json_object"}).choices[0].message.content, '{"city": "Oslo", "days": 2}')


class Trips(BaseModel):
    trips: List[Trip]


@check("json_schema, unfit reply")
def unfit():
    e = raises(openai.BadRequestError,
               lambda: client.chat.completions.parse(model=OBJECT, messages=HELLO, response_format=Trips))
    equal(e.code, "json_validate_failed")


@check("logprobs")
def logprobs():
    r = chat(model="digits", messages=[{"role": "user", "content": SUM}], logprobs=True, max_tokens=4, temperature=0, seed=1)
    tokens = r.choices[0].logprobs.content
    equal("".join(t.token for t in tokens), r.choices[0].message.content)
    equal(["".join(map(chr, t.bytes)) for t in tokens], [t.token for t in tokens])
    equal((len(tokens), r.usage.completion_tokens, r.choices[0].finish_reason), (4, 4, "length"))
    assert all(-20 < t.logprob <= 0 and t.top_logprobs == [] for t in tokens)
    e = raises(openai.BadRequestError, lambda: chat(model="digits", logprobs=True, top_logprobs=2))
    equal((e.param, e.code), ("top_logprobs", "unsupported_parameter"))


@check("logprobs, streamed")
def logprobs_streamed():
    text, tokens = "", []
    for c in chat(model="digits", messages=[{"role": "user", "content": SUM}], logprobs=True, max_tokens=4, temperature=0,
                  stream=True):
        text += c.choices[0].delta.content or ""
        tokens += c.choices[0].logprobs.content if c.choices[0].logprobs else []
    equal(("".join(t.token for t in tokens), len(tokens)), (text, 4))


@check("completions")
def completions():
    def complete(**more):
        return client.completions.create(**{"model": "embedded", "prompt": SUM, "max_tokens": 8, "temperature": 0, **more})

    r = complete(stop=";")
    equal((r.object, r.choices[0].text, r.choices[0].finish_reason, r.usage.prompt_tokens), ("text_completion", "SETd66", "stop", 12))
    r = complete(stop=";", echo=True)
    equal(r.choices[0].text, SUM + "SETd66")
    r = complete(max_tokens=4, logprobs=0).choices[0]
    equal((r.text, r.logprobs.tokens, r.logprobs.text_offset, r.finish_reason),
          ("SETd66", ["SET", "d", "6", "6"], [0, 3, 4, 5], "length"))
    equal([c.text for c in complete(prompt=[SUM, "ORDd+2|GETd;>59|"], max_tokens=4).choices], ["SETd66", "SETd61"])
    equal("".join(c.choices[0].text for c in complete(stream=True, max_tokens=4)), "SETd66")


@check("error 401")
def unauthorized():
    other = openai.OpenAI(base_url=URL + "/v1", api_key="troupe_wrong", max_retries=0)
    e = raises(openai.AuthenticationError, lambda: other.chat.completions.create(model=PLAIN, messages=HELLO))
    equal((e.status_code, e.code, e.type), (401, "invalid_api_key", "authentication_error"))
    raises(openai.AuthenticationError, other.models.list)


@check("error 404")
def absent():
    e = raises(openai.NotFoundError, lambda: chat(model="gpt-9"))
    equal((e.code, e.param, e.type), ("model_not_found", "model", "invalid_request_error"))
    raises(openai.NotFoundError, lambda: client.models.retrieve("gpt-9"))
    raises(openai.NotFoundError, lambda: client.embeddings.create(model="embedded", input="x"))
    raises(openai.NotFoundError, lambda: client.responses.create(model="embedded", input="x"))


@check("error: context_length_exceeded")
def overflow():
    for stream in (False, True):
        e = raises(openai.BadRequestError, lambda: chat(model="digits", messages=[{"role": "user", "content": "9" * 3000}],
                                                        stream=stream))
        equal((e.status_code, e.code, e.type), (400, "context_length_exceeded", "invalid_request_error"))
        assert "1024 tokens" in e.message, e.message


@check("error: parameters by name")
def refused():
    e = raises(openai.BadRequestError, lambda: chat(reasoning_effort="low"))
    equal((e.param, e.code), ("reasoning_effort", "unsupported_parameter"))
    e = raises(openai.BadRequestError, lambda: chat(temperature=9))
    equal(e.param, "temperature")
    e = raises(openai.BadRequestError, lambda: chat(extra_body={"temprature": 1}))
    equal((e.param, e.code), ("temprature", "unknown_parameter"))
    assert "temperature" in e.message, e.message


@check("error 500")
def down():
    e = raises(openai.InternalServerError, lambda: chat(model=DOWN))
    assert "the server is down" in e.message, e.message


@check("error 429 and a new try")
async def too_many():
    def of(retries):
        return openai.AsyncOpenAI(base_url=NARROW_URL + "/v1", api_key=KEY, max_retries=retries)

    first = asyncio.create_task(of(0).chat.completions.create(model=SLOW, messages=HELLO))
    await asyncio.sleep(0.5)
    try:
        await of(0).chat.completions.create(model=PLAIN, messages=HELLO)
        raise AssertionError("no error")
    except openai.RateLimitError as e:
        equal((e.code, e.type, e.response.headers["retry-after"]), ("rate_limit_exceeded", "rate_limit_error", "1"))
    r = await of(4).chat.completions.create(model=PLAIN, messages=HELLO)
    equal(r.choices[0].message.content, BEES)
    equal((await first).choices[0].message.content, "late")


@check("many at a time")
async def many():
    many = openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
    alone = [client.completions.create(model="embedded", prompt=f"ORDd+{i}|GETd;>50|", max_tokens=6, temperature=0).choices[0].text
             for i in range(9)]
    equal([text[:6] for text in alone], [f"SETd5{i}" for i in range(9)])
    done = await asyncio.gather(*(many.completions.create(model="embedded", prompt=f"ORDd+{i % 9}|GETd;>50|", max_tokens=6,
                                                          temperature=0) for i in range(32)))
    equal([r.choices[0].text for r in done], [alone[i % 9] for i in range(32)])


@check("agent")
def agent():
    r = chat(model="agent/clerk", messages=[{"role": "user", "content": "3 + 4?"}])
    equal((r.choices[0].message.content, r.choices[0].finish_reason), ("It is 7.", "stop"))
    parts = list(chat(model="agent/clerk", stream=True))
    equal("".join(p.choices[0].delta.content or "" for p in parts), "It is 7.")


@check("blueprint")
def blueprint():
    raw = client.chat.completions.with_raw_response.create(model="blueprint/echo", messages=HELLO)
    equal(raw.parse().choices[0].message.content, "You wrote: Where do bees live?")
    equal(len(raw.headers["x-troupe-run"]), 36)


@check("a failed run is not tried again")
def run_failed():
    tries = []
    with openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=2) as c:
        c._client.event_hooks["response"] = [lambda r: tries.append(r.status_code)]
        try:
            c.chat.completions.create(model="blueprint/broken", messages=HELLO)
            raise AssertionError("no error")
        except openai.APIStatusError as e:
            equal((e.code, e.status_code, len(e.response.headers["x-troupe-run"])), ("run_failed", 422, 36))
    equal(len(tries), 1, "requests")


main()
