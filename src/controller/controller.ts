import { EventRecorder } from '../kubernetes/events.js';
import { LeaderElection, type Leadership } from '../kubernetes/leader.js';
import type { Logger } from '../log.js';
import { Term, type TermStatus } from './term.js';
import type { ControllerApi } from './types.js';

export interface ControllerOptions {
  readonly api: ControllerApi;
  /** Where the pools and the Lease are. */
  readonly namespace: string;
  /** null: services without a class are ours; else only those of this class. */
  readonly lbClass: string | null;
  /** null: there is no other replica, so there is no election. */
  readonly election: { readonly identity: string; readonly leaseDurationMs?: number } | null;
  readonly log: Logger;
}

export interface ControllerStatus {
  readonly leading: boolean;
  /** Who leads, as far as is known. */
  readonly leader: string | null;
  /** null: this replica does not lead. */
  readonly term: TermStatus | null;
}

/** Of the Lease by which one of the replicas leads. */
export const LEASE_NAME = 'arpeggio-controller';

/** Who stops waits so long for the answers to what it sent; a successor waits meanwhile. */
const STOP_MS = 1_000;
/** The longest that a write may take. */
const WRITE_MS = 5_000;

/** Gives addresses to services of type LoadBalancer. Of several replicas only the leader reads services and writes. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #election: LeaderElection | null;
  readonly #events: EventRecorder;
  #term: Term | null = null;
  /** A term ends only after what it sent has been answered, and the next begins after that. */
  #ending: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: ControllerOptions) {
    const { api, namespace, election, log } = options;
    this.#options = options;
    this.#events = new EventRecorder({ api, component: 'arpeggio-controller', log });
    this.#election =
      election &&
      new LeaderElection({
        api,
        namespace,
        name: LEASE_NAME,
        ...election,
        log: log.child({ module: 'leader' }),
        onChange: (leadership) => this.#leads(leadership),
      });
  }

  get status(): ControllerStatus {
    const leading = this.#term !== null;
    return { leading, leader: this.#election?.holder ?? null, term: this.#term?.status ?? null };
  }

  start(): void {
    if (this.#election) this.#election.start();
    else this.#leads({ term: 0, afterCrash: false });
  }

  /** Sends nothing more, waits shortly for what was sent, and lets another replica lead. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const term = this.#term;
    this.#term = null;
    const clean = await within(STOP_MS, Promise.all([this.#ending, term?.stop(false)]));
    // Where an answer is missing, the Lease is not given back: the next leader shall fence what may still arrive.
    if (!clean) await term?.stop(true);
    await this.#election?.stop(clean);
    await within(STOP_MS, this.#events.flush());
  }

  #leads(leadership: Leadership | null): void {
    const before = this.#term;
    this.#term = null;
    if (before) this.#ending = this.#ending.then(() => before.stop(true));
    if (leadership === null || this.#stopped) return;
    const { api, namespace, lbClass, log } = this.#options;
    const term = new Term({
      api,
      namespace,
      lbClass,
      leadership,
      allowedMs: () => (this.#election ? Math.min(this.#election.remainingMs, WRITE_MS) : WRITE_MS),
      events: this.#events,
      log,
    });
    this.#term = term;
    void this.#ending.then(() => {
      if (this.#term === term) term.start();
    });
  }
}

/** Whether the work was done in time. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
