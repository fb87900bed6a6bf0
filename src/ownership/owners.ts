import type { Address } from '../net/address.js';

/** Who owns an address on a segment, as this node sees it. */
export interface Owner {
  readonly node: string;
  readonly term: number;
  readonly firm: boolean;
  readonly sinceMs: number;
}

/** The owners of all wanted addresses, and how many each node has. Pure. */
export class Owners {
  readonly #owners = new Map<Address, Owner>();
  readonly #loads = new Map<string, number>();

  get(address: Address): Owner | null {
    return this.#owners.get(address) ?? null;
  }

  get loads(): ReadonlyMap<string, number> {
    return this.#loads;
  }

  [Symbol.iterator](): Iterator<[Address, Owner]> {
    return this.#owners.entries();
  }

  /** @returns the node that owned it before; undefined where that has not changed */
  set(address: Address, owner: Omit<Owner, 'sinceMs'> | null, nowMs: number): string | null | undefined {
    const before = this.#owners.get(address) ?? null;
    if (before?.node === owner?.node) {
      if (before && owner && (before.term !== owner.term || before.firm !== owner.firm)) {
        this.#owners.set(address, { ...ownerOf(owner), sinceMs: before.sinceMs });
      }
      return undefined;
    }
    if (before) this.#count(before.node, -1);
    if (owner) {
      this.#count(owner.node, 1);
      this.#owners.set(address, { ...ownerOf(owner), sinceMs: nowMs });
    } else {
      this.#owners.delete(address);
    }
    return before?.node ?? null;
  }

  #count(node: string, change: number): void {
    this.#loads.set(node, (this.#loads.get(node) ?? 0) + change);
  }
}

function ownerOf({ node, term, firm }: Omit<Owner, 'sinceMs'>): Omit<Owner, 'sinceMs'> {
  return { node, term, firm };
}
