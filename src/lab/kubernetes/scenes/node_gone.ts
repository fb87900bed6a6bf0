import type { KubernetesScene } from '../kubernetes_lab.js';
import { busiest, expectMove, expectNothing, OUTAGE_LIMIT_MS } from './moves.js';

const HANDED_OVER_TIMEOUT_MS = 10_000;

export const powerLoss: KubernetesScene = {
  title: 'A node loses its power, and comes back',
  async play(lab) {
    const before = await lab.settled();
    const name = busiest(before);
    const after = await expectMove(lab, before, { from: name, limitMs: OUTAGE_LIMIT_MS }, () => lab.powerOff(name));
    await expectNothing(lab, after, 'it starts again', () => lab.powerOn(name), name);
    await lab.askAnew();
  },
};

/** What the administrator does before a node is drained; also what a node that becomes NotReady does. */
export const cordon: KubernetesScene = {
  title: 'A node is cordoned, and uncordoned',
  async play(lab) {
    const before = await lab.settled();
    const name = busiest(before);
    const after = await expectMove(lab, before, { from: name, limitMs: 0 }, async () => {
      await lab.kubectl('cordon', name);
      const speaker = lab.arpeggio.speaker(name);
      const ownsNothing = async () => (await speaker.status()).addresses.every(({ answering }) => !answering);
      await lab.until(ownsNothing, HANDED_OVER_TIMEOUT_MS);
    });
    await expectNothing(lab, after, 'uncordoned', () => lab.kubectl('uncordon', name));
  },
};

/** As the DaemonSet does it for a new version: SIGTERM, and a new pod. */
export const restart: KubernetesScene = {
  title: 'The pod of a speaker is replaced',
  async play(lab) {
    const before = await lab.settled();
    const name = busiest(before);
    const speaker = lab.arpeggio.speaker(name);
    let exit = '';
    const after = await expectMove(lab, before, { from: name, limitMs: 0 }, async () => {
      lab.tell('lab', `ends the pod ${speaker.name} (SIGTERM)`);
      const { code, signal } = await speaker.stop();
      exit = code === null ? `ended by ${signal}` : `exit code ${code}`;
    });
    lab.expect('it ends with exit code 0', exit === 'exit code 0', exit);
    await expectNothing(lab, after, 'it starts again', async () => {
      lab.tell('lab', `starts ${speaker.name}`);
      await speaker.start();
      await lab.settled();
    });
    await lab.askAnew();
  },
};
