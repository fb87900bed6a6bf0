import type { Address } from '../net/address.js';

/** What nobody may own now is looked at again after this long. */
const LOOK_AGAIN_MS = 5_000;

interface Waiting {
  /** Who should claim it; null: nobody may. */
  readonly node: string | null;
  readonly sinceMs: number;
}

/** Addresses that nobody claims, and which node each has fallen to. Pure. */
export class Unowned {
  readonly #waiting = new Map<Address, Waiting>();

  /** @param limitMs how long a node may take to claim what has fallen to it */
  constructor(private readonly limitMs: (node: string) => number) {}

  get size(): number {
    return this.#waiting.size;
  }

  get addresses(): Iterable<Address> {
    return this.#waiting.keys();
  }

  has(address: Address): boolean {
    return this.#waiting.has(address);
  }

  add(address: Address, nowMs: number): void {
    this.#waiting.set(address, { node: null, sinceMs: nowMs });
  }

  delete(address: Address): void {
    this.#waiting.delete(address);
  }

  /** The address has fallen to `node`. Its time begins anew only where that was another one before. */
  fallTo(address: Address, node: string | null, nowMs: number): void {
    const before = this.#waiting.get(address);
    if (node !== null && before?.node === node) return;
    this.#waiting.set(address, { node, sinceMs: nowMs });
  }

  /** Those whose time is over, with the node that let it pass. They wait for nobody then. */
  takeOverdue(nowMs: number): { readonly address: Address; readonly node: string | null }[] {
    const overdue: { address: Address; node: string | null }[] = [];
    for (const [address, { node, sinceMs }] of this.#waiting) {
      if (nowMs < sinceMs + this.#limitOf(node)) continue;
      overdue.push({ address, node });
      this.add(address, nowMs);
    }
    return overdue;
  }

  nextMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { node, sinceMs } of this.#waiting.values()) nextMs = Math.min(nextMs, sinceMs + this.#limitOf(node));
    return nextMs;
  }

  #limitOf(node: string | null): number {
    return node === null ? LOOK_AGAIN_MS : this.limitMs(node);
  }
}
