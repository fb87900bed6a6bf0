import { setTimeout as delay } from 'node:timers/promises';
import type { Scene } from '../lab.js';
import { monotonicMs } from '../monotonic.js';
import { WEB } from '../stage.js';

const WATCHED_MS = 800;
const SILENCE_MS = 400;
const FORWARD_MS = 300;

/** SIGTERM: the node answers no longer, but still serves whoever already knows its MAC. */
export const stop: Scene = {
  title: 'The speaker is stopped with SIGTERM',
  async play(lab) {
    const { node } = lab;
    const [known, late] = lab.clients;
    if (known === undefined || late === undefined) return;
    // Confirmed just now: its kernel has no reason to ask within the time that is watched.
    const confirm = WEB.addresses.map(
      (address) => `neigh replace ${address} lladdr ${node.mac} dev eth0 nud reachable`,
    );
    await known.host.batch(confirm);
    const since = monotonicMs();
    lab.tell('lab', 'sends SIGTERM to the speaker');
    const { code, signal } = await node.stop('SIGTERM');
    lab.expect('it ends with exit code 0', code === 0, code === null ? `ended by ${signal}` : `exit code ${code}`);
    await delay(WATCHED_MS);
    for (const address of WEB.addresses) {
      const { sent, lost } = await known.report(address, since, since + WATCHED_MS);
      lab.expect(
        `${known.name}, which knows the MAC of ${address}, loses nothing`,
        lost === 0 && sent > 0,
        `${lost} of ${sent} lost`,
      );
    }

    await late.host.batch(['neigh flush dev eth0']);
    lab.tell(late.name, 'has forgotten the MAC and asks');
    const asked = monotonicMs();
    await delay(SILENCE_MS);
    for (const address of WEB.addresses) {
      const { sent, lost } = await late.report(address, asked, asked + SILENCE_MS);
      lab.expect(`${address} is answered no more`, sent > 0 && lost === sent, `${sent - lost} of ${sent} came back`);
    }

    const pin = WEB.addresses.map((address) => `neigh replace ${address} lladdr ${node.mac} dev eth0 nud permanent`);
    await late.host.batch(pin);
    const pinned = monotonicMs();
    await delay(FORWARD_MS);
    for (const address of WEB.addresses) {
      const { sent, lost } = await late.report(address, pinned, pinned + FORWARD_MS);
      lab.expect(
        `packets for ${address} sent to the node's MAC are still served`,
        lost === 0 && sent > 0,
        `${lost} of ${sent} lost`,
      );
    }
  },
};
