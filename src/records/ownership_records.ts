import { monotonicMs } from '../clock.js';
import { isConflict, isNotFound } from '../kubernetes/api_error.js';
import { microTime } from '../kubernetes/micro_time.js';
import { inNamespace, PATHS, projectLease } from '../kubernetes/projections.js';
import type { Api, Lease } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import type { Address } from '../net/address.js';
import type { OwnershipRecord } from '../ownership/records.js';
import { ADDRESS_ANNOTATION, OWNER, ownerLeaseName, RECORD_LABEL } from './names.js';
import { fencedTermToWrite, type Owning, termToWrite } from './record_rules.js';
import { isOlder } from './resource_version.js';
import { WriteQueue } from './write_queue.js';

/** What `--takeover fenced` needs: the record comes first, and is let go when nothing is answered any more. */
export interface Fenced {
  /** Whether the holder of an address can answer no more, as far as the core knows. */
  readonly isFree: (address: Address) => boolean;
  /** Whether the core knows that a write of this process has made the record. */
  readonly isConfirmed: (address: Address) => boolean;
  /** Whether the API server says that the session of a node is over: asked at that time, monotonic, or later. */
  readonly isOver: (node: string, askedMs: number) => Promise<boolean>;
}

export interface OwnershipRecordsOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly node: string;
  readonly log: Logger;
  readonly isLive: (node: string) => boolean;
  readonly isHeard: (node: string) => boolean;
  /** null: the record follows the claims. */
  readonly fenced: Fenced | null;
  /** What Leases say that changed: by somebody else, or by a write of ours. */
  readonly onRecords: (records: readonly OwnershipRecord[]) => void;
}

interface Known {
  readonly record: OwnershipRecord;
  readonly resourceVersion: string;
  /** When it was learned, monotonic. */
  readonly sinceMs: number;
}

/**
 * A Lease for each address that says who owns it: written when that changes, by compare-and-swap, never renewed. Nothing waits
 * for it: what is announced is decided on the segment.
 */
export class OwnershipRecords {
  readonly #options: OwnershipRecordsOptions;
  readonly #path: string;
  readonly #queue: WriteQueue;
  readonly #known = new Map<Address, Known>();
  readonly #owned = new Map<Address, Owning>();
  /** No service IPs any more; their Leases go. */
  readonly #forgotten = new Set<Address>();
  /** Being written; those whose Lease went meanwhile. */
  readonly #writing = new Set<Address>();
  readonly #interrupted = new Set<Address>();

  constructor(options: OwnershipRecordsOptions) {
    this.#options = options;
    this.#path = inNamespace(PATHS.leases, options.namespace);
    const write = (address: string) => this.#write(address as Address);
    this.#queue = new WriteQueue({ what: 'ownership records', log: options.log, write });
  }

