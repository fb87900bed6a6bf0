import type { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import type { PlacementRequest } from '../placement/types.js';
import type { Records } from './records.js';
import type { Unwilling } from './unwilling.js';

/** What is wanted of an address on a segment. */
export interface Wanted {
  /** Who may own it; null: every node. Equal sets are one object where there are many addresses. */
  readonly nodes: ReadonlySet<string> | null;
  readonly prefer: ReadonlyMap<string, number>;
}

/** Whether the node may own the address; not where it is no service IP. */
export function mayOwn(wish: Wanted | null | undefined, node: string): boolean {
  return wish != null && (wish.nodes === null || wish.nodes.has(node));
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
  #lastResort: ReadonlySet<string> = new Set();

  constructor(
    private readonly node: string,
    private readonly members: Membership,
    private readonly unwilling: Unwilling,
    private readonly records: Pick<Records, 'unheard' | 'nodeOf' | 'isCandidate'>,
  ) {}

  /** Nodes that are candidates only where no other node is. */
  get lastResort(): ReadonlySet<string> {
    return this.#lastResort;
  }

  set lastResort(nodes: ReadonlySet<string>) {
    this.#lastResort = nodes;
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
      const unwilling = this.unwilling.of(address);
      const excepted = except?.(address);
      let allowed = choice.among(all, nodes);
      if (unwilling.size > 0) allowed = allowed.filter((node) => node === this.node || !unwilling.has(node));
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
