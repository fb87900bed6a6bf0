// Guarantees of `arpeggio speaker` while the API server is away for two minutes: nothing changes on the wire, nodes replace each
// other as ever, one that is started meanwhile serves what it served before, and nothing happens when the server returns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CLIENT_NAMES, NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { withBed } from './harness/bed.js';
import { assignedServices, ownershipTold, SpeakerEyes } from './harness/speaker_eyes.js';
import { assertNothingLost, Traffic } from './harness/traffic.js';

const AWAY_MS = 120_000;
/** The goal is 200 ms; this machine may be busy. */
const OUTAGE_LIMIT_MS = 1000;

test('without the API server everything goes on, also for who is started meanwhile', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [] });
    const services = await assignedServices(bed, ['web', 'shop', 'mail']);
    const addresses = Object.values(services).flat();
    let owners = await arpeggio.settled(addresses);
    const reachable = async () => {
      for (const client of CLIENT_NAMES)
        for (const address of addresses)
          await bed.api.eventually(`${client} reaches ${address}`, () => bed.curl(client, address));
    };
    await reachable();
    const eyes = new SpeakerEyes(bed);
    await ownershipTold(eyes, services, owners);
    const isReady = (node: NodeName) =>
      bed.api.eventually(
        `${node} is ready`,
        async () => (await arpeggio.speaker(node).status()).state === 'ready',
        20_000,
      );
    const traffic = await Traffic.start(bed, addresses);
    try {
      const awayMs = monotonicMs();
      assertNothingLost(await traffic.during(() => bed.control.stopApi(), 20_000), 'the API server stopped');
      assert.deepEqual(await arpeggio.settled(addresses), owners);

      const dead = owners[addresses[0]!] as NodeName;
      const lost = addresses.filter((address) => owners[address] === dead);
      const died = await traffic.during(() => bed.powerOff(dead, arpeggio.speaker(dead)), 3_000, { dead });
      t.diagnostic(`${dead} died: ${died.longestGapMs.toFixed(0)} ms without an answer, ${lost.length} addresses`);
      assert.ok(died.lost > 0, 'the death was noticed');
      assert.ok(died.longestGapMs < OUTAGE_LIMIT_MS, `${died.longestGapMs} ms without an answer`);
      const ofDead = died.losses.filter((text) => lost.some((address) => text.includes(` ${address} `)));
      assert.deepEqual(died.losses, ofDead, 'what others own is not affected');
      owners = await arpeggio.settled(addresses);

      // It has no list from the API server: what is on its disk is all it knows.
      const returned = await traffic.during(
        async () => {
          await bed.powerOn(dead);
          await arpeggio.speaker(dead).start();
          await isReady(dead);
        },
        5_000,
        { dead },
      );
      assertNothingLost(returned, `${dead} is back`);
      assert.deepEqual(await arpeggio.settled(addresses), owners, 'it takes nothing away');
      const warnings = (await arpeggio.speaker(dead).status()).warnings.join('\n');
      assert.match(warnings, /what is announced comes from the state on disk/);

      // It serves all that there is, when asked to.
      const others = NODE_NAMES.filter((node) => node !== dead);
      const alone = async () => {
        for (const node of others) await arpeggio.speaker(node).stop('SIGTERM');
      };
      assertNothingLost(await traffic.during(alone, 3_000), `all but ${dead} ended`);
      owners = await arpeggio.settled(addresses);
      assert.deepEqual(new Set(Object.values(owners)), new Set([dead]));
      await reachable();
      const together = async () => {
        for (const node of others) await arpeggio.speaker(node).start();
        for (const node of others) await isReady(node);
        await delay(Math.max(0, awayMs + AWAY_MS - monotonicMs()));
      };
      assertNothingLost(await traffic.during(together, 0), 'two minutes without the API server');
      assert.deepEqual(await arpeggio.settled(addresses), owners, 'they take nothing away');

      // The server comes back, and has heard of no kubelet for two minutes.
      const notReady = async () => {
        await bed.control.startApi();
        await Promise.all(NODE_NAMES.map((node) => bed.setNode(node, { ready: false })));
      };
      assertNothingLost(await traffic.during(notReady, 8_000), 'the API server came back, with all nodes NotReady');
      assert.deepEqual(await arpeggio.settled(addresses), owners, 'nothing is withdrawn');
      const ready = () => Promise.all(NODE_NAMES.map((node) => bed.setNode(node, { ready: true })));
      assertNothingLost(await traffic.during(ready, 3_000), 'the nodes are ready again');
      assert.deepEqual(await arpeggio.settled(addresses), owners);

      // What happened meanwhile is written down.
      await ownershipTold(eyes, services, owners);
      for (const node of NODE_NAMES)
        await bed.api.eventually(
          `${node} follows the API server again`,
          async () => (await arpeggio.speaker(node).status()).warnings.every((text) => !/API server/.test(text)),
          60_000,
        );
    } finally {
      await traffic.stop();
    }
    await arpeggio.stop();
  });
});
