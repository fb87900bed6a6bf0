import type { NodeStatus } from '../arpeggio_node.js';
import type { Owners } from '../cluster.js';
import type { Scene } from '../lab.js';
import { monotonicMs } from '../monotonic.js';
import { FIRST_SERVICES, NODE_NAMES } from '../stage.js';
import { expectClaimed } from './claim.js';

const HEARD_TIMEOUT_MS = 10_000;

/** Which node has how many addresses: "node-a 2, node-b 2, node-c 2". */
export function shares(nodes: readonly string[], owners: Owners): string {
  return nodes.map((name) => `${name} ${Object.values(owners).filter((owner) => owner === name).length}`).join(', ');
}

/** Whether all are ready, and hear all others in both directions. */
export async function hearEachOther(nodes: readonly { status(): Promise<NodeStatus> }[]): Promise<boolean> {
  for (const node of nodes) {
    const status = await node.status().catch(() => null);
    const heard = status?.peers.filter(({ link, state }) => link === 'two-way' && state === 'ready').length ?? 0;
    if (status?.state !== 'ready' || heard < nodes.length - 1) return false;
  }
  return true;
}

/** Three nodes start, hear each other, ask whether anybody uses the addresses, and share them. */
export const start: Scene = {
  title: 'Three nodes start and share the addresses',
  async play(lab) {
    const { cluster, clients, nodes } = lab;
    const [client] = clients;
    if (client === undefined) return;
    const addresses = FIRST_SERVICES.flatMap((service) => service.addresses);
    await Promise.all(clients.map((each) => each.stream(...addresses)));
    lab.tell('clients', `send to ${addresses.length} addresses every 2 ms; nobody answers yet`);
    // Nodes that are late, on a slow machine, would find everything claimed.
    await cluster.configure([]);
    for (const node of nodes) node.start();
    lab.tell('lab', 'runs "arpeggio run --config arpeggio.yaml" on node-a, node-b (switch 1) and node-c (switch 2)');
    const heard = await lab.until(() => hearEachOther(nodes), HEARD_TIMEOUT_MS);
    lab.expect('the nodes hear each other', heard !== null, heard === null ? 'not all of them' : `after ${heard} ms`);
    const since = monotonicMs();
    await cluster.configure(FIRST_SERVICES);
    lab.tell('lab', `adds the services to the files: ${FIRST_SERVICES.map(({ name }) => name).join(', ')}`);
    await expectClaimed(lab, client, addresses, since);
    const owners = await cluster.settled();
    const counts = nodes.map(({ name }) => Object.values(owners).filter((owner) => owner === name).length);
    lab.expect('each node has as many as the others', new Set(counts).size === 1, shares(NODE_NAMES, owners));
    const states = await Promise.all(nodes.map(async (node) => (await node.status()).state));
    lab.expect(
      'every node says that it is ready',
      states.every((state) => state === 'ready'),
      states.join(', '),
    );
  },
};
