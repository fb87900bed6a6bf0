// What clients of a cluster may see of an event. Which pod serves them is kube-proxy's choice; whose MAC they send to is not.
import { type Observation, observe } from '../../observation.js';
import { expectOutage, lossOf } from '../../scenes/moves.js';
import type { KubernetesLab } from '../kubernetes_lab.js';
import { NODE_NAMES, type NodeName } from '../stage.js';
import type { Owners } from '../workloads.js';

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

/** Where packets are lost that may not be: whose, and for how long. */
function losses(observation: Observation): string {
  const rows = Object.entries(observation.seen).flatMap(([client, reports]) =>
    Object.entries(reports).map(([address, { lost, longestGapMs }]) => ({ client, address, lost, longestGapMs })),
  );
  const worst = rows.filter(({ lost }) => lost > 0).sort((a, b) => b.lost - a.lost);
  const named = worst.map(
    ({ client, address, lost, longestGapMs }) => `${client} ${lost} to ${address}, ${Math.round(longestGapMs)} ms`,
  );
  return named.length === 0 ? lossOf(observation) : `${lossOf(observation)} (${named.join('; ')})`;
}

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
  expectOutage(
    lab,
    observation.only((address) => before[address] === from),
    limitMs,
  );
  lab.expect(
    'each of its addresses has another owner',
    addresses.length > 0 && ownedBy(after, from).length === 0,
    addresses.map((address) => `${address} to ${after[address]}`).join(', '),
  );
  await expectResolved(lab, addresses, after);
  const others = observation.only((address) => before[address] !== from);
  lab.expect(
    'the addresses of the others stay, and lose nothing',
    stayed(before, after, (address) => before[address] !== from) && others.lost === 0,
    losses(others),
  );
  return after;
}

/** Lets something happen that no client may notice. */
export async function expectNothing(
  lab: KubernetesLab,
  owners: Owners,
  what: string,
  event: () => Promise<unknown>,
): Promise<void> {
  const observation = await observe(lab, event);
  const after = await lab.settled();
  const allStayed = stayed(owners, after, () => true);
  lab.expect(
    `${what}: no address moves, nobody loses a packet`,
    allStayed && observation.sent > 0 && observation.lost === 0,
    `${allStayed ? 'nothing moved' : 'addresses moved'}, ${losses(observation)}`,
  );
}
