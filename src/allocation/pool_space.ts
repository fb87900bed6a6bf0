// The addresses of one pool: which are given away, and in what order.
import type { Service } from '../kubernetes/types.js';
import { addressToBigint, bigintToAddress } from '../metallb/ranges.js';
import { matchesAny } from '../metallb/selector.js';
import type { AddressRange, Pool } from '../metallb/types.js';
import { type Address, type Family, familyOf } from '../net/address.js';
import { SortedList } from './sorted_list.js';

/** Whether anybody uses the address. */
export type IsUsed = (address: Address) => boolean;

export class PoolSpace {
  readonly pool: Pool;
  readonly #spaces: readonly RangeSpace[];
  readonly #namespaces: ReadonlySet<string> | null;
  readonly #size: Record<Family, bigint> = { ipv4: 0n, ipv6: 0n };
  /** How many addresses are used: held by a service, standing in the status of one, or a node's. */
  readonly #used: Record<Family, bigint> = { ipv4: 0n, ipv6: 0n };
  readonly #assigned: Record<Family, bigint> = { ipv4: 0n, ipv6: 0n };
  /** Those that nodes have. They count as used. */
  readonly #reserved = new Set<Address>();
  /** How many of these no service holds. */
  readonly #reservedOnly: Record<Family, bigint> = { ipv4: 0n, ipv6: 0n };

  constructor(pool: Pool) {
    this.pool = pool;
    this.#spaces = pool.ranges.map((range) => new RangeSpace(range, pool.avoidBuggyIPs));
    const namespaces = pool.serviceAllocation?.namespaces ?? null;
    this.#namespaces = namespaces === null ? null : new Set(namespaces);
    for (const space of this.#spaces) this.#size[space.range.family] += space.size;
  }

  get name(): string {
    return this.pool.name;
  }

  get ranges(): readonly AddressRange[] {
    return this.pool.ranges;
  }

  /** Whether any of its addresses are of the family, given away or not. */
  has(family: Family): boolean {
    return this.#size[family] > 0n;
  }

  /** How many addresses are held by a service. */
  assigned(family: Family): bigint {
    return this.#assigned[family];
  }

  /** How many are left for services. */
  available(family: Family): bigint {
    return this.#size[family] - this.#assigned[family] - this.#reservedOnly[family];
  }

  hasFree(family: Family): boolean {
    return this.#used[family] < this.#size[family];
  }

  /** Whether its serviceAllocation admits the service; without one, it admits all. */
  admits(service: Service): boolean {
    if (this.#namespaces !== null && !this.#namespaces.has(service.namespace)) return false;
    const selectors = this.pool.serviceAllocation?.serviceSelectors ?? [];
    return matchesAny(selectors, service.labels);
  }

  /** A node has the address: only a service that has it already may keep it. To be told before addresses are used. */
  reserve(address: Address): void {
    if (this.avoids(address) || this.#reserved.has(address)) return;
    this.#reserved.add(address);
    this.#used[familyOf(address)] += 1n;
    this.#reservedOnly[familyOf(address)] += 1n;
  }

  reserves(address: Address): boolean {
    return this.#reserved.has(address);
  }

  /** Whether the address, one of its ranges', is left out (avoidBuggyIPs). */
  avoids(address: Address): boolean {
    return this.pool.avoidBuggyIPs && familyOf(address) === 'ipv4' && isBuggy(addressToBigint(address));
  }

  /** The lowest free address of the first range that has one. */
  lowestFree(family: Family, isUsed: IsUsed): Address | null {
    if (!this.hasFree(family)) return null;
    const isTaken = (address: Address) => isUsed(address) || this.#reserved.has(address);
    for (const space of this.#spaces) {
      const address = space.range.family === family ? space.lowestFree(isTaken) : null;
      if (address !== null) return address;
    }
    return null;
  }

  /** The lowest of these, which are of one family, in the order in which they are given away; null: there is none. */
  lowest(addresses: readonly Address[]): Address | null {
    let best: { readonly address: Address; readonly value: bigint; readonly range: number } | null = null;
    for (const address of addresses) {
      const value = addressToBigint(address);
      const range = this.#spaces.findIndex((space) => space.contains(familyOf(address), value));
      if (best === null || range < best.range || (range === best.range && value < best.value))
        best = { address, value, range };
    }
    return best?.address ?? null;
  }

  /** `change` of 1: a service holds the address, the first one; -1: the last one left it. */
  assign(address: Address, change: bigint): void {
    if (this.avoids(address)) return;
    const family = familyOf(address);
    this.#assigned[family] += change;
    if (this.#reserved.has(address)) this.#reservedOnly[family] -= change;
  }

  /** An address that nobody used is used from now on; one that is avoided does not count. */
  occupy(address: Address): void {
    if (!this.avoids(address) && !this.#reserved.has(address)) this.#used[familyOf(address)] += 1n;
  }

  /** Nobody uses the address any more. */
  vacate(address: Address): void {
    if (this.avoids(address) || this.#reserved.has(address)) return;
    const family = familyOf(address);
    this.#used[family] -= 1n;
    const value = addressToBigint(address);
    for (const space of this.#spaces) if (space.contains(family, value)) space.vacate(value);
  }
}

class RangeSpace {
  readonly range: AddressRange;
  readonly size: bigint;
  readonly #avoidBuggyIPs: boolean;
  /** Every address below it was used once. */
  #frontier: bigint;
  /** Those below the frontier that were given back; some may be used again. */
  readonly #givenBack = new SortedList<bigint>((a, b) => (a < b ? -1 : a > b ? 1 : 0));

  constructor(range: AddressRange, avoidBuggyIPs: boolean) {
    this.range = range;
    this.#avoidBuggyIPs = avoidBuggyIPs && range.family === 'ipv4';
    this.#frontier = range.first;
    const all = range.last - range.first + 1n;
    this.size = this.#avoidBuggyIPs ? all - (buggyUpTo(range.last) - buggyUpTo(range.first - 1n)) : all;
  }

  contains(family: Family, value: bigint): boolean {
    return family === this.range.family && this.range.first <= value && value <= this.range.last;
  }

  lowestFree(isUsed: IsUsed): Address | null {
    for (let value = this.#givenBack.first; value !== undefined; value = this.#givenBack.first) {
      const address = bigintToAddress(value, this.range.family);
      if (!isUsed(address)) return address;
      this.#givenBack.delete(value);
    }
    for (; this.#frontier <= this.range.last; this.#frontier += 1n) {
      if (this.#avoidBuggyIPs && isBuggy(this.#frontier)) continue;
      const address = bigintToAddress(this.#frontier, this.range.family);
      if (!isUsed(address)) return address;
    }
    return null;
  }

  vacate(value: bigint): void {
    if (value < this.#frontier) this.#givenBack.add(value);
  }
}

/** IPv4 addresses that end in .0 and .255: some old firmware takes them for broadcast addresses. */
function isBuggy(value: bigint): boolean {
  const low = value & 255n;
  return low === 0n || low === 255n;
}

/** How many of 0 to `value` are buggy; `value` may be -1. */
function buggyUpTo(value: bigint): bigint {
  const count = value + 1n;
  return (count / 256n) * 2n + (count % 256n > 0n ? 1n : 0n);
}
