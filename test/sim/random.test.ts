// Random networks, each drawn from a seed with all that happens to it: nothing of what must hold is broken in any.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const FIXED = 1_500;
/** Others with each commit, so that in time many more are seen. */
const FROM_COMMIT = 500;
/** With `--takeover fenced`, likewise. */
const FENCED = 400;
const FENCED_FROM_COMMIT = 200;

/** 7 hexadecimal digits of the commit hash as a number; where there is no git, some number. */
function commitSeed(): number {
  const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: HERE, encoding: 'utf8' });
  const seed = Number.parseInt((stdout ?? '').slice(0, 7), 16);
  return Number.isFinite(seed) && seed > FIXED ? seed : 1_000_003;
}

/** In a process of its own: counting what is covered would make it several times slower. */
function run(first: number, count: number, ...options: string[]): Promise<string> {
  const { NODE_V8_COVERAGE: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [
        '--enable-source-maps',
        join(HERE, 'run.js'),
        '--seed',
        String(first),
        '--seeds',
        String(count),
        '--trace',
        ...options,
      ],
      { env: { ...env, NODE_V8_COVERAGE: '' }, maxBuffer: 1 << 26 },
      (_error, stdout, stderr) => resolve(stdout + stderr),
    );
  });
}

for (const [what, first, count, ...options] of [
  ['fixed seeds', 1, FIXED],
  ['seeds of this commit', commitSeed(), FROM_COMMIT],
  ['fixed seeds, fenced', 1, FENCED, '--fenced'],
  ['seeds of this commit, fenced', commitSeed(), FENCED_FROM_COMMIT, '--fenced'],
] as const) {
  test(`${count} ${what}, from ${first}`, async () => {
    const output = await run(first, count, ...options);
    assert.ok(
      output.includes(`${count} of ${count} seeds passed`),
      `replay one with: npm run sim -- ${options.join(' ')} --seed N --trace\n${output}`,
    );
  });
}
