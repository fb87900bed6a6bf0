// All speakers die at once and start again: each address stays where it was, whatever placement would do with it now, without a
// new probing before it is answered; but not where somebody else has come to use it meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_INTERFACE } from '../../src/lab/network_spec.js';
import { NODE_NAMES } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { withBed } from './harness/bed.js';
import { assignedServices, ownershipTold, SpeakerEyes } from './harness/speaker_eyes.js';

const RETURN_TIMEOUT_MS = 30_000;

test('a cluster whose speakers all start again goes on as it was', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [] });
    const eyes = new SpeakerEyes(bed);
    const services = await assignedServices(bed, ['web', 'shop', 'mail', 'news', 'chat']);
    const addresses = Object.values(services).flat();
    await arpeggio.settled(addresses);
    // Nobody would be placed like that: one node has nothing.
    await bed.setNode('node-a', { cordoned: true });
    await bed.api.eventually('node-a has handed over', async () => {
      const owners = await arpeggio.settled(addresses);
      return !Object.values(owners).includes('node-a');
    });
    await bed.setNode('node-a', { cordoned: false });
    const before = await arpeggio.settled(addresses);
    await ownershipTold(eyes, services, before);

    const speakers = NODE_NAMES.map((node) => arpeggio.speaker(node));
    await Promise.all(speakers.map((speaker) => speaker.stop('SIGKILL')));
    const taken = services.chat?.[0] as string;
    await bed.host('client-2').batch([`addr add ${taken}/24 dev ${DEFAULT_INTERFACE}`]);
    for (const speaker of speakers) speaker.log.length = 0;
    await Promise.all(speakers.map((speaker) => speaker.start()));

    const kept = addresses.filter((address) => address !== taken);
    const after = await arpeggio.settled(kept, RETURN_TIMEOUT_MS);
    assert.deepEqual(after, Object.fromEntries(kept.map((address) => [address, before[address]])));
    const lines = speakers.flatMap(({ log }) => log.map(({ msg }) => String(msg)));
    for (const address of kept) {
      const said = lines.filter((line) => line.startsWith(`${address} on ${DEFAULT_INTERFACE} `));
      assert.match(said[0] ?? '', /is answered.*ours before the restart/, `${address}: ${said.join('; ')}`);
    }
    await bed.api.eventually(`nobody answers for ${taken}, which another host uses`, async () => {
      const statuses = await Promise.all(speakers.map((speaker) => speaker.status()));
      const found = statuses.flatMap((status) => status.addresses.filter(({ address }) => address === taken));
      return (
        found.some(({ interfaces }) => interfaces.some(({ state }) => state === 'conflict')) &&
        found.every(({ answering }) => !answering)
      );
    });
  });
});
