// Nodes with two interfaces: each segment has its own owners, and what happens on one does not concern the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArpeggioNode } from '../../src/lab/arpeggio_node.js';
import { EAGER_RESOLUTION } from '../../src/lab/client.js';
import type { HostSpec, NetworkSpec } from '../../src/lab/network_spec.js';
import { observe } from '../../src/lab/observation.js';
import { NODE_SYSCTLS } from '../../src/lab/stage.js';
import { assertMoved, assertUnmoved, OUTAGE_LIMIT_MS, withCluster } from './harness/failover_bed.js';

const LEFT = [
  { name: 'left-1', addresses: ['192.0.2.10', '2001:db8:1::10'], interfaces: ['eth0'] },
  { name: 'left-2', addresses: ['192.0.2.20', '2001:db8:1::20'], interfaces: ['eth0'] },
  { name: 'left-3', addresses: ['192.0.2.30', '2001:db8:1::30'], interfaces: ['eth0'] },
];
const RIGHT = [
  { name: 'right-1', addresses: ['198.51.100.10', '2001:db8:2::10'], interfaces: ['eth1'] },
  { name: 'right-2', addresses: ['198.51.100.20', '2001:db8:2::20'], interfaces: ['eth1'] },
  { name: 'right-3', addresses: ['198.51.100.30', '2001:db8:2::30'], interfaces: ['eth1'] },
];
const NODES = ['node-a', 'node-b', 'node-c'];
/** Its eth1 is lost. */
const LOSER = 'node-a';
const SETTINGS = { interfaces: ['eth0', 'eth1'], probing: 'none' };

const left = (number: number) => [`192.0.2.${number}/24`, `2001:db8:1::${number}/64`];
const right = (number: number) => [`198.51.100.${number}/24`, `2001:db8:2::${number}/64`];

const node = (name: string, number: number, second: string): HostSpec => ({
  name,
  interfaces: [
    { name: 'eth0', switch: 'left', addresses: left(number) },
    { name: 'eth1', switch: second, addresses: second === 'left' ? [] : right(number) },
  ],
  sysctls: NODE_SYSCTLS,
});

const client = (name: string, switchName: string, addresses: readonly string[]): HostSpec => ({
  name,
  interfaces: [{ switch: switchName, addresses }],
  sysctls: EAGER_RESOLUTION,
});

const TWO_SEGMENTS: NetworkSpec = {
  switches: [{ name: 'left' }, { name: 'right' }],
  hosts: [
    ...NODES.map((name, index) => node(name, index + 1, 'right')),
    client('client-left', 'left', left(101)),
    client('client-right', 'right', right(101)),
  ],
};

const addressesOf = (services: readonly { addresses: readonly string[] }[]) =>
  services.flatMap(({ addresses }) => addresses);

test('one of two segments is lost to a node: its addresses move there, and nothing happens on the other', async (t) => {
  const clients = ['client-left', 'client-right'];
  const segments = { 'client-left': LEFT, 'client-right': RIGHT };
  const options = {
    spec: TWO_SEGMENTS,
    nodes: NODES,
    clients,
    services: [...LEFT, ...RIGHT],
    settings: SETTINGS,
    streams: (name: string) => addressesOf(segments[name as keyof typeof segments]),
  };
  await withCluster(t, options, async (cluster, owners) => {
    for (const [state, what] of [
      ['down', 'eth1 is lost'],
      ['up', 'eth1 is back'],
    ] as const) {
      const before = state === 'down' ? owners : await cluster.settled();
      assert.equal(
        addressesOf(RIGHT).some((address) => before[address] === LOSER),
        state === 'down',
        what,
      );
      const event = () => cluster.network.setCable(LOSER, state, 'eth1');
      const observation = await observe(cluster, event, 1200);
      const after = await cluster.settled();
      for (const address of addressesOf(LEFT)) assert.equal(after[address], owners[address], what);
      for (const address of addressesOf(RIGHT)) assert.notEqual(after[address], LOSER, what);
      assertMoved(observation, before, after, what);
      assert.ok(observation.outageMs <= OUTAGE_LIMIT_MS, what);
      if (state === 'up') assertUnmoved(observation, before, what);
    }
  });
});

test('two interfaces on one segment: said once, and a node is lost only with both', async (t) => {
  const spec: NetworkSpec = {
    switches: [{ name: 'left' }],
    hosts: [...NODES.map((name, index) => node(name, index + 1, 'left')), client('client', 'left', left(101))],
  };
  const services = LEFT.map(({ interfaces, ...service }) => service);
  const options = { spec, nodes: NODES, clients: ['client'], services, settings: SETTINGS };
  await withCluster(t, options, async (cluster) => {
    const saysSo = ({ log }: ArpeggioNode) => log.filter(({ msg }) => /segment/.test(msg)).length;
    for (const each of cluster.nodes) assert.ok(saysSo(each) >= 1, `${each.name} does not say so`);
    const before = cluster.nodes.map(saysSo);
    const quiet = await observe(cluster, async () => {}, 1000);
    for (const reports of Object.values(quiet.seen)) {
      for (const [address, { lost, answeredBy }] of Object.entries(reports)) {
        assert.equal(lost, 0, address);
        assert.equal(answeredBy.length, 1, `${address} is answered by ${JSON.stringify(answeredBy)}`);
      }
    }
    assert.deepEqual(cluster.nodes.map(saysSo), before);
  });
});
