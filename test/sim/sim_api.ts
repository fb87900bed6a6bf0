// The API server as speakers use it: Leases of owners and sessions, in virtual time.
import { OwnershipReports } from '../../src/cli/ownership_reports.js';
import type { Lease } from '../../src/kubernetes/types.js';
import type { Address } from '../../src/net/address.js';
import type { Takeover } from '../../src/ownership/fence.js';
import type { OwnershipRecord } from '../../src/ownership/records.js';
import { TAKEOVER_ANNOTATION } from '../../src/records/names.js';
import { fencedTermToWrite, termToWrite } from '../../src/records/record_rules.js';
import { SESSION_MARGIN_MS, SESSION_TIMES } from '../../src/records/session.js';
import { SessionWatch } from '../../src/records/session_watch.js';
import type { Core, Effect, SpeakerEvent } from './core.js';
import type { SimNode } from './sim_node.js';

const RETRY_MS = 1_000;
const LOOK_MS = 1_000;
/** A node that takes part takes what is recorded of it within this time, or lets it go. */
const RELEASE_AFTER_MS = 3_000;

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
  readonly takeover: Takeover;
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
  /** Of these, those to be written once more. */
  readonly #again = new Set<Address>();
  readonly #stopWatching: () => void;
  #seen = 0;
  #live: string | null = null;
  #told = '';
  #renewals = 0;
  #renewing = false;
  #alive = true;
  /** Since when an address is recorded of this node that is not its own. */
  readonly #unownedMs = new Map<Address, number>();
  #renewedUntilMs: number | null = null;

  constructor(options: SimApiClientOptions) {
    this.#options = options;
    const { core, node, api } = options;
    this.#reports = new OwnershipReports({
      node: node.name,
      speaker: core,
      records: {
        own: (address, term) => this.#own(address, term),
        disown: (address) => this.#disown(address),
        forget: (address) => this.#disown(address),
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

  /** Other addresses are wanted. */
  onDesired(): void {
    this.#reports.onDesired();
  }

  /** Whether something waits to be written, or is under way. */
  get busy(): boolean {
    return this.#writing.size > 0 || this.#renewing;
  }

  /** The process has ended. */
  end(clean: boolean): void {
    this.#stopWatching();
    this.#alive = false;
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

  get #times() {
    return SESSION_TIMES[this.#options.takeover];
  }

  /** Requests are under way for a while, and arrive whatever the process does meanwhile. */
  #request(arrive: () => void, answer: (reached: boolean) => void): void {
    const { node, later } = this.#options;
    node.world.queue.after(this.#delay(), () => {
      const reached = this.#reaches;
      if (reached && node.machine.powered) arrive();
      if (this.#alive) later(this.#delay(), () => answer(reached));
    });
  }

  #renew(): void {
    const { api, node, later } = this.#options;
    const { durationMs, renewMs, failedRetryMs } = this.#times;
    const begunMs = node.machine.nowMs;
    this.#renewals += 1;
    this.#renewing = true;
    const renewTime = `${node.process?.incarnation} ${this.#renewals}`;
    this.#request(
      () => api.renew(node.name, renewTime),
      (reached) => {
        this.#renewing = false;
        if (reached) this.#renewedUntilMs = begunMs + durationMs - SESSION_MARGIN_MS;
        this.#tellRenewed();
        later(reached ? renewMs : failedRetryMs, () => this.#renew());
      },
    );
  }

  /** Not before all records were read. */
  #tellRenewed(): void {
    if (this.#renewedUntilMs === null || this.#seen === 0) return;
    this.#options.step({ type: 'renewed', untilMs: this.#renewedUntilMs });
    this.#renewedUntilMs = null;
  }

  #look(): void {
    this.#pull();
    this.#releaseUnowned();
    this.#options.later(LOOK_MS, () => this.#look());
  }

  /** Everything that has changed since the last time, in one go. */
  #pull(): void {
    const { api, node, step } = this.#options;
    const { nowMs } = node.machine;
    this.#sessions.connected(this.#reaches, nowMs);
    const records: OwnershipRecord[] = [];
    if (this.#reaches && api.revision > this.#seen && node.watchStalledUntilMs <= nowMs) {
      for (const stored of api.records.values()) {
        if (stored.revision <= (this.#known.get(stored.record.address)?.revision ?? 0)) continue;
        this.#known.set(stored.record.address, stored);
        records.push(stored.record);
      }
      for (const [name, { renewTime }] of api.sessions)
        this.#sessions.seen(name, leaseOf(renewTime, this.#times.durationMs), nowMs);
      this.#seen = api.revision;
      if (records.length > 0) step({ type: 'record', records });
    }
    this.#judgeSessions();
    this.#tellRenewed();
    for (const { address } of records) this.#reconsider(address);
  }

  #judgeSessions(): void {
    const { node, step } = this.#options;
    const live = this.#sessions.live(node.machine.nowMs).filter((name) => name !== node.name);
    const { ended } = this.#sessions;
    const told = `${live.join()} ${ended.join()}`;
    if (told === this.#told || this.#seen === 0) return;
    this.#told = told;
    this.#live = live.join();
    step({ type: 'sessions', live, ended });
    for (const address of this.#owned.keys()) this.#reconsider(address);
  }

  /** What is ours, and recorded of another, may be recorded of us now. */
  #reconsider(address: Address): void {
    const { takeover, node } = this.#options;
    if (takeover === 'fenced' && this.#owned.has(address) && this.#recordOf(address)?.node !== node.name)
      this.#writeLater(address, 0);
  }

  #recordOf(address: Address): OwnershipRecord | null {
    return this.#known.get(address)?.record ?? null;
  }

  #disown(address: Address): void {
    this.#owned.delete(address);
    const { takeover, node } = this.#options;
    if (takeover === 'fenced' && this.#recordOf(address)?.node === node.name) this.#writeLater(address, 0);
  }

  /** What nobody else can take, and this node does not. */
  #releaseUnowned(): void {
    const { takeover, node, core } = this.#options;
    if (takeover !== 'fenced' || !core.interfaces.every((name) => core.stateOf(name) !== 'joining')) return;
    for (const [address, { record }] of this.#known) {
      if (record.node !== node.name || this.#owned.has(address)) this.#unownedMs.delete(address);
      else if (!this.#unownedMs.has(address)) this.#unownedMs.set(address, node.machine.nowMs);
      else if (node.machine.nowMs - this.#unownedMs.get(address)! >= RELEASE_AFTER_MS) this.#writeLater(address, 0);
    }
  }

  #own(address: Address, term: number): void {
    if (this.#owned.get(address) === term) return;
    this.#owned.set(address, term);
    this.#writeLater(address, 0);
  }

  #writeLater(address: Address, afterMs: number): void {
    if (this.#writing.has(address)) {
      this.#again.add(address);
      return;
    }
    this.#writing.add(address);
    this.#options.later(afterMs + this.#delay(), () => {
      this.#writing.delete(address);
      this.#again.delete(address);
      if (this.#options.takeover === 'fenced') this.#writeFenced(address);
      else this.#write(address);
    });
  }

  /** What was asked for meanwhile comes next. */
  #written(address: Address): void {
    this.#writing.delete(address);
    if (this.#again.delete(address)) this.#writeLater(address, 0);
  }

  /** As src/records/ownership_records does: judged, asked about the session of who is recorded, written over what was judged. */
  #writeFenced(address: Address): void {
    const { api, node, core, step } = this.#options;
    const owned = this.#owned.get(address);
    const known = this.#known.get(address) ?? null;
    const record = known?.record ?? null;
    const release = owned === undefined && record?.node === node.name;
    if (owned === undefined && !release) return;
    const rule = { node: node.name, record, isFree: core.isFree(address), isConfirmed: core.isConfirmed(address) };
    const term = owned === undefined ? (record?.term ?? 0) : fencedTermToWrite({ ...rule, owning: { term: owned } });
    if (term === null) return;
    const other = !release && record && record.node !== node.name ? record.node : null;
    const begunMs = node.machine.nowMs;
    const next = { address, node: release ? null : node.name, term };
    this.#writing.add(address);
    let done = false;
    const write = (): void =>
      this.#request(
        () => {
          done = api.write(next, known?.revision ?? 0);
        },
        (reached) => {
          this.#written(address);
          if (!reached) this.#writeLater(address, RETRY_MS);
          else if (!done) {
            this.#read(address);
            this.#writeLater(address, 0);
          } else {
            const stored = api.records.get(address)!;
            // Others may have written since; the watch tells.
            if (stored.record === next) {
              this.#known.set(address, stored);
              step({ type: 'record', records: [{ ...next, begunMs }] });
            }
            if (this.#owned.has(address) === release) this.#writeLater(address, 0);
            else this.#reconsider(address);
          }
        },
      );
    if (other === null) write();
    else this.#ifOver(address, other, write);
  }

  #ifOver(address: Address, other: string, write: () => void): void {
    const { api, node } = this.#options;
    if (node.world.options.trustsWatch) {
      write();
      return;
    }
    let session: StoredSession | undefined;
    this.#request(
      () => {
        session = api.sessions.get(other);
      },
      (reached) => {
        const { nowMs } = node.machine;
        if (reached)
          this.#sessions.seen(other, session ? leaseOf(session.renewTime, this.#times.durationMs) : null, nowMs);
        const over = reached && !this.#sessions.live(nowMs).includes(other);
        if (over) {
          write();
          return;
        }
        this.#written(address);
        this.#judgeSessions();
        if (reached) this.#reconsider(address);
        else this.#writeLater(address, RETRY_MS);
      },
    );
  }

  #read(address: Address): void {
    const stored = this.#options.api.records.get(address);
    if (!stored || stored.revision <= (this.#known.get(address)?.revision ?? 0)) return;
    this.#known.set(address, stored);
    this.#options.step({ type: 'record', records: [stored.record] });
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

function leaseOf(renewTime: string | null, durationMs: number): Lease | null {
  const holder = renewTime === null ? '' : 'speaker';
  return { holder, renewTime, durationMs, annotations: { [TAKEOVER_ANNOTATION]: '' } } as unknown as Lease;
}
