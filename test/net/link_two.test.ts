// Outcome: while one interface is replaced, which takes the kernel tens of milliseconds, another one is answered on time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import { arp, hexIpv4 } from './harness/frames.js';
import { withNetwork } from './harness/network.js';
import { answersFor, startNode } from './harness/node.js';
import { Wire } from './harness/wire.js';

const SERVICE = '192.0.2.10';
const CLIENT_MAC = '02:00:00:00:00:02';
const REPLACEMENTS = 4;
/** Opened and closed in the packet thread itself, a port held it up for 19 to 69 ms; beside it, for none: 1 to 2 ms. */
const MAX_DELAY_MS = 12;
/** A busy machine may lose one round. */
const ATTEMPTS = 3;

const SPEC: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: [
    { name: 'node', interfaces: [{ switch: 'switch', addresses: ['192.0.2.1/24'] }] },
    { name: 'client', interfaces: [{ switch: 'switch', mac: CLIENT_MAC }] },
  ],
};

const ADD_ETH1 = ['link add eth1 type veth peer name far1', 'link set far1 up', 'link set eth1 up'];

test('replacing one interface delays no answer on another', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const [host, client] = [network.host('node'), network.host('client')];
    await host.batch(ADD_ETH1);
    const services = [{ name: 'web', addresses: [SERVICE] }];
    const node = await startNode(network, 'node', services, { interfaces: ['eth0', 'eth1'] });
    await answersFor(node, [SERVICE]);
    const asker = await Wire.open(client, 'eth0', [0x0806]);
    const listener = await Wire.open(client, 'eth0', [0x0806]);

    let slowestMs = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < ATTEMPTS && slowestMs > MAX_DELAY_MS; attempt += 1) {
      // Each question has a sender of its own, so that each answer tells which one it belongs to.
      const asked = new Map<string, number>();
      let asking = true;
      const questions = (async () => {
        while (asking) {
          const spa = `10.${attempt}.${asked.size >> 8}.${asked.size & 255}`;
          asked.set(hexIpv4(spa), await asker.send(arp({ sha: CLIENT_MAC, spa, tpa: SERVICE })));
          await delay(1);
        }
      })();
      for (let round = 0; round < REPLACEMENTS; round += 1) {
        const opened = node.log.length;
        await host.batch(['link del eth1']);
        await host.batch(ADD_ETH1);
        while (!node.log.slice(opened).some(({ msg }) => msg === 'eth1 is open')) await delay(10);
      }
      await delay(200);
      asking = false;
      await questions;
      await delay(200);

      const answeredNs = new Map<string, number>();
      for (const { hex, ns } of listener.captured(({ type }) => type === 'host')) {
        answeredNs.set(hex.slice(2 * 38, 2 * 42), ns);
      }
      const delaysMs = [...asked].map(([spa, ns]) => ((answeredNs.get(spa) ?? Number.POSITIVE_INFINITY) - ns) / 1e6);
      assert.ok(delaysMs.length > 100, `only ${delaysMs.length} questions`);
      slowestMs = Math.max(...delaysMs);
    }
    assert.ok(slowestMs <= MAX_DELAY_MS, `the slowest answer took ${slowestMs} ms`);
    await node.stop();
  });
});
