import { randomBytes } from 'node:crypto';
import { monotonicMs } from '../clock.js';
import type { Logger } from '../log.js';
import { isConflict, isNotFound } from './api_error.js';
import type { ApiClient } from './api_client.js';
import { microTime } from './micro_time.js';
import { inNamespace, PATHS, projectLease } from './projections.js';
import { Reflector } from './reflector.js';
import type { ApiRequest, Lease } from './types.js';

/** What a replica has become, told with the Lease in its hands. */
export interface Leadership {
  /** leaseTransitions: grows with each leader. */
  readonly term: number;
  /** The last leader did not give the Lease back: what it sent may still be on its way to the API server. */
  readonly afterCrash: boolean;
}

export interface LeaderElectionOptions {
  readonly api: Pick<ApiClient, 'get' | 'list' | 'watch' | 'create' | 'replace'>;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Who we are, for people; made unique by a suffix, so that two processes of one name never both lead. */
  readonly identity: string;
  /**
   * How long others wait after the last renewal that they saw. A leader renews after two fifths of it, and steps down by itself
   * when no renewal has succeeded for 17/20 of it. Default 12,000: a write every 5 s, and an API server that answers nothing for 5 s
   * costs no leadership.
   */
  readonly leaseDurationMs?: number;
  readonly log: Logger;
  /** Called with null when the leadership ends, for whatever reason; never twice in a row with null. */
  readonly onChange: (leadership: Leadership | null) => void;
}

const DEFAULT_LEASE_MS = 12_000;
/** Parts of the duration, see leaseDurationMs. */
const RENEW = 0.42;
const VALID = 0.85;
const RETRY_MS = 1_000;
/** leaseDurationSeconds of a Lease that its holder gave back: who empties it by hand leaves another. */
const GIVEN_BACK_MS = 1_000;

/**
 * At most one leader at a time, by a Lease (coordination.k8s.io/v1). Only the local clock counts: a Lease has expired when
 * its version did not change for as long as it says, wherever the clock of its holder stands.
 */
