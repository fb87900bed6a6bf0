import type { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';

/**
 * An address that fell to another node is offered to the next one if that has not claimed it after this long. Not sooner: its
 * packet thread may answer already, while its JavaScript is busy with thousands of addresses.
 */
const CLAIM_LIMIT_MS = 1_500;
/** A node that is still starting may need longer. */
const JOINING_LIMIT_MS = 3_000;
/** What nobody may own is placed when that may have changed; whatever happens, after this long. */
const LOOK_AGAIN_MS = 60_000;

interface Waiting {
  /** Who should claim it; null: nobody may. */
  readonly node: string | null;
  readonly sinceMs: number;
}

/** Addresses that nobody claims, and which node each has fallen to. Pure. */
export class Unowned {
  readonly #waiting = new Map<Address, Waiting>();
  /**
   * Those that are placed whenever one is, so that nodes which hear of changes in another order come to the same. The others have
   * no node that may own them, nor count for where these go: they may be thousands, and are looked at when that may have changed.
   */
  readonly #open = new Set<Address>();
  /** No time is over before this. */
  #earliestMs = Number.POSITIVE_INFINITY;

  constructor(private readonly members: Membership) {}

  get size(): number {
    return this.#waiting.size;
  }

  /** Those to be placed. */
  get open(): Iterable<Address> {
    return this.#open;
  }

  has(address: Address): boolean {
    return this.#waiting.has(address);
  }

  add(address: Address, nowMs: number): void {
    this.#set(address, { node: null, sinceMs: nowMs });
    this.#open.add(address);
  }

  /** Other nodes may own the address from now on. */
  reopen(address: Address): void {
    if (this.#waiting.has(address)) this.#open.add(address);
  }

  /** Other nodes may own any of them from now on. */
  reopenAll(): void {
    if (this.#open.size < this.#waiting.size) for (const address of this.#waiting.keys()) this.#open.add(address);
  }

  /** Nodes may have less time from now on. */
  limitsChanged(): void {
    this.#earliestMs = Number.NEGATIVE_INFINITY;
  }

  delete(address: Address): void {
    this.#waiting.delete(address);
    this.#open.delete(address);
  }

  /** The address has fallen to `node`; null: to nobody. Its time begins anew only where that was another one before. */
  fallTo(address: Address, node: string | null, nowMs: number): void {
    if (node === null) this.#open.delete(address);
    const before = this.#waiting.get(address);
    if (node !== null && before?.node === node) return;
    this.#set(address, { node, sinceMs: nowMs });
  }

  /** Those whose time is over, with the node that let it pass. They wait for nobody then. */
  takeOverdue(nowMs: number): { readonly address: Address; readonly node: string | null }[] {
    const overdue: { address: Address; node: string | null }[] = [];
    if (nowMs < this.#earliestMs) return overdue;
    this.#earliestMs = Number.POSITIVE_INFINITY;
    for (const [address, { node, sinceMs }] of this.#waiting) {
      const limitMs = sinceMs + this.#limitOf(node);
      this.#earliestMs = Math.min(this.#earliestMs, limitMs);
      if (nowMs < limitMs) continue;
      overdue.push({ address, node });
      this.add(address, nowMs);
    }
    return overdue;
  }

  nextMs(): number {
    return this.#waiting.size > 0 ? this.#earliestMs : Number.POSITIVE_INFINITY;
  }

  #set(address: Address, waiting: Waiting): void {
    this.#waiting.set(address, waiting);
    this.#earliestMs = Math.min(this.#earliestMs, waiting.sinceMs + this.#limitOf(waiting.node));
  }

  #limitOf(node: string | null): number {
    if (node === null) return LOOK_AGAIN_MS;
    return this.members.get(node)?.report.state === 'joining' ? JOINING_LIMIT_MS : CLAIM_LIMIT_MS;
  }
}
