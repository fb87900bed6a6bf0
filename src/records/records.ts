// Ownership and session Leases of all nodes: one watch, and the writes of this node.
import { monotonicMs } from '../clock.js';
import type { ApiClient } from '../kubernetes/api_client.js';
import { isNotFound } from '../kubernetes/api_error.js';
import { inNamespace, PATHS, projectLease } from '../kubernetes/projections.js';
import { Reflector } from '../kubernetes/reflector.js';
import type { Changes, Lease, ReflectorStatus } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import { type Address, AddressError, parseAddress } from '../net/address.js';
import type { Takeover } from '../ownership/fence.js';
import type { OwnershipRecord } from '../ownership/records.js';
import { ADDRESS_ANNOTATION, NODE_ANNOTATION, OWNER, RECORD_LABEL, SESSION, sessionLeaseName } from './names.js';
import { type Fenced, OwnershipRecords } from './ownership_records.js';
import { Session } from './session.js';
import { SessionWatch } from './session_watch.js';

/** Sessions are looked at as often: whether the watch is connected is not told otherwise. */
const LOOK_MS = 1_000;
/** A node that takes part takes what is recorded of it within this time, or lets it go. */
const RELEASE_AFTER_MS = 3_000;
/** An answer of the API server about a session counts for so long. */
const ASKED_MS = 1_000;

export interface RecordsOptions {
  readonly api: ApiClient;
  /** Where the Leases are. */
  readonly namespace: string;
  readonly node: string;
  readonly log: Logger;
  /** Whether a node is heard on the segment. */
  readonly isHeard: (node: string) => boolean;
  readonly takeover: Takeover;
  /** What the core knows, where a record comes first; see {@link Fenced}. */
  readonly core: Pick<Fenced, 'isFree' | 'isConfirmed'>;
  /** Whether what is recorded of this node, and not its own, may be let go: it takes part, and was told everything. */
  readonly isSettled: () => boolean;
  /** Our session was renewed, and lasts until then. Told from the time on when all records were read. */
  readonly onRenewed: (untilMs: number) => void;
  /** What Leases say of owners that is new: first all of it, then changes. */
  readonly onRecords: (records: readonly OwnershipRecord[]) => void;
  /**
   * Names of the nodes whose session lasts, this one left out, and of those that have ended it: after the first list and
   * {@link onResumed}, and whenever they change.
   */
  readonly onSessions: (live: readonly string[], ended: readonly string[]) => void;
  /** An earlier process of this node had a session that lasts: it ran until a moment ago. Told once at most. */
  readonly onResumed: () => void;
  /** The API server is heard again after it was not. */
  readonly onConnected: () => void;
}

export class Records {
  readonly #options: RecordsOptions;
  readonly #log: Logger;
  readonly #owners: OwnershipRecords;
  readonly #session: Session;
  readonly #sessions = new SessionWatch();
  readonly #reflector: Reflector<Lease>;
  /** Of each Lease that was read, what it is about: one that is gone tells no more. */
  readonly #subjects = new Map<string, { kind: string; subject: string }>();
  #live: readonly string[] = [];
  #told = false;
  #ended: readonly string[] = [];
  #lookedBack = false;
  #connected = false;
  /** When the API server was asked whether the session of a node is over. */
  readonly #asked = new Map<string, { readonly atMs: number; readonly answer: Promise<boolean> }>();
  /** null: what is to be told of our own session was told. */
  #renewedUntilMs: number | null = null;
  /** Since when an address is recorded of us that is not ours. */
  readonly #unownedMs = new Map<Address, number>();
  #look: NodeJS.Timeout | undefined;

