"""client_langchain.py - LangChain's ChatOpenAI against `troupe serve`.

SPDX-License-Identifier: Apache-2.0
"""
import openai
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from pydantic import BaseModel

from checks import BEES, KEY, OBJECT, PLAIN, SUM, TOOLS, URL, check, equal, main, raises

QUESTION = "Where do bees live?"


class Trip(BaseModel):
    """A trip."""
    city: str
    days: int


@tool
def weather(city: str, days: int) -> str:
    """The weather of a city."""
    return "7"


def model(name, **more):
    return ChatOpenAI(**{"model": name, "base_url": URL + "/v1", "api_key": KEY, "max_retries": 0, **more})


@check("chat")
def invoke():
    r = model(PLAIN).invoke(QUESTION)
    equal((r.content, r.response_metadata["finish_reason"]), (BEES, "stop"))
    equal([r.usage_metadata[k] for k in ("input_tokens", "output_tokens", "total_tokens")], [5, 9, 14])
    equal([m.content for m in model(PLAIN).batch([QUESTION] * 4)], [BEES] * 4)


@check("chat, more turns")
def turns():
    equal(model(PLAIN).invoke([("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c")]).content,
          "That was the second turn.")


@check("stream")
def stream():
    whole = None
    for part in model(PLAIN, stream_usage=True).stream(QUESTION):
        whole = part if whole is None else whole + part
    equal((whole.content, whole.usage_metadata["total_tokens"]), (BEES, 14))


@check("stream, async")
async def astream():
    equal("".join([p.content async for p in model(PLAIN).astream(QUESTION)]), BEES)


@check("stream that ends in an error")
def stream_error():
    e = raises(openai.APIError, lambda: list(model("blueprint/broken").stream(QUESTION)))
    equal(e.code, "run_failed")


@check("tools")
def tools():
    for choice in ("auto", "any", "weather"):
        r = model(TOOLS).bind_tools([weather], tool_choice=choice).invoke(QUESTION)
        equal([(c["name"], c["args"]) for c in r.tool_calls], [("weather", {"city": "Oslo", "days": 2})])


@check("tools, streamed")
def tools_streamed():
    whole = None
    for part in model(TOOLS).bind_tools([weather]).stream(QUESTION):
        whole = part if whole is None else whole + part
    equal([(c["name"], c["args"]) for c in whole.tool_calls], [("weather", {"city": "Oslo", "days": 2})])


@check("tool loop")
def tool_loop():
    bound = model(TOOLS).bind_tools([weather])
    messages = [HumanMessage(QUESTION)]
    messages.append(bound.invoke(messages))
    result = weather.invoke(messages[-1].tool_calls[0])
    equal((type(messages[-1]), type(result)), (AIMessage, ToolMessage))
    messages.append(result)
    equal(bound.invoke(messages).content, "It is 7 degrees in Oslo.")


@check("json_schema")
def structured():
    equal(model(OBJECT).with_structured_output(Trip).invoke(QUESTION), Trip(city="Oslo", days=2))
    equal(model(OBJECT).with_structured_output(Trip, method="json_schema", strict=True).invoke(QUESTION), Trip(city="Oslo", days=2))
    equal(model(OBJECT).with_structured_output(Trip, method="json_mode").invoke(QUESTION + " JSON"), Trip(city="Oslo", days=2))


@check("schema by a tool")
def function_calling():
    class weather(Trip):
        """A trip."""
    got = model(TOOLS).with_structured_output(weather, method="function_calling").invoke(QUESTION)
    equal((got.city, got.days), ("Oslo", 2))


@check("json_schema, unfit reply")
def unfit():
    class Trips(BaseModel):
        """Trips."""
        trips: list[Trip]
    e = raises(openai.BadRequestError, lambda: model(OBJECT).with_structured_output(Trips).invoke(QUESTION))
    equal(e.code, "json_validate_failed")


@check("logprobs")
def logprobs():
    r = model("digits", temperature=0, max_tokens=4).bind(logprobs=True).invoke(SUM)
    tokens = r.response_metadata["logprobs"]["content"]
    equal(("".join(t["token"] for t in tokens), len(tokens)), (r.content, 4))


@check("completions")
def completions():
    m = OpenAI(model="embedded", base_url=URL + "/v1", api_key=KEY, max_retries=0, temperature=0, max_tokens=8, stop=[";"])
    equal(m.invoke(SUM), "SETd66")
    equal("".join(m.stream(SUM)), "SETd66")


@check("error 401")
def unauthorized():
    raises(openai.AuthenticationError, lambda: model(PLAIN, api_key="wrong").invoke(QUESTION))


@check("error 404")
def absent():
    equal(raises(openai.NotFoundError, lambda: model("gpt-9").invoke(QUESTION)).code, "model_not_found")


@check("error: context_length_exceeded")
def overflow():
    try:
        model("digits").invoke("9" * 3000)
        raise AssertionError("no error")
    except openai.BadRequestError as e:  # of LangChain's own class below it
        equal(e.code, "context_length_exceeded")


@check("error: parameters by name")
def refused():
    e = raises(openai.BadRequestError, lambda: model(PLAIN, reasoning_effort="low").invoke(QUESTION))
    equal(e.param, "reasoning_effort")


@check("agent")
def agent():
    equal(model("agent/clerk").invoke(QUESTION).content, "It is 7.")


@check("blueprint")
def blueprint():
    equal(model("blueprint/echo").invoke(QUESTION).content, f"You wrote: {QUESTION}")


main()
