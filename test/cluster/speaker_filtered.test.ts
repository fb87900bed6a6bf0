// Guarantees of `arpeggio speaker` on switches that pass no heartbeats: each address still has one owner, by the Leases; who dies
// is replaced when its session is over; and somebody is told what is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CLIENT_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { withBed } from './harness/bed.js';
import { assignedServices, ownershipTold, SpeakerEyes } from './harness/speaker_eyes.js';

/** A session lasts 40 s from its last renewal; then the address is probed. */
const SESSION_OVER_MS = 60_000;

for (const when of ['before the speakers start', 'while they run'] as const) {
  test(`heartbeats filtered ${when}: one owner for each address, by the Leases`, async (t) => {
    await withBed(t, {}, async (bed) => {
      if (when === 'before the speakers start') await bed.filterHeartbeats(true);
      const arpeggio = await Arpeggio.install(bed, { controllers: [] });
      const eyes = new SpeakerEyes(bed);
      const services = await assignedServices(bed, ['web', 'shop', 'mail']);
      const addresses = Object.values(services).flat();
      if (when === 'while they run') {
        await arpeggio.settled(addresses);
        await bed.filterHeartbeats(true);
        await delay(2_000);
      }
      let owners = await arpeggio.settled(addresses);
      await ownershipTold(eyes, services, owners);
      await delay(5_000);
      assert.deepEqual(await arpeggio.settled(addresses), owners, 'nothing wanders');
      for (const client of CLIENT_NAMES)
        for (const address of addresses)
          await bed.api.eventually(`${client} reaches ${address}`, () => bed.curl(client, address));
      await bed.api.eventually(
        'every node says whom it does not hear',
        async () => {
          const running = await Promise.all([...arpeggio.speakers.values()].map((speaker) => speaker.status()));
          return running.every(({ warnings }) => warnings.some((text) => /does not hear its heartbeats/.test(text)));
        },
        30_000,
      );

      if (when === 'before the speakers start') {
        const dead = owners[addresses[0]!] as NodeName;
        await arpeggio.speaker(dead).stop('SIGKILL');
        owners = await arpeggio.settled(addresses, SESSION_OVER_MS);
        assert.ok(!Object.values(owners).includes(dead));
        await ownershipTold(eyes, services, owners);
      }

      await bed.filterHeartbeats(false);
      await delay(2_000);
      assert.deepEqual(
        await arpeggio.settled(addresses),
        owners,
        'who owns an address keeps it when all is well again',
      );
    });
  });
}
