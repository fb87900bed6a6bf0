import { setTimeout as delay } from 'node:timers/promises';
import type { NodeStatus } from '../arpeggio_node.js';
import type { Scene } from '../lab.js';
import { API, MAIL, WEB } from '../stage.js';

const STATE_TIMEOUT_MS = 1500;
/** Longer than the first back-off. */
const RETRY_TIMEOUT_MS = 8000;
const SETTLE_MS = 300;

const [IPV4 = '', IPV6 = ''] = MAIL.addresses;

function addressIn(status: NodeStatus, address: string) {
  const found = status.addresses.find((candidate) => candidate.address === address);
  return { answering: found?.answering ?? false, port: found?.interfaces.find(({ name }) => name === 'eth0') ?? null };
}

/** Another host uses one address of a new service. */
export const conflict: Scene = {
  title: 'Another host already uses an address',
  async play(lab) {
    const { node, intruder } = lab;
    const [client] = lab.clients;
    if (client === undefined) return;
    lab.tell('intruder', `has ${IPV4} (${intruder.mac})`);
    await node.configure([WEB, API, MAIL]);
    lab.tell('lab', `adds the service ${MAIL.name} to the file: ${MAIL.addresses.join(', ')}`);

    const claimed = await lab.until(async () => addressIn(await node.status(), IPV6).answering, STATE_TIMEOUT_MS);
    lab.expect(
      `${IPV6} of the same service is answered`,
      claimed !== null,
      claimed === null ? 'not answered' : 'answered',
    );
    await delay(SETTLE_MS);
    const { answering, port } = addressIn(await node.status(), IPV4);
    lab.expect(
      `${IPV4} is held back, and status names the other host`,
      !answering && port?.state === 'conflict' && port.rivalMac === intruder.mac,
      `${port?.state ?? 'not listed'}, rival ${port?.rivalMac ?? 'unknown'}`,
    );
    const logged = node.log.some((line) => line.address === IPV4 && line.mac === intruder.mac);
    lab.expect('the log names the address and the other host', logged, logged ? intruder.mac : 'no such line');
    await client.stream(IPV4);
    const seen = await lab.until(
      async () => (await client.host.neighbour(IPV4))?.lladdr !== undefined,
      STATE_TIMEOUT_MS,
    );
    const mac = (await client.host.neighbour(IPV4))?.lladdr ?? 'nobody';
    lab.expect(
      `${client.name} goes on using the other host`,
      seen !== null && mac === intruder.mac,
      `resolves to ${mac}`,
    );

    await intruder.batch(['link set eth0 down']);
    lab.tell('intruder', 'is switched off');
    const took = await lab.until(async () => addressIn(await node.status(), IPV4).answering, RETRY_TIMEOUT_MS, 100);
    lab.expect(
      `${IPV4} is claimed after the other host has gone`,
      took !== null,
      took === null ? `still held back after ${RETRY_TIMEOUT_MS / 1000} s` : `after ${(took / 1000).toFixed(1)} s`,
    );
  },
};
