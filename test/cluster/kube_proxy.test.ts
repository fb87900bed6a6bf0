// The bed works without Arpeggio: what a test with a speaker finds missing is the speaker's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import { assigned, loadBalancer } from '../../src/lab/kubernetes/objects.js';
import { CLIENT_NAMES, NODE_NAMES, POD_NAMES } from '../../src/lab/kubernetes/stage.js';
import { withBed } from './harness/bed.js';

const WEB = ['192.0.2.20', '2001:db8::1:20'] as const;

/** Instead of a speaker: the client is told whose MAC it is. */
async function pointTo(bed: Bed, client: string, node: string): Promise<void> {
  const { mac } = bed.host(node);
  await bed.host(client).batch(WEB.map((address) => `neigh replace ${address} lladdr ${mac} nud permanent dev eth0`));
}

test('kube-proxy of every node passes a LoadBalancer address on to the pods', async (t) => {
  await withBed(t, {}, async (bed) => {
    await bed.api.create('/api/v1/namespaces/default/services', loadBalancer('web'));
    await bed.api.patch('/api/v1/namespaces/default/services/web/status', assigned(...WEB));
    await bed.endpoints('web', POD_NAMES);
    for (const client of CLIENT_NAMES) {
      for (const node of NODE_NAMES) {
        await pointTo(bed, client, node);
        for (const address of WEB) {
          const what = `${client} by way of ${node} to ${address}`;
          const { pod } = await bed.api.eventually(what, () => bed.curl(client, address));
          assert.match(pod, /^pod-/, what);
        }
      }
    }

    // An endpoint that leaves gets nothing more.
    await bed.setPod('pod-a', false);
    await bed.setPod('pod-b', false);
    await bed.endpoints('web', ['pod-c']);
    await pointTo(bed, 'client-1', 'node-b');
    for (const address of WEB) {
      await bed.api.eventually(`${address} leads to pod-c alone`, async () => {
        for (let tries = 0; tries < 5; tries += 1) {
          if ((await bed.curl('client-1', address)).pod !== 'pod-c') return false;
        }
        return true;
      });
    }

    // Policy Local: a node without an endpoint drops, one with passes on and keeps the client's address.
    const local = { spec: { externalTrafficPolicy: 'Local' } };
    await bed.api.patch('/api/v1/namespaces/default/services/web', local);
    await pointTo(bed, 'client-1', 'node-c');
    for (const address of WEB) {
      const from = address.includes(':') ? '2001:db8::101' : '192.0.2.101';
      await bed.api.eventually(`${address} shows the client`, async () => {
        const answer = await bed.curl('client-1', address);
        return answer.pod === 'pod-c' && answer.from.endsWith(from);
      });
    }
    await pointTo(bed, 'client-1', 'node-a');
    await assert.rejects(bed.curl('client-1', WEB[0], 500));

    // A node whose door is shut keeps its rules.
    await bed.doors.cut('node-c');
    await pointTo(bed, 'client-1', 'node-c');
    assert.equal((await bed.curl('client-1', WEB[0])).pod, 'pod-c');
  });
});
