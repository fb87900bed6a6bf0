import type { PeerReport } from '../responder/types.js';

/** A node that went without a word is still counted among those known for this long. */
const FORGET_MS = 600_000;
/** Who is heard for this long without hearing us does not hear us; a new node needs an interval or two. */
const ONE_WAY_MS = 1_000;
/** A peer that hears others again hears us, too, after this many of its intervals, if at all. */
const HEARS_LATER_INTERVALS = 2;

/** A peer on a segment, by the latest report about one of its processes. */
export interface Peer {
  readonly report: PeerReport;
  /** Whether we heard each other at some time since it started. */
  readonly wasTwoWay: boolean;
  /** When its link became what it is. */
  readonly linkSinceMs: number;
  /** Since when it hears others, but not us; null: it does not. */
  readonly ignoresSinceMs: number | null;
}

/** Who is on a segment with us, and how many we know. Pure. */
export class Membership {
  /** By node; the last process that was heard. */
  readonly #peers = new Map<string, Peer>();
  /** Names by incarnation. */
  readonly #nodes = new Map<string, string>();
  /** Names by MAC; several where nodes had it one after the other. */
  readonly #macs = new Map<string, Set<string>>();
  /** Nodes heard in both directions that did not take their leave; the time since when they are away, or null. */
  readonly #known = new Map<string, number | null>();
  /** When a peer was last lost, or heard anew. */
  linksChangedMs = Number.NEGATIVE_INFINITY;
  /** Counts the changes of who is heard, how, and how often: for what is worked out once and kept until then. */
  linkChanges = 0;
  #oneWay = 0;
  #forgetDueMs = Number.POSITIVE_INFINITY;
  #twoWay: readonly PeerReport[] | null = null;
  #longestInterval: { readonly linkChanges: number; readonly ms: number } = { linkChanges: -1, ms: 0 };

  /**
   * @param strangers nodes that take part, as somebody else knows, and were never heard on any segment: who started behind a cut knows
   * of no others
   */
  constructor(private readonly strangers: () => Iterable<string> = () => []) {}

  /** @returns the peer as it was before, null where it or its process is new; undefined for news of a process of the past */
  update(report: PeerReport, nowMs: number): Peer | null | undefined {
    const before = this.#peers.get(report.node) ?? null;
    const same = before !== null && before.report.incarnation === report.incarnation;
    // The end of a process may be told after its successor's start.
    if (before && !same && report.link === 'down') return undefined;
    // Who comes back from being down has yet to hear us: as with a new one that says nothing about us.
    const wasTwoWay = report.link === 'two-way' || (same && before.wasTwoWay && report.link !== 'down');
    const linkSinceMs = same && before.report.link === report.link ? before.linkSinceMs : nowMs;
    const hearsOthers = report.link === 'one-way' && report.hears > 0;
    const ignoresSinceMs = hearsOthers ? ((same ? before.ignoresSinceMs : null) ?? nowMs) : null;
    if (linkSinceMs === nowMs) this.linksChangedMs = nowMs;
    if (!same || before.report.link !== report.link || before.report.intervalMs !== report.intervalMs) {
      this.linkChanges += 1;
    }
    this.#oneWay += Number(report.link === 'one-way') - Number(before?.report.link === 'one-way');
    this.#twoWay = null;
    if (before && !same) this.#nodes.delete(before.report.incarnation);
    this.#nodes.set(report.incarnation, report.node);
    if (before?.report.mac !== report.mac) this.#moveMac(report.node, before?.report.mac ?? null, report.mac);
    this.#peers.set(report.node, { report, wasTwoWay, linkSinceMs, ignoresSinceMs });
    if (report.state === 'leaving') this.#known.delete(report.node);
    else if (report.link === 'two-way') this.#known.set(report.node, null);
    else if (report.link === 'down' && this.#known.get(report.node) === null) {
      this.#known.set(report.node, nowMs);
      this.#forgetDueMs = Math.min(this.#forgetDueMs, nowMs + FORGET_MS);
    }
    if (nowMs > this.#forgetDueMs) this.#forget(nowMs);
    return same ? before : null;
  }

  #forget(nowMs: number): void {
    this.#forgetDueMs = Number.POSITIVE_INFINITY;
    for (const [node, awayMs] of this.#known) {
      if (awayMs === null) continue;
      if (nowMs - awayMs > FORGET_MS) this.#known.delete(node);
      else this.#forgetDueMs = Math.min(this.#forgetDueMs, awayMs + FORGET_MS);
    }
  }

  get peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  get size(): number {
    return this.#peers.size;
  }

  get(node: string): Peer | null {
    return this.#peers.get(node) ?? null;
  }

