import type { Address } from '../net/address.js';

/** What is known of an address from earlier: terms never go back, and who had it last is told. Pure. */
export class History {
  readonly #terms = new Map<Address, number>();
  readonly #owners = new Map<Address, string>();
  readonly #reasons = new Map<Address, string>();
  /**
   * Given up by all: a foreign host may use them meanwhile. With the node that may still answer, where nobody has heard from it
   * that it does not.
   */
  readonly #released = new Map<Address, string | null>();

  /** The highest term ever seen; 0: nobody ever had it. */
  term(address: Address): number {
    return this.#terms.get(address) ?? 0;
  }

  sawTerm(address: Address, term: number): void {
    if (term > this.term(address)) this.#terms.set(address, term);
  }

  lastOwner(address: Address): string | null {
    return this.#owners.get(address) ?? null;
  }

  lost(address: Address, owner: string): void {
    this.#owners.set(address, owner);
  }

  /** Why this node gave it up, for whoever tells that another node has it. */
  gaveUp(address: Address, why: string): void {
    this.#reasons.set(address, why);
  }

  takeReason(address: Address): string | null {
    const why = this.#reasons.get(address) ?? null;
    this.#reasons.delete(address);
    return why;
  }

  owned(address: Address): void {
    this.#released.delete(address);
  }

  /** @param suspect the node that is not heard, and had it last */
  released(address: Address, suspect: string | null = null): void {
    this.#released.set(address, suspect);
  }

  /** The node that had it last without being heard; null: there is none. */
  suspectOf(address: Address): string | null {
    return this.#released.get(address) ?? null;
  }

  /** Nobody in the cluster has it, or had it of late: it has to be probed. */
  isNew(address: Address): boolean {
    return !this.#terms.has(address) || this.#released.has(address);
  }
}
