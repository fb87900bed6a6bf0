import type { Address } from '../net/address.js';
import type { Handover } from './message.js';
import { splitRequest } from './split.js';

const RESEND_MS = 100;
/** A successor that has not claimed an address after this long does not take it. */
const GIVE_UP_MS = 1_000;
/** One that says that it was not told yet by its source that it may is waited for so long. */
const UNINFORMED_MS = 3_000;

const NEVER = Number.NEGATIVE_INFINITY;

interface Pending {
  readonly node: string;
  readonly incarnation: string;
  readonly startedMs: number;
  sentMs: number;
  /** When it said last that it was not told yet; {@link NEVER}: it did not. */
  postponedMs: number;
  /** All that said so, those that were asked before included. */
  readonly uninformed: Set<string>;
  /** Clients have to hear of the owner again, whatever the successor does. */
  spoken: boolean;
}

/** The planned moves that this node has begun on a segment: who was asked to take what. Pure. */
export class Handovers {
  readonly #pending = new Map<Address, Pending>();
  /** Pending no more, whose owner said nothing about them meanwhile. */
  #ended: Address[] = [];
  #changed = false;

  successorOf(address: Address): string | null {
    return this.#pending.get(address)?.node ?? null;
  }

  /** Whether the successor may announce the address at any moment: until then its owner does. */
  isGoing(address: Address): boolean {
    const pending = this.#pending.get(address);
    return pending?.postponedMs === NEVER && !pending.spoken;
  }

  /** Whether another set of addresses may be pending, or going, than at the last call. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  /** What went nowhere since the last call, or came to its end: where the owner is still the same, clients may have heard another last. */
  takeEnded(): Address[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  start(address: Address, node: string, incarnation: string, nowMs: number): void {
    const uninformed = this.#pending.get(address)?.uninformed ?? new Set();
    this.#pending.set(address, {
      node,
      incarnation,
      startedMs: nowMs,
      sentMs: NEVER,
      postponedMs: NEVER,
      uninformed,
      spoken: false,
    });
    this.#changed = true;
  }

  /** The successor was not told yet that it may have the address. @returns all nodes that said so */
  postpone(address: Address, nowMs: number): ReadonlySet<string> | null {
    const pending = this.#pending.get(address);
    if (!pending) return null;
    if (pending.postponedMs === NEVER) this.#changed = true;
    pending.postponedMs = nowMs;
    pending.uninformed.add(pending.node);
    return pending.uninformed;
  }

  /** The owner announces the address again, though it has asked a successor: another node was followed meanwhile. */
  speak(address: Address): void {
    const pending = this.#pending.get(address);
    if (!pending || pending.spoken) return;
    pending.spoken = true;
    this.#changed = true;
  }

  end(address: Address): void {
    if (this.isGoing(address)) this.#ended.push(address);
    if (this.#pending.delete(address)) this.#changed = true;
  }

  /** The node cannot take anything any more. */
  endFor(node: string): void {
    for (const [address, pending] of this.#pending) if (pending.node === node) this.end(address);
  }

  /** Those whose successor did not take them in time; they are pending no more. */
  takeOverdue(nowMs: number): { readonly address: Address; readonly node: string }[] {
    const overdue: { address: Address; node: string }[] = [];
    for (const [address, pending] of this.#pending) {
      if (nowMs < limitMs(pending)) continue;
      overdue.push({ address, node: pending.node });
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
    for (const pending of this.#pending.values()) {
      nextMs = Math.min(nextMs, pending.sentMs + RESEND_MS, limitMs(pending));
    }
    return nextMs;
  }
}

function limitMs({ startedMs, postponedMs }: Pending): number {
  return Math.max(startedMs + GIVE_UP_MS, Math.min(postponedMs + GIVE_UP_MS, startedMs + UNINFORMED_MS));
}