  constructor(options: RecordsOptions) {
    const { api, namespace, node, isHeard, onRecords, onResumed, takeover, core } = options;
    this.#options = options;
    this.#log = options.log.child({ module: 'records' });
    const isLive = (name: string) => this.#live.includes(name);
    const fenced =
      takeover === 'fenced'
        ? {
            isFree: (address: Address) => core.isFree(address),
            isConfirmed: (address: Address) => core.isConfirmed(address),
            isOver: this.#isOver,
          }
        : null;
    this.#owners = new OwnershipRecords({
      api,
      namespace,
      node,
      log: this.#log,
      isLive,
      isHeard,
      fenced,
      onRecords: (records) => {
        onRecords(records);
        this.#owners.reconsider(records.map(({ address }) => address));
      },
    });
    this.#session = new Session({
      api,
      namespace,
      node,
      log: this.#log,
      takeover,
      onResumed,
      onLookedBack: () => {
        this.#lookedBack = true;
        this.#judgeSessions();
      },
      onRenewed: (untilMs) => {
        this.#renewedUntilMs = untilMs;
        this.#tellRenewed();
      },
    });
    this.#reflector = new Reflector<Lease>({
      api,
      path: inNamespace(PATHS.leases, namespace),
      query: { labelSelector: RECORD_LABEL },
      project: projectLease,
      onChange: (changes) => this.#onChange(changes),
      log: options.log,
    });
  }

  get status(): ReflectorStatus {
    return this.#reflector.status;
  }

  /** Nodes whose session lasts, this one left out; sorted. */
  get live(): readonly string[] {
    return this.#live;
  }

  /** Nodes whose session lasts and which take over in another way than this one; sorted. */
  get otherMode(): readonly string[] {
    const { takeover, node } = this.#options;
    const other = takeover === 'fenced' ? 'fast' : 'fenced';
    return this.#sessions.inMode(other, monotonicMs()).filter((name) => name !== node);
  }

  /** How many ownership records are not written yet. */
  get pending(): number {
    return this.#owners.pending;
  }

  get records(): ReadonlyMap<Address, OwnershipRecord> {
    return this.#owners.records;
  }

  start(): void {
    this.#session.start();
    this.#reflector.start();
    this.#look = setInterval(() => {
      this.#judgeSessions();
      if (this.#options.takeover === 'fenced') this.#releaseUnowned(monotonicMs());
    }, LOOK_MS);
  }

  own(address: Address, term: number): void {
    this.#owners.own(address, term);
  }

  disown(address: Address): void {
    this.#owners.disown(address);
  }

  forget(address: Address): void {
    this.#owners.forget(address);
  }

  /**
   * Takes away what nobody will: records of addresses that are none any more, and sessions of nodes that are gone. For one node
   * of the cluster, now and then.
   */
  tidy(isServiceIp: (address: Address) => boolean, isNode: (name: string) => boolean): void {
    if (!this.#reflector.status.synced) return;
    for (const [address, { node }] of this.#owners.records) {
      if (!isServiceIp(address) && (node === null || !this.#live.includes(node))) this.#owners.remove(address);
    }
    for (const { kind, subject } of this.#subjects.values()) {
      if (kind !== SESSION || subject === this.#options.node || isNode(subject) || this.#live.includes(subject))
        continue;
      const { api, namespace } = this.#options;
      const path = `${inNamespace(PATHS.leases, namespace)}/${sessionLeaseName(subject)}`;
      api.delete(path).catch((error: unknown) => {
        if (!isNotFound(error))
          this.#log.debug({ err: error, node: subject }, 'the session of a node that is gone stays');
      });
    }
  }

  /** Writes what is due and ends the session, each for at most `limitMs`; then nothing happens any more. */
  async stop(limitMs: number): Promise<void> {
    clearInterval(this.#look);
    await this.#owners.settled(limitMs);
    this.#owners.stop();
    await this.#reflector.stop();
    await this.#session.stop(limitMs);
  }

  #onChange(changes: Changes<Lease>): void {
    const nowMs = monotonicMs();
    const records: OwnershipRecord[] = [];
    for (const [key, lease] of changes) {
      const about = lease ? subjectOf(lease) : this.#subjects.get(key);
      if (!about) continue;
      if (lease) this.#subjects.set(key, about);
      else this.#subjects.delete(key);
      if (about.kind === SESSION) this.#sessions.seen(about.subject, lease, nowMs);
      else {
        const record = this.#owners.seen(about.subject as Address, lease);
        if (record) records.push(record);
      }
    }
    if (records.length > 0) {
      this.#options.onRecords(records);
      this.#owners.reconsider(records.map(({ address }) => address));
    }
    this.#sessions.told(nowMs);
    this.#judgeSessions();
  }

  /** Not before all records were read: what is nobody's may be taken from then on. */
  #tellRenewed(): void {
    if (this.#renewedUntilMs === null || !this.#reflector.status.synced) return;
    this.#options.onRenewed(this.#renewedUntilMs);
    this.#renewedUntilMs = null;
  }

  /** No watch lags behind this; who takes a thousand addresses of a node asks once. */
  readonly #isOver = (node: string, askedMs: number): Promise<boolean> => {
    const nowMs = monotonicMs();
    const asked = this.#asked.get(node);
    if (asked && asked.atMs >= Math.max(askedMs, nowMs - ASKED_MS)) return asked.answer;
    const answer = this.#askWhetherOver(node);
    this.#asked.set(node, { atMs: nowMs, answer });
    return answer;
  };

  async #askWhetherOver(node: string): Promise<boolean> {
    const { api, namespace } = this.#options;
    const path = `${inNamespace(PATHS.leases, namespace)}/${sessionLeaseName(node)}`;
    const raw = await api.get(path).catch((error: unknown) => {
      if (isNotFound(error)) return null;
      throw error;
    });
    const nowMs = monotonicMs();
    this.#sessions.seen(node, raw === null ? null : (projectLease(raw)?.value ?? null), nowMs);
    const over = !this.#sessions.live(nowMs).includes(node);
    this.#judgeSessions();
    return over;
  }

  /** What nobody else can take, and this node does not. */
  #releaseUnowned(nowMs: number): void {
    const unowned = this.#connected && this.#options.isSettled() ? this.#owners.unowned() : [];
    for (const address of this.#unownedMs.keys()) if (!unowned.includes(address)) this.#unownedMs.delete(address);
    for (const address of unowned) {
      const sinceMs = this.#unownedMs.get(address);
      if (sinceMs === undefined) this.#unownedMs.set(address, nowMs);
      else if (nowMs - sinceMs >= RELEASE_AFTER_MS) this.#owners.release(address);
    }
  }

  #judgeSessions(): void {
    const nowMs = monotonicMs();
    const connected = this.#reflector.status.state === 'watching';
    this.#sessions.connected(connected, nowMs);
    if (connected && !this.#connected) {
      this.#owners.retryNow();
      this.#options.onConnected();
    }
    this.#connected = connected;
    this.#tellRenewed();
    const live = this.#sessions.live(nowMs).filter((name) => name !== this.#options.node);
    // What is known at the start is told at once.
    if (!this.#told && !(this.#lookedBack && this.#reflector.status.synced)) return;
    const { ended } = this.#sessions;
    const same = live.join() === this.#live.join() && ended.join() === this.#ended.join();
    if (same && this.#told) return;
    this.#told = true;
    this.#live = live;
    this.#ended = ended;
    this.#options.onSessions(live, ended);
    this.#owners.reconsider();
  }
}

/** null: not one of ours, whatever its label says. */
function subjectOf(lease: Lease): { kind: string; subject: string } | null {
  const kind = lease.labels[RECORD_LABEL];
  const subject = lease.annotations[kind === SESSION ? NODE_ANNOTATION : ADDRESS_ANNOTATION];
  if (subject === undefined) return null;
  if (kind === SESSION) return { kind, subject };
  if (kind !== OWNER) return null;
  try {
    return { kind, subject: parseAddress(subject) };
  } catch (error) {
    if (error instanceof AddressError) return null;
    throw error;
  }
}
