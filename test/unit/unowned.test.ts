// Addresses that nobody owns: which of them are looked at when one changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Membership } from '../../src/membership/membership.js';
import type { Address } from '../../src/net/address.js';
import { Unowned } from '../../src/ownership/unowned.js';
import { Cluster } from './cluster_driver.js';

const A = '192.0.2.1' as Address;
const B = '192.0.2.2' as Address;
const C = '192.0.2.3' as Address;

test('what has no candidate is left alone until that may have changed, or for a minute', () => {
  const unowned = new Unowned(new Membership());
  for (const address of [A, B, C]) unowned.add(address, 0);
  unowned.fallTo(A, null, 0);
  unowned.fallTo(B, 'node-b', 0);
  assert.deepEqual([...unowned.open], [B, C]);
  unowned.fallTo(C, null, 0);
  unowned.reopen(C);
  unowned.reopen('192.0.2.9' as Address);
  assert.deepEqual([...unowned.open], [B, C]);
  unowned.reopenAll();
  assert.deepEqual([...unowned.open].sort(), [A, B, C]);
  unowned.delete(A);
  unowned.fallTo(C, null, 0);
  assert.deepEqual([...unowned.open], [B]);
  assert.deepEqual(
    unowned.takeOverdue(1_500).map(({ address, node }) => [address, node]),
    [[B, 'node-b']],
  );
  assert.deepEqual(unowned.takeOverdue(60_000), [{ address: C, node: null }]);
  assert.deepEqual([...unowned.open], [B, C]);
});

const service = (name: string, address: Address, nodes: readonly string[] | null = null) => ({
  name,
  addresses: [address],
  interfaces: null,
  nodes,
});

test('an address that fell to nobody is claimed at once when its nodes change', () => {
  const cluster = new Cluster([service('one', A, ['node-b']), service('two', B, ['node-c'])]);
  cluster.start('node-a');
  cluster.run(1_000);
  // Nobody else is there whose heartbeats would remind it that it has listened long enough.
  cluster.step('node-a', { type: 'tick' });
  assert.deepEqual([cluster.answering(A), cluster.answering(B)], [[], []]);
  cluster.desireAt('node-a', [service('two', B, ['node-c', 'node-a'])]);
  cluster.run(300);
  assert.deepEqual([cluster.answering(A), cluster.answering(B)], [[], ['node-a']]);
});

test('an address that nobody could take is taken as soon as a node can', () => {
  const cluster = new Cluster([service('one', A)]);
  cluster.start('node-b');
  cluster.run(1_000);
  cluster.step('node-b', { type: 'tick' });
  cluster.run(1_000);
  cluster.unserved.add('node-a');
  cluster.start('node-a');
  cluster.run(2_000);
  assert.deepEqual(cluster.answering(A), ['node-b']);
  cluster.kill('node-b');
  cluster.run(1_000);
  assert.deepEqual(cluster.answering(A), []);
  cluster.step('node-a', { type: 'served', generation: 1 });
  cluster.run(50);
  assert.deepEqual(cluster.answering(A), ['node-a']);
});
