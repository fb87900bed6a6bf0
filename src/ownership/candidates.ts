import type { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import type { PlacementRequest } from '../placement/types.js';

/**
 * A node that does not take what falls to it is left out for this long. Not longer: each node finds that out by itself,
 * and where they disagree two may be armed for one address.
 */
const UNWILLING_MS = 5_000;

/** What is wanted of an address on a segment. */
export interface Wanted {
  /** Who may own it; null: every node. */
  readonly nodes: ReadonlySet<string> | null;
  readonly prefer: ReadonlyMap<string, number>;
}

/** Who may own an address now. Equal lists are one array: placement knows them again. Pure. */
export class Candidates {
  readonly #unwilling = new Map<Address, Map<string, number>>();
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly node: string,
    private readonly members: Membership,
  ) {}

  /** The node did not take the address. */
  refuse(address: Address, node: string, nowMs: number): void {
    const nodes = this.#unwilling.get(address) ?? new Map<string, number>();
    nodes.set(node, nowMs + UNWILLING_MS);
    this.#unwilling.set(address, nodes);
    this.#nextMs = Math.min(this.#nextMs, nowMs + UNWILLING_MS);
  }

  /** When a node is to be asked again. */
  nextMs(): number {
    return this.#nextMs;
  }

  /** @returns whether there are nodes to be asked again */
  expire(nowMs: number): boolean {
    if (nowMs < this.#nextMs) return false;
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const [address, nodes] of this.#unwilling) {
      for (const [node, untilMs] of nodes) {
        if (untilMs <= nowMs) nodes.delete(node);
        else this.#nextMs = Math.min(this.#nextMs, untilMs);
      }
      if (nodes.size === 0) this.#unwilling.delete(address);
    }
    return true;
  }

  /** The node is another process now, or has changed its mind. */
  welcome(node: string): void {
    for (const [address, nodes] of this.#unwilling) {
      if (nodes.delete(node) && nodes.size === 0) this.#unwilling.delete(address);
    }
  }

  /**
   * @param self whether this node is one of them
   * @param without a node that is not
   */
  requests(
    addresses: Iterable<readonly [Address, Wanted, isNew: boolean]>,
    { self, without = null }: { readonly self: (address: Address) => boolean; readonly without?: string | null },
  ): PlacementRequest[] {
    const heard = this.members.twoWay().filter(({ node }) => node !== without);
    const ready = heard.filter(({ state }) => state === 'ready').map(({ node }) => node);
    // Who is about to be ready gets its share of what nobody ever had.
    const arriving = [...ready, ...heard.filter(({ state }) => state === 'joining').map(({ node }) => node)];
    const lists = { ready, arriving, readyAndSelf: [...ready, this.node], arrivingAndSelf: [...arriving, this.node] };
    const requests: PlacementRequest[] = [];
    for (const [address, { nodes, prefer }, isNew] of addresses) {
      const withSelf = self(address);
      const all = isNew
        ? withSelf
          ? lists.arrivingAndSelf
          : lists.arriving
        : withSelf
          ? lists.readyAndSelf
          : lists.ready;
      const unwilling = this.#unwilling.get(address);
      const candidates =
        nodes === null && unwilling === undefined
          ? all
          : all.filter((node) => (nodes === null || nodes.has(node)) && (node === this.node || !unwilling?.has(node)));
      requests.push({ address, candidates, prefer });
    }
    return requests;
  }
}
