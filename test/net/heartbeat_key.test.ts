// Keys of heartbeats, names and segments, as the users of `arpeggio run` meet them.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ArpeggioNode, type NodeStatus } from '../../src/lab/arpeggio_node.js';
import { Cluster } from '../../src/lab/cluster.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import { clusterSpec } from '../../src/lab/stage.js';
import { withNetwork } from './harness/network.js';
import { answersFor } from './harness/node.js';

const WEB = { name: 'web', addresses: ['192.0.2.10', '2001:db8::10'] };
const OLD = 'an old key of this cluster';
const NEW = 'a new key of this cluster';

async function eventually(what: string, node: ArpeggioNode, holds: (status: NodeStatus) => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const status = await node.status().catch(() => null);
    if (status && holds(status)) return;
    assert.ok(
      performance.now() < deadline,
      `${what}: not so after 10 s: ${JSON.stringify(status)}\n${node.lastOutput}`,
    );
    await delay(50);
  }
}

const hearsAll = ({ peers }: NodeStatus): boolean => peers.length > 0 && peers.every(({ link }) => link === 'two-way');

test('the key is changed node by node, and nobody is lost meanwhile; without it a node is refused by name', async (t) => {
  await withNetwork(t, clusterSpec(), async (network) => {
    const keyPath = (directory: string) => join(directory, 'heartbeat.key');
    const write = (directory: string, ...keys: string[]) =>
      writeFileSync(keyPath(directory), `${keys.join('\n')}\n`, { mode: 0o600 });
    const names = ['node-a', 'node-b'];
    const cluster = await Cluster.create(network, {
      services: [WEB],
      nodes: names,
      clients: [],
      nodeSettings: (_, directory) => ({ heartbeat: { key: { file: keyPath(directory) } } }),
    });
    const nodes = names.map((name) => cluster.node(name));
    for (const { directory } of nodes) write(directory, OLD);
    const owners = await cluster.start();
    for (const node of nodes) await eventually(`${node.name} hears the other`, node, hearsAll);

    for (const keys of [[OLD, NEW], [NEW, OLD], [NEW]]) {
      for (const node of nodes) {
        const changes = node.log.filter(({ msg }) => msg === 'the keys of heartbeats have changed').length;
        write(node.directory, ...keys);
        node.reload();
        await eventually('keys are read', node, () => {
          return node.log.filter(({ msg }) => msg === 'the keys of heartbeats have changed').length > changes;
        });
        // Longer than it takes to count a peer as down.
        await delay(300);
        for (const each of nodes) await eventually(`${each.name} hears the other`, each, hearsAll);
      }
    }
    assert.deepEqual(await cluster.settled(), owners);
    for (const node of nodes) assert.equal((await node.status()).counters.heartbeatsRefused, 0, node.lastOutput);

    const [one, other] = nodes as [ArpeggioNode, ArpeggioNode];
    write(other.directory, OLD);
    other.reload();
    await eventually('a warning', one, ({ warnings }) =>
      warnings.some((text) => text.includes(`heartbeats of ${other.mac} on eth0 are refused: their signature`)),
    );
    assert.ok((await one.status()).counters.heartbeatsRefused > 0);
    // A wrong key file is a mistake like others: the old keys stay.
    writeFileSync(keyPath(one.directory), 'short\n');
    one.reload();
    await one.waitForLog('the mistake', ({ msg }) =>
      /heartbeat\.key\.file: .*has a key of 5 bytes on line 1/.test(msg),
    );
    await cluster.stop();
  });
});

const TWO_ON_ONE: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: [
    {
      name: 'node',
      interfaces: [
        { name: 'eth0', switch: 'switch', addresses: ['192.0.2.1/24'] },
        { name: 'eth1', switch: 'switch', addresses: ['192.0.2.2/24'] },
      ],
    },
    { name: 'twin', interfaces: [{ switch: 'switch', addresses: ['192.0.2.3/24'] }] },
  ],
};

test('of two interfaces on one segment the first is used, and the other while the first is down', async (t) => {
  await withNetwork(t, TWO_ON_ONE, async (network) => {
    const settings = { interfaces: ['eth0', 'eth1'] };
    const node = new ArpeggioNode(network.host('node'), { directory: join(network.directory, 'node'), settings });
    await node.configure([WEB]);
    node.start();
    await answersFor(node, WEB.addresses);
    const answeredOn = ({ addresses }: NodeStatus, name: string): boolean =>
      addresses.every(({ interfaces }) =>
        interfaces.some((each) => each.name === name && ['owned', 'newcomer', 'tentative'].includes(each.state)),
      );
    await eventually('a warning', node, ({ warnings }) =>
      warnings.some((text) => text.startsWith('eth1 is on the same segment as eth0, so it is not used')),
    );
    assert.ok(answeredOn(await node.status(), 'eth0'));
    await network.setCable('node', 'down');
    await eventually(
      'eth1 takes its place',
      node,
      (status) => answeredOn(status, 'eth1') && status.warnings.length === 0,
    );
    await node.stop();
  });
});

test('a node whose name another one has says so', async (t) => {
  await withNetwork(t, TWO_ON_ONE, async (network) => {
    const [node, twin] = ['node', 'twin'].map((host) => {
      const directory = join(network.directory, host);
      mkdirSync(directory, { recursive: true });
      return new ArpeggioNode(network.host(host), { directory, settings: { node: 'host-a' } });
    }) as [ArpeggioNode, ArpeggioNode];
    await node.configure([WEB]);
    await twin.configure([{ name: 'api', addresses: ['192.0.2.20'] }]);
    node.start();
    await answersFor(node, WEB.addresses);
    twin.start();
    for (const [each, mac] of [
      [node, twin.mac],
      [twin, node.mac],
    ] as const)
      await eventually('a warning', each, ({ warnings }) =>
        warnings.includes(`${mac} on eth0 says that it is host-a too; give each node a name of its own (node)`),
      );
    await Promise.all([node.stop(), twin.stop()]);
  });
});
