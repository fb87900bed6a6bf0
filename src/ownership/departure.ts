import type { Address } from '../net/address.js';

/** What nobody takes is offered again. */
const RETRY_MS = 1_000;
/** Leaving: what nobody took after this long is given up. */
const LEAVE_LIMIT_MS = 3_000;
/** So long after it was told to leave, a node knows what its packet thread had taken over by itself until then. */
const TOOK_MS = 100;
/** The API server tells of one node after the other: who becomes a node of last resort waits whether all do. */
const LAST_RESORT_MS = 500;

/** Which addresses of ours are to be looked at, and when: whether they shall go to other nodes. Pure. */
export class Departure {
  #draining = false;
  #leavingSinceMs: number | null = null;
  #lastResort = false;
  /** When all are to be looked at. */
  #allMs = Number.POSITIVE_INFINITY;
  /** Those that are to be looked at now. */
  readonly #some = new Set<Address>();

  /** Whether everything shall go. */
  get all(): boolean {
    return this.#draining || this.leaving;
  }

  get leaving(): boolean {
    return this.#leavingSinceMs !== null;
  }

  /** Whether everything shall go where a better node may own it. */
  get lastResort(): boolean {
    return this.#lastResort;
  }

  setDraining(draining: boolean): void {
    this.#draining = draining;
    this.retryNow();
  }

  leave(nowMs: number): void {
    this.#leavingSinceMs ??= nowMs;
    this.retryNow();
  }

  setLastResort(lastResort: boolean, nowMs: number): void {
    this.#lastResort = lastResort;
    if (lastResort) this.#allMs = Math.min(this.#allMs, nowMs + LAST_RESORT_MS);
  }

  /** Others may take now what nobody took before. */
  retryNow(): void {
    this.#allMs = Number.NEGATIVE_INFINITY;
  }

  /** Who may own the address has changed, or it is ours now. */
  consider(address: Address): void {
    this.#some.add(address);
  }

  /** Those that {@link consider} was told of since they were looked at last. */
  get considered(): Iterable<Address> {
    return this.#some;
  }

  /** Whether leaving has taken long enough. */
  isOver(nowMs: number): boolean {
    return nowMs >= this.#leftMs(LEAVE_LIMIT_MS);
  }

  /** Whether all that the packet thread took over before is known: others have to hear that it was ours for a while. */
  knowsAll(nowMs: number): boolean {
    return nowMs >= this.#leftMs(TOOK_MS);
  }

  /** Those of `owned` that are to be looked at now; not again for a while then. */
  takeDue(owned: Iterable<Address>, nowMs: number): Iterable<Address> {
    if (nowMs >= this.#allMs) {
      this.#allMs = this.all ? nowMs + RETRY_MS : Number.POSITIVE_INFINITY;
      this.#some.clear();
      return owned;
    }
    const some = [...this.#some];
    this.#some.clear();
    return some;
  }

  /** @param owning whether anything is ours that may be given */
  nextMs(owning: boolean, nowMs: number): number {
    const leftMs = this.#leftMs(this.knowsAll(nowMs) ? LEAVE_LIMIT_MS : TOOK_MS);
    return owning ? Math.min(leftMs, this.#allMs) : leftMs;
  }

  /** So long after it was told to leave; Infinity: it was not. */
  #leftMs(afterMs: number): number {
    return this.#leavingSinceMs === null ? Number.POSITIVE_INFINITY : this.#leavingSinceMs + afterMs;
  }
}
