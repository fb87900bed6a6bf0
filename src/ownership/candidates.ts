import type { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import type { PlacementRequest } from '../placement/types.js';
import type { Records } from './records.js';

/**
 * A node that does not take what falls to it is left out for this long. Not longer: each node finds that out by itself,
 * and where they disagree two may be armed for one address.
 */
const UNWILLING_MS = 5_000;
/** What is wanted of an address on a segment. */
export interface Wanted {
  /** Who may own it; null: every node. Equal sets are one object where there are many addresses. */
  readonly nodes: ReadonlySet<string> | null;
  readonly prefer: ReadonlyMap<string, number>;
}

export interface RequestOptions {
  /** Whether this node is one of the candidates. */
  readonly self: (address: Address) => boolean;
  /** A node that is none. */
  readonly without?: string | null;
  /** Only those that are better than a node of last resort. */
  readonly better?: boolean;
  /** Further nodes that are none. */
  readonly except?: (address: Address) => ReadonlySet<string> | null;
}

/** Who may own an address now. Equal lists are one array: placement knows them again. Pure. */
export class Candidates {
  readonly #unwilling = new Map<Address, Map<string, number>>();
  #nextMs = Number.POSITIVE_INFINITY;
  #lastResort: ReadonlySet<string> = new Set();

  constructor(
    private readonly node: string,
    private readonly members: Membership,
    private readonly records: Pick<Records, 'unheard' | 'nodeOf' | 'isCandidate'>,
  ) {}

  /** Nodes that are candidates only where no other node is. */
  get lastResort(): ReadonlySet<string> {
    return this.#lastResort;
  }

  set lastResort(nodes: ReadonlySet<string>) {
    this.#lastResort = nodes;
  }

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

  requests(
    addresses: Iterable<readonly [Address, Wanted, isNew: boolean]>,
    { self, without = null, better = false, except }: RequestOptions,
  ): PlacementRequest[] {
    const heard = this.members.twoWay().filter(({ node }) => node !== without);
    const ready = heard.flatMap(({ node, state }) =>
      state === 'ready' && this.records.isCandidate(node) ? [node] : [],
    );
    // Who is about to be ready gets its share of what nobody ever had; so does who is here but cannot be heard.
    const joining = heard.filter(({ state }) => state === 'joining').map(({ node }) => node);
    const unheard = this.records.unheard().filter((node) => !this.members.isTwoWay(node));
    const arriving = [...ready, ...joining, ...unheard];
    const lists = { ready, arriving, readyAndSelf: [...ready, this.node], arrivingAndSelf: [...arriving, this.node] };
    const choice = new Choice(this.#lastResort, better);
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
      const excepted = except?.(address);
      let allowed = choice.among(all, nodes);
      if (unwilling) allowed = allowed.filter((node) => node === this.node || !unwilling.has(node));
      if (excepted) allowed = allowed.filter((node) => !excepted.has(node));
      // A cluster that starts again leaves each address where clients still send.
      const before = isNew ? this.records.nodeOf(address) : null;
      requests.push({ address, candidates: choice.only(before, choice.best(allowed)), prefer });
    }
    return requests;
  }
}

type Names = readonly string[];

/** Lists of names made from others, each once. */
class Choice {
  readonly #allowed = new Map<Names, Map<ReadonlySet<string>, Names>>();
  readonly #best = new Map<Names, Names>();
  readonly #only = new Map<string, Names>();

  constructor(
    private readonly lastResort: ReadonlySet<string>,
    private readonly onlyBetter: boolean,
  ) {}

  among(all: Names, nodes: ReadonlySet<string> | null): Names {
    if (nodes === null) return all;
    let bySet = this.#allowed.get(all);
    if (!bySet) {
      bySet = new Map();
      this.#allowed.set(all, bySet);
    }
    let allowed = bySet.get(nodes);
    if (!allowed) {
      allowed = all.filter((node) => nodes.has(node));
      bySet.set(nodes, allowed);
    }
    return allowed;
  }

  /** The node alone, if it is one of them. */
  only(node: string | null, names: Names): Names {
    if (node === null || !names.includes(node)) return names;
    let list = this.#only.get(node);
    if (!list) {
      list = [node];
      this.#only.set(node, list);
    }
    return list;
  }

  /** Nodes of last resort are left out where there are others. */
  best(names: Names): Names {
    if (this.lastResort.size === 0) return names;
    let best = this.#best.get(names);
    if (!best) {
      const better = names.filter((node) => !this.lastResort.has(node));
      best = better.length > 0 || this.onlyBetter ? better : names;
      this.#best.set(names, best);
    }
    return best;
  }
}
