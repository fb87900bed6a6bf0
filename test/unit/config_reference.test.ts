import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseConfig } from '../../src/config/load.js';
import { formatProblem } from '../../src/config/problem.js';

const SCRIPT = fileURLToPath(new URL('../../../scripts/reference.mjs', import.meta.url));
const run = promisify(execFile);

async function reference(...args: string[]): Promise<string> {
  return (await run(process.execPath, [SCRIPT, ...args])).stdout;
}

describe('the reference of the configuration', () => {
  it('in the README is what the schema says', async () => {
    await reference('--check');
  });

  it('has an example that is a valid configuration with every key', async () => {
    const text = await reference();
    const example = /```yaml\n(?<yaml>.*?)```/s.exec(text)?.groups?.yaml ?? '';
    const result = parseConfig(example, { file: 'example.yaml', defaultNode: 'host' });
    assert.ok('config' in result, 'problems' in result ? result.problems.map(formatProblem).join('\n') : '');
    const keys = [...text.matchAll(/^\| `(?:[\w[\]]+\.)*(?<key>\w+)` \|/gm)].map((match) => match.groups?.key);
    assert.ok(keys.length >= 10, String(keys));
    for (const key of keys) assert.match(example, new RegExp(`\\b${key}:`));
  });
});
