// client_openai.mjs - the openai package for JavaScript against `troupe serve`.
// SPDX-License-Identifier: Apache-2.0
import OpenAI from 'openai';
import {zodResponseFormat} from 'openai/helpers/zod';
import {z} from 'zod';

import {BEES, check, DOWN, equal, KEY, main, MODELS, NARROW_URL, OBJECT, PLAIN, raises, sleep, SLOW, SUM, TOOLS, URL} from './checks.mjs';

const of = (base, maxRetries, more) => new OpenAI({baseURL: `${base}/v1`, apiKey: KEY, maxRetries, ...more});
const client = of(URL, 0);
const HELLO = [{role: 'user', content: 'Where do bees live?'}];
const chat = more => client.chat.completions.create({model: PLAIN, messages: HELLO, ...more});
const WEATHER = {type: 'function', function: {name: 'weather', parameters: {type: 'object', properties: {city: {type: 'string'},
  days: {type: 'integer'}}, required: ['city', 'days'], additionalProperties: false}, strict: true}};
const ARGUMENTS = '{"city":"Oslo","days":2}';
const Trip = z.object({city: z.string(), days: z.number().int()});

check('models', async () => {
  equal((await client.models.list()).data.map(m => m.id), MODELS);
  equal((await client.models.retrieve(PLAIN)).id, PLAIN);
});
check('chat', async () => {
  const r = await chat();
  equal([r.object, r.model, r.choices.length, r.choices[0].message.content, r.choices[0].finish_reason],
    ['chat.completion', PLAIN, 1, BEES, 'stop']);
  equal([r.usage.prompt_tokens, r.usage.completion_tokens, r.usage.total_tokens], [5, 9, 14]);
});
check('stream', async () => {
  let text = '', ends = [], last;
  for await (const c of await chat({stream: true, stream_options: {include_usage: true}})) {
    text += c.choices[0]?.delta.content ?? '';
    if (c.choices[0]?.finish_reason) ends.push(c.choices[0].finish_reason);
    last = c;
  }
  equal([text, ends, last.usage.total_tokens, last.choices], [BEES, ['stop'], 14, []]);
});
check('stream, helper', async () => {
  const s = client.chat.completions.stream({model: PLAIN, messages: HELLO});
  equal(await s.finalContent(), BEES);
});
check('stream, left early', async () => {
  const s = await chat({model: SLOW, stream: true});
  for await (const c of s) {
    equal(c.choices[0].delta.content, 'la'); // of 'late', which comes in pieces
    s.controller.abort();
  }
  equal((await chat()).choices[0].message.content, BEES);
});
check('stream that ends in an error', async () => {
  const s = await chat({model: 'blueprint/broken', stream: true});
  const e = await raises(OpenAI.APIError, async () => {
    for await (const c of s) void c;
  });
  equal(e.code, 'run_failed');
});
check('tools', async () => {
  const r = await chat({model: TOOLS, tools: [WEATHER], tool_choice: 'required'});
  const call = r.choices[0].message.tool_calls[0];
  equal([call.type, call.function, r.choices[0].finish_reason], ['function', {name: 'weather', arguments: ARGUMENTS}, 'tool_calls']);
});
check('tools, streamed', async () => {
  const s = client.chat.completions.stream({model: TOOLS, messages: HELLO, tools: [WEATHER]});
  const m = await s.finalMessage();
  equal([m.content, m.tool_calls.length, m.tool_calls[0].function.arguments], [null, 1, ARGUMENTS]);
});
check('tool loop', async () => {
  const asked = [];
  const tool = {type: 'function', function: {...WEATHER.function, parse: JSON.parse, function: a => (asked.push(a), '7')}};
  for (const stream of [false, true])
    equal(await client.chat.completions.runTools({model: TOOLS, messages: HELLO, tools: [tool], stream}).finalContent(),
      'It is 7 degrees in Oslo.');
  equal(asked, [{city: 'Oslo', days: 2}, {city: 'Oslo', days: 2}]);
});
check('json_schema', async () => {
  const r = await client.chat.completions.parse({model: OBJECT, messages: HELLO, response_format: zodResponseFormat(Trip, 'trip')});
  equal(r.choices[0].message.parsed, {city: 'Oslo', days: 2});
});
check('json_schema, unfit reply', async () => {
  const e = await raises(OpenAI.BadRequestError, () => chat({model: OBJECT,
    response_format: zodResponseFormat(z.object({trips: z.array(Trip)}), 'trips')}));
  equal(e.code, 'json_validate_failed');
});
check('logprobs', async () => {
  const r = await chat({model: 'digits', messages: [{role: 'user', content: SUM}], logprobs: true, max_tokens: 4, temperature: 0});
  equal(r.choices[0].logprobs.content.map(t => t.token).join(''), r.choices[0].message.content);
  equal(r.choices[0].logprobs.content.length, 4);
});
check('completions', async () => {
  const p = {model: 'embedded', prompt: SUM, max_tokens: 8, temperature: 0, stop: [';']};
  equal((await client.completions.create(p)).choices[0].text, 'SETd66');
  let text = '';
  for await (const c of await client.completions.create({...p, stream: true})) text += c.choices[0].text;
  equal(text, 'SETd66');
});
check('error 401', async () => {
  const e = await raises(OpenAI.AuthenticationError, () => of(URL, 0, {apiKey: 'wrong'}).models.list());
  equal([e.status, e.code], [401, 'invalid_api_key']);
});
check('error 404', async () => {
  const e = await raises(OpenAI.NotFoundError, () => chat({model: 'gpt-9'}));
  equal([e.code, e.param, e.type], ['model_not_found', 'model', 'invalid_request_error']);
  await raises(OpenAI.NotFoundError, () => client.embeddings.create({model: 'embedded', input: 'x'}));
});
check('error: context_length_exceeded', async () => {
  const e = await raises(OpenAI.BadRequestError, () => chat({model: 'digits', messages: [{role: 'user', content: '9'.repeat(3000)}]}));
  equal([e.status, e.code], [400, 'context_length_exceeded']);
});
check('error: parameters by name', async () => {
  const e = await raises(OpenAI.BadRequestError, () => chat({reasoning_effort: 'low'}));
  equal([e.param, e.code], ['reasoning_effort', 'unsupported_parameter']);
});
check('error 500', async () => {
  await raises(OpenAI.InternalServerError, () => chat({model: DOWN}));
});
check('error 429 and a new try', async () => {
  const first = of(NARROW_URL, 0).chat.completions.create({model: SLOW, messages: HELLO});
  await sleep(500);
  const e = await raises(OpenAI.RateLimitError, () => of(NARROW_URL, 0).chat.completions.create({model: PLAIN, messages: HELLO}));
  equal([e.code, e.headers.get('retry-after')], ['rate_limit_exceeded', '1']);
  const r = await of(NARROW_URL, 4).chat.completions.create({model: PLAIN, messages: HELLO});
  equal([r.choices[0].message.content, (await first).choices[0].message.content], [BEES, 'late']);
});
check('agent', async () => {
  equal((await chat({model: 'agent/clerk'})).choices[0].message.content, 'It is 7.');
});
check('blueprint', async () => {
  equal((await chat({model: 'blueprint/echo'})).choices[0].message.content, 'You wrote: Where do bees live?');
});
check('a failed run is not tried again', async () => {
  let tries = 0;
  const counted = of(URL, 2, {fetch: (...a) => (tries++, fetch(...a))});
  const e = await raises(OpenAI.UnprocessableEntityError, () =>
    counted.chat.completions.create({model: 'blueprint/broken', messages: HELLO}));
  equal([e.code, tries], ['run_failed', 1]);
});

await main();
