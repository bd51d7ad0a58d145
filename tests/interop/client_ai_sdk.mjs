// client_ai_sdk.mjs - Vercel's AI SDK (ai, @ai-sdk/openai-compatible) against `troupe serve`.
// SPDX-License-Identifier: Apache-2.0
import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {APICallError, generateObject, generateText, Output, stepCountIs, streamObject, streamText, tool} from 'ai';
import {z} from 'zod';

import {BEES, check, equal, KEY, main, NARROW_URL, OBJECT, PLAIN, raises, sleep, SLOW, SUM, TOOLS, URL} from './checks.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;
const of = (base, more) => createOpenAICompatible({name: 'troupe', baseURL: `${base}/v1`, apiKey: KEY, supportsStructuredOutputs: true,
  includeUsage: true, ...more});
const troupe = of(URL);
const prompt = 'Where do bees live?', maxRetries = 0;
const Trip = z.object({city: z.string(), days: z.number().int()});
const weather = asked => tool({description: 'the weather', inputSchema: Trip, execute: a => (asked.push(a), '7')});

check('chat', async () => {
  const r = await generateText({model: troupe(PLAIN), prompt, maxRetries});
  equal([r.text, r.finishReason, r.usage.inputTokens, r.usage.outputTokens, r.usage.totalTokens], [BEES, 'stop', 5, 9, 14]);
});
check('stream', async () => {
  const r = streamText({model: troupe(PLAIN), prompt, maxRetries});
  let text = '';
  for await (const part of r.textStream) text += part;
  equal([text, await r.finishReason, (await r.usage).totalTokens], [BEES, 'stop', 14]);
});
check('stream, left early', async () => {
  const stop = new AbortController();
  const r = streamText({model: troupe(SLOW), prompt, maxRetries, abortSignal: stop.signal, onError() {}});
  for await (const part of r.textStream) {
    equal(part, 'la'); // of 'late', which comes in pieces
    stop.abort();
  }
  equal((await generateText({model: troupe(PLAIN), prompt, maxRetries})).text, BEES);
});
check('stream that ends in an error', async () => {
  const found = [];
  const r = streamText({model: troupe('blueprint/broken'), prompt, maxRetries, onError: e => found.push(e.error)});
  for await (const part of r.fullStream) void part;
  equal(found.length, 1);
});
check('tools', async () => {
  const r = await generateText({model: troupe(TOOLS), prompt, maxRetries, toolChoice: 'required',
    tools: {weather: tool({inputSchema: Trip})}});
  equal([r.toolCalls[0].toolName, r.toolCalls[0].input, r.finishReason], ['weather', {city: 'Oslo', days: 2}, 'tool-calls']);
});
check('tools, streamed', async () => {
  const r = streamText({model: troupe(TOOLS), prompt, maxRetries, tools: {weather: tool({inputSchema: Trip})}});
  const calls = [];
  for await (const part of r.fullStream) if (part.type === 'tool-call') calls.push([part.toolName, part.input]);
  equal(calls, [['weather', {city: 'Oslo', days: 2}]]);
});
check('tool loop', async () => {
  const asked = [];
  const r = await generateText({model: troupe(TOOLS), prompt, maxRetries, tools: {weather: weather(asked)}, stopWhen: stepCountIs(3)});
  equal([r.text, r.steps.length, asked], ['It is 7 degrees in Oslo.', 2, [{city: 'Oslo', days: 2}]]);
  const s = streamText({model: troupe(TOOLS), prompt, maxRetries, tools: {weather: weather(asked)}, stopWhen: stepCountIs(3)});
  equal([await s.text, asked.length], ['It is 7 degrees in Oslo.', 2]);
});
check('json_schema', async () => {
  equal((await generateObject({model: troupe(OBJECT), prompt, maxRetries, schema: Trip})).object, {city: 'Oslo', days: 2});
  equal((await generateText({model: troupe(OBJECT), prompt, maxRetries, output: Output.object({schema: Trip})})).output,
    {city: 'Oslo', days: 2});
  const s = streamObject({model: troupe(OBJECT), prompt, maxRetries, schema: Trip});
  let last;
  for await (const part of s.partialObjectStream) last = part;
  equal([last, await s.object], [{city: 'Oslo', days: 2}, {city: 'Oslo', days: 2}]);
});
check('json_schema, unfit reply', async () => {
  const e = await raises(APICallError, () => generateObject({model: troupe(OBJECT), prompt, maxRetries,
    schema: z.object({trips: z.array(Trip)})}));
  equal([e.statusCode, e.data.error.code], [400, 'json_validate_failed']);
});
check('completions', async () => {
  const r = await generateText({model: troupe.completionModel('embedded'), prompt: SUM, maxOutputTokens: 8, temperature: 0, maxRetries,
    stopSequences: [';']});
  equal(typeof r.text, 'string'); // the SDK writes roles into the prompt, so that the text is not exact
  equal(['stop', 'length'].includes(r.finishReason), true);
});
check('error 401', async () => {
  const e = await raises(APICallError, () => generateText({model: of(URL, {apiKey: 'wrong'})(PLAIN), prompt, maxRetries}));
  equal([e.statusCode, e.isRetryable, e.data.error.code], [401, false, 'invalid_api_key']);
});
check('error 404', async () => {
  const e = await raises(APICallError, () => generateText({model: troupe('gpt-9'), prompt, maxRetries}));
  equal([e.statusCode, e.data.error.code], [404, 'model_not_found']);
});
check('error: context_length_exceeded', async () => {
  const e = await raises(APICallError, () => generateText({model: troupe('digits'), prompt: '9'.repeat(3000), maxRetries}));
  equal([e.statusCode, e.isRetryable, e.data.error.code], [400, false, 'context_length_exceeded']);
});
check('error 429 and a new try', async () => {
  const first = generateText({model: of(NARROW_URL)(SLOW), prompt, maxRetries});
  await sleep(500);
  const e = await raises(APICallError, () => generateText({model: of(NARROW_URL)(PLAIN), prompt, maxRetries}));
  equal([e.statusCode, e.isRetryable], [429, true]);
  equal((await generateText({model: of(NARROW_URL)(PLAIN), prompt, maxRetries: 4})).text, BEES);
  equal((await first).text, 'late');
});
check('agent', async () => {
  equal((await generateText({model: troupe('agent/clerk'), prompt, maxRetries})).text, 'It is 7.');
});
check('blueprint', async () => {
  equal((await generateText({model: troupe('blueprint/echo'), prompt, maxRetries})).text, `You wrote: ${prompt}`);
});
check('a failed run is not tried again', async () => {
  let tries = 0;
  const counted = of(URL, {fetch: (...a) => (tries++, fetch(...a))});
  const e = await raises(APICallError, () => generateText({model: counted('blueprint/broken'), prompt, maxRetries: 2}));
  equal([e.data.error.code, tries], ['run_failed', 1]);
});

await main();
