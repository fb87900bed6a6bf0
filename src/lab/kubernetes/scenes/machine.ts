// What the machine loses by itself while it runs a whole cluster: seen by datagrams to the pods' own addresses, which go through
// the same nodes to the same programs, and concern nothing that Arpeggio does.
import type { Observation } from '../../observation.js';
import { lossOf } from '../../scenes/moves.js';
import type { KubernetesLab } from '../kubernetes_lab.js';
import { nodeAddresses, POD_NAMES, PODS, podAddresses } from '../stage.js';

/** By IPv4 alone: the machine makes no difference between families. */
const STRAIGHT = POD_NAMES.map((pod) => ({
  node: PODS[pod],
  address: podAddresses(pod)[0],
  via: nodeAddresses(PODS[pod])[0],
}));

/** Clients send to all services, and to the pods, by new connections from now on: to those pods that kube-proxy chooses now. */
export async function sendAnew(lab: KubernetesLab): Promise<void> {
  const routes = STRAIGHT.map(({ address, via }) => `route replace ${address} via ${via}`);
  await Promise.all(
    lab.clients.map(async (client) => {
      await client.host.batch(routes);
      await client.silence();
      await client.stream(...lab.addresses, ...STRAIGHT.map(({ address }) => address));
    }),
  );
}

/** Whether it is a pod's own address, by way of this node. */
export const isStraightThrough = (address: string, node: string | null): boolean =>
  STRAIGHT.some((straight) => straight.address === address && straight.node === node);

const isStraight = (address: string) => STRAIGHT.some((straight) => straight.address === address);

/**
 * Whether nothing was lost, or only while packets to the pods themselves were lost, too.
 * @param seen of service IPs
 * @param all pods' own addresses among them
 */
export function lossless(seen: Observation, all: Observation): { readonly held: boolean; readonly figure: string } {
  const straight = all.only(isStraight);
  if (seen.lost === 0) return { held: seen.sent > 0, figure: lossOf(seen) };
  if (straight.lost > 0)
    return { held: true, figure: `${lossOf(seen)}, and to the pods themselves ${lossOf(straight)}: a busy machine` };
  const rows = Object.entries(seen.seen).flatMap(([client, reports]) =>
    Object.entries(reports).map(([address, report]) => ({ client, address, ...report })),
  );
  const worst = rows.filter(({ lost }) => lost > 0).sort((a, b) => b.lost - a.lost);
  const named = worst.map(
    ({ client, address, lost, longestGapMs }) => `${client} ${lost} to ${address} in ${Math.round(longestGapMs)} ms`,
  );
  return { held: false, figure: `${lossOf(seen)}: ${named.join(', ')}` };
}
