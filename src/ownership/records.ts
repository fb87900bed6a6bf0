import type { Address } from '../net/address.js';
import type { Fence } from './fence.js';

/**
 * Frames of a node so long after the first prove that the switches keep its heartbeats from us: where it is back after a cut, they
 * come as well. Within so long: after that it is another story.
 */
const SILENT_AFTER_MS = 500;
const SILENT_WITHIN_MS = 10_000;

/** After this long somebody else may have come to use what a process before this one answered. */
const RESUMABLE_MS = 30_000;

/** Who owns an address, as the cluster's API server was told. */
export interface OwnershipRecord {
  readonly address: Address;
  /** null: nobody. */
  readonly node: string | null;
  /** Counts its owners, as the terms of claims do. */
  readonly term: number;
  /** Where a write of this process has made it: when that was begun, monotonic. */
  readonly begunMs?: number;
}

/**
 * What the API server knows of owners, and which nodes reach it. Claims decide between nodes that hear each other; a node whose
 * session lasts, and which is not heard, holds what its records say: switches may keep its heartbeats from us. Pure.
 */
export class Records {
  readonly #records = new Map<Address, OwnershipRecord>();
  readonly #byNode = new Map<string, Set<Address>>();
  #live: ReadonlySet<string> = new Set();
  #told = false;
  /** What is recorded of this node was in its use until a moment ago, up to this time. */
  #resumableUntilMs = Number.NEGATIVE_INFINITY;
  #ended: ReadonlySet<string> = new Set();
  /** Nodes whose claims were known on some segment at some time: if they fall silent, they are gone. */
  readonly #heard = new Set<string>();
  /** Of these, those that sent frames other than heartbeats since they fell silent. */
  readonly #silent = new Set<string>();
  /** When the first such frame came. */
  readonly #frameMs = new Map<string, number>();

  /**
   * @param node this one
   * @param fence null: a takeover is recorded, and does not wait for that
   * @param claims whether a node that is heard claims the address anywhere, as far as is known
   */
  constructor(
    private readonly node: string,
    readonly fence: Fence | null = null,
    private readonly claims: (node: string, address: Address) => boolean = () => false,
  ) {}

  /** The other nodes whose session lasts. */
  get live(): ReadonlySet<string> {
    return this.#live;
  }

  /** Nodes whose session lasts, and which were not heard on any segment so far. */
  *strangers(): Iterable<string> {
    for (const node of this.#live) if (!this.#heard.has(node)) yield node;
  }

  /** Nodes that have ended their session themselves. */
  get ended(): ReadonlySet<string> {
    return this.#ended;
  }

  /** Nodes that some record names, this one left out. */
  *holders(): Iterable<string> {
    for (const [node, addresses] of this.#byNode) if (addresses.size > 0 && node !== this.node) yield node;
  }

  /** Whether the record names this node. */
  isOurs(address: Address): boolean {
    return this.#records.get(address)?.node === this.node;
  }

  /** Whether the node can have something recorded, where nothing is answered before it is. */
  isCandidate(node: string): boolean {
    return this.fence === null || this.#live.has(node);
  }

  /** The other nodes whose session lasts; null: nobody has told yet. */
  get sessions(): ReadonlySet<string> | null {
    return this.#told ? this.#live : null;
  }

  /** A process of this node ran until a moment ago, and ended without giving anything away. */
  resume(nowMs: number): void {
    this.#resumableUntilMs = nowMs + RESUMABLE_MS;
  }

  /** Whether the address was in use by this node until its process began. */
  isResumable(address: Address, nowMs: number): boolean {
    return nowMs < this.#resumableUntilMs && this.nodeOf(address) === this.node;
  }

  /** Whose address it is by its record; null: nobody's. */
  nodeOf(address: Address): string | null {
    return this.#records.get(address)?.node ?? null;
  }

  /** 0: there is no record. */
  termOf(address: Address): number {
    return this.#records.get(address)?.term ?? 0;
  }

  /** The other node that holds the address by its record: one that is not heard; with a fence any that may still answer. */
  holderOf(address: Address): { readonly node: string; readonly term: number } | null {
    const record = this.#records.get(address);
    if (!record || record.node === null) return null;
    const { node, term } = record;
    const holds = this.fence ? this.#isFenced(node, address, this.fence) : this.isUnheard(node);
    return holds ? { node, term } : null;
  }

  #isFenced(node: string, address: Address, fence: Fence): boolean {
    if (node === this.node) return false;
    if (this.#live.has(node)) return true;
    const free = fence.freeOf(node);
    return free === null || (free === 'known' && this.claims(node, address));
  }

  /** Whether the node takes part without being heard. */
  isUnheard(node: string): boolean {
    return node !== this.node && this.#live.has(node) && (!this.#heard.has(node) || this.#silent.has(node));
  }

  /** Names of the nodes that take part without being heard; sorted. */
  unheard(): readonly string[] {
    return [...this.#live].filter((node) => this.isUnheard(node)).sort();
  }

  /** What records say from now on. @returns the addresses concerned */
  seen(records: readonly OwnershipRecord[]): Address[] {
    for (const record of records) {
      const { address, node } = record;
      const before = this.#records.get(address)?.node ?? null;
      if (before !== null) this.#byNode.get(before)?.delete(address);
      this.#records.set(address, record);
      if (node === null) continue;
      const addresses = this.#byNode.get(node);
      if (addresses) addresses.add(address);
      else this.#byNode.set(node, new Set([address]));
    }
    return records.map(({ address }) => address);
  }

  /** The nodes whose session lasts, from now on. @returns the addresses recorded of those where that is new */
  setLive(live: readonly string[], ended: readonly string[] = []): Address[] {
    this.#ended = new Set(ended);
    const before = this.#live;
    this.#live = new Set(live);
    this.#told = true;
    const changed = [...new Set([...before, ...live])].filter((node) => before.has(node) !== this.#live.has(node));
    // What a node that came back does without being heard has yet to be seen.
    for (const node of changed) this.#silent.delete(node);
    return changed.flatMap((node) => this.recordsOf(node));
  }

  /** The node is heard, and its claims are known. @returns the addresses recorded of it, if it had not been */
  heard(node: string): Address[] {
    const wasUnheard = this.isUnheard(node);
    this.#heard.add(node);
    this.#silent.delete(node);
    this.#frameMs.delete(node);
    return wasUnheard ? this.recordsOf(node) : [];
  }

  /** A node whose heartbeats are not heard any more announces something. @returns the addresses recorded of it */
  frameOf(node: string, nowMs: number): Address[] {
    if (!this.#live.has(node) || this.#silent.has(node)) return [];
    const sinceMs = nowMs - (this.#frameMs.get(node) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs > SILENT_WITHIN_MS) this.#frameMs.set(node, nowMs);
    if (sinceMs < SILENT_AFTER_MS || sinceMs > SILENT_WITHIN_MS) return [];
    this.#silent.add(node);
    return this.recordsOf(node);
  }

  /** The addresses that are recorded of a node. */
  recordsOf(node: string): Address[] {
    return [...(this.#byNode.get(node) ?? [])];
  }
}
