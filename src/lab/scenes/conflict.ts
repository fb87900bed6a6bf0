import { setTimeout as delay } from 'node:timers/promises';
import type { Lab, Scene } from '../lab.js';
import { FIRST_SERVICES, MAIL, SHOP } from '../stage.js';

const STATE_TIMEOUT_MS = 3000;
/** Longer than the first back-off. */
const RETRY_TIMEOUT_MS = 8000;
const SETTLE_MS = 300;

const [IPV4 = '', IPV6 = ''] = MAIL.addresses;

/** What the nodes say about an address: who answers, and whom they hold to be a conflict. */
async function wordOf(lab: Lab, address: string): Promise<{ answering: string[]; rivals: string[] }> {
  const answering: string[] = [];
  const rivals: string[] = [];
  for (const node of lab.nodes) {
    const found = (await node.status()).addresses.find((candidate) => candidate.address === address);
    if (found?.answering) answering.push(node.name);
    for (const { state, rivalMac } of found?.interfaces ?? []) if (state === 'conflict') rivals.push(rivalMac ?? '?');
  }
  return { answering, rivals };
}

/** Another host uses one address of a new service. */
export const conflict: Scene = {
  title: 'Another host already uses an address',
  async play(lab) {
    const { cluster, intruder } = lab;
    const [client] = lab.clients;
    if (client === undefined) return;
    lab.tell('intruder', `has ${IPV4} (${intruder.mac})`);
    await cluster.configure([...FIRST_SERVICES, SHOP, MAIL]);
    lab.tell('lab', `adds the service ${MAIL.name} to the files: ${MAIL.addresses.join(', ')}`);

    const isAnswered = (address: string) => async () => (await wordOf(lab, address)).answering.length === 1;
    const claimed = await lab.until(isAnswered(IPV6), STATE_TIMEOUT_MS);
    lab.expect(
      `${IPV6} of the same service is answered`,
      claimed !== null,
      claimed === null ? 'not answered' : 'answered',
    );
    await delay(SETTLE_MS);
    const { answering, rivals } = await wordOf(lab, IPV4);
    lab.expect(
      `${IPV4} is held back, and status names the other host`,
      answering.length === 0 && rivals.length > 0 && rivals.every((mac) => mac === intruder.mac),
      `rival ${[...new Set(rivals)].join(', ') || 'unknown'}`,
    );
    const logged = lab.nodes.some(({ log }) => log.some((line) => line.address === IPV4 && line.mac === intruder.mac));
    lab.expect('the log names the address and the other host', logged, logged ? intruder.mac : 'no such line');
    await client.stream(IPV4);
    const macOf = async () => (await client.host.neighbour(IPV4))?.lladdr;
    await lab.until(async () => (await macOf()) !== undefined, STATE_TIMEOUT_MS);
    const mac = (await macOf()) ?? 'nobody';
    lab.expect(`${client.name} goes on using the other host`, mac === intruder.mac, `resolves to ${mac}`);

    await intruder.batch(['link set eth0 down']);
    lab.tell('intruder', 'is switched off');
    const took = await lab.until(isAnswered(IPV4), RETRY_TIMEOUT_MS, 100);
    lab.expect(
      `${IPV4} is claimed after the other host has gone`,
      took !== null,
      took === null ? `still held back after ${RETRY_TIMEOUT_MS / 1000} s` : `after ${(took / 1000).toFixed(1)} s`,
    );
    await Promise.all(lab.clients.map((each) => each.stream(...MAIL.addresses)));
    await delay(SETTLE_MS);
  },
};
