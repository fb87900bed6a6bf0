import type { Address } from '../net/address.js';
import type { Wanted } from './candidates.js';

/** What nobody takes is offered again. */
const RETRY_MS = 1_000;
/** Leaving: what nobody took after this long is given up. */
const LEAVE_LIMIT_MS = 3_000;

/** Which addresses of ours shall go to other nodes: all when draining or leaving, else those not meant for us. Pure. */
export class Departure {
  #draining = false;
  #leavingSinceMs: number | null = null;
  /** Whether some wanted address is not for this node. */
  #excluded = false;
  #retryMs = Number.POSITIVE_INFINITY;

  constructor(private readonly node: string) {}

  /** Whether everything shall go. */
  get all(): boolean {
    return this.#draining || this.leaving;
  }

  get leaving(): boolean {
    return this.#leavingSinceMs !== null;
  }

  setDraining(draining: boolean): void {
    this.#draining = draining;
    this.retryNow();
  }

  leave(nowMs: number): void {
    this.#leavingSinceMs ??= nowMs;
    this.retryNow();
  }

  setWanted(wanted: ReadonlyMap<Address, Wanted>): void {
    this.#excluded = [...wanted.values()].some(({ nodes }) => nodes !== null && !nodes.has(this.node));
    this.retryNow();
  }

  /** Others may take now what nobody took before. */
  retryNow(): void {
    this.#retryMs = Number.NEGATIVE_INFINITY;
  }

  /** Whether it is time to offer what shall go; not again for a while then. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.#retryMs) return false;
    this.#retryMs = nowMs + RETRY_MS;
    return true;
  }

  /** Whether leaving has taken long enough. */
  isOver(nowMs: number): boolean {
    return this.#leavingSinceMs !== null && nowMs >= this.#leavingSinceMs + LEAVE_LIMIT_MS;
  }

  *of(owned: Iterable<Address>, wanted: ReadonlyMap<Address, Wanted>): Generator<Address> {
    if (!this.all && !this.#excluded) return;
    for (const address of owned) {
      const nodes = wanted.get(address)?.nodes ?? null;
      if (this.all || (nodes !== null && !nodes.has(this.node))) yield address;
    }
  }

  nextMs(owned: Iterable<Address>, wanted: ReadonlyMap<Address, Wanted>): number {
    const overMs = this.#leavingSinceMs === null ? Number.POSITIVE_INFINITY : this.#leavingSinceMs + LEAVE_LIMIT_MS;
    return this.of(owned, wanted).next().done ? overMs : Math.min(overMs, this.#retryMs);
  }
}
