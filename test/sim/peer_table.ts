import type { NodeState, PeerReport } from '../../src/responder/types.js';
import type { Heartbeat, PeerFrame } from './frames.js';

const ECHO_MS = 2_000;
const KEPT_MS = 600_000;
const MAX_PEERS = 1_024;
/** A lost frame must not keep news back for a whole rotation. */
export const MENTIONS = 2;

export interface Peer {
  readonly node: string;
  readonly incarnation: string;
  mac: string;
  state: NodeState;
  link: PeerReport['link'];
  intervalMs: number;
  multiplier: number;
  hears: number;
  claimsVersion: number;
  claimsDigest: number;
  heldVersion: number;
  heardMs: number;
  sequence: number;
  everTwoWay: boolean;
  slices: number;
  /** Slices of its present list in which we are not. */
  readonly lacking: Set<number>;
  /** Of its claims, by us; and how often that goes before the rotation of a long list. */
  held: number;
  mentions: number;
}

/** What a peer table tells its thread. */
export interface PeerListener {
  /** Something changed that JavaScript learns. */
  changed(peer: Peer): void;
  /** From two-way to down: what is armed against its loss is due. */
  lost(peer: Peer): void;
  /** One that was not heard before, or was down. */
  appeared(): void;
}

/** The peers heard on one interface, judged as native/heartbeater does. */
export class PeerTable {
  readonly #byNode = new Map<string, Peer>();
  /** Incarnations that another one of the same node replaced: they never come back, whatever is replayed. */
  readonly #retired = new Set<string>();
  readonly #macs = new Set<string>();
  everTwoWay = false;
  liveCount = 0;
  /** Kept with their sequences, so that what a peer echoes of us can be told from old recordings. */
  readonly #sentMs: number[] = [];
  #firstSent = 1;
  #held: ReadonlyMap<string, number> = new Map();

  constructor(
    readonly node: string,
    readonly incarnation: string,
    readonly listener: PeerListener,
  ) {}

  get peers(): Iterable<Peer> {
    return this.#byNode.values();
  }

