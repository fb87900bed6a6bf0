// What a change costs does not grow with what did not change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ClusterState } from '../../src/sources/kubernetes/cluster_state.js';
import { clusterState, nodes, rawNode, rawService, rawSlice, services, slices } from './source_sample.js';

const ROUNDS = 1_500;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Processor time of this process since it started, in milliseconds: others use the machine too. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function stateOf(count: number, nodeCount: number) {
  const state = clusterState();
  state.applyNodes(nodes(...Array.from({ length: nodeCount }, (_, index) => rawNode(`node-${index}`))));
  const names = Array.from({ length: count }, (_, index) => `service-${index}`);
  state.applyServices(
    services(
      ...names.map((name, index) =>
        rawService(name, {
          ips: [`198.18.${index >> 8}.${index & 255}`],
          policy: index % 2 === 0 ? 'Local' : 'Cluster',
        }),
      ),
    ),
  );
  state.applyEndpointSlices(slices(...names.map((name) => rawSlice(name, ['node-a', 'node-b']))));
  const startedMs = cpuMs();
  const { updates } = state.settle(0);
  const settledMs = cpuMs() - startedMs;
  assert.ok(updates[0]?.type === 'complete' && updates[0].desired.services.length === count);
  return { state, settledMs };
}

/** Microseconds for a flap of the endpoints of one service: `told`, whether it makes a difference. */
function flapUs(state: ClusterState, service: string, told: boolean): number {
  const flaps = [slices(rawSlice(service, ['node-b'])), slices(rawSlice(service, ['node-a', 'node-b']))] as const;
  let updates = 0;
  const run = (rounds: number) => {
    for (let round = 0; round < rounds; round += 1) {
      state.applyEndpointSlices(flaps[round % 2]!);
      updates += state.settle(0).updates.length;
    }
  };
  run(ROUNDS / 2);
  // What it cost to set the scene is not what a change costs.
  collectGarbage();
  const startedMs = cpuMs();
  run(ROUNDS);
  const us = ((cpuMs() - startedMs) * 1000) / ROUNDS;
  assert.equal(updates, told ? ROUNDS * 1.5 : 0);
  return us;
}

test('an endpoint flap costs the same with 10 and with 10,000 services', (t) => {
  const [fewServices, manyServices] = [stateOf(10, 100).state, stateOf(10_000, 100).state];
  for (const [what, service, told] of [
    ['Local, told', 'service-4', true],
    ['Cluster, without consequence', 'service-5', false],
  ] as const) {
    const few = flapUs(fewServices, service, told);
    const many = flapUs(manyServices, service, told);
    t.diagnostic(`${what}: ${few.toFixed(1)} us with 10 services, ${many.toFixed(1)} us with 10,000`);
    // Twice is the aim; the machine is shared.
    assert.ok(many < 4 * few + 20, `${what}: ${few} us, then ${many} us`);
  }
});

test('a change of a node looks at 10,000 services in no more than a moment', (t) => {
  const { state, settledMs } = stateOf(10_000, 100);
  const startedMs = cpuMs();
  state.applyNodes(nodes(rawNode('node-7', { labels: { rack: '1' } })));
  assert.deepEqual(state.settle(0).updates, []);
  const labelMs = cpuMs() - startedMs;
  state.applyNodes(nodes(rawNode('node-7', { labels: { rack: '1' } })));
  const heartbeatMs = cpuMs();
  assert.deepEqual(state.settle(0).updates, []);
  const idleMs = cpuMs() - heartbeatMs;
  t.diagnostic(
    `first: ${settledMs.toFixed(0)} ms, label of a node: ${labelMs.toFixed(0)} ms, nothing new: ${idleMs.toFixed(2)} ms`,
  );
  assert.ok(labelMs < 1_000 && idleMs < 20);
});
