// Guarantees of `arpeggio speaker` while the API server is away: nothing changes on the wire, nodes replace each other as ever, and
// one that is started meanwhile serves what it served before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import { CLIENT_NAMES, NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { withBed } from './harness/bed.js';
import { assignedServices, ownershipTold, SpeakerEyes } from './harness/speaker_eyes.js';

/** The goal is 200 ms; this machine may be busy. */
const OUTAGE_LIMIT_MS = 500;

async function longestGapMs(bed: Bed, event: () => Promise<unknown>): Promise<number> {
  await delay(300);
  const from = monotonicMs();
  await event();
  await delay(1_500);
  const to = monotonicMs();
  const seen = await Promise.all(bed.clients.map((client) => client.reports(from, to)));
  const lossy = seen.flatMap((byAddress) => Object.values(byAddress)).filter(({ lost }) => lost > 0);
  return Math.max(0, ...lossy.map(({ longestGapMs: gap }) => gap));
}

test('without the API server everything goes on, also for who is started meanwhile', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [] });
    const services = await assignedServices(bed, ['web', 'shop']);
    const addresses = Object.values(services).flat();
    let owners = await arpeggio.settled(addresses);
    for (const client of CLIENT_NAMES)
      for (const address of addresses)
        await bed.api.eventually(`${client} reaches ${address}`, () => bed.curl(client, address));
    const eyes = new SpeakerEyes(bed);
    await ownershipTold(eyes, services, owners);
    await Promise.all(bed.clients.map((client) => client.stream(...addresses)));

    assert.equal(await longestGapMs(bed, () => bed.control.stopApi()), 0, 'the API server stopped');
    assert.deepEqual(await arpeggio.settled(addresses), owners);

    const dead = owners[addresses[0]!] as NodeName;
    const gap = await longestGapMs(bed, () => arpeggio.speaker(dead).stop('SIGKILL'));
    assert.ok(gap < OUTAGE_LIMIT_MS, `${gap} ms without an answer`);
    owners = await arpeggio.settled(addresses);

    // It has no list from the API server: what is on its disk is all it knows.
    await arpeggio.speaker(dead).start();
    await bed.api.eventually('it is ready', async () => (await arpeggio.speaker(dead).status()).state === 'ready');
    assert.deepEqual(await arpeggio.settled(addresses), owners, 'it takes nothing away');
    const warnings = (await arpeggio.speaker(dead).status()).warnings.join('\n');
    assert.match(warnings, /what is announced comes from the state on disk/);
    for (const node of NODE_NAMES) if (node !== dead) await arpeggio.speaker(node).stop('SIGTERM');
    owners = await arpeggio.settled(addresses);
    assert.deepEqual(new Set(Object.values(owners)), new Set([dead]));
    for (const client of CLIENT_NAMES)
      for (const address of addresses)
        await bed.api.eventually(`${client} reaches ${address}`, () => bed.curl(client, address));

    // The server comes back: nothing moves, and what happened meanwhile is written down.
    assert.equal(await longestGapMs(bed, () => bed.control.startApi()), 0, 'the API server came back');
    assert.deepEqual(await arpeggio.settled(addresses), owners);
    await ownershipTold(eyes, services, owners);
    await bed.api.eventually(
      'it follows the API server again',
      async () => {
        const { warnings: left } = await arpeggio.speaker(dead).status();
        return left.every((text) => !/API server/.test(text));
      },
      60_000,
    );
    await arpeggio.stop();
  });
});
