// The API server as speakers use it: Leases of owners and sessions, in virtual time.
import { OwnershipReports } from '../../src/cli/ownership_reports.js';
import type { Lease } from '../../src/kubernetes/types.js';
import type { Address } from '../../src/net/address.js';
import type { OwnershipRecord } from '../../src/ownership/records.js';
import { termToWrite } from '../../src/records/record_rules.js';
import { SESSION_DURATION_MS } from '../../src/records/session.js';
import { SessionWatch } from '../../src/records/session_watch.js';
import type { Core, Effect, SpeakerEvent } from './core.js';
import type { SimNode } from './sim_node.js';

const RENEW_MS = 10_000;
const RETRY_MS = 1_000;
const LOOK_MS = 1_000;

interface Stored {
  readonly record: OwnershipRecord;
  readonly revision: number;
}

interface StoredSession {
  /** null: it was ended. */
  readonly renewTime: string | null;
  readonly revision: number;
}

/** What the server has. */
export class SimApi {
  readonly records = new Map<Address, Stored>();
  readonly sessions = new Map<string, StoredSession>();
  /** Counts the changes. */
  revision = 0;
  down = false;
  /** Every write of a record, for who counts them. */
  writes = 0;
  readonly #watchers = new Set<() => void>();

  watch(notify: () => void): () => void {
    this.#watchers.add(notify);
    return () => this.#watchers.delete(notify);
  }

  /** @param over the revision of what it replaces; 0: nothing is there yet. @returns whether it was still so */
  write(record: OwnershipRecord, over: number): boolean {
    if ((this.records.get(record.address)?.revision ?? 0) !== over) return false;
    this.revision += 1;
    this.writes += 1;
    this.records.set(record.address, { record, revision: this.revision });
    this.#tell();
    return true;
  }

  renew(node: string, renewTime: string | null): void {
    this.revision += 1;
    this.sessions.set(node, { renewTime, revision: this.revision });
    this.#tell();
  }

  #tell(): void {
    for (const notify of this.#watchers) notify();
  }
}

export interface SimApiClientOptions {
  readonly api: SimApi;
  readonly node: SimNode;
  readonly core: Core;
  /** Runs when it is JavaScript's turn, unless the process has ended by then. */
  readonly later: (delayMs: number, run: () => void) => void;
  readonly step: (event: SpeakerEvent) => void;
}

/** A speaker's side of it: what src/records does, with the same rules. */
export class SimApiClient {
  readonly #options: SimApiClientOptions;
  readonly #reports: OwnershipReports;
  readonly #sessions = new SessionWatch();
  readonly #known = new Map<Address, Stored>();
  readonly #owned = new Map<Address, number>();
  readonly #writing = new Set<Address>();
  readonly #stopWatching: () => void;
  #seen = 0;
  #live: string | null = null;
  #renewals = 0;

  constructor(options: SimApiClientOptions) {
    this.#options = options;
    const { core, node, api } = options;
    this.#reports = new OwnershipReports({
      node: node.name,
      speaker: core,
      records: {
        own: (address, term) => this.#own(address, term),
        disown: (address) => this.#owned.delete(address),
        forget: (address) => this.#owned.delete(address),
      },
    });
    this.#stopWatching = api.watch(() => this.#options.later(this.#delay(), () => this.#pull()));
  }

  start(): void {
    const { api, node, step } = this.#options;
    if (this.#reaches && (api.sessions.get(node.name)?.renewTime ?? null) !== null) step({ type: 'resume' });
    this.#renew();
    this.#look();
  }

  onEffects(effects: readonly Effect[]): void {
    this.#reports.onEffects(effects);
  }

  /** The process has ended. */
  end(clean: boolean): void {
    this.#stopWatching();
    const { api, node } = this.#options;
    if (clean && this.#reaches) api.renew(node.name, null);
  }

  get #reaches(): boolean {
    const { api, node } = this.#options;
    return !api.down && !node.apiCut;
  }

  #delay(): number {
    return this.#options.node.random.between(1, 25);
  }

  #renew(): void {
    const { api, node, later } = this.#options;
    this.#renewals += 1;
    if (this.#reaches) api.renew(node.name, `${node.process?.incarnation} ${this.#renewals}`);
    later(this.#reaches ? RENEW_MS : 2 * RETRY_MS, () => this.#renew());
  }

  #look(): void {
    this.#pull();
    this.#options.later(LOOK_MS, () => this.#look());
  }

  /** Everything that has changed since the last time, in one go. */
  #pull(): void {
    const { api, node, step } = this.#options;
    const { nowMs } = node.machine;
    this.#sessions.connected(this.#reaches, nowMs);
    if (this.#reaches && api.revision > this.#seen) {
      const records: OwnershipRecord[] = [];
      for (const stored of api.records.values()) {
        if (stored.revision <= (this.#known.get(stored.record.address)?.revision ?? 0)) continue;
        this.#known.set(stored.record.address, stored);
        records.push(stored.record);
      }
      for (const [name, { renewTime }] of api.sessions) this.#sessions.seen(name, leaseOf(renewTime), nowMs);
      this.#seen = api.revision;
      if (records.length > 0) step({ type: 'record', records });
    }
    const live = this.#sessions.live(nowMs).filter((name) => name !== node.name);
    if (live.join() === this.#live || this.#seen === 0) return;
    this.#live = live.join();
    step({ type: 'sessions', live });
  }

  #own(address: Address, term: number): void {
    if (this.#owned.get(address) === term) return;
    this.#owned.set(address, term);
    this.#writeLater(address, 0);
  }

  #writeLater(address: Address, afterMs: number): void {
    if (this.#writing.has(address)) return;
    this.#writing.add(address);
    this.#options.later(afterMs + this.#delay(), () => {
      this.#writing.delete(address);
      this.#write(address);
    });
  }

  #write(address: Address): void {
    const { api, node, core, step } = this.#options;
    const term = this.#owned.get(address);
    if (term === undefined) return;
    if (!this.#reaches) {
      this.#writeLater(address, RETRY_MS);
      return;
    }
    const known = this.#known.get(address) ?? null;
    const toWrite = termToWrite({
      node: node.name,
      owning: { term },
      record: known?.record ?? null,
      isLive: (name) => (this.#live ?? '').split(',').includes(name),
      isHeard: (name) =>
        core.interfaces.some((link) => core.peers(link).some((p) => p.node === name && p.link === 'two-way')),
    });
    if (toWrite === null) return;
    const record = { address, node: node.name, term: toWrite };
    if (api.write(record, known?.revision ?? 0)) {
      this.#known.set(address, api.records.get(address)!);
      step({ type: 'record', records: [record] });
    } else {
      // Decided on what was no longer so.
      this.#pull();
      this.#writeLater(address, 0);
    }
  }
}

function leaseOf(renewTime: string | null): Lease | null {
  if (renewTime === null) return null;
  return { holder: 'speaker', renewTime, durationMs: SESSION_DURATION_MS } as Lease;
}
