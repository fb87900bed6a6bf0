// externalTrafficPolicy Local: the address is where a pod of the service serves, and follows the pods; the pods see who asks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CLIENT_NAMES, type NodeName, type PodName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { Asker } from '../net/harness/asker.js';
import { withBed } from './harness/bed.js';
import { assignedServices } from './harness/speaker_eyes.js';

const CLIENTS = { 'client-1': ['192.0.2.101', '2001:db8::101'], 'client-2': ['192.0.2.102', '2001:db8::102'] } as const;
/** The new node answers, and the old one has stopped; this machine may be busy. */
const MOVED_MS = 3_000;

test('the address of a service with policy Local follows its pods', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [] });
    await Promise.all((['pod-b', 'pod-c'] as const).map((pod) => bed.setPod(pod, false)));
    const services = await assignedServices(bed, ['local'], { externalTrafficPolicy: 'Local' });
    const addresses = services.local!;
    const isOn = async (node: NodeName, pod: PodName, why: string) => {
      const owners = await arpeggio.settled(addresses);
      assert.deepEqual(owners, Object.fromEntries(addresses.map((address) => [address, node])), why);
      for (const client of CLIENT_NAMES)
        for (const [family, address] of addresses.entries()) {
          const answer = await bed.api.eventually(`${client} reaches ${address}`, () => bed.curl(client, address));
          assert.deepEqual(answer, { pod, from: CLIENTS[client][family] }, `${why}: the pod sees the client`);
        }
    };
    await bed.endpoints('local', ['pod-a']);
    await isOn('node-a', 'pod-a', 'the only pod is on node-a');

    await bed.setPod('pod-b', true);
    await bed.endpoints('local', ['pod-a', 'pod-b']);
    await delay(500);
    await isOn('node-a', 'pod-a', 'another pod moves nothing');

    const asker = await Asker.start(bed.host('client-2'), addresses);
    try {
      const fromMs = monotonicMs();
      await bed.setPod('pod-a', false);
      await delay(MOVED_MS);
      const asked = await asker.reports(fromMs, monotonicMs());
      for (const address of addresses) {
        const { answeredBy, longestWaitMs } = asked[address]!;
        assert.equal(answeredBy.at(-1)?.mac, bed.host('node-b').mac, `${address} is answered by node-b`);
        t.diagnostic(
          `${address}: node-b alone after ${(answeredBy.at(-1)!.sinceMs - fromMs).toFixed(0)} ms, ` +
            `nobody for at most ${longestWaitMs.toFixed(0)} ms`,
        );
        assert.ok(longestWaitMs < 1_000, `nobody answered for ${longestWaitMs} ms`);
      }
    } finally {
      await asker.stop();
    }
    await isOn('node-b', 'pod-b', 'the pod of node-a serves no more');

    await bed.setPod('pod-a', true);
    await bed.endpoints('local', ['pod-a', 'pod-b']);
    await delay(500);
    await isOn('node-b', 'pod-b', 'it does not go back by itself');

    // A node without a pod is no successor, whatever happens to the others.
    await arpeggio.speaker('node-b').stop('SIGKILL');
    await isOn('node-a', 'pod-a', 'the speaker of node-b is gone');
    await arpeggio.speaker('node-b').start();
    await Promise.all((['pod-a', 'pod-b'] as const).map((pod) => bed.setPod(pod, false)));
    await bed.api.eventually('nobody answers: no pod serves', async () => {
      const all = await Promise.all([...arpeggio.speakers.values()].map((speaker) => speaker.status()));
      return all.every((status) => status.addresses.every(({ answering }) => !answering));
    });
    await bed.setPod('pod-c', true);
    await isOn('node-c', 'pod-c', 'a pod on node-c serves');
    await arpeggio.stop();
  });
});
