import { observe } from '../../observation.js';
import { expectOutage } from '../../scenes/moves.js';
import type { KubernetesLab, KubernetesScene } from '../kubernetes_lab.js';
import { CLIENT_NAMES } from '../stage.js';
import { sendAnew } from './machine.js';
import { LOCAL } from './services.js';

/** The API server, the controller of EndpointSlices, kube-proxy and the speakers take their turns. */
const LOCAL_LIMIT_MS = 1000;
const MOVED_TIMEOUT_MS = 10_000;

async function movedTo(lab: KubernetesLab, addresses: readonly string[], node: string): Promise<void> {
  await lab.until(async () => {
    const owners = await lab.arpeggio.settled(addresses);
    return addresses.every((address) => owners[address] === node);
  }, MOVED_TIMEOUT_MS);
}

/** The only node that may answer is the one with the pod; its kube-proxy keeps the address of the client. */
export const localPolicy: KubernetesScene = {
  title: 'The pod of a service with externalTrafficPolicy Local moves to another node',
  async play(lab) {
    const { bed } = lab;
    const addresses = lab.services.get(LOCAL) ?? [];
    lab.tell('lab', 'pod-b alone is ready');
    await bed.setPod('pod-a', false);
    await bed.setPod('pod-c', false);
    await bed.endpoints(LOCAL, ['pod-b']);
    await movedTo(lab, addresses, 'node-b');
    const observation = await observe(lab, async () => {
      lab.tell('lab', 'pod-c is ready, pod-b is no more');
      await bed.setPod('pod-c', true);
      await bed.endpoints(LOCAL, ['pod-b', 'pod-c']);
      await bed.setPod('pod-b', false);
      await movedTo(lab, addresses, 'node-c');
    });
    const owners = await lab.arpeggio.settled(addresses);
    lab.expect(
      'its addresses follow to node-c',
      addresses.length > 0 && addresses.every((address) => owners[address] === 'node-c'),
      addresses.map((address) => `${address} at ${owners[address]}`).join(', '),
    );
    expectOutage(
      lab,
      observation.only((address) => addresses.includes(address)),
      LOCAL_LIMIT_MS,
    );
    for (const [index, client] of CLIENT_NAMES.entries()) {
      const answers = await Promise.all(addresses.map((address) => bed.curl(client, address)));
      const expected = [`192.0.2.${101 + index}`, `2001:db8::${101 + index}`];
      lab.expect(
        `${client}: pod-c answers, and sees the address of the client`,
        answers.every(({ pod, from }) => pod === 'pod-c' && expected.includes(from)),
        answers.map(({ pod, from }) => `${pod} was asked by ${from}`).join(', '),
      );
    }
    await Promise.all([bed.setPod('pod-a', true), bed.setPod('pod-b', true)]);
    await bed.endpoints(LOCAL, ['pod-a', 'pod-b', 'pod-c']);
    await lab.settled();
    await sendAnew(lab);
    await lab.askAnew();
  },
};
