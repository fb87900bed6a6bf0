import { setTimeout as delay } from 'node:timers/promises';
import type { Scene } from '../lab.js';
import { monotonicMs } from '../monotonic.js';
import { WEB } from '../stage.js';

const DOWN_MS = 300;
const BACK_LIMIT_MS = 200;
const GIVE_UP_MS = 3000;
/** What an unconvinced client believes: nobody has this MAC. */
const STALE_MAC = '02:a0:00:00:ff:ff';

/** The cable is pulled and plugged in again. */
export const link: Scene = {
  title: 'The cable of the node is unplugged and plugged in again',
  async play(lab) {
    const { node, watcher } = lab;
    const [client] = lab.clients;
    if (client === undefined) return;
    await lab.network.setCable(node.name, 'down');
    lab.tell(node.name, 'loses its link');
    await delay(DOWN_MS);
    const entries = WEB.addresses.map((address) => `neigh replace ${address} lladdr ${STALE_MAC} dev eth0 nud stale`);
    await watcher.batch(entries);
    lab.tell('watcher', `believes that the addresses are at ${STALE_MAC}, and sends nothing`);
    await client.host.batch(['neigh flush dev eth0']);
    lab.tell(client.name, 'has forgotten the MAC and asks');
    const since = monotonicMs();
    await lab.network.setCable(node.name, 'up');
    lab.tell(node.name, 'has its link again');
    for (const address of WEB.addresses) {
      const echoAt = await client.firstEcho(address, since, GIVE_UP_MS);
      const took = echoAt === null ? null : echoAt - since;
      lab.expect(
        `${address} is answered again within ${BACK_LIMIT_MS} ms`,
        took !== null && took <= BACK_LIMIT_MS,
        took === null ? `not within ${GIVE_UP_MS} ms` : `after ${took} ms`,
      );
      const learned = await lab.until(
        async () => (await watcher.neighbour(address))?.lladdr === node.mac,
        since + GIVE_UP_MS - monotonicMs(),
      );
      lab.expect(
        `the announcement of ${address} moves a host that believed otherwise`,
        learned !== null,
        (await watcher.neighbour(address))?.lladdr ?? 'no entry',
      );
    }
  },
};
