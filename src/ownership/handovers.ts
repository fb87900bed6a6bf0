import type { Address } from '../net/address.js';
import type { Handover } from './message.js';
import { splitRequest } from './split.js';

const RESEND_MS = 100;
/** A successor that has not claimed an address after this long does not take it. */
const GIVE_UP_MS = 1_000;

interface Pending {
  readonly node: string;
  readonly incarnation: string;
  readonly startedMs: number;
  sentMs: number;
}

/** The planned moves that this node has begun on a segment: who was asked to take what. Pure. */
export class Handovers {
  readonly #pending = new Map<Address, Pending>();
  #changed = false;

  successorOf(address: Address): string | null {
    return this.#pending.get(address)?.node ?? null;
  }

  /** Whether another set of addresses may be pending than at the last call. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  start(address: Address, node: string, incarnation: string, nowMs: number): void {
    this.#pending.set(address, { node, incarnation, startedMs: nowMs, sentMs: Number.NEGATIVE_INFINITY });
    this.#changed = true;
  }

  end(address: Address): void {
    if (this.#pending.delete(address)) this.#changed = true;
  }

  /** The node cannot take anything any more. */
  endFor(node: string): void {
    for (const [address, pending] of this.#pending) if (pending.node === node) this.end(address);
  }

  /** Those whose successor did not take them in time; they are pending no more. */
  takeOverdue(nowMs: number): { readonly address: Address; readonly node: string }[] {
    const overdue: { address: Address; node: string }[] = [];
    for (const [address, { node, startedMs }] of this.#pending) {
      if (nowMs < startedMs + GIVE_UP_MS) continue;
      overdue.push({ address, node });
      this.end(address);
    }
    return overdue;
  }

  takeMessages(nowMs: number): Handover[] {
    const due = new Map<string, Address[]>();
    for (const [address, pending] of this.#pending) {
      if (nowMs < pending.sentMs + RESEND_MS) continue;
      pending.sentMs = nowMs;
      const addresses = due.get(pending.incarnation);
      if (addresses) addresses.push(address);
      else due.set(pending.incarnation, [address]);
    }
    return [...due].flatMap(([to, addresses]) => splitRequest<Handover>({ type: 'handover', to, addresses }));
  }

  nextMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { sentMs, startedMs } of this.#pending.values()) {
      nextMs = Math.min(nextMs, sentMs + RESEND_MS, startedMs + GIVE_UP_MS);
    }
    return nextMs;
  }
}
