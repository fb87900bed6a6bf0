import type { Address } from '../net/address.js';

/**
 * A node that does not take what falls to it is left out for this long. Not longer: each node finds that out by itself,
 * and where they disagree two may be armed for one address.
 */
const UNWILLING_MS = 5_000;

const NOBODY: ReadonlyMap<string, number> = new Map();

/** Which nodes did not take an address that fell to them, as long as nobody else has. Pure. */
export class Unwilling {
  readonly #nodes = new Map<Address, Map<string, number>>();
  #nextMs = Number.POSITIVE_INFINITY;

  /** The node did not take the address. */
  add(address: Address, node: string, nowMs: number): void {
    const nodes = this.#nodes.get(address) ?? new Map<string, number>();
    nodes.set(node, nowMs + UNWILLING_MS);
    this.#nodes.set(address, nodes);
    this.#nextMs = Math.min(this.#nextMs, nowMs + UNWILLING_MS);
  }

  /** Those that did not take the address, each until when it is left out. */
  of(address: Address): ReadonlyMap<string, number> {
    return this.#nodes.get(address) ?? NOBODY;
  }

  /** Somebody has taken the address: all nodes come to the same again about who is next. */
  taken(address: Address): void {
    this.#nodes.delete(address);
  }

  /** The node is another process now, or has changed its mind. */
  welcome(node: string): void {
    for (const [address, nodes] of this.#nodes) {
      if (nodes.delete(node) && nodes.size === 0) this.#nodes.delete(address);
    }
  }

  /** When a node is to be asked again. */
  nextMs(): number {
    return this.#nextMs;
  }

  /** @returns whether there are nodes to be asked again */
  expire(nowMs: number): boolean {
    if (nowMs < this.#nextMs) return false;
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const [address, nodes] of this.#nodes) {
      for (const [node, untilMs] of nodes) {
        if (untilMs <= nowMs) nodes.delete(node);
        else this.#nextMs = Math.min(this.#nextMs, untilMs);
      }
      if (nodes.size === 0) this.#nodes.delete(address);
    }
    return true;
  }
}
