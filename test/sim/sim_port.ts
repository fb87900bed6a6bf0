import type { Address } from '../../src/net/address.js';
import type { Advertisement } from '../../src/responder/types.js';
import type { Timer } from './event_queue.js';
import type { HeardEntry, Message, PeerFrame } from './frames.js';
import type { Machine } from './machine.js';
import { type Peer, type PeerListener, PeerTable } from './peer_table.js';
import type { Random } from './random.js';
import type { Nic, Segment } from './segment.js';

const MIN_GAP_MS = 5;
const JITTER = 0.1;
/** On a segment, of all nodes together. */
const HEARTBEATS_PER_SECOND = 2_000;
/** So that a frame stays below 1,500 bytes. */
const ENTRIES_PER_FRAME = 80;
/** Of a long list's frame; the rest of its room is for those that changed. */
const SLICE_WIDTH = 60;
const JOURNAL_PER_ADDRESS = 64;

export interface Identity {
  readonly node: string;
  readonly incarnation: string;
  readonly intervalMs: number;
  readonly multiplier: number;
}

/** One interface as the packet thread sees it: heartbeats out and in, who asked for what, what is answered. */
export class SimPort {
  open = false;
  wasOpen = false;
  /** Number of the hold in force; 0: none. */
  held = 0;
  readonly peers: PeerTable;
  answering: Set<Address> = new Set();
  selected: ReadonlySet<Address> = new Set();
  /** What the table says, and what is announced of it. */
  wanted: ReadonlySet<Address> = new Set();
  tentative: ReadonlySet<Address> = new Set();
  quiet: ReadonlySet<Address> = new Set();
  /** What was taken, with the number of its `took` event. */
  readonly taken = new Map<Address, number>();
  /** Clients that asked, by address: IP to MAC, the most recent last. */
  readonly journal = new Map<Address, Map<Address, string>>();
  readonly rivalReportedMs = new Map<string, number>();
  advertised: Advertisement = { state: 'joining', claimsVersion: 0, claimsDigest: 0, held: [] };
  silent = false;
  /** What was advertised before it fell silent. */
  #before: Advertisement | null = null;
  #shutMs: number | null = null;
  #sequence = 0;
  #slice = 0;
  #lastExtraMs = Number.NEGATIVE_INFINITY;
  #schedule: Timer | null = null;
  #extra: Timer | null = null;
  #judge: Timer | null = null;

  constructor(
    readonly name: string,
    readonly nic: Nic,
    readonly identity: Identity,
    readonly machine: Machine,
    readonly random: Random,
    listener: PeerListener,
  ) {
    this.peers = new PeerTable(identity.node, identity.incarnation, listener);
  }

  get segment(): Segment {
    return this.nic.segment;
  }

  get intervalMs(): number {
    return Math.max(this.identity.intervalMs, ((this.peers.liveCount + 1) / HEARTBEATS_PER_SECOND) * 1_000);
  }

