// `arpeggio lab` as a user runs it.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { identify } from '../../src/lab/process_identity.js';
import { sweep } from '../../src/lab/run_record.js';
import type { Summary } from '../../src/lab/timeline.js';
import { requireNetworks } from './harness/network.js';

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const LAB_LIMIT_MS = 60_000;
const STATE_TIMEOUT_MS = 10_000;

interface Line {
  readonly type: string;
  readonly held?: boolean;
  readonly actor?: string;
  readonly text?: string;
}

function namespacesOf(pid: number): string[] {
  const prefix = `arpg-${pid.toString(36)}.`;
  return existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith(prefix)) : [];
}

/** Starts the lab; `output` grows as it writes. */
function startLab(...args: readonly string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [CLI, 'lab', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return { child, output: () => output };
}

const ended = (child: ChildProcess) =>
  new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });

async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + STATE_TIMEOUT_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within ${STATE_TIMEOUT_MS} ms: ${what}`);
    await delay(20);
  }
}

/** Pids of the processes whose command line holds the text. */
function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text) && identify(pid) !== null;
      } catch {
        return false;
      }
    });
}

test('every expectation of the lab holds, in less than a minute, and nothing is left', async (t) => {
  if (!requireNetworks(t)) return;
  const start = performance.now();
  const { child, output } = startLab('--json');
  const { code } = await ended(child);
  const lines = output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const failed = lines.filter(({ held }) => held === false);
  assert.deepEqual(failed, []);
  assert.equal(code, 0);
  const summary: Summary & { type: string } = JSON.parse(output().trim().split('\n').at(-1) ?? '');
  assert.equal(summary.type, 'summary');
  assert.equal(summary.held, lines.filter(({ type }) => type === 'expectation').length);
  assert.ok(summary.held >= 50, `only ${summary.held} expectations`);
  const took = performance.now() - start;
  assert.ok(took < LAB_LIMIT_MS, `took ${Math.round(took)} ms`);
  assert.deepEqual(namespacesOf(child.pid as number), []);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} in the middle leaves nothing`, async (t) => {
    if (!requireNetworks(t)) return;
    const { child, output } = startLab('--json');
    const pid = child.pid as number;
    await eventually('the node runs', () => output().includes('arpeggio run'));
    assert.notDeepEqual(namespacesOf(pid), []);
    child.kill(signal);
    assert.deepEqual(await ended(child), { code: null, signal });
    assert.deepEqual(namespacesOf(pid), []);
    await eventually('all its processes end', () => processesWith(`arpg-${pid.toString(36)}.`).length === 0);
  });
}

test('what a killed lab leaves ends by itself or is swept by the next run, and nothing of a living run is', async (t) => {
  if (!requireNetworks(t)) return;
  const [victim, bystander] = [startLab('--json'), startLab('--json')];
  const [victimPid, bystanderPid] = [victim.child.pid as number, bystander.child.pid as number];
  await eventually('both run', () => [victim, bystander].every(({ output }) => output().includes('arpeggio run')));
  victim.child.kill('SIGKILL');
  await ended(victim.child);
  assert.notDeepEqual(namespacesOf(victimPid), []);
  await eventually(
    'its processes end with it',
    () => processesWith(`/run/arpeggio-lab/${victimPid.toString(36)}.`).length === 0,
  );
  const id = `${victimPid.toString(36)}.0`;
  assert.ok(sweep().includes(id));
  assert.deepEqual(namespacesOf(victimPid), []);
  assert.ok(!sweep().includes(id));
  assert.notDeepEqual(namespacesOf(bystanderPid), []);
  bystander.child.kill('SIGTERM');
  await ended(bystander.child);
  assert.deepEqual(namespacesOf(bystanderPid), []);
});
