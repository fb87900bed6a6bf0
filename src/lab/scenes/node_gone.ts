import { setTimeout as delay } from 'node:timers/promises';
import type { Scene } from '../lab.js';
import { busiest, expectMove, expectNothing, OUTAGE_LIMIT_MS } from './moves.js';

const DOWN_MS = 300;

export const powerLoss: Scene = {
  title: 'A node loses its power, and comes back',
  async play(lab) {
    const { cluster } = lab;
    const before = await cluster.settled();
    const name = busiest(lab, before);
    const after = await expectMove(lab, before, { from: name, limitMs: OUTAGE_LIMIT_MS }, () => {
      lab.tell(name, 'is switched off', 'bad');
      lab.rebooted.add(name);
      return cluster.powerOff(name);
    });
    await expectNothing(lab, after, 'it starts again', async () => {
      lab.tell(name, 'is switched on');
      await cluster.powerOn(name);
      await cluster.settled();
    });
    await lab.askAnew();
  },
};

export const linkLoss: Scene = {
  title: 'A node loses its link, and gets it back',
  async play(lab) {
    const { cluster, network } = lab;
    const before = await cluster.settled();
    const name = busiest(lab, before);
    const after = await expectMove(lab, before, { from: name, limitMs: OUTAGE_LIMIT_MS }, () => {
      lab.tell(name, 'loses its link', 'bad');
      return network.setCable(name, 'down');
    });
    await delay(DOWN_MS);
    await expectNothing(lab, after, 'the link is back', () => {
      lab.tell(name, 'has its link again');
      return network.setCable(name, 'up');
    });
  },
};

export const killed: Scene = {
  title: 'A speaker is killed (kill -9), and started again',
  async play(lab) {
    const { cluster } = lab;
    const before = await cluster.settled();
    const name = busiest(lab, before);
    // The machine itself still serves who knows its MAC, so not even the takeover is noticed.
    const after = await expectMove(lab, before, { from: name, limitMs: 0 }, () => {
      lab.tell('lab', `kills the speaker of ${name}`, 'bad');
      return cluster.node(name).stop('SIGKILL');
    });
    await expectNothing(lab, after, 'it starts again', async () => {
      lab.tell('lab', `starts the speaker of ${name}`);
      cluster.node(name).start();
      await cluster.settled();
    });
    await lab.askAnew();
  },
};
