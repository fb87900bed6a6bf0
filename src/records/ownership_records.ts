import { isConflict, isNotFound } from '../kubernetes/api_error.js';
import { microTime } from '../kubernetes/micro_time.js';
import { inNamespace, PATHS, projectLease } from '../kubernetes/projections.js';
import type { Api, Lease } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import type { Address } from '../net/address.js';
import { ADDRESS_ANNOTATION, OWNER, ownerLeaseName, RECORD_LABEL } from './names.js';
import { isOlder } from './resource_version.js';
import { type Owning, termToWrite } from './record_rules.js';
import type { OwnershipRecord } from './types.js';
import { WriteQueue } from './write_queue.js';

export interface OwnershipRecordsOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly node: string;
  readonly log: Logger;
  readonly isLive: (node: string) => boolean;
  readonly isHeard: (node: string) => boolean;
  /** What Leases say that changed: by somebody else, or by a write of ours. */
  readonly onRecords: (records: readonly OwnershipRecord[]) => void;
}

interface Known {
  readonly record: OwnershipRecord;
  readonly resourceVersion: string;
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
      const was = this.#known.get(address)?.record;
      this.#known.delete(address);
      // Somebody took it away; as long as this node owns the address, it shall be there.
      if (this.#owned.has(address)) this.#queue.add(address);
      return was && was.node !== null ? { address, node: null, term: was.term } : null;
    }
    return this.#keep(address, lease);
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
    this.#known.set(address, { record, resourceVersion: lease.resourceVersion });
    return before && before.node === record.node && before.term === record.term ? null : record;
  }

  async #write(address: Address): Promise<void> {
    if (this.#forgotten.has(address)) return this.#delete(address);
    const { node, isLive, isHeard } = this.#options;
    const owning = this.#owned.get(address);
    if (!owning) return;
    const known = this.#known.get(address) ?? null;
    const term = termToWrite({ node, owning, record: known?.record ?? null, isLive, isHeard });
    if (term === null) return;
    try {
      const raw = await (known ? this.#replace(address, term, known.resourceVersion) : this.#create(address, term));
      this.#tell(address, raw);
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      // Decided on what was no longer so: read it, and judge again.
      await this.#read(address);
      this.#queue.add(address);
    }
  }

  #create(address: Address, term: number): Promise<unknown> {
    const metadata = {
      name: ownerLeaseName(address),
      namespace: this.#options.namespace,
      labels: { [RECORD_LABEL]: OWNER },
      annotations: { [ADDRESS_ANNOTATION]: address },
    };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: this.#spec(term) };
    return this.#options.api.create(this.#path, lease);
  }

  /** Refused with 409 unless the Lease is still of that version. */
  #replace(address: Address, term: number, resourceVersion: string): Promise<unknown> {
    const patch = { metadata: { resourceVersion }, spec: this.#spec(term) };
    return this.#options.api.patch(`${this.#path}/${ownerLeaseName(address)}`, patch);
  }

  #spec(term: number): object {
    return { holderIdentity: this.#options.node, leaseTransitions: term, acquireTime: microTime() };
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
    this.#known.delete(address);
    if (this.#owned.has(address)) this.#queue.add(address);
  }

  async #read(address: Address): Promise<void> {
    try {
      this.#tell(address, await this.#options.api.get(`${this.#path}/${ownerLeaseName(address)}`));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#known.delete(address);
    }
  }

  #tell(address: Address, raw: unknown): void {
    const lease = projectLease(raw)?.value;
    const record = lease ? this.#keep(address, lease) : null;
    if (record) this.#options.onRecords([record]);
  }
}