export class LeaderElection {
  readonly identity: string;
  readonly #options: LeaderElectionOptions;
  readonly #log: Logger;
  readonly #durationMs: number;
  readonly #path: string;
  #lease: Lease | null = null;
  /** When the version of #lease was first seen, on our clock. */
  #seenMs = 0;
  #leadership: Leadership | null = null;
  #validUntilMs = 0;
  #deadline: NodeJS.Timeout | null = null;
  #watch: Reflector<Lease> | null = null;
  #acquiredAt = '';
  #stopped = false;
  #wake: (() => void) | null = null;
  readonly #abort = new AbortController();
  /** There is news that the next sleep must not wait for. */
  #hurry = false;
  #running: Promise<void> | null = null;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#durationMs = options.leaseDurationMs ?? DEFAULT_LEASE_MS;
    this.identity = `${options.identity}_${randomBytes(4).toString('hex')}`;
    this.#path = inNamespace(PATHS.leases, options.namespace);
  }

  /** How much longer this replica may count on being the only leader, in milliseconds; 0: it may not. */
  get remainingMs(): number {
    return this.#leadership === null ? 0 : Math.max(0, this.#validUntilMs - monotonicMs());
  }

  /** Who leads as far as is known; null: nobody, or nothing is known yet. */
  get holder(): string | null {
    return this.#leadership ? this.identity : (this.#lease?.holder ?? null);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the leadership. `release`: gives the Lease back, so that another replica follows at once, and trusts that we are done. */
  async stop(release: boolean): Promise<void> {
    this.#stopped = true;
    this.#hasten();
    // The answer to a renewal is worth waiting for: the Lease can only be given back by who knows its version.
    const patience = setTimeout(() => this.#abort.abort(), RETRY_MS);
    await this.#running;
    clearTimeout(patience);
    await this.#unwatch();
    const led = this.#leadership !== null && this.remainingMs > 0;
    this.#end('stopped');
    if (led && release) await this.#release();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let waitMs: number;
      try {
        waitMs = this.#leadership === null ? await this.#follow() : await this.#renew();
      } catch (error) {
        this.#log.warn({ err: error, lease: this.#options.name }, 'the leader Lease cannot be read or written');
        waitMs = RETRY_MS * (0.5 + Math.random());
      }
      if (this.#leadership === null && !this.#stopped) this.#watchLease();
      else await this.#unwatch();
      await this.#sleep(waitMs);
    }
  }

  /** Takes the Lease where nobody holds it. Always decided on what the API server says now, never on the watch alone. */
  async #follow(): Promise<number> {
    const lease = await this.#read();
    if (this.#stopped) return 0;
    if (lease !== null) this.#note(lease);
    // Where somebody has deleted it, its last holder does not know yet: it counts as if it stood.
    const last = this.#lease;
    if (last === null || isGivenBack(last)) return this.#take(lease, false);
    // A renewal that took so long that we had stepped down.
    if (last.holder === this.identity) return this.#take(lease, true);
    const leftMs = this.#seenMs + last.durationMs - monotonicMs();
    if (leftMs > 0) return leftMs;
    return this.#take(lease, true);
  }

  /** `over`: the Lease as it was read; null: there is none (any more). */
  async #take(over: Lease | null, afterCrash: boolean): Promise<number> {
    const startedMs = monotonicMs();
    const term = (this.#lease?.transitions ?? -1) + 1;
    this.#acquiredAt = microTime();
    const body = this.#body(over?.resourceVersion ?? null, term, true);
    try {
      const answer =
        over === null
          ? await this.#options.api.create(this.#path, body, this.#request)
          : await this.#options.api.replace(`${this.#path}/${this.#options.name}`, body, this.#request);
      this.#held(answer, startedMs);
    } catch (error) {
      // Another replica was faster.
      if (isConflict(error)) return RETRY_MS * Math.random();
      throw error;
    }
    this.#leadership = { term, afterCrash };
    this.#log.info({ term, identity: this.identity, afterCrash }, 'this controller leads now');
    this.#options.onChange(this.#leadership);
    return this.#durationMs * RENEW;
  }

  async #renew(): Promise<number> {
    const startedMs = monotonicMs();
    const { term } = this.#leadership!;
    const version = this.#lease!.resourceVersion;
    try {
      const body = this.#body(version, term, true);
      const answer = await this.#options.api.replace(`${this.#path}/${this.#options.name}`, body, this.#request);
      // It took too long: whoever stepped down does not lead on as if nothing had been.
      if (this.#leadership === null) return 0;
      this.#held(answer, startedMs);
      return this.#durationMs * RENEW * (0.9 + 0.1 * Math.random());
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) {
        await this.#afterConflict();
        return 0;
      }
      this.#log.warn({ err: error, leftMs: Math.round(this.remainingMs) }, 'the leader Lease was not renewed');
      return Math.min(RETRY_MS, this.#durationMs * (VALID - RENEW)) / 3;
    }
  }

  /** Somebody else wrote our Lease. Labels may have been edited; whether it is still ours, only the Lease says. */
  async #afterConflict(): Promise<void> {
    const lease = await this.#read();
    if (lease?.holder === this.identity) this.#note(lease);
    else this.#end(lease === null ? 'its Lease is gone' : `${lease.holder ?? 'nobody'} holds the Lease`);
  }

  async #release(): Promise<void> {
    try {
      const body = this.#body(this.#lease!.resourceVersion, this.#lease!.transitions, false);
      await this.#options.api.replace(`${this.#path}/${this.#options.name}`, body, { timeoutMs: 1_500 });
    } catch (error) {
      this.#log.warn({ err: error }, 'the leader Lease could not be given back: others wait until it has expired');
    }
  }

  get #request(): ApiRequest {
    return { timeoutMs: Math.max(this.#durationMs / 3, RETRY_MS), signal: this.#abort.signal };
  }

  async #read(): Promise<Lease | null> {
    try {
      return (
        projectLease(await this.#options.api.get(`${this.#path}/${this.#options.name}`, this.#request))?.value ?? null
      );
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  #note(lease: Lease): void {
    if (lease.resourceVersion !== this.#lease?.resourceVersion) this.#seenMs = monotonicMs();
    this.#lease = lease;
  }

  /** A write of ours succeeded. It counts from before it was sent: nobody else can have seen it earlier. */
  #held(answer: unknown, startedMs: number): void {
    const lease = projectLease(answer)?.value;
    if (lease) this.#note(lease);
    this.#validUntilMs = startedMs + this.#durationMs * VALID;
    if (this.#deadline) clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#end('it could not be renewed in time'), this.#validUntilMs - monotonicMs());
  }

  #end(reason: string): void {
    if (this.#deadline) clearTimeout(this.#deadline);
    this.#deadline = null;
    if (this.#leadership === null) return;
    this.#leadership = null;
    this.#log.info({ reason }, 'this controller leads no more');
    this.#options.onChange(null);
  }

  #body(resourceVersion: string | null, transitions: number, hold: boolean): object {
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: this.#options.name,
        namespace: this.#options.namespace,
        ...(resourceVersion !== null && { resourceVersion }),
      },
      spec: {
        ...(hold && { holderIdentity: this.identity, acquireTime: this.#acquiredAt }),
        leaseDurationSeconds: hold ? Math.max(1, Math.round(this.#durationMs / 1_000)) : GIVEN_BACK_MS / 1_000,
        leaseTransitions: transitions,
        renewTime: microTime(),
      },
    };
  }

  /** Tells a follower at once that the Lease was given back, without polling. */
  #watchLease(): void {
    if (this.#watch) return;
    this.#watch = new Reflector<Lease>({
      api: this.#options.api,
      path: this.#path,
      query: { fieldSelector: `metadata.name=${this.#options.name}` },
      project: projectLease,
      log: this.#log,
      onChange: (changes) => {
        for (const [, lease] of changes) {
          if (this.#leadership !== null) continue;
          if (lease) this.#note(lease);
          if (lease === null || isGivenBack(lease)) this.#hasten();
        }
      },
    });
    this.#watch.start();
  }

  async #unwatch(): Promise<void> {
    const watch = this.#watch;
    this.#watch = null;
    await watch?.stop();
  }

  #hasten(): void {
    if (this.#wake) this.#wake();
    else this.#hurry = true;
  }

  #sleep(ms: number): Promise<void> {
    const hurry = this.#hurry;
    this.#hurry = false;
    if (this.#stopped || hurry) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}

function isGivenBack({ holder, durationMs }: Lease): boolean {
  return holder === null && durationMs <= GIVEN_BACK_MS;
}
