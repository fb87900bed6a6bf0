import type { Scene } from '../lab.js';
import { busiest, expectMove, expectNothing } from './moves.js';

/** Everything is given away in order, and stays there until the node is needed. */
export const drain: Scene = {
  title: 'A node is drained for maintenance, and comes back',
  async play(lab) {
    const { cluster } = lab;
    const before = await cluster.settled();
    const name = busiest(lab, before);
    const node = cluster.node(name);
    const after = await expectMove(lab, before, { from: name, limitMs: 0 }, async () => {
      lab.tell('lab', `runs "arpeggio drain" on ${name}`);
      for (const line of (await node.ask('drain')).split('\n')) lab.tell(name, line, 'quiet');
    });
    await expectNothing(lab, after, 'undrained', async () => {
      lab.tell('lab', `runs "arpeggio undrain" on ${name}`);
      lab.tell(name, await node.ask('undrain'), 'quiet');
    });
  },
};
