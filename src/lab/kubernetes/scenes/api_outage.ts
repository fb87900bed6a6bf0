import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesScene } from '../kubernetes_lab.js';
import { busiest, expectMove, expectNothing, OUTAGE_LIMIT_MS } from './moves.js';
import { expectRecorded } from './services.js';

const AWAY_MS = 1000;

/** Whoever answers decides that on the segment, so that a failover needs nobody else. */
export const apiOutage: KubernetesScene = {
  title: 'The API server is away, and a node dies meanwhile',
  async play(lab) {
    const { control } = lab.bed;
    const before = await lab.settled();
    await expectNothing(lab, before, 'the API server is killed', async () => {
      lab.tell('lab', 'kills the API server', 'bad');
      await control.stopApi();
      await delay(AWAY_MS);
    });
    const name = busiest(before);
    const after = await expectMove(lab, before, { from: name, limitMs: OUTAGE_LIMIT_MS }, () => lab.powerOff(name));
    await expectNothing(lab, after, 'it starts again, from what is on its disk', () => lab.powerOn(name), name);
    await expectNothing(lab, after, 'the API server is back', async () => {
      await control.startApi();
      lab.tell('lab', 'the API server is back');
    });
    await expectRecorded(lab);
  },
};
