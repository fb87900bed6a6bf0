// The pools in force: where an address belongs, and which pools a service may be served from.
import type { Service } from '../kubernetes/types.js';
import { addressToBigint } from '../metallb/ranges.js';
import type { AddressRange, Configuration } from '../metallb/types.js';
import { type Address, type Family, familyOf } from '../net/address.js';
import { PoolSpace } from './pool_space.js';
import { compareText } from './sorted_list.js';

interface Owned {
  readonly range: AddressRange;
  readonly space: PoolSpace;
}

export class PoolIndex {
  /** In order of name. */
  readonly all: readonly PoolSpace[];
  readonly #byName: ReadonlyMap<string, PoolSpace>;
  /** Ranges in order; none overlaps another in a valid configuration. */
  readonly #ranges: Readonly<Record<Family, readonly Owned[]>>;
  /** Automatic ones with a serviceAllocation, by priority, then by name; and those without. */
  readonly #pinned: readonly PoolSpace[];
  readonly #open: readonly PoolSpace[];

  constructor(configuration: Configuration) {
    this.all = configuration.pools.map((pool) => new PoolSpace(pool)).sort((a, b) => compareText(a.name, b.name));
    this.#byName = new Map(this.all.map((space) => [space.name, space]));
    const owned = this.all.flatMap((space) => space.ranges.map((range): Owned => ({ range, space })));
    const ordered = (family: Family) =>
      owned
        .filter(({ range }) => range.family === family)
        .sort((a, b) => (a.range.first < b.range.first ? -1 : a.range.first > b.range.first ? 1 : 0));
    this.#ranges = { ipv4: ordered('ipv4'), ipv6: ordered('ipv6') };
    const automatic = this.all.filter(({ pool }) => pool.autoAssign);
    const priority = ({ pool }: PoolSpace) => pool.serviceAllocation?.priority ?? Number.POSITIVE_INFINITY;
    this.#pinned = automatic
      .filter(({ pool }) => pool.serviceAllocation !== null)
      .sort((a, b) => (priority(a) < priority(b) ? -1 : priority(a) > priority(b) ? 1 : compareText(a.name, b.name)));
    this.#open = automatic.filter(({ pool }) => pool.serviceAllocation === null);
    for (const address of configuration.reserved ?? []) this.at(address)?.reserve(address);
  }

  named(name: string): PoolSpace | null {
    return this.#byName.get(name) ?? null;
  }

  /** The pool with a range around the address, also where it avoids it. */
  at(address: Address): PoolSpace | null {
    const ranges = this.#ranges[familyOf(address)];
    const value = addressToBigint(address);
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]!.range.first <= value) low = middle + 1;
      else high = middle;
    }
    const found = ranges[low - 1];
    return found !== undefined && value <= found.range.last ? found.space : null;
  }

  /** The pools for a service that names none, in groups: those made for it before those for everybody. */
  automatic(service: Service): readonly (readonly PoolSpace[])[] {
    return [this.#pinned.filter((space) => space.admits(service)), this.#open];
  }
}
