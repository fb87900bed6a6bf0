// The state that a speaker finds on disk when it starts while the API server is away.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SavedState } from '../../src/sources/kubernetes/saved_state.js';
import { StateFile } from '../../src/sources/kubernetes/state_file.js';
import { logOf } from './shell_sample.js';
import {
  clusterState,
  nodes,
  rawAdvertisement,
  rawNode,
  rawPool,
  rawService,
  rawSlice,
  resources,
  services,
  slices,
} from './source_sample.js';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'arpeggio-state-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function fileIn(path: string, everyMs = 10_000) {
  const { log, lines } = logOf();
  return { file: new StateFile({ path, log, everyMs }), lines };
}

/** A state with everything in it that there can be. */
function rich(): SavedState {
  const state = clusterState({ probing: 'rfc5227' });
  state.applyNodes(
    nodes(rawNode('node-a', { labels: { rack: '1' } }), rawNode('node-b', { cordoned: true, address: '192.0.2.200' })),
  );
  const pool = rawPool('inner', ['203.0.113.0/24', '2001:db8:1::-2001:db8:1::ffff']) as { spec: object };
  pool.spec = {
    ...pool.spec,
    avoidBuggyIPs: true,
    serviceAllocation: { namespaces: ['default'], serviceSelectors: [{ matchLabels: { tier: 'inner' } }] },
  };
  state.applyPools(resources(pool));
  state.applyAdvertisements(
    resources(
      rawAdvertisement('all', { ipAddressPools: ['lab'] }),
      rawAdvertisement('racks', {
        nodeSelectors: [{ matchExpressions: [{ key: 'rack', operator: 'Exists' }] }],
        interfaces: ['eth1'],
        ipAddressPools: ['inner'],
        preferredNodeSelectors: [{ weight: 7, preference: { matchLabels: { rack: '1' } } }],
      }),
      rawAdvertisement('wired', { interfaces: ['eth0'], ipAddressPools: ['inner'] }),
    ),
  );
  state.applyServices(
    services(
      rawService('web'),
      rawService('api', { ips: ['192.0.2.11', '2001:db8::11'] }),
      rawService('inner', { ips: ['203.0.113.1', '2001:db8:1::1'] }),
      rawService('local', { ips: ['203.0.113.2'], policy: 'Local' }),
    ),
  );
  state.applyEndpointSlices(
    slices(...['web', 'api', 'inner', 'local'].map((name) => rawSlice(name, ['node-a', 'node-b']))),
  );
  state.settle(0);
  const desired = state.desired();
  assert.equal(desired.services.length, 4);
  assert.ok(desired.services.some(({ scopes, prefer }) => scopes && prefer));
  return { desired, configuration: state.configuration };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    assert.ok(tries < 500, 'waited for 5 s in vain');
    await sleep(10);
  }
}

test('what was saved is what is read, to the last field', async (t) => {
  const path = join(folder(t), 'deep', 'state.json');
  const saved = rich();
  const { file, lines } = fileIn(path);
  file.changed(() => saved);
  await file.close();
  assert.deepEqual(fileIn(path).file.load(), saved);
  assert.deepEqual(lines, []);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(path, '..')), ['state.json']);
});

test('without a configuration, and without services', async (t) => {
  const path = join(folder(t), 'state.json');
  const saved: SavedState = { desired: { services: [], probing: 'none', lastResort: [] }, configuration: null };
  const { file } = fileIn(path);
  file.changed(() => saved);
  await file.close();
  assert.deepEqual(file.load(), saved);
});

test('the first change is written at once, later ones together', async (t) => {
  const path = join(folder(t), 'state.json');
  const { file } = fileIn(path, 300);
  const empty = rich();
  let reads = 0;
  const read = (probing: 'fast' | 'rfc5227') => () => {
    reads += 1;
    return { ...empty, desired: { ...empty.desired, probing } };
  };
  file.changed(read('fast'));
  await until(() => reads === 1 && file.load() !== null);
  for (let count = 0; count < 20; count += 1) file.changed(read('fast'));
  file.changed(read('rfc5227'));
  await sleep(50);
  assert.equal(reads, 1);
  await until(() => reads === 2 && file.load()?.desired.probing === 'rfc5227');
  await sleep(400);
  assert.equal(reads, 2);
  await file.close();
  assert.equal(reads, 2);
});

test('what is not written yet is written at the end', async (t) => {
  const path = join(folder(t), 'state.json');
  const { file } = fileIn(path);
  const saved = rich();
  file.changed(() => ({ ...saved, configuration: null }));
  file.changed(() => saved);
  await file.close();
  assert.deepEqual(file.load(), saved);
  file.changed(() => ({ ...saved, configuration: null }));
  await file.close();
  assert.deepEqual(file.load(), saved);
});

test('a damaged file, another version, and none are told apart from a state', async (t) => {
  const path = join(folder(t), 'state.json');
  const { file, lines } = fileIn(path);
  assert.equal(file.load(), null);
  file.changed(rich);
  await file.close();
  const text = readFileSync(path, 'utf8');
  const first = (change: (state: Record<string, unknown>) => void) => {
    const state = JSON.parse(text) as Record<string, unknown>;
    change(state);
    return JSON.stringify(state);
  };
  const damaged = [
    '',
    text.slice(0, -10),
    first((state) => {
      state.version = 2;
    }),
    first((state) => {
      state.services = [['default/web', ['192.0.2.300'], 0]];
    }),
    first((state) => {
      state.services = [['default/web', ['192.0.2.1'], 99]];
    }),
  ];
  for (const content of damaged) {
    writeFileSync(path, content);
    assert.equal(file.load(), null, content.slice(0, 60));
  }
  assert.deepEqual(lines, [
    'info: no state was saved on this node yet',
    ...damaged.map(() => 'warn: the saved state cannot be read, and is not used'),
  ]);
});

test('a disk that refuses is told once, tried again, and told when it is well', async (t) => {
  const path = join(folder(t), 'state.json');
  mkdirSync(path);
  const { file, lines } = fileIn(path, 50);
  const saved = rich();
  file.changed(() => saved);
  await until(() => lines.length === 1);
  await sleep(150);
  rmSync(path, { recursive: true });
  await until(() => lines.length === 2);
  await file.close();
  assert.deepEqual(file.load(), saved);
  assert.match(lines[0]!, /^warn: the state cannot be saved/);
  assert.match(lines[1]!, /^info: the state is saved again/);
});
