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

/**
 * For each peer: what would fall to this node if that peer were lost, by the rules by which it then does. A plan is made of all
 * addresses of the peer, or nodes would not come to the same; but only where something about one of them has changed. Pure.
 */
export class Plans {
  readonly #byPeer = new Map<string, TakeoverPlan>();
  readonly #outdatedPeers = new Set<string>();
  #allOutdated = true;
  /** Whether the plans of all peers were made before. */
  #made = false;

  /** Whether what {@link make} returned last may be outdated. */
  get outdated(): boolean {
    return this.#allOutdated || this.#outdatedPeers.size > 0;
  }

  /** Who owns what, or who is there, has changed. */
  setAllOutdated(): void {
    this.#allOutdated = true;
  }

  /** What is wanted of an address of this peer has changed. */
  setOutdated(peer: string): void {
    this.#outdatedPeers.add(peer);
  }

  /** There are none now: nothing may be taken. */
  clear(): void {
    this.#byPeer.clear();
    this.#outdatedPeers.clear();
    this.#allOutdated = false;
    this.#made = false;
  }

  make(input: PlanInput): TakeoverPlan[] {
    const peers = input.members.twoWay();
    const all = this.#allOutdated || !this.#made;
    const isOutdated = (peer: string) => all || this.#outdatedPeers.has(peer);
    if (all) this.#byPeer.clear();
    const owned = ownedBy(input, isOutdated);
    for (const { node, incarnation } of peers) {
      if (!isOutdated(node)) continue;
      const plan = planFor(node, incarnation, owned.get(node) ?? [], input);
      if (plan) this.#byPeer.set(node, plan);
      else this.#byPeer.delete(node);
    }
    this.#outdatedPeers.clear();
    this.#allOutdated = false;
    this.#made = true;
    return peers.flatMap(({ node }) => this.#byPeer.get(node) ?? []);
  }
}

type Owned = readonly [Address, Wanted, isNew: boolean];

function ownedBy({ node, owners, wanted }: PlanInput, isAsked: (peer: string) => boolean): Map<string, Owned[]> {
  const owned = new Map<string, Owned[]>();
  for (const [address, owner] of owners) {
    if (owner.node === node || !isAsked(owner.node)) continue;
    const wish = wanted.get(address);
    if (!wish) continue;
    const list = owned.get(owner.node);
    if (list) list.push([address, wish, false]);
    else owned.set(owner.node, [[address, wish, false]]);
  }
  return owned;
}

function planFor(peer: string, incarnation: string, owned: readonly Owned[], input: PlanInput): TakeoverPlan | null {
  // With hundreds of nodes most own nothing.
  if (owned.length === 0) return null;
  const { node, interfaceName, owners, candidates, canTake } = input;
  const requests = candidates.requests(owned, { self: canTake, without: peer });
  const heirs = place(requests, owners.loads);
  const addresses = [...heirs].flatMap(([address, heir]) => (heir === node ? [address] : []));
  return addresses.length > 0 ? { interfaceName, incarnation, addresses } : null;
}
