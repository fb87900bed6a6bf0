import type { Owners } from '../cluster.js';
import type { Lab, Scene } from '../lab.js';
import { observe, quietTime } from '../observation.js';
import { NODES, SWITCHES } from '../stage.js';
import { OUTAGE_LIMIT_MS } from './moves.js';

const HEALED_MS = 1500;

const side = (lab: Lab, switchName: string) =>
  lab.nodes.filter(({ name }) => NODES[name as keyof typeof NODES] === switchName);

/** The cable between the switches is cut: each side serves its clients, and when it is whole again one side yields. */
export const partition: Scene = {
  title: 'The cable between the switches is cut, and plugged in again',
  async play(lab) {
    const { cluster, network } = lab;
    const [near, far] = SWITCHES;
    await cluster.settled();
    const split = await observe(cluster, () => {
      lab.tell('lab', `cuts the cable between ${near} and ${far}`, 'bad');
      return network.setTrunk(near, far, 'down');
    });
    const owners: Owners[] = [];
    for (const [index, name] of SWITCHES.entries()) {
      const mine = split.of(lab.clients[index]?.name ?? '');
      const answering = await cluster.ownersOf(side(lab, name));
      owners.push(answering);
      const served = cluster.addresses.filter((address) => answering[address] !== undefined).length;
      lab.expect(
        `the nodes at ${name} answer for everything`,
        served === cluster.addresses.length,
        `${served} of ${cluster.addresses.length} addresses`,
      );
      lab.expect(
        `${lab.clients[index]?.name} goes without an answer for at most ${OUTAGE_LIMIT_MS} ms`,
        mine.sent > mine.lost && mine.outageMs <= OUTAGE_LIMIT_MS,
        `${Math.round(mine.outageMs)} ms, ${mine.lost} of ${mine.sent} packets lost`,
      );
    }
    await quietTime(split.atMs);
    const heal = await observe(
      cluster,
      () => {
        lab.tell('lab', 'plugs it in again');
        return network.setTrunk(near, far, 'up');
      },
      HEALED_MS,
    );
    const after = await cluster.settled();
    lab.expect(
      'each address has one owner again, on the side of the majority',
      cluster.addresses.every((address) => after[address] === owners[0]?.[address]),
      `${new Set(Object.values(after)).size} nodes answer`,
    );
    for (const { name } of lab.clients) {
      const mine = heal.of(name);
      lab.expect(
        `${name} sees each address move at most once, and loses nothing`,
        mine.sent > 0 && mine.lost === 0 && mine.mostChanges <= 1,
        `${mine.lost} of ${mine.sent} packets lost`,
      );
    }
  },
};