  get records(): ReadonlyMap<Address, OwnershipRecord> {
    return new Map(Array.from(this.#known, ([address, { record }]) => [address, record]));
  }

  /** How many are not written yet. */
  get pending(): number {
    return this.#queue.size;
  }

  recordOf(address: Address): OwnershipRecord | null {
    return this.#known.get(address)?.record ?? null;
  }

  /** This node owns the address, since it did so for the `term`th time of all nodes. */
  own(address: Address, term: number): void {
    this.#forgotten.delete(address);
    if (this.#owned.get(address)?.term === term) return;
    this.#owned.set(address, { term });
    this.#queue.add(address);
  }

  /** Another node owns it, and records that, or nobody does. */
  disown(address: Address): void {
    this.#owned.delete(address);
    if (this.#options.fenced && this.recordOf(address)?.node === this.#options.node) this.#queue.add(address);
  }

  /** Addresses recorded of this node, which it does not own. */
  unowned(): Address[] {
    const { node } = this.#options;
    return [...this.#known].flatMap(([address, { record }]) =>
      record.node === node && !this.#owned.has(address) ? [address] : [],
    );
  }

  /** What of these is ours and recorded of another may be recorded of us now. Without any: all. */
  reconsider(addresses: Iterable<Address> = this.#owned.keys()): void {
    if (!this.#options.fenced) return;
    for (const address of addresses)
      if (this.#owned.has(address) && this.recordOf(address)?.node !== this.#options.node) this.#queue.add(address);
  }

  /** Lets go of a record. */
  release(address: Address): void {
    this.#queue.add(address);
  }

  /** It is no service IP any more. */
  forget(address: Address): void {
    const held = this.#owned.delete(address) || this.recordOf(address)?.node === this.#options.node;
    if (held) this.remove(address);
  }

  /** The Lease goes, whoever held it. */
  remove(address: Address): void {
    this.#forgotten.add(address);
    this.#queue.add(address);
  }

  /** What the API server says of the Lease of an address; null: it is gone. */
  seen(address: Address, lease: Lease | null): OwnershipRecord | null {
    if (lease === null) {
      const news = this.#gone(address);
      if (this.#writing.has(address)) this.#interrupted.add(address);
      // Somebody took it away; as long as this node owns the address, it shall be there.
      if (this.#owned.has(address)) this.#queue.add(address);
      return news;
    }
    return this.#keep(address, lease);
  }

  /** @returns what that says, if it is new */
  #gone(address: Address): OwnershipRecord | null {
    const was = this.#known.get(address)?.record;
    this.#known.delete(address);
    return was && was.node !== null ? { address, node: null, term: was.term } : null;
  }

  /** The watch tells nothing new then: whoever goes by records has to hear it now. */
  #tellGone(address: Address): void {
    const news = this.#gone(address);
    if (news) this.#options.onRecords([news]);
  }

  /** The API server is heard again. */
  retryNow(): void {
    this.#queue.retryNow();
  }

  settled(limitMs: number): Promise<void> {
    return this.#queue.settled(limitMs);
  }

  stop(): void {
    this.#queue.stop();
  }

  /** @returns the record if it says something new */
  #keep(address: Address, lease: Lease): OwnershipRecord | null {
    const known = this.#known.get(address);
    if (known && isOlder(lease.resourceVersion, known.resourceVersion)) return null;
    const before = known?.record;
    const record = { address, node: lease.holder || null, term: lease.transitions };
    if (known?.resourceVersion !== lease.resourceVersion)
      this.#known.set(address, { record, resourceVersion: lease.resourceVersion, sinceMs: monotonicMs() });
    return before && before.node === record.node && before.term === record.term ? null : record;
  }

  async #write(address: Address): Promise<void> {
    if (this.#forgotten.has(address)) return this.#delete(address);
    const { node, fenced } = this.#options;
    const owning = this.#owned.get(address);
    const known = this.#known.get(address) ?? null;
    const record = known?.record ?? null;
    const release = !owning && fenced !== null && record?.node === node;
    if (!owning && !release) return;
    const term = owning ? this.#termToWrite(address, owning, record) : (record?.term ?? 0);
    if (term === null) return;
    const other = fenced && !release && record && record.node !== node ? record.node : null;
    const begunMs = monotonicMs();
    this.#writing.add(address);
    try {
      // A watch may lag behind, and this process may have stood still: only the API server knows.
      if (fenced && other !== null && !(await fenced.isOver(other, known?.sinceMs ?? begunMs))) return;
      const holder = release ? '' : node;
      const raw = await (known
        ? this.#replace(address, holder, term, known.resourceVersion)
        : this.#create(address, term));
      if (this.#interrupted.has(address)) throw new Interrupted();
      this.#tell(address, raw, begunMs);
      if (fenced && this.#owned.has(address) === release) this.#queue.add(address);
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error) && !(error instanceof Interrupted)) throw error;
      // Decided on what was no longer so: read it, and judge again.
      await this.#read(address);
      this.#queue.add(address);
    } finally {
      this.#writing.delete(address);
      this.#interrupted.delete(address);
    }
  }

  #termToWrite(address: Address, owning: Owning, record: OwnershipRecord | null): number | null {
    const { node, isLive, isHeard, fenced } = this.#options;
    if (!fenced) return termToWrite({ node, owning, record, isLive, isHeard });
    const isFree = fenced.isFree(address);
    return fencedTermToWrite({ node, owning, record, isFree, isConfirmed: fenced.isConfirmed(address) });
  }

  #create(address: Address, term: number): Promise<unknown> {
    const metadata = {
      name: ownerLeaseName(address),
      namespace: this.#options.namespace,
      labels: { [RECORD_LABEL]: OWNER },
      annotations: { [ADDRESS_ANNOTATION]: address },
    };
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata,
      spec: this.#spec(this.#options.node, term),
    };
    return this.#options.api.create(this.#path, lease);
  }

  /** Refused with 409 unless the Lease is still of that version. */
  #replace(address: Address, holder: string, term: number, resourceVersion: string): Promise<unknown> {
    const patch = { metadata: { resourceVersion }, spec: this.#spec(holder, term) };
    return this.#options.api.patch(`${this.#path}/${ownerLeaseName(address)}`, patch);
  }

  #spec(holder: string, term: number): object {
    return { holderIdentity: holder, leaseTransitions: term, acquireTime: microTime() };
  }

  async #delete(address: Address): Promise<void> {
    const known = this.#known.get(address);
    try {
      const preconditions = known && { preconditions: { resourceVersion: known.resourceVersion } };
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...preconditions };
      await this.#options.api.delete(`${this.#path}/${ownerLeaseName(address)}`, { body });
    } catch (error) {
      // Written meanwhile: whoever did so needs it, or will let it go.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
    this.#forgotten.delete(address);
    this.#tellGone(address);
    if (this.#owned.has(address)) this.#queue.add(address);
  }

  async #read(address: Address): Promise<void> {
    try {
      this.#tell(address, await this.#options.api.get(`${this.#path}/${ownerLeaseName(address)}`));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#tellGone(address);
    }
  }

  /** @param begunMs of the write that this answers */
  #tell(address: Address, raw: unknown, begunMs?: number): void {
    const lease = projectLease(raw)?.value;
    if (!lease) return;
    const news = this.#keep(address, lease);
    const known = this.#known.get(address);
    // The watch may have told of it before, or already of what came after it.
    const written = begunMs !== undefined && known?.resourceVersion === lease.resourceVersion ? known.record : null;
    if (this.#options.fenced && written && begunMs !== undefined) this.#options.onRecords([{ ...written, begunMs }]);
    else if (news) this.#options.onRecords([news]);
  }
}

/** The Lease went while it was written: whether before or after nobody knows. */
class Interrupted extends Error {}
