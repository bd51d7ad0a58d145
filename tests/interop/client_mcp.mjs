// client_mcp.mjs - the client of the npm package @modelcontextprotocol/client against the hub, in both eras.
// SPDX-License-Identifier: Apache-2.0
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { check, equal, main } from './checks.mjs';

const ADDRESS = new globalThis.URL(process.env.TROUPE_MCP_URL);
const ERAS = { legacy: undefined, auto: { versionNegotiation: { mode: 'auto' } } };
const text = got => got.content.filter(c => c.type === 'text').map(c => c.text).join('\n');

async function connected(options, f) {
  const client = new Client({ name: 'interop', version: '1' }, {
    ...options, capabilities: { elicitation: { form: {} }, sampling: {}, roots: {} } });
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
  client.setRequestHandler('sampling/createMessage', () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'bees hum' } }));
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///srv/interop' }] }));
  await client.connect(new StreamableHTTPClientTransport(ADDRESS));
  try {
    await f(client);
  } finally {
    await client.close();
  }
}

function inBothEras(name, f) {
  for (const [era, options] of Object.entries(ERAS))
    check(`${era}: ${name}`, () => connected(options, f));
}

inBothEras('tools are listed', async c => {
  const names = (await c.listTools()).tools.map(t => t.name);
  for (const name of ['everything__echo', 'files__read_text_file', 'time__get_current_time', 'git__git_log'])
    equal([name, names.includes(name)], [name, true]);
});

inBothEras('calls', async c => {
  equal(text(await c.callTool({ name: 'everything__echo', arguments: { message: 'ü 蜂' } })), 'Echo: ü 蜂');
  const got = await c.callTool({ name: 'everything__get-structured-content', arguments: { location: 'New York' } });
  equal(Object.keys(got.structuredContent).sort(), ['conditions', 'humidity', 'temperature']);
});

inBothEras('errors', async c => {
  equal((await c.callTool({ name: 'everything__get-sum', arguments: { a: 'x' } })).isError, true);
  let error;
  try {
    await c.callTool({ name: 'everything__no-such-tool', arguments: {} });
  } catch (e) {
    error = e;
  }
  equal(/no-such-tool/.test(String(error)), true);
});

inBothEras('progress', async c => {
  const seen = [];
  await c.callTool({ name: 'everything__trigger-long-running-operation', arguments: { duration: 0.4, steps: 4 } },
    { onprogress: p => seen.push([p.progress, p.total]) });
  equal(seen, [[1, 4], [2, 4], [3, 4], [4, 4]]);
});

inBothEras('a call that is cancelled; the next one works', async c => {
  const stop = new AbortController(), began = Date.now();
  const call = c.callTool({ name: 'everything__trigger-long-running-operation', arguments: { duration: 30, steps: 3 } },
    { signal: stop.signal });
  setTimeout(() => stop.abort('enough'), 300);
  let failed = false;
  await call.catch(() => { failed = true; });
  equal(failed, true);
  equal(text(await c.callTool({ name: 'everything__echo', arguments: { message: 'again' } })), 'Echo: again');
  equal(Date.now() - began < 10000, true);
});

inBothEras('elicitation', async c => {
  equal(/Ada/.test(text(await c.callTool({ name: 'everything__trigger-elicitation-request', arguments: {} }))), true);
});

inBothEras('sampling', async c => {
  const got = await c.callTool({ name: 'everything__trigger-sampling-request', arguments: { prompt: 'bees', maxTokens: 10 } });
  equal(/bees hum/.test(text(got)), true);
});

inBothEras('resources and prompts', async c => {
  const uri = (await c.listResources()).resources.map(r => r.uri).find(u => u.startsWith('troupe://everything/'));
  equal((await c.readResource({ uri })).contents.length > 0, true);
  const got = await c.getPrompt({ name: 'everything__args-prompt', arguments: { city: 'Oslo' } });
  equal(/Oslo/.test(got.messages[0].content.text), true);
});

await main();
process.exit(0);
