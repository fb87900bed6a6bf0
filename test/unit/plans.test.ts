// What the packet thread is armed with stays right when only the plan of one peer is made anew.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Address } from '../../src/net/address.js';
import { Cluster } from './cluster_driver.js';

const NODES = ['node-a', 'node-b', 'node-c', 'node-d'];
const ADDRESSES = Array.from({ length: 24 }, (_, index) => `192.0.2.${index + 1}` as Address);
const service = (index: number, nodes: readonly string[] | null = null) => ({
  name: `service-${index}`,
  addresses: [ADDRESSES[index] as Address],
  interfaces: null,
  nodes,
});

/** What the thread of each node is armed with: "peer's incarnation: addresses", sorted. */
function armed(cluster: Cluster, name: string): string[] {
  const plans = cluster.node(name).table.plans ?? [];
  return plans.map(({ incarnation, addresses }) => `${incarnation}: ${addresses.toSorted().join()}`).sort();
}

test('after a change of one address all nodes are armed as if all plans had been made anew', () => {
  const cluster = new Cluster(ADDRESSES.map((_, index) => service(index)));
  for (const name of NODES) cluster.start(name);
  cluster.run(4_000);
  const before = NODES.map((name) => armed(cluster, name));
  // Owned by another node than some that are asked below; its heirs are fewer now.
  const owners = ADDRESSES.map((address) => cluster.answering(address)[0]);
  const index = owners.indexOf('node-b');
  assert.ok(index >= 0);
  for (const name of NODES) cluster.desireAt(name, [service(index, ['node-b', 'node-d'])]);
  cluster.run(500);
  const after = NODES.map((name) => armed(cluster, name));
  assert.notDeepEqual(after, before);
  const heirs = NODES.filter((name) =>
    armed(cluster, name).some((plan) => plan.split(/[ ,]/).includes(ADDRESSES[index]!)),
  );
  assert.deepEqual(heirs, ['node-d']);
  // All anew: nobody owns or wants anything else.
  for (const name of NODES) cluster.step(name, { type: 'sessions', live: [] });
  cluster.run(500);
  assert.deepEqual(
    NODES.map((name) => armed(cluster, name)),
    after,
  );
});

test('a node that could take nothing for a while is armed for all peers again afterwards', () => {
  const cluster = new Cluster(ADDRESSES.map((_, index) => service(index)));
  for (const name of NODES) cluster.start(name);
  cluster.run(4_000);
  const index = ADDRESSES.findIndex((address) => cluster.answering(address)[0] === 'node-b');
  cluster.step('node-a', { type: 'usable', interfaces: new Set() });
  cluster.desireAt('node-a', [service(index, ['node-a', 'node-b'])]);
  cluster.run(500);
  assert.deepEqual(armed(cluster, 'node-a'), []);
  cluster.step('node-a', { type: 'usable', interfaces: new Set(['eth0']) });
  cluster.desireAt('node-a', [service(index)]);
  cluster.run(500);
  assert.equal(armed(cluster, 'node-a').length, 3);
});

test('what a node may not own any more it is not armed with from the moment it is told', () => {
  const cluster = new Cluster(ADDRESSES.map((_, index) => service(index)));
  for (const name of NODES) cluster.start(name);
  cluster.run(4_000);
  const [plan] = cluster.node('node-a').table.plans ?? [];
  assert.ok(plan !== undefined && plan.addresses.length > 1);
  const address = plan.addresses[0]!;
  cluster.desireAt('node-a', [service(ADDRESSES.indexOf(address), ['node-b', 'node-c', 'node-d'])]);
  assert.deepEqual(cluster.node('node-a').table.plans?.[0], { ...plan, addresses: plan.addresses.slice(1) });
});
