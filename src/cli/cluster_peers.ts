import type { PeerReport } from '../responder/types.js';

/** A node that is silent so long does not come back at once. */
const GONE_MS = 5_000;
/** A speaker that starts renews its session before it is heard on every segment. */
const UNHEARD_MS = 15_000;

export interface ClusterPeersOptions {
  /** This node. */
  readonly node: string;
  /** Of all interfaces. */
  readonly peers: () => readonly PeerReport[];
}

/** The other nodes: who speaks for all, who is gone, and who takes part without being heard. */
export class ClusterPeers {
  readonly #options: ClusterPeersOptions;
  /** When a node was last heard, or took part otherwise; those that are told of as gone are left out. */
  readonly #seenMs = new Map<string, number>();
  readonly #gone = new Set<string>();
  /** Nodes that were heard or known of some time: one that is gone is told of once. */
  readonly #met = new Set<string>();
  /** Since when a node takes part without being heard, and whether that was told. */
  readonly #unheard = new Map<string, { sinceMs: number; told: boolean }>();
  #newUnheard: string[] = [];

  constructor(options: ClusterPeersOptions) {
    this.#options = options;
  }

  /** Whether both hear each other, on any interface. */
  isHeard(node: string): boolean {
    return this.#options.peers().some((peer) => peer.node === node && peer.link === 'two-way');
  }

  /** This node, those that are heard, and those known to have a session. */
  alive(sessions: readonly string[]): ReadonlySet<string> {
    const { node, peers } = this.#options;
    const heard = peers().flatMap((peer) => (peer.link === 'two-way' ? [peer.node] : []));
    return new Set([node, ...heard, ...sessions]);
  }

  /** Whether this node is the first by name of those that take part: it says what one node has to. */
  get isSpokesman(): boolean {
    const { node, peers } = this.#options;
    for (const other of this.#unheard.keys()) if (other < node) return false;
    return !peers().some((peer) => peer.link === 'two-way' && peer.state === 'ready' && peer.node < node);
  }

  /** Nodes that have been missed so long that it was told; sorted. */
  get unheard(): string[] {
    return [...this.#unheard].filter(([, { told }]) => told).map(([node]) => node);
  }

  unheardText(node: string): string {
    return (
      `the speaker of ${node} runs, but node ${this.#options.node} does not hear its heartbeats: let the switches pass EtherType ` +
      '0x88B5 to group MAC 03:61:72:70:67:00, and give all speakers the same cluster, key and network'
    );
  }

  /**
   * To be called every second or so.
   * @param unheard nodes that take part without being heard, as the core knows them
   * @param known nodes with a session that lasts: one that left before it was looked at is gone as well
   */
  look(unheard: readonly string[], known: readonly string[], nowMs: number): void {
    for (const node of known) if (!this.#met.has(node)) this.#meet(node, nowMs);
    for (const { node, link } of this.#options.peers()) if (link === 'two-way') this.#meet(node, nowMs);
    for (const node of unheard) this.#meet(node, nowMs);
    for (const [node, seenMs] of this.#seenMs) {
      if (nowMs - seenMs < GONE_MS) continue;
      this.#seenMs.delete(node);
      this.#gone.add(node);
    }
    for (const node of this.#seenMs.keys()) this.#gone.delete(node);
    for (const node of this.#unheard.keys()) if (!unheard.includes(node)) this.#unheard.delete(node);
    for (const node of unheard) {
      const known = this.#unheard.get(node);
      if (!known) this.#unheard.set(node, { sinceMs: nowMs, told: false });
      else if (!known.told && nowMs - known.sinceMs >= UNHEARD_MS) {
        known.told = true;
        this.#newUnheard.push(node);
      }
    }
  }

  /** Nodes that took part and do not any more, each once, when this node speaks for all: the one before may be gone as well. */
  takeGone(): string[] {
    if (!this.isSpokesman) return [];
    const gone = [...this.#gone];
    this.#gone.clear();
    return gone;
  }

  #meet(node: string, nowMs: number): void {
    this.#met.add(node);
    this.#seenMs.set(node, nowMs);
  }

  /** Nodes that are missed since the last call. */
  takeUnheard(): string[] {
    return this.#newUnheard.splice(0);
  }
}
