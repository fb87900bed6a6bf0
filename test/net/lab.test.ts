// `arpeggio lab` as a user runs it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweep } from '../../src/lab/run_record.js';
import { ended, eventually, namespacesOf, playedWell, processesWith, runId, startLab } from './harness/lab_process.js';
import { requireNetworks } from './harness/network.js';

const LAB_LIMIT_MS = 60_000;

test('every expectation of the lab holds, in less than a minute, and nothing is left', async (t) => {
  if (!requireNetworks(t)) return;
  const start = performance.now();
  const lab = startLab('--json');
  const { summary } = await playedWell(lab);
  assert.ok(summary.held >= 50, `only ${summary.held} expectations`);
  const took = performance.now() - start;
  assert.ok(took < LAB_LIMIT_MS, `took ${Math.round(took)} ms`);
  assert.deepEqual(namespacesOf(lab.pid), []);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} in the middle leaves nothing`, async (t) => {
    if (!requireNetworks(t)) return;
    const lab = startLab('--json');
    await eventually('the node runs', () => lab.output().includes('arpeggio run'));
    assert.notDeepEqual(namespacesOf(lab.pid), []);
    lab.child.kill(signal);
    assert.deepEqual(await ended(lab), { code: null, signal });
    assert.deepEqual(namespacesOf(lab.pid), []);
    await eventually('all its processes end', () => processesWith(`arpg-${runId(lab.pid)}`).length === 0);
  });
}

test('what a killed lab leaves ends by itself or is swept by the next run, and nothing of a living run is', async (t) => {
  if (!requireNetworks(t)) return;
  const [victim, bystander] = [startLab('--json'), startLab('--json')];
  await eventually('both run', () => [victim, bystander].every(({ output }) => output().includes('arpeggio run')));
  victim.child.kill('SIGKILL');
  await ended(victim);
  assert.notDeepEqual(namespacesOf(victim.pid), []);
  await eventually(
    'its processes end with it',
    () => processesWith(`/run/arpeggio-lab/${runId(victim.pid)}`).length === 0,
  );
  const id = `${runId(victim.pid)}0`;
  assert.ok(sweep().includes(id));
  assert.deepEqual(namespacesOf(victim.pid), []);
  assert.ok(!sweep().includes(id));
  assert.notDeepEqual(namespacesOf(bystander.pid), []);
  bystander.child.kill('SIGTERM');
  await ended(bystander);
  assert.deepEqual(namespacesOf(bystander.pid), []);
});
