import type { LabClient } from '../client.js';
import { type NodeName, nodeAddresses, POD_NAMES, PODS, podAddresses } from './stage.js';

/**
 * The pods' own addresses, each by way of its node: nothing that Arpeggio does concerns what is sent there, and what is lost of
 * it the machine has lost. By IPv4 alone: that makes no difference between families.
 */
export const STRAIGHT = POD_NAMES.map((pod) => ({
  node: PODS[pod] as NodeName,
  address: podAddresses(pod)[0] as string,
  via: nodeAddresses(PODS[pod])[0] as string,
}));

/** Clients send to service IPs, and beside these to the pods' own addresses. */
export async function sendBeside(clients: readonly LabClient[], addresses: readonly string[]): Promise<void> {
  const routes = STRAIGHT.map(({ address, via }) => `route replace ${address} via ${via}`);
  await Promise.all(
    clients.map(async (client) => {
      await client.host.batch(routes);
      await client.silence();
      await client.stream(...addresses, ...STRAIGHT.map(({ address }) => address));
    }),
  );
}
