import type { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import { place } from '../placement/placement.js';
import type { TakeoverPlan } from '../responder/types.js';
import type { Candidates, Wanted } from './candidates.js';
import type { Owners } from './owners.js';

export interface PlanInput {
  /** This node. */
  readonly node: string;
  readonly interfaceName: string;
  readonly wanted: ReadonlyMap<Address, Wanted>;
  readonly owners: Owners;
  readonly members: Membership;
  readonly candidates: Candidates;
  /** Whether this node could answer the address at once. */
  readonly canTake: (address: Address) => boolean;
}

/** For each peer: what would fall to this node if that peer were lost, by the rules by which it then does. Pure. */
export function takeoverPlans({
  node,
  interfaceName,
  wanted,
  owners,
  members,
  candidates,
  canTake,
}: PlanInput): TakeoverPlan[] {
  const owned = new Map<string, [Address, Wanted, boolean][]>();
  for (const [address, owner] of owners) {
    const wish = wanted.get(address);
    if (!wish || owner.node === node) continue;
    const list = owned.get(owner.node);
    if (list) list.push([address, wish, false]);
    else owned.set(owner.node, [[address, wish, false]]);
  }
  return members.twoWay().flatMap(({ node: peer, incarnation }): TakeoverPlan[] => {
    const ownedByPeer = owned.get(peer);
    // With hundreds of nodes most own nothing.
    if (!ownedByPeer) return [];
    const requests = candidates.requests(ownedByPeer, { self: canTake, without: peer });
    const heirs = place(requests, owners.loads);
    const addresses = [...heirs].flatMap(([address, heir]) => (heir === node ? [address] : []));
    return addresses.length > 0 ? [{ interfaceName, incarnation, addresses }] : [];
  });
}
