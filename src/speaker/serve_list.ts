import type { Claim } from '../claim/claim.js';
import type { Address } from '../net/address.js';
import type { Effect } from './events.js';

/**
 * Which addresses shall be in place on this node: every desired one, owner or not, so that a move loses nothing; but not
 * one that somebody else uses.
 */
export class ServeList {
  /** The `serve` effect from which on an address is in place. */
  readonly #since = new Map<Address, number>();
  #generation = 0;
  #servedGeneration = 0;

  /** @param elsewhere whether something else takes the traffic to every address: nothing is put in place here */
  constructor(private readonly elsewhere: boolean) {}

  /** The `serve` effect with this number was carried out. */
  served(generation: number): void {
    this.#servedGeneration = Math.max(this.#servedGeneration, generation);
  }

  isServed(address: Address): boolean {
    return this.elsewhere || (this.#since.get(address) ?? Number.POSITIVE_INFINITY) <= this.#servedGeneration;
  }

  /**
   * @param changed those about which something may have changed; null: all
   * @returns the effect that brings about what is missing; null: nothing is
   */
  update(claims: ReadonlyMap<Address, readonly Claim[]>, changed: Iterable<Address> | null): Effect | null {
    if (this.elsewhere) return null;
    let differs = false;
    for (const address of changed ?? new Set([...this.#since.keys(), ...claims.keys()])) {
      const wanted = isWanted(claims.get(address));
      if (wanted === this.#since.has(address)) continue;
      differs = true;
      if (wanted) this.#since.set(address, this.#generation + 1);
      else this.#since.delete(address);
    }
    if (!differs) return null;
    this.#generation += 1;
    const addresses = [...claims.keys()].filter((address) => this.#since.has(address));
    return { type: 'serve', generation: this.#generation, addresses };
  }
}

/** Without a claim the address is on no interface of this node; its traffic may still come. */
function isWanted(claims: readonly Claim[] | undefined): boolean {
  return claims !== undefined && (claims.length === 0 || claims.some(({ state }) => state !== 'conflict'));
}
