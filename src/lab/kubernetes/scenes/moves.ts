// What clients of a cluster may see of an event. Which pod serves them is kube-proxy's choice; whose MAC they send to is not.
import { observe } from '../../observation.js';
import { expectOutage } from '../../scenes/moves.js';
import type { KubernetesLab } from '../kubernetes_lab.js';
import { NODE_NAMES, type NodeName } from '../stage.js';
import type { Owners } from '../workloads.js';
import { isStraightThrough, lossless } from './machine.js';

/** The goal is 200 ms, and a machine that runs a whole cluster is busy. */
export const OUTAGE_LIMIT_MS = 500;

/** The node that owns the most. */
export function busiest(owners: Owners): NodeName {
  const count = (name: NodeName) => Object.values(owners).filter((owner) => owner === name).length;
  return NODE_NAMES.reduce((best, name) => (count(name) > count(best) ? name : best));
}

const ownedBy = (owners: Owners, node: string) => Object.keys(owners).filter((address) => owners[address] === node);

/** Whether every address for which `wanted` holds is where it was. */
const stayed = (before: Owners, after: Owners, wanted: (address: string) => boolean) =>
  Object.keys(before).every((address) => !wanted(address) || before[address] === after[address]);

/** Expects that the kernel of every client has the MAC of the owner. */
export async function expectResolved(lab: KubernetesLab, addresses: readonly string[], owners: Owners): Promise<void> {
  let right = 0;
  for (const { host } of lab.clients) {
    for (const address of addresses) {
      const entry = await host.neighbour(address);
      if (entry?.lladdr === lab.bed.host(owners[address] ?? '').mac) right += 1;
    }
  }
  const all = lab.clients.length * addresses.length;
  lab.expect('every client sends to the MAC of the owner', right === all, `${right} of ${all} neighbour entries`);
}

export interface ExpectedMove {
  /** The node that gives its addresses away, or loses them. */
  readonly from: NodeName;
  /** 0: nobody loses a packet. */
  readonly limitMs: number;
}

/** Lets something happen after which others own the node's addresses. Returns who owns what then. */
export async function expectMove(
  lab: KubernetesLab,
  before: Owners,
  { from, limitMs }: ExpectedMove,
  event: () => Promise<unknown>,
): Promise<Owners> {
  const observation = await observe(lab, event);
  const after = await lab.settled();
  const addresses = ownedBy(before, from);
  const moved = observation.only((address) => before[address] === from);
  // Of a node that dies nothing comes through any more that goes straight to its pod.
  const straight = observation.only((address) => limitMs === 0 || !isStraightThrough(address, from));
  if (limitMs > 0) expectOutage(lab, moved, limitMs);
  else {
    for (const { name } of lab.clients) {
      const { held, figure } = lossless(moved.of(name), straight.of(name));
      lab.expect(`${name} loses nothing`, held, figure);
    }
  }
  lab.expect(
    'each of its addresses has another owner',
    addresses.length > 0 && ownedBy(after, from).length === 0,
    addresses.map((address) => `${address} to ${after[address]}`).join(', '),
  );
  await expectResolved(lab, addresses, after);
  const isOthers = (address: string) => before[address] !== undefined && before[address] !== from;
  const others = lossless(observation.only(isOthers), straight);
  lab.expect(
    'the addresses of the others stay, and lose nothing',
    others.held && stayed(before, after, isOthers),
    others.figure,
  );
  return after;
}

/** Lets something happen that no client may notice. @param returning the node that was dead before */
export async function expectNothing(
  lab: KubernetesLab,
  owners: Owners,
  what: string,
  event: () => Promise<unknown>,
  returning: NodeName | null = null,
): Promise<void> {
  const observation = await observe(lab, event);
  const after = await lab.settled();
  const allStayed = stayed(owners, after, () => true);
  const { held, figure } = lossless(
    observation.only((address) => owners[address] !== undefined),
    // The node that comes back was not there before.
    observation.only((address) => !isStraightThrough(address, returning)),
  );
  lab.expect(
    `${what}: no address moves, nobody loses a packet`,
    allStayed && held,
    `${allStayed ? 'nothing moved' : 'addresses moved'}, ${figure}`,
  );
}
