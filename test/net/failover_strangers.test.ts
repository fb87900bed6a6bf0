// Others on the segment who speak the protocol: another cluster, another release, a node of the same name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EAGER_RESOLUTION } from '../../src/lab/client.js';
import { observe } from '../../src/lab/observation.js';
import { clusterSpec } from '../../src/lab/stage.js';
import { assertMoved, assertTaken, assertUnmoved, busiest, eventually, withCluster } from './harness/failover_bed.js';
import { RawPeer } from './harness/heartbeat.js';

const GREEN = { name: 'green', addresses: ['192.0.2.90', '2001:db8::90'] };
const SLOW = { intervalMs: 100, multiplier: 5 };

const SPEC = clusterSpec(EAGER_RESOLUTION);
const WITH_STRANGER = {
  ...SPEC,
  hosts: [
    ...SPEC.hosts,
    { name: 'stranger', interfaces: [{ switch: 'switch-2', addresses: ['192.0.2.112/24', '2001:db8::112/64'] }] },
  ],
};

test('two clusters share a segment, and each minds its own', async (t) => {
  const nodeSettings = (node: string) => (node === 'node-c' ? { cluster: 'green', probing: 'fast' } : {});
  await withCluster(t, { started: ['node-a', 'node-b'], nodeSettings }, async (cluster, owners) => {
    const green = cluster.node('node-c');
    await green.configure([GREEN]);
    const answersGreen = async () => {
      const status = await green.status().catch(() => null);
      return status?.addresses.every(({ answering }) => answering) ?? false;
    };
    const arrival = await observe(cluster, async () => {
      green.start();
      await eventually('green answers for its own', answersGreen);
    });
    assertUnmoved(arrival, owners, 'the other cluster arrives');
    assert.deepEqual((await green.status()).peers, []);
    assert.deepEqual(
      (await cluster.node('node-a').status()).peers.map(({ node }) => node),
      ['node-b'],
    );
    for (const node of cluster.nodes) {
      const { counters } = await node.status();
      assert.ok((counters.drops['heartbeat-cluster'] ?? 0) > 0, `${node.name} hears no other cluster`);
    }

    const name = busiest(owners);
    const loss = await observe(cluster, () => cluster.node(name).stop('SIGKILL'));
    const [left] = cluster.others(name, green.name);
    assert.ok(left);
    const after = await cluster.ownersOf([left]);
    assertTaken(owners, after, name);
    assertMoved(loss, owners, after, 'a node of the first cluster is killed');
    assert.ok(await answersGreen());
    assert.deepEqual(
      (await green.status()).moves.filter(({ from }) => from === name),
      [],
    );
  });
});

test('other releases and namesakes', async (t) => {
  await withCluster(t, { spec: WITH_STRANGER, started: ['node-a', 'node-b'] }, async (cluster, owners) => {
    const node = cluster.node('node-a');
    const stranger = cluster.network.host('stranger');
    const linkOf = async (name: string) => (await node.status()).peers.find((peer) => peer.node === name)?.link ?? null;

    await t.test('a later minor version is a peer: what it has added is skipped', async () => {
      const arrival = await observe(cluster, async () => {
        const later = { minor: 3, laterHeader: 'cafe', laterBody: 'deadbeefdeadbeef', ...SLOW };
        const peer = await RawPeer.start(stranger, 'later', later);
        await eventually('it is a peer', async () => (await linkOf('later')) === 'two-way');
        await delay(500);
        await peer.stop();
        await eventually('it is gone', async () => (await linkOf('later')) === 'down');
      });
      assertUnmoved(arrival, owners, 'a later minor version comes and goes');
    });

    await t.test('another major version is none, and is told of once', async () => {
      const arrival = await observe(cluster, async () => {
        const peer = await RawPeer.start(stranger, 'next', { major: 2, incarnation: '0123456789abcdf0', ...SLOW });
        const dropped = async () => ((await node.status()).counters.drops['heartbeat-version'] ?? 0) > 5;
        await eventually('its frames are refused', dropped);
        await peer.stop();
      });
      assertUnmoved(arrival, owners, 'another major version');
      assert.equal(await linkOf('next'), null);
      const told = node.log.filter(({ msg, mac }) => /heartbeat/.test(msg) && mac === stranger.mac);
      assert.equal(told.length, 1, JSON.stringify(told));
    });
  });
});

test('a second node of the same name is no peer, and takes nothing', async (t) => {
  const nodeSettings = (node: string) => (node === 'node-c' ? { node: 'node-a', probing: 'fast' } : {});
  await withCluster(t, { started: ['node-a', 'node-b'], nodeSettings }, async (cluster, owners) => {
    const namesake = cluster.node('node-c');
    const arrival = await observe(
      cluster,
      async () => {
        namesake.start();
        await namesake.waitForLog('conflict', ({ to }) => to === 'conflict', 10_000);
      },
      1500,
    );
    assertUnmoved(arrival, owners, 'a namesake');
    const { addresses } = await namesake.status();
    assert.deepEqual(
      addresses.filter(({ answering }) => answering),
      [],
    );
    const [first, second] = [cluster.node('node-a'), namesake].map(({ log }) => log);
    assert.ok(
      first?.some(({ mac }) => mac === namesake.mac),
      'the first one does not say who has its name',
    );
    assert.ok(
      second?.some(({ mac }) => mac === cluster.node('node-a').mac),
      'nor does the second',
    );
    assert.deepEqual(await cluster.ownersOf([cluster.node('node-a'), cluster.node('node-b')]), owners);
  });
});
