// What the machine loses by itself while it runs a whole cluster: seen by datagrams to the pods' own addresses, which go through
// the same nodes to the same programs, and concern nothing that Arpeggio does.
import type { Observation } from '../../observation.js';
import { lossOf } from '../../scenes/moves.js';
import type { KubernetesLab } from '../kubernetes_lab.js';
import { STRAIGHT, sendBeside } from '../straight.js';

/** Clients send to all services, and to the pods, by new connections from now on: to those pods that kube-proxy chooses now. */
export const sendAnew = (lab: KubernetesLab): Promise<void> => sendBeside(lab.clients, lab.addresses);

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
