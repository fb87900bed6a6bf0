import type { Address } from '../net/address.js';

/** How long a successor may stand above the owner that asked it to. */
const ACCEPTED_MS = 2_000;

/** What owners have asked us to take: until they have yielded, their claims do not stand against ours. Pure. */
export class Accepted {
  readonly #accepted = new Map<Address, { readonly from: string; readonly untilMs: number }>();

  /** @param from the owner's incarnation */
  add(address: Address, from: string, nowMs: number): void {
    this.#accepted.set(address, { from, untilMs: nowMs + ACCEPTED_MS });
  }

  delete(address: Address): void {
    this.#accepted.delete(address);
  }

  from(address: Address): string | null {
    return this.#accepted.get(address)?.from ?? null;
  }

  /** What a process has asked us to take. */
  of(incarnation: string): Address[] {
    return [...this.#accepted].flatMap(([address, { from }]) => (from === incarnation ? [address] : []));
  }

  /** Those whose time is over: the better claim counts again. */
  takeExpired(nowMs: number): Address[] {
    const expired = [...this.#accepted].flatMap(([address, { untilMs }]) => (untilMs <= nowMs ? [address] : []));
    for (const address of expired) this.#accepted.delete(address);
    return expired;
  }

  nextMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { untilMs } of this.#accepted.values()) nextMs = Math.min(nextMs, untilMs);
    return nextMs;
  }
}
