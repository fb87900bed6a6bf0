// Heartbeats with keys: who has none or another one is no peer and disturbs nobody, keys change under load, and a flood of
// forged frames drowns nothing.
import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ArpeggioNode, LogLine } from '../../src/lab/arpeggio_node.js';
import { EAGER_RESOLUTION } from '../../src/lab/client.js';
import { observe } from '../../src/lab/observation.js';
import { clusterSpec } from '../../src/lab/stage.js';
import { assertUnmoved, eventually, withCluster } from './harness/failover_bed.js';
import { HEARTBEAT_ETHERTYPE, heartbeat, readHeartbeat } from './harness/heartbeat.js';
import { Wire } from './harness/wire.js';

const FLOOD_PY = fileURLToPath(new URL('../../../test/net/flood.py', import.meta.url));
const OLD_KEY = 'the key of last year, 32 bytes..';
const NEW_KEY = 'the key of this year, 32 bytes..';
const FLOOD_RATE = 100_000;
const FLOOD_SECONDS = 2;

const SPEC = clusterSpec(EAGER_RESOLUTION);
const WITH_STRANGER = {
  ...SPEC,
  hosts: [...SPEC.hosts, { name: 'stranger', interfaces: [{ switch: 'switch-1', addresses: [] }] }],
};

const keyFile = (directory: string) => join(directory, 'heartbeat.key');

async function setKeys(node: ArpeggioNode, ...keys: readonly string[]): Promise<void> {
  await writeFile(keyFile(node.directory), `${keys.join('\n')}\n`);
  await chmod(keyFile(node.directory), 0o600);
}

const refused = async (node: ArpeggioNode, reason: string) => (await node.status()).counters.drops[reason] ?? 0;

test('keys keep strangers out, can be changed under load, and are checked fast enough for a flood', async (t) => {
  const options = {
    spec: WITH_STRANGER,
    nodeSettings: (node: string, directory: string) => ({
      heartbeat: { key: { file: keyFile(directory) } },
      ...(node === 'node-c' && { probing: 'fast' }),
    }),
    prepare: async ({ nodes }: { nodes: readonly ArpeggioNode[] }) => {
      for (const node of nodes) await setKeys(node, OLD_KEY);
    },
    started: ['node-a', 'node-b'],
  };
  await withCluster(t, options, async (cluster, owners) => {
    const [one, two, third] = cluster.nodes;
    assert.ok(one && two && third);

    await t.test('a node with another key is heard by nobody, and finds its addresses in use', async () => {
      await setKeys(third, NEW_KEY);
      const mixed = await observe(
        cluster,
        async () => {
          third.start();
          await third.waitForLog('conflict', ({ to }) => to === 'conflict', 10_000);
        },
        1500,
      );
      assertUnmoved(mixed, owners, 'another key');
      const status = await third.status();
      assert.deepEqual(
        status.addresses.filter(({ answering }) => answering),
        [],
      );
      for (const node of [one, two, third] as const) {
        assert.ok((await refused(node, 'heartbeat-forged')) > 10, `${node.name} has refused nothing`);
        const told: readonly LogLine[] = node.log.filter(({ msg, mac }) => /heartbeat/.test(msg) && mac === third.mac);
        if (node !== third) assert.equal(told.length, 1, `once a minute: ${JSON.stringify(told)}`);
      }
      assert.deepEqual(await third.stop(), { code: 0, signal: null });
    });

    await t.test('with the right key it is one of them, and takes nothing', async () => {
      await setKeys(third, OLD_KEY);
      assertUnmoved(
        await observe(cluster, async () => {
          third.start();
          await cluster.settled();
        }),
        owners,
        'the same key',
      );
      const { peers } = await one.status();
      assert.deepEqual(
        peers
          .filter(({ link }) => link === 'two-way')
          .map(({ node }) => node)
          .sort(),
        ['node-b', 'node-c'],
      );
    });

    await t.test('keys are changed node by node, and nothing moves', async () => {
      const before = await Promise.all(cluster.nodes.map((node) => refused(node, 'heartbeat-forged')));
      const rotation = await observe(cluster, async () => {
        for (const keys of [[OLD_KEY, NEW_KEY], [NEW_KEY, OLD_KEY], [NEW_KEY]]) {
          for (const node of cluster.nodes) {
            await setKeys(node, ...keys);
            node.reload();
            await delay(250);
          }
        }
      });
      assertUnmoved(rotation, owners, 'rotation');
      const after = await Promise.all(cluster.nodes.map((node) => refused(node, 'heartbeat-forged')));
      assert.deepEqual(after, before, 'somebody was not heard meanwhile');
      assert.deepEqual(await cluster.settled(), owners);
      const wire = await Wire.open(cluster.network.host('stranger'), 'eth0', [HEARTBEAT_ETHERTYPE]);
      const { hex } = await wire.expect(({ hex }) => readHeartbeat(hex)?.name === one.name);
      const sent = readHeartbeat(hex);
      assert.ok(sent?.signed);
      await wire.close();
    });

    await t.test(`${FLOOD_RATE} forged frames a second are no heartbeats, and hide none`, async (flooded) => {
      const stranger = cluster.network.host('stranger');
      const wire = await Wire.open(stranger, 'eth0', [HEARTBEAT_ETHERTYPE]);
      const captured = await wire.expect(({ hex }) => readHeartbeat(hex)?.name === two.name);
      const real = readHeartbeat(captured.hex);
      assert.ok(real);
      await wire.close();
      // As the peer itself would say that it leaves; from its own MAC, from others, and replayed.
      const fields = { ...real, state: 'leaving', key: 'not the key of this cluster' } as const;
      const forged = Array.from({ length: 64 }, (_, number) =>
        heartbeat({ ...fields, sequence: real.sequence + 1000 + number }),
      );
      const frames = [...forged, captured.hex, heartbeat({ ...fields, mac: '02:00:00:00:00:99', key: null })];
      const before = await one.status();
      let said = { sent: 0, seconds: 0 };
      const flood = await observe(cluster, async () => {
        const argv = ['python3', FLOOD_PY, 'eth0', String(FLOOD_RATE), String(FLOOD_SECONDS)];
        const options = { input: frames.join('\n'), timeoutMs: 20_000 };
        said = JSON.parse((await stranger.exec(argv, options)).stdout);
      });
      for (const reports of Object.values(flood.seen)) {
        for (const [address, { answeredBy }] of Object.entries(reports))
          assert.deepEqual(
            answeredBy.map(({ node }) => node),
            [owners[address]],
            address,
          );
      }
      const rate = said.sent / said.seconds;
      // What a busy machine sends; everything else holds at any rate.
      flooded.diagnostic(`${Math.round(rate)} forged frames a second`);
      assert.ok(rate > FLOOD_RATE / 10, `this machine sends only ${Math.round(rate)} frames a second`);
      const after = await one.status();
      assert.deepEqual(after.moves, before.moves);
      const counted = (await refused(one, 'heartbeat-forged')) - (before.counters.drops['heartbeat-forged'] ?? 0);
      assert.ok(counted > 0, 'the flood was not seen');
      assert.ok((await refused(one, 'heartbeat-replayed')) > 0, 'the replayed frame was not seen');
      await eventually('all hear each other', async () =>
        (await one.status()).peers.every(({ link }) => link === 'two-way'),
      );
      assert.deepEqual(await cluster.settled(), owners);
    });
  });
});
