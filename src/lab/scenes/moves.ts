// What clients may see of an event: a takeover that is short, or nothing at all.
import type { ArpeggioNode, NodeStatus } from '../arpeggio_node.js';
import type { Owners } from '../cluster.js';
import type { Lab } from '../lab.js';
import { type Observation, observe } from '../observation.js';
import type { Story } from '../story.js';

/** How long an address may be without an answer when its node is lost. */
export const OUTAGE_LIMIT_MS = 250;

export const lossOf = ({ lost, sent }: Observation) => `${lost} of ${sent} packets lost`;

/** The node that owns the most, of those wanted. */
export function busiest(lab: Lab, owners: Owners, wanted: (node: ArpeggioNode) => boolean = () => true): string {
  const count = (name: string) => Object.values(owners).filter((owner) => owner === name).length;
  const names = lab.nodes.filter(wanted).map(({ name }) => name);
  return names.reduce((best, name) => (count(name) > count(best) ? name : best));
}

/** Whether every client saw each address at its owner before, and then at its owner after. */
function sawMove(observation: Observation, before: Owners, after: Owners): boolean {
  return Object.values(observation.seen).every((reports) =>
    Object.entries(reports).every(([address, { answeredBy }]) => {
      const expected = [...new Set([before[address], after[address]])];
      return answeredBy.map(({ node }) => node).join(' ') === expected.join(' ');
    }),
  );
}

/** @param limitMs of each client; 0: it may not lose a packet */
export function expectOutage(lab: Story, observation: Observation, limitMs: number): void {
  for (const { name } of lab.clients) {
    const mine = observation.of(name);
    if (limitMs === 0) lab.expect(`${name} loses nothing`, mine.sent > 0 && mine.lost === 0, lossOf(mine));
    else
      lab.expect(
        `${name} goes without an answer for at most ${limitMs} ms`,
        mine.sent > mine.lost && mine.outageMs <= limitMs,
        `${Math.round(mine.outageMs)} ms, ${lossOf(mine)}`,
      );
  }
}

/** What the new owners say of the clients that they asked to follow: `arpeggio status --json`. */
async function confirmations(lab: Lab, from: string, after: Owners): Promise<{ asked: number; confirmed: number }> {
  const sum = { asked: 0, confirmed: 0 };
  for (const name of new Set(Object.values(after))) {
    const { moves } = JSON.parse(await lab.cluster.node(name).ask('status', '--json')) as NodeStatus;
    // The newest comes first.
    const clients = moves.find((move) => move.from === from && move.to === name)?.clients;
    sum.asked += clients?.asked ?? 0;
    sum.confirmed += clients?.confirmed ?? 0;
  }
  return sum;
}

export interface ExpectedMove {
  /** The node that gives its addresses away, or loses them. */
  readonly from: string;
  /** 0: nobody loses a packet. */
  readonly limitMs: number;
  /** Default: that of the whole cluster, once it is settled. */
  readonly ownersAfter?: () => Promise<Owners>;
}

/** Lets something happen after which others own the node's addresses. Returns who owns what then. */
export async function expectMove(
  lab: Lab,
  before: Owners,
  { from, limitMs, ownersAfter = () => lab.cluster.settled() }: ExpectedMove,
  event: () => Promise<unknown>,
): Promise<Owners> {
  const observation = await observe(lab.cluster, event);
  const after = await ownersAfter();
  const moved = observation.only((address) => before[address] === from);
  expectOutage(lab, moved, limitMs);
  const addresses = Object.keys(before).filter((address) => before[address] === from);
  lab.expect(
    'each of its addresses moves once, to another node',
    addresses.length > 0 && addresses.every((address) => after[address] !== from) && sawMove(moved, before, after),
    addresses.map((address) => `${address} to ${after[address]}`).join(', '),
  );
  const others = observation.only((address) => before[address] !== from);
  lab.expect(
    'the addresses of the others stay, and lose nothing',
    sawMove(others, before, before) && others.lost === 0,
    lossOf(others),
  );
  const { asked, confirmed } = await confirmations(lab, from, after);
  lab.expect(
    'every client is asked to follow, and confirmed',
    asked > 0 && confirmed === asked,
    `${confirmed}/${asked} confirmed`,
  );
  return after;
}

/** Lets something happen that no client may notice. */
export async function expectNothing(
  lab: Lab,
  owners: Owners,
  what: string,
  event: () => Promise<unknown>,
): Promise<void> {
  const observation = await observe(lab.cluster, event);
  const after = await lab.cluster.settled();
  const stayed = Object.keys(owners).every((address) => after[address] === owners[address]);
  lab.expect(
    `${what}: no address moves, nobody loses a packet`,
    stayed && sawMove(observation, owners, owners) && observation.lost === 0,
    `${stayed ? 'nothing moved' : 'addresses moved'}, ${lossOf(observation)}`,
  );
}
