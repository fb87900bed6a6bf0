import { setTimeout as delay } from 'node:timers/promises';
import type { Scene } from '../lab.js';
import { monotonicMs } from '../monotonic.js';
import { API, WEB } from '../stage.js';
import { expectClaimed } from './claim.js';

const BEFORE_MS = 200;
const AFTER_MS = 500;

/** The file is edited under load. */
export const addService: Scene = {
  title: 'A service is added to the file while clients use the others',
  async play(lab) {
    await Promise.all(lab.clients.map((client) => client.stream(...WEB.addresses)));
    const [asker] = lab.clients;
    if (asker === undefined) return;
    await asker.stream(...API.addresses);
    await delay(BEFORE_MS);
    const since = monotonicMs();
    await lab.node.configure([WEB, API]);
    lab.tell('lab', `adds the service ${API.name} to the file: ${API.addresses.join(', ')}`);
    await expectClaimed(lab, asker, API.addresses, since);
    await delay(AFTER_MS);
    const to = monotonicMs();
    for (const client of lab.clients) {
      for (const address of WEB.addresses) {
        const { sent, lost } = await client.report(address, since - BEFORE_MS / 2, to);
        lab.expect(`${client.name} loses nothing to ${address}`, lost === 0 && sent > 0, `${lost} of ${sent} lost`);
      }
    }
  },
};
