import type { Address } from '../../../src/net/address.js';
import type { Nic } from '../segment.js';

/** When each interface last announced an address, in virtual time. */
export class AnnouncedTimes {
  readonly #times = new Map<Nic, Map<Address, number>>();

  set(nic: Nic, address: Address, nowMs: number): void {
    const times = this.#times.get(nic) ?? new Map<Address, number>();
    times.set(address, nowMs);
    this.#times.set(nic, times);
  }

  /** null: never. */
  get(nic: Nic, address: Address): number | null {
    return this.#times.get(nic)?.get(address) ?? null;
  }
}
