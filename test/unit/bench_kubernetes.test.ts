// How bench:kubernetes judges what it saw, and what it writes about it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type KubernetesResults, readme, table } from '../../bench/kubernetes/report.js';
import { ROW_NAMES, ROWS, type RowInfo, type Samples } from '../../bench/kubernetes/rows.js';
import { moved } from '../../bench/kubernetes/scene.js';
import { ROOT } from '../../bench/machine.js';
import { withSection } from '../../bench/sections.js';

/** Title, MetalLB, seen, goal, verdict of each row. */
function cells(samples: Samples): string[][] {
  const lines = table({ samples }).split('\n').slice(2);
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const verdict = (samples: Samples) => cells(samples).map((row) => row[4]);

function results(parts: Partial<KubernetesResults> = {}): KubernetesResults {
  return {
    command: 'npm run bench:kubernetes',
    startedAt: '2026-11-23T21:00:00.000Z',
    tookSeconds: 1500,
    commit: 'abcdef0',
    kernel: '6.18.0',
    cpu: 'a processor',
    node: 'v20.20.2',
    versions: ['Kubernetes 1.36.3'],
    repetitions: 3,
    notes: [],
    samples: {},
    ...parts,
  };
}

test('a median counts where the goal is one, the worst or the 99th percentile where that is', () => {
  assert.deepEqual(cells({ linkDown: [120, 149, 400] }), [
    ["owner's link down: outage, ms", '5350/5235/5865', '149/120/400', '<= 150', 'met'],
  ]);
  assert.deepEqual(verdict({ linkDown: [151, 152, 100] }), ['MISSED']);
  assert.deepEqual(verdict({ term: [0, 0, 0] }), ['met']);
  assert.deepEqual(verdict({ term: [0, 0, 1] }), ['MISSED']);
  assert.deepEqual(verdict({ gone: [...Array(99).fill(150), 900] }), ['met']);
  assert.deepEqual(verdict({ gone: [...Array(98).fill(150), 900, 900] }), ['MISSED']);
});

test('rows stand in their order, without those that were not asked', () => {
  assert.deepEqual(cells({}), []);
  assert.deepEqual(cells({ scaleMemory: [118.6], term: [], burst: [0.25] }), [
    ['200 services in a row: all answered after the last was created, ms', '-', '0.3', '<= 1,000', 'met'],
    ['speaker with 10,000 services, 100 nodes: RSS, MB', '-', '119', '<= 120', 'met'],
  ]);
});

test('where nothing is demanded there is no verdict', () => {
  assert.deepEqual(verdict({ restRequests: [900] }), ['']);
});

test('a goal says what it is held to', () => {
  for (const name of ROW_NAMES) {
    const { goal, limit, title }: RowInfo = ROWS[name];
    const number = /[\d.,]+/.exec(goal)?.[0];
    assert.equal(number === undefined, limit === null, title);
    if (number === undefined || limit === null) continue;
    const said = Number(number.replaceAll(',', ''));
    // "< 60" of whole packets, and a share of requests that one more in a minute does not break.
    assert.ok(
      goal.startsWith('<') && !goal.startsWith('<=') ? limit < said : limit >= said && limit <= said * 1.2,
      title,
    );
  }
});

test('the report holds facts, notes and the table, and goes where it belongs', () => {
  const text = readme(results({ notes: ['creation, 2 of 3: broken off'], samples: { created: [90, 180, 120] } }));
  for (const part of ['25.0 minutes', 'Kubernetes 1.36.3', 'note: creation, 2 of 3: broken off', '120/90/180'])
    assert.ok(text.includes(part), part);
  assert.doesNotMatch(text, /undefined|NaN|null/);
  const before = readFileSync(join(ROOT, 'bench/README.md'), 'utf8');
  const after = withSection(before, 'kubernetes', text);
  assert.ok(after.includes(text.trim()));
  const [others] = before.split('<!-- kubernetes:begin -->');
  assert.ok(after.startsWith(others as string));
});

test('an address has moved when another node owns it', () => {
  assert.equal(moved({ a: 'node-a', b: 'node-b' }, { a: 'node-a', b: 'node-c', c: 'node-a' }), 1);
  assert.equal(moved({ a: 'node-a' }, { a: 'node-a' }), 0);
  assert.equal(moved({ a: 'node-a' }, {}), 1);
});
