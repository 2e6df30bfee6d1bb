// Runs the parts that are named, all without names; prints every fault, and ends server and browser whatever happens.
import { join } from 'node:path';

import { Checks, startBrowser } from './browser.mjs';
import { spa } from './spa.mjs';
import { swagger } from './swagger.mjs';

const PARTS = { swagger, spa };
const names = process.argv.slice(2).filter((name) => !name.startsWith('--'));
const source = process.env.SOURCE;
const screenshots = process.argv.includes('--screenshots') && join(source, 'docs/images');
const unknown = names.filter((name) => !(name in PARTS));
if (unknown.length) throw new Error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);

const browser = await startBrowser();
const checks = new Checks();
const started = Date.now();
try {
  for (const name of names.length ? names : Object.keys(PARTS)) {
    // A part that cannot go on is a fault; the others still run.
    await PARTS[name]({ browser, checks, source, screenshots }).catch((error) => checks.that(false, `${name}: ${error.stack}`));
  }
} finally {
  await browser.close();
}
console.log(`${checks.count} checks in ${Math.round((Date.now() - started) / 1000)} s, ${checks.faults.length} faults`);
for (const fault of checks.faults) console.log(`FAULT ${fault}`);
process.exitCode = checks.faults.length ? 1 : 0;