  byIncarnation(incarnation: string): Peer | undefined {
    for (const peer of this.#byNode.values()) if (peer.incarnation === incarnation) return peer;
    return undefined;
  }

  knowsMac(mac: string): boolean {
    return this.#macs.has(mac);
  }

  /** Peers whose held version differs are told first. */
  setHeld(held: ReadonlyMap<string, number>): void {
    this.#held = held;
    for (const peer of this.#byNode.values()) {
      const version = held.get(peer.incarnation) ?? 0;
      if (peer.held === version) continue;
      peer.held = version;
      peer.mentions = MENTIONS;
    }
  }

  noteSent(sequence: number, nowMs: number): void {
    if (this.#sentMs.length === 0) this.#firstSent = sequence;
    this.#sentMs.push(nowMs);
    if (this.#sentMs.length > 256) {
      this.#sentMs.splice(0, 128);
      this.#firstSent += 128;
    }
  }

  /** Returns the peer if the frame counts; its message may be handed up if it was ever two-way. */
  heard(frame: PeerFrame, nowMs: number): Peer | null {
    if (frame.node === this.node) return null;
    let peer = this.#byNode.get(frame.node);
    if (peer !== undefined && peer.incarnation !== frame.incarnation) {
      if (this.#retired.has(frame.incarnation)) return null;
      if (frame.incarnation < peer.incarnation && !this.#echoes(frame, nowMs)) return null;
      // Two hosts of one name: the second is no restart of the first.
      if (peer.link !== 'down' && peer.everTwoWay && peer.mac !== frame.mac) return null;
      this.down(peer);
      this.#retired.add(peer.incarnation);
      peer = undefined;
    }
    if (peer === undefined) {
      if (this.#byNode.size >= MAX_PEERS && !this.#forgetOldest(nowMs)) return null;
      peer = newPeer(frame, nowMs);
      peer.held = this.#held.get(frame.incarnation) ?? 0;
      this.#byNode.set(frame.node, peer);
    } else if (frame.sequence <= peer.sequence) {
      return null;
    }
    const appears = peer.link === 'down';
    peer.sequence = frame.sequence;
    peer.heardMs = nowMs;
    if (peer.mac !== frame.mac || appears) this.#macs.add(frame.mac);
    peer.mac = frame.mac;
    peer.intervalMs = frame.intervalMs;
    peer.multiplier = frame.multiplier;
    if (frame.state === 'leaving') {
      peer.state = 'leaving';
      this.down(peer);
      return peer;
    }
    let changed = false;
    if (appears) {
      peer.link = 'one-way';
      this.liveCount += 1;
      peer.mentions = MENTIONS;
      changed = true;
    }
    if (peer.state !== frame.state) {
      peer.state = frame.state;
      changed = true;
    }
    if (frame.kind === 'heartbeat' && this.#readHeartbeat(peer, frame)) changed = true;
    if (changed) this.listener.changed(peer);
    if (appears) this.listener.appeared();
    return peer;
  }

  /** Judges silence; returns when to look again, null without peers. */
  judge(nowMs: number): number | null {
    let nextMs: number | null = null;
    for (const peer of this.#byNode.values()) {
      if (peer.link === 'down') {
        if (nowMs - peer.heardMs > KEPT_MS) this.#byNode.delete(peer.node);
        continue;
      }
      const deadlineMs = peer.heardMs + peer.multiplier * peer.intervalMs;
      if (deadlineMs <= nowMs) this.down(peer);
      else if (nextMs === null || deadlineMs < nextMs) nextMs = deadlineMs;
    }
    return nextMs;
  }

  down(peer: Peer): void {
    if (peer.link === 'down') return;
    const wasTwoWay = peer.link === 'two-way';
    peer.link = 'down';
    this.liveCount -= 1;
    peer.lacking.clear();
    if (wasTwoWay) this.listener.lost(peer);
    this.listener.changed(peer);
  }

  /** We were deaf for so long; they were not silent. */
  shift(pauseMs: number): void {
    for (const peer of this.#byNode.values()) if (peer.link !== 'down') peer.heardMs += pauseMs;
  }

  hasTwoWay(): boolean {
    for (const peer of this.#byNode.values()) if (peer.link === 'two-way') return true;
    return false;
  }

  #readHeartbeat(peer: Peer, frame: Heartbeat): boolean {
    const entry = frame.entries.get(this.incarnation);
    let changed = false;
    if (peer.slices !== frame.slices) {
      peer.slices = frame.slices;
      peer.lacking.clear();
    }
    let { link } = peer;
    if (entry !== undefined) {
      peer.lacking.clear();
      link = 'two-way';
    } else {
      peer.lacking.add(frame.slice);
      if (peer.lacking.size >= frame.slices) {
        peer.lacking.clear();
        link = 'one-way';
      }
    }
    if (link !== peer.link) {
      peer.link = link;
      changed = true;
      if (link === 'two-way') {
        peer.everTwoWay = true;
        this.everTwoWay = true;
      }
    }
    const hears = frame.peers - (link === 'two-way' ? 1 : 0);
    if (entry !== undefined && entry.held !== peer.heldVersion) {
      peer.heldVersion = entry.held;
      changed = true;
    }
    if (
      hears !== peer.hears ||
      frame.claimsVersion !== peer.claimsVersion ||
      frame.claimsDigest !== peer.claimsDigest
    ) {
      peer.hears = hears;
      peer.claimsVersion = frame.claimsVersion;
      peer.claimsDigest = frame.claimsDigest;
      changed = true;
    }
    return changed;
  }

  #echoes(frame: PeerFrame, nowMs: number): boolean {
    if (frame.kind !== 'heartbeat') return false;
    const entry = frame.entries.get(this.incarnation);
    if (entry === undefined) return false;
    const sentMs = this.#sentMs[entry.sequence - this.#firstSent];
    return sentMs !== undefined && nowMs - sentMs <= ECHO_MS;
  }

  #forgetOldest(nowMs: number): boolean {
    let oldest: Peer | null = null;
    for (const peer of this.#byNode.values()) {
      if (peer.link === 'down' && (oldest === null || peer.heardMs < oldest.heardMs)) oldest = peer;
    }
    if (oldest === null || nowMs < oldest.heardMs) return false;
    return this.#byNode.delete(oldest.node);
  }
}

function newPeer(frame: PeerFrame, nowMs: number): Peer {
  return {
    node: frame.node,
    incarnation: frame.incarnation,
    mac: frame.mac,
    state: frame.state,
    link: 'down',
    intervalMs: frame.intervalMs,
    multiplier: frame.multiplier,
    hears: 0,
    claimsVersion: 0,
    claimsDigest: 0,
    heldVersion: 0,
    heardMs: nowMs,
    sequence: 0,
    everTwoWay: false,
    slices: 0,
    lacking: new Set(),
    held: 0,
    mentions: 0,
  };
}

export function reportOf(peer: Peer, interfaceName: string): PeerReport {
  const { node, incarnation, mac, state, link, intervalMs, multiplier } = peer;
  const { hears, claimsVersion, claimsDigest, heldVersion } = peer;
  return {
    node,
    interfaceName,
    incarnation,
    mac,
    state,
    link,
    intervalMs,
    multiplier,
    hears,
    claimsVersion,
    claimsDigest,
    heldVersion,
  };
}
