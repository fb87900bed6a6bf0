import type { Address } from '../net/address.js';
import { TABLE_LIFETIME_MS } from '../table/lifetime.js';

/** Whether an address is answered before its record is written, or after. */
export type Takeover = 'fast' | 'fenced';

/** A node may be unheard for so long before it counts as not heard: a restart, a port that flaps. */
const GRACE_MS = 3_000;
/**
 * What a node answers, whose session has lapsed, is taken after it was not heard for so long: the grace above, the life of its table,
 * for its control plane may hang, and a second for what either takes to find out.
 */
const SILENT_MS = GRACE_MS + TABLE_LIFETIME_MS + 1_000;
/** Looked at more often than that; who did not was standing still, and what it knew is old. */
const LOOK_MS = 1_000;
const STOOD_STILL_MS = 1_500;
/** An address is given away only while the session lasts for so long yet: its release must reach the API server. */
const FRESH_LEFT_MS = 5_000;

/** How a node is heard: known, if its claims are known as well; left, if it has said that it answers nothing any more. */
export type Heard = 'no' | 'left' | 'heard' | 'known';

/** Since when a node is not heard: at the earliest, for what we answer ourselves; and at the latest, for what we take from it. */
interface Missed {
  readonly earliestMs: number;
  latestMs: number;
}

/** What a {@link Fence.look} goes by. */
export interface FenceView {
  /** The other nodes whose session lasts. */
  readonly live: ReadonlySet<string>;
  /** Those that have ended it themselves: they answered nothing any more. */
  readonly ended: ReadonlySet<string>;
  /** Nodes that records name. */
  readonly holders: Iterable<string>;
  readonly heard: (node: string) => Heard;
}

/**
 * `--takeover fenced`: an address is answered only while its record names this node, by a write of this process, and while no other
 * node can hold that record to be that of a dead one. Others wait for the end of our session. So it lasts while that does; then while
 * every other node that takes part hears us: none of them takes what it hears us claim. Pure; times are monotonic.
 */
export class Fence {
  #untilMs = Number.NEGATIVE_INFINITY;
  /** Since when, without a break, nobody can have taken what is recorded of us; null: we answer nothing. */
  #sinceMs: number | null = null;
  readonly #confirmed = new Set<Address>();
  /** Nodes that count and are not heard in both directions. */
  readonly #missed = new Map<string, Missed>();
  /** Nodes whose session has lapsed, and whose records are free: all of them, or those that they do not claim. */
  #free: ReadonlyMap<string, 'silent' | 'known'> = new Map();
  #allHeard = false;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** Since when this node stood still, and until when who is missed then may have been gone all the while. */
  #stood = { sinceMs: Number.NEGATIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY };

  /** Whether our session lasted at the last look: only then what nobody holds may be claimed. */
  get mayTake(): boolean {
    return this.#sinceMs !== null && this.#lookedMs < this.#untilMs;
  }

  /** Whether anything may be answered. */
  get mayAnswer(): boolean {
    return this.#sinceMs !== null;
  }

  /** Whether an address may be given to another node. */
  get mayGive(): boolean {
    return this.mayTake && this.#lookedMs < this.#untilMs - FRESH_LEFT_MS;
  }

  isConfirmed(address: Address): boolean {
    return this.#confirmed.has(address);
  }

  /** A write of ours has made the record. @param begunMs when it was begun: one from before a break proves nothing */
  confirm(address: Address, begunMs: number): void {
    if (this.#sinceMs !== null && begunMs >= this.#sinceMs) this.#confirmed.add(address);
  }

  /** The record is another's, or is to be let go. */
  drop(address: Address): void {
    this.#confirmed.delete(address);
  }

  /** Our session was renewed, and lasts until then. To be called after a {@link look} of the same time. */
  renewed(untilMs: number, nowMs: number): void {
    this.#untilMs = Math.max(this.#untilMs, untilMs);
    if (nowMs < this.#untilMs) this.#sinceMs ??= nowMs;
  }

  /** Which of the records of a node that does not live any more are free; null: none. */
  freeOf(node: string): 'silent' | 'known' | null {
    return this.#free.get(node) ?? null;
  }

  /** Until when the thread may answer should nobody look any more; Infinity: for the whole life of a table. */
  get answerUntilMs(): number {
    return this.#sinceMs === null || this.#allHeard ? Number.POSITIVE_INFINITY : this.#untilMs;
  }

  /**
   * What has become of this node's right to answer, and of that of others.
   * @returns nodes of which more, or less, is free than before
   */
  look(nowMs: number, { live, ended, holders, heard }: FenceView): readonly string[] {
    const pauseMs = nowMs - this.#lookedMs;
    // What happened meanwhile may not be told yet.
    if (pauseMs > STOOD_STILL_MS) {
      for (const missed of this.#missed.values()) missed.latestMs = nowMs;
      if (Number.isFinite(pauseMs)) this.#stood = { sinceMs: this.#missableSince(), untilMs: nowMs + GRACE_MS };
    }
    const earliestMs = Number.isFinite(pauseMs) ? this.#missableSince(nowMs) : nowMs;
    this.#lookedMs = nowMs;
    const free = new Map<string, 'silent' | 'known'>();
    let allHeard = true;
    const nodes = new Set([...live, ...holders]);
    for (const node of this.#missed.keys()) if (!nodes.has(node)) this.#missed.delete(node);
    for (const node of nodes) {
      const how = heard(node);
      if (how === 'heard' || how === 'known') this.#missed.delete(node);
      else if (!this.#missed.has(node)) this.#missed.set(node, { earliestMs, latestMs: nowMs });
      const missed = this.#missed.get(node);
      if (live.has(node)) allHeard &&= missed === undefined || nowMs < missed.earliestMs + GRACE_MS;
      else if (how === 'known') free.set(node, 'known');
      else if (how === 'left' || ended.has(node)) free.set(node, 'silent');
      else if (missed && nowMs >= missed.latestMs + SILENT_MS) free.set(node, 'silent');
    }
    this.#allHeard = allHeard;
    const changed = [...new Set([...this.#free.keys(), ...free.keys()])].filter(
      (node) => this.#free.get(node) !== free.get(node),
    );
    this.#free = free;
    const lapsed = nowMs >= this.#untilMs;
    if (lapsed && (!allHeard || pauseMs > GRACE_MS)) {
      this.#sinceMs = null;
      this.#confirmed.clear();
    }
    return changed;
  }

  /** Since when whoever is missed at a time may have missed us: since the last look, or since before a standstill not long ago. */
  #missableSince(nowMs = this.#lookedMs): number {
    return nowMs < this.#stood.untilMs ? this.#stood.sinceMs : this.#lookedMs;
  }

  nextMs(): number {
    let nextMs = this.#lookedMs + LOOK_MS;
    for (const atMs of [this.#untilMs, this.#untilMs - FRESH_LEFT_MS])
      if (atMs > this.#lookedMs) nextMs = Math.min(nextMs, atMs);
    for (const { earliestMs, latestMs } of this.#missed.values()) {
      for (const atMs of [earliestMs + GRACE_MS, latestMs + SILENT_MS])
        if (atMs > this.#lookedMs) nextMs = Math.min(nextMs, atMs);
    }
    return nextMs;
  }
}
