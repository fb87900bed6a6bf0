import { Claim } from '../claim/claim.js';
import { type DesiredAddress, type DesiredService, nodesOn } from '../desired/desired.js';
import { DesiredSet } from '../desired/desired_set.js';
import type { Address } from '../net/address.js';
import type { Wanted } from '../ownership/candidates.js';

/** What the source wants of this node, and the claims that follow: of each address one on each interface it may be announced on. */
export class Wishes {
  readonly #set = new DesiredSet();
  #interfaces: readonly string[] = [];
  #claims = new Map<Address, readonly Claim[]>();

  get desired(): ReadonlyMap<Address, DesiredAddress> {
    return this.#set.addresses;
  }

  get claims(): ReadonlyMap<Address, readonly Claim[]> {
    return this.#claims;
  }

  /** Those that may be used, in the node's order. */
  get interfaces(): readonly string[] {
    return this.#interfaces;
  }

  claimOf(address: Address, interfaceName: string): Claim | null {
    return this.#claims.get(address)?.find((claim) => claim.interfaceName === interfaceName) ?? null;
  }

  *all(): Iterable<Claim> {
    for (const claims of this.#claims.values()) yield* claims;
  }

  /** Everything anew. Claims that are still wanted go on. */
  replace(services: readonly DesiredService[], interfaces: readonly string[], nowMs: number): void {
    this.#set.replace(services);
    this.setInterfaces(interfaces, nowMs);
  }

  setInterfaces(interfaces: readonly string[], nowMs: number): void {
    this.#interfaces = interfaces;
    const previous = this.#claims;
    this.#claims = new Map();
    for (const [address, wish] of this.desired) {
      this.#claims.set(address, this.#claimsFor(wish, previous.get(address) ?? [], nowMs));
    }
  }

  /**
   * Puts services in place of those with their names, and takes others away.
   * @returns the addresses of all that was named; `selected`: whether some address is announced elsewhere than before
   */
  change(
    changed: readonly DesiredService[],
    removed: readonly string[],
    nowMs: number,
  ): { readonly addresses: ReadonlySet<Address>; readonly selected: boolean } {
    const addresses = this.#set.change(changed, removed);
    let selected = false;
    for (const address of addresses) {
      const before = this.#claims.get(address);
      const wish = this.desired.get(address);
      if (!wish) {
        selected = this.#claims.delete(address) || selected;
        continue;
      }
      const now = this.#claimsFor(wish, before ?? [], nowMs);
      if (before?.length === now.length && now.every((claim, index) => claim === before[index])) continue;
      this.#claims.set(address, now);
      selected = true;
    }
    return { addresses, selected };
  }

  /** What is wanted of an address on an interface; null: nothing. */
  wantedOn(address: Address, interfaceName: string): Wanted | null {
    const wish = this.desired.get(address);
    if (!wish || wish.interfaces?.has(interfaceName) === false) return null;
    if (wish.scopes === null) return wish;
    return { nodes: nodesOn(wish, interfaceName, this.#set.sets), prefer: wish.prefer };
  }

  /** The same of all addresses. */
  allWantedOn(interfaceName: string): Map<Address, Wanted> {
    const wanted = new Map<Address, Wanted>();
    for (const address of this.desired.keys()) {
      const wish = this.wantedOn(address, interfaceName);
      if (wish) wanted.set(address, wish);
    }
    return wanted;
  }

  #claimsFor({ address, interfaces }: DesiredAddress, kept: readonly Claim[], nowMs: number): Claim[] {
    const names = interfaces ? this.#interfaces.filter((name) => interfaces.has(name)) : this.#interfaces;
    return names.map(
      (name) => kept.find(({ interfaceName }) => interfaceName === name) ?? new Claim(address, name, nowMs),
    );
  }
}
