import { setTimeout as delay } from 'node:timers/promises';
import type { Scene } from '../lab.js';
import { monotonicMs } from '../monotonic.js';
import { observe } from '../observation.js';
import { FIRST_SERVICES, SHOP } from '../stage.js';
import { expectClaimed } from './claim.js';

/** The files are edited under load. */
export const addService: Scene = {
  title: 'A service is added to the files while clients use the others',
  async play(lab) {
    const { cluster } = lab;
    const [asker] = lab.clients;
    if (asker === undefined) return;
    const others = cluster.addresses;
    await asker.stream(...SHOP.addresses);
    const observation = await observe(cluster, async () => {
      const since = monotonicMs();
      lab.tell('lab', `adds the service ${SHOP.name} to the files: ${SHOP.addresses.join(', ')}`);
      await cluster.configure([...FIRST_SERVICES, SHOP]);
      await expectClaimed(lab, asker, SHOP.addresses, since);
    });
    const { lost, sent } = observation.only((address) => others.includes(address));
    lab.expect('nobody loses a packet to the others', sent > 0 && lost === 0, `${lost} of ${sent} packets lost`);
    await Promise.all(lab.clients.map((client) => client.stream(...SHOP.addresses)));
    await delay(100);
  },
};
