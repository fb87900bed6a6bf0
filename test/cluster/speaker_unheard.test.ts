// Guarantees of `arpeggio speaker` where the switches pass no heartbeats: the Leases of the API server stand in for them. Each
// address has one owner, status says what is wrong, and a node that dies is replaced when its session has ended.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { withBed } from './harness/bed.js';
import { assignedServices, SpeakerEyes } from './harness/speaker_eyes.js';

/** A session lasts 40 s after its last renewal. */
const SESSION_MS = 60_000;

test('heartbeats that no switch passes', async (t) => {
  await withBed(t, {}, async (bed) => {
    await bed.filterHeartbeats(true);
    const arpeggio = await Arpeggio.install(bed, { controllers: [], speakers: ['node-a'] });
    const services = await assignedServices(bed, ['web', 'shop']);
    const addresses = Object.values(services).flat();
    const first = await arpeggio.settled(addresses);
    assert.deepEqual(new Set(Object.values(first)), new Set(['node-a']));
    const eyes = new SpeakerEyes(bed);
    await bed.api.eventually('all is recorded', async () =>
      (await Promise.all(addresses.map((address) => eyes.record(address)))).every(
        (record) => record?.node === 'node-a',
      ),
    );

    // They hear nobody, and yet take nothing away.
    for (const node of ['node-b', 'node-c'] as const) await arpeggio.speaker(node).start();
    for (const node of NODE_NAMES)
      await bed.api.eventually(
        `${node} is ready`,
        async () => (await arpeggio.speaker(node).status()).state === 'ready',
      );
    await bed.api.eventually(
      'status says what is wrong',
      async () => {
        const { warnings } = await arpeggio.speaker('node-b').status();
        return ['node-a', 'node-c'].every((node) =>
          warnings.some((text) => text.includes(`speaker of ${node} runs, but`)),
        );
      },
      40_000,
    );
    assert.deepEqual(await arpeggio.settled(addresses), first);
    // Events are written a moment later.
    await bed.api.eventually('an event on the Node says it', async () => {
      const events = await bed.api.list('/api/v1/namespaces/default/events', {
        fieldSelector: 'reason=HeartbeatsMissing',
      });
      return events.some(({ involvedObject }) => involvedObject.kind === 'Node' && involvedObject.name === 'node-a');
    });

    // Its session ends, and one node of the others takes each address.
    await arpeggio.speaker('node-a').stop('SIGKILL');
    const after = await arpeggio.settled(addresses, SESSION_MS);
    assert.ok(Object.values(after).every((node) => node !== 'node-a'));

    // They are heard again: nothing is wrong any more.
    await bed.filterHeartbeats(false);
    await arpeggio.speaker('node-a').start();
    await bed.api.eventually(
      'nothing is wrong any more',
      async () => {
        const all = await Promise.all(NODE_NAMES.map((node: NodeName) => arpeggio.speaker(node).status()));
        return all.every(({ warnings }) => warnings.every((text) => !/runs, but/.test(text)));
      },
      20_000,
    );
    await arpeggio.settled(addresses);
    await arpeggio.stop();
  });
});
