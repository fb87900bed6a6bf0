import type { Address } from '../../src/net/address.js';
import type { Timer } from './event_queue.js';
import type { Frame } from './frames.js';
import type { Random } from './random.js';
import type { Nic, Segment } from './segment.js';
import { Trouble } from './trouble.js';

/**
 * How a host keeps its neighbour cache, as measured (BASELINES.md, RFC-DUTIES.md).
 * linux: follows announcements and directed requests at once; of two answers to one question the first counts for 1 s.
 * ignores-gratuitous: Linux with drop_gratuitous_arp and drop_unsolicited_na: follows only directed requests.
 * first-answer: gVisor's ARP: announcements never move it, directed requests do, of two answers the first counts.
 * router: follows what it is told, and asks again only after a long time.
 */
export type HostKind = 'linux' | 'ignores-gratuitous' | 'first-answer' | 'router';

export const HOST_KINDS: readonly HostKind[] = ['linux', 'ignores-gratuitous', 'first-answer', 'router'];

/** Whether announcements to all move it. */
export const followsAnnouncements = (kind: HostKind): boolean => kind === 'linux' || kind === 'router';

const LOCKTIME_MS = 1_000;
const RETRY_MS = 1_000;
const UNICAST_TRIES = 3;
/** How long an entry is believed before it is checked: shorter than in life, so that a simulation sees it. */
const CHECK_MS: Record<HostKind, readonly [number, number]> = {
  linux: [20_000, 45_000],
  'ignores-gratuitous': [20_000, 45_000],
  'first-answer': [30_000, 60_000],
  router: [600_000, 1_200_000],
};

interface Entry {
  /** null: not resolved. */
  mac: string | null;
  answeredMs: number;
  /** Questions without an answer. */
  tries: number;
  timer: Timer | null;
}

/** A client on the segment that talks to every service IP. */
export class SimHost implements Nic {
  readonly isNode = false;
  deaf = false;
  mute = false;
  carrier = true;
  group = 0;
  arrivalMs = 0;
  /** While it is cut off from others it may miss what is announced. */
  readonly trouble = new Trouble();
  readonly #cache = new Map<Address, Entry>();

  constructor(
    readonly name: string,
    readonly mac: string,
    readonly ip: Address,
    readonly kind: HostKind,
    readonly segment: Segment,
    readonly random: Random,
  ) {
    segment.attach(this);
  }

  /** Where its traffic for the address goes; null: nowhere, it is still asking. */
  macOf(address: Address): string | null {
    return this.#cache.get(address)?.mac ?? null;
  }

  uses(address: Address): boolean {
    return this.#cache.has(address);
  }

  /** Begins to talk to the address. */
  use(address: Address): void {
    if (this.#cache.has(address)) return;
    const entry: Entry = { mac: null, answeredMs: Number.NEGATIVE_INFINITY, tries: 0, timer: null };
    this.#cache.set(address, entry);
    this.#ask(address, entry);
  }

  receive(frame: Frame): void {
    if (frame.kind === 'heartbeat' || frame.kind === 'message') return;
    const entry = this.#cache.get(frame.address);
    if (entry === undefined) return;
    const { nowMs } = this.segment.queue;
    switch (frame.kind) {
      case 'answer':
        if (entry.mac !== frame.mac && entry.mac !== null && nowMs - entry.answeredMs < LOCKTIME_MS) return;
        entry.answeredMs = nowMs;
        this.#believe(frame.address, entry, frame.mac);
        return;
      case 'announce':
        if (entry.mac !== null && followsAnnouncements(this.kind)) this.#believe(frame.address, entry, frame.mac);
        return;
      case 'directed':
        if (frame.client !== this.ip) return;
        this.#believe(frame.address, entry, frame.mac);
        this.segment.send(this, { kind: 'confirm', mac: this.mac, address: frame.address, client: this.ip }, frame.mac);
        return;
      default:
        return;
    }
  }

  #believe(address: Address, entry: Entry, mac: string): void {
    entry.mac = mac;
    entry.tries = 0;
    if (entry.timer) entry.timer.cancelled = true;
    const [fromMs, toMs] = CHECK_MS[this.kind];
    entry.timer = this.segment.queue.after(this.random.between(fromMs, toMs), () => this.#ask(address, entry));
  }

  /** First the one it knows, then everybody. */
  #ask(address: Address, entry: Entry): void {
    if (entry.tries >= UNICAST_TRIES) entry.mac = null;
    entry.tries += 1;
    this.segment.send(this, { kind: 'request', mac: this.mac, address, client: this.ip }, entry.mac);
    entry.timer = this.segment.queue.after(RETRY_MS, () => this.#ask(address, entry));
  }
}