  byIncarnation(incarnation: string): Peer | null {
    const node = this.#nodes.get(incarnation);
    const peer = node === undefined ? undefined : this.#peers.get(node);
    return peer?.report.incarnation === incarnation ? peer : null;
  }

  /** Those that hear us and are heard. */
  twoWay(): readonly PeerReport[] {
    this.#twoWay ??= Array.from(this.#peers.values(), ({ report }) => report).filter(({ link }) => link === 'two-way');
    return this.#twoWay;
  }

  /** Whether every node that is heard hears us, those left out that have not done so for long. */
  allTwoWay(nowMs: number): boolean {
    if (this.#oneWay === 0) return true;
    for (const { report, linkSinceMs } of this.#peers.values()) {
      if (report.link === 'one-way' && nowMs < linkSinceMs + ONE_WAY_MS) return false;
    }
    return true;
  }

  /** Whether every node that is heard hears us. */
  get everyoneHearsUs(): boolean {
    return this.#oneWay === 0;
  }

  isTwoWay(node: string): boolean {
    return this.#peers.get(node)?.report.link === 'two-way';
  }

  /** The node that has this MAC, heard now or before; one that is heard now goes first. null: no node of the cluster. */
  byMac(mac: string): PeerReport | null {
    const found = Array.from(this.#macs.get(mac) ?? [], (node) => this.#peers.get(node)!.report);
    return found.find(({ link }) => link !== 'down') ?? found[0] ?? null;
  }

  /** Names of the nodes that should be here. */
  known(): string[] {
    return [...this.#known.keys()];
  }

  /** How many other nodes are, with us, more than half of the nodes known. Alone, nobody is most. */
  get majority(): number {
    let others = this.#known.size;
    for (const node of this.strangers()) if (!this.#peers.has(node)) others += 1;
    return others > 0 ? Math.floor((others + 1) / 2) : Number.POSITIVE_INFINITY;
  }

  /**
   * We hear others, but none of them hears us: they count us as gone and have taken over. New nodes, which may not have
   * heard us yet, say nothing about it.
   */
  isUnheard(nowMs: number): boolean {
    let deaf = 0;
    for (const { report, wasTwoWay, ignoresSinceMs } of this.#peers.values()) {
      if (report.link === 'two-way') return false;
      // One that hears nobody is cut off itself.
      if (report.state === 'joining' || ignoresSinceMs === null) continue;
      // It may hear others a moment before it hears us.
      if (nowMs < ignoresSinceMs + (wasTwoWay ? HEARS_LATER_INTERVALS * report.intervalMs : ONE_WAY_MS)) continue;
      deaf += 1;
    }
    return deaf > 0;
  }

  /** When {@link isUnheard} or {@link allTwoWay} may change by time alone. */
  oneWayDueMs(nowMs: number): number {
    let dueMs = Number.POSITIVE_INFINITY;
    if (this.#oneWay === 0) return dueMs;
    for (const { report, linkSinceMs, wasTwoWay, ignoresSinceMs } of this.#peers.values()) {
      if (report.link !== 'one-way') continue;
      const ignoredMs = wasTwoWay ? HEARS_LATER_INTERVALS * report.intervalMs : ONE_WAY_MS;
      for (const untilMs of [linkSinceMs + ONE_WAY_MS, (ignoresSinceMs ?? Number.NEGATIVE_INFINITY) + ignoredMs]) {
        if (untilMs > nowMs) dueMs = Math.min(dueMs, untilMs);
      }
    }
    return dueMs;
  }

  /** How long it takes at most until each peer has listed all it hears: two intervals, where one frame holds the list. */
  acknowledgementMs(ownIntervalMs: number): number {
    if (this.#longestInterval.linkChanges !== this.linkChanges) {
      const ms = this.twoWay().reduce((longest, { intervalMs }) => Math.max(longest, intervalMs), 0);
      this.#longestInterval = { linkChanges: this.linkChanges, ms };
    }
    const slices = Math.ceil((this.twoWay().length + 1) / PEERS_PER_FRAME);
    return Math.max(ownIntervalMs, this.#longestInterval.ms) * (slices + 1);
  }

  #moveMac(node: string, from: string | null, to: string): void {
    const before = from === null ? undefined : this.#macs.get(from);
    if (from !== null && before?.delete(node) && before.size === 0) this.#macs.delete(from);
    const nodes = this.#macs.get(to);
    if (nodes) nodes.add(node);
    else this.#macs.set(to, new Set([node]));
  }
}

/** Entries of native/wire/heartbeat.h's frames at least; a longer list of peers rotates. */
const PEERS_PER_FRAME = 64;
