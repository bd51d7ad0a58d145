// checks.mjs - checks.py for JavaScript: each check prints one line that interop.py reads.
// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert';

export const URL = process.env.TROUPE_URL, KEY = process.env.TROUPE_KEY, NARROW_URL = process.env.TROUPE_NARROW_URL;
export const [PLAIN, TOOLS, OBJECT, SLOW, DOWN] = ['plain', 'tools', 'object', 'slow', 'down'].map(n => `script:${n}.json`);
export const BEES = 'Bees live in hives: ü, 蜂, 🐝.';
export const MODELS = [PLAIN, TOOLS, OBJECT, SLOW, DOWN, 'embedded', 'digits', 'agent/clerk', 'blueprint/echo', 'blueprint/broken'];
export const SUM = 'ORDd+7|GETd;>59|'; // the embedded model goes on with "SETd66;"

const checks = [];

export const check = (name, f) => checks.push([name, f]);
export const equal = (got, want) => assert.deepStrictEqual(got, want);

// The error that the function throws, which must be of exactly this class.
export async function raises(kind, f) {
  let got;
  try {
    got = await f();
  } catch (e) {
    assert.strictEqual(e.constructor.name, kind.name, String(e));
    return e;
  }
  assert.fail(`no error but ${JSON.stringify(got)}`);
}

export const sleep = ms => new Promise(done => setTimeout(done, ms));

export async function main() {
  for (const [name, f] of checks) {
    try {
      await f();
      console.log(`ok ${name}`);
    } catch (e) {
      console.log(`FAILED ${name}: ${String(e).replaceAll(/\s+/g, ' ').slice(0, 300)}`);
    }
  }
}
