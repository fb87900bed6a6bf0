import type { Scene } from '../lab.js';
import { monotonicMs } from '../monotonic.js';
import { API, WEB } from '../stage.js';
import { expectClaimed } from './claim.js';

/** A node starts, asks whether anybody uses its addresses, and begins to answer. */
export const firstClaim: Scene = {
  title: 'A node starts and claims its addresses',
  async play(lab) {
    const [client] = lab.clients;
    if (client === undefined) return;
    await lab.node.configure([WEB]);
    await lab.startBackend(lab.node, [WEB, API]);
    lab.tell(client.name, `sends to ${WEB.addresses.join(' and ')} every 2 ms; nobody answers yet`);
    await client.stream(...WEB.addresses);
    const since = monotonicMs();
    lab.node.start();
    lab.tell(lab.node.name, 'arpeggio run --config arpeggio.yaml');
    await expectClaimed(lab, client, WEB.addresses, since);
    const { state } = await lab.node.status();
    lab.expect('the node says that it is ready', state === 'ready', `state ${state}`);
  },
};