  start(): void {
    this.open = true;
    this.wasOpen = true;
    // We were deaf meanwhile; who is not down yet was not silent.
    if (this.#shutMs !== null) this.peers.shift(this.machine.nowMs - this.#shutMs);
    this.#beat();
  }

  /** Cannot be used; who is not heard any more is down soon, though nothing is taken over. */
  shut(): void {
    this.open = false;
    this.#shutMs = this.machine.nowMs;
    for (const timer of [this.#schedule, this.#extra]) if (timer) timer.cancelled = true;
    this.#extra = null;
  }

  end(): void {
    this.shut();
    if (this.#judge) this.#judge.cancelled = true;
  }

  advertise(advertisement: Advertisement): void {
    const { state, claimsVersion } = this.advertised;
    this.#before = null;
    this.advertised = advertisement;
    this.peers.setHeld(new Map(advertisement.held));
    if (advertisement.state === 'leaving') {
      if (state !== 'leaving') this.#burst();
    } else if (state !== advertisement.state || claimsVersion !== advertisement.claimsVersion) {
      this.beatSoon();
    }
  }

  /** The dead-man switch: says goodbye, and no more. */
  fallSilent(): void {
    if (!this.open) return;
    this.#before = this.advertised;
    this.advertised = { ...this.advertised, state: 'leaving' };
    this.#burst();
    this.silent = true;
  }

  /** The table lives again: it goes on as what it was. */
  speak(): void {
    this.silent = false;
    if (this.#before) this.advertised = this.#before;
    this.#before = null;
  }

  send(body: Uint8Array): void {
    if (!this.open || this.silent) return;
    const frame: Message = { kind: 'message', ...this.#header(), body };
    this.segment.send(this.nic, frame);
  }

  hear(frame: PeerFrame): Peer | null {
    const nowMs = this.machine.nowMs;
    const peer = this.peers.heard(frame, nowMs);
    if (peer !== null && this.#judge === null) this.#judgeIn(peer.multiplier * peer.intervalMs);
    return peer;
  }

  beatSoon(): void {
    if (!this.open || this.silent || this.#extra !== null) return;
    const gapMs = Math.max(MIN_GAP_MS, (this.peers.liveCount + 1) * (500 / HEARTBEATS_PER_SECOND));
    const waitMs = this.#lastExtraMs + gapMs - this.machine.nowMs;
    if (waitMs <= 0) this.#sendExtra();
    else {
      this.#extra = this.machine.later(waitMs, () => {
        this.#extra = null;
        this.#sendExtra();
      });
    }
  }

  remember(address: Address, client: Address, mac: string): void {
    let clients = this.journal.get(address);
    if (clients === undefined) {
      clients = new Map();
      this.journal.set(address, clients);
    }
    clients.delete(client);
    clients.set(client, mac);
    if (clients.size > JOURNAL_PER_ADDRESS) clients.delete(clients.keys().next().value as Address);
  }

  #sendExtra(): void {
    this.#lastExtraMs = this.machine.nowMs;
    this.#send();
  }

  #burst(): void {
    this.#send();
    this.machine.later(5, () => this.#send());
    this.machine.later(10, () => this.#send());
  }

  readonly #beat = (): void => {
    if (!this.open) return;
    this.#send();
    this.#schedule = this.machine.later(this.intervalMs * (1 - JITTER * this.random.next()), this.#beat);
  };

  #header() {
    const { node, incarnation, multiplier } = this.identity;
    this.#sequence += 1;
    this.peers.noteSent(this.#sequence, this.machine.nowMs);
    return {
      mac: this.nic.mac,
      node,
      incarnation,
      sequence: this.#sequence,
      intervalMs: this.intervalMs,
      multiplier,
      state: this.advertised.state,
    };
  }

  #send(): void {
    if (!this.open || this.silent) return;
    const entries = new Map<string, HeardEntry>();
    const peers = this.peers.liveCount;
    const whole = peers <= ENTRIES_PER_FRAME;
    const slices = whole ? 1 : Math.ceil(peers / SLICE_WIDTH);
    const slice = this.#slice % slices;
    this.#slice = slice + 1;
    let position = 0;
    for (const peer of this.peers.peers) {
      if (peer.link === 'down') continue;
      const inSlice = whole || Math.floor(position / SLICE_WIDTH) === slice;
      position += 1;
      if (!inSlice && (peer.mentions === 0 || entries.size >= ENTRIES_PER_FRAME)) continue;
      if (peer.mentions > 0) peer.mentions -= 1;
      entries.set(peer.incarnation, { sequence: peer.sequence, held: peer.held });
    }
    const { claimsVersion, claimsDigest } = this.advertised;
    this.segment.send(this.nic, {
      kind: 'heartbeat',
      ...this.#header(),
      claimsVersion,
      claimsDigest,
      peers,
      slice,
      slices,
      entries,
    });
  }

  #judgeIn(delayMs: number): void {
    this.#judge = this.machine.later(delayMs, () => {
      this.#judge = null;
      const nextMs = this.peers.judge(this.machine.nowMs);
      if (nextMs !== null) this.#judgeIn(nextMs - this.machine.nowMs);
    });
  }
}
