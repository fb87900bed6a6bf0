import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs, wallMs } from '../clock.js';
import { isConflict, isNotFound } from '../kubernetes/api_error.js';
import { microTime } from '../kubernetes/micro_time.js';
import { inNamespace, PATHS, projectLease } from '../kubernetes/projections.js';
import type { Api } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import type { Takeover } from '../ownership/fence.js';
import { NODE_ANNOTATION, RECORD_LABEL, SESSION, sessionLeaseName, TAKEOVER_ANNOTATION } from './names.js';

/** How a session is kept. */
export interface SessionTimes {
  readonly renewMs: number;
  /** It lasts as long after its last renewal; three of them may fail. */
  readonly durationMs: number;
  readonly failedRetryMs: number;
  readonly requestMs: number;
}

/** Where records come before answers a crashed node is replaced when its session is over. */
export const SESSION_TIMES: Readonly<Record<Takeover, SessionTimes>> = {
  fast: { renewMs: 10_000, durationMs: 40_000, failedRetryMs: 2_000, requestMs: 5_000 },
  fenced: { renewMs: 3_000, durationMs: 10_000, failedRetryMs: 700, requestMs: 2_500 },
};
/** So much earlier than the others this node holds its own session to be over: clocks run at slightly different speeds. */
export const SESSION_MARGIN_MS = 1_000;
/** Who it was before is of use at the start only. */
const LOOK_BACK_MS = 1_000;

export interface SessionOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly node: string;
  readonly log: Logger;
  /** An earlier process of this node renewed the session a moment ago, and did not end it. */
  readonly onResumed: () => void;
  /** Whether that is so has been looked at, as far as it can be. */
  readonly onLookedBack: () => void;
  readonly takeover: Takeover;
  /** It was renewed, and lasts until then, monotonic, as this node has to count. */
  readonly onRenewed: (untilMs: number) => void;
}

/** The Lease that says that this node's speaker runs and reaches the API server: renewed again and again, ended at a clean stop. */
export class Session {
  readonly #options: SessionOptions;
  readonly #path: string;
  readonly #name: string;
  readonly #times: SessionTimes;
  readonly #end = new AbortController();
  /** Ends a renewal that is under way. */
  readonly #cut = new AbortController();
  #running: Promise<void> | null = null;
  #failing = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#times = SESSION_TIMES[options.takeover];
    this.#name = sessionLeaseName(options.node);
    this.#path = inNamespace(PATHS.leases, options.namespace);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the session, so that others need not wait for its end. A renewal that is under way, and that, take at most `limitMs` each. */
  async stop(limitMs: number): Promise<void> {
    if (!this.#running) return;
    this.#end.abort();
    // One that is cut short may still be carried out, after the end: the session of a node that is gone would last its whole time.
    const cut = setTimeout(() => this.#cut.abort(), limitMs);
    await this.#running;
    clearTimeout(cut);
    const spec = { holderIdentity: '', renewTime: microTime() };
    await this.#options.api
      .patch(`${this.#path}/${this.#name}`, { spec }, { timeoutMs: limitMs })
      .catch((error: unknown) =>
        this.#options.log.debug({ err: error }, 'the session of this node could not be ended'),
      );
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    await this.#lookBack(signal);
    if (!signal.aborted) this.#options.onLookedBack();
    while (!signal.aborted) {
      const renewed = await this.#renew(this.#cut.signal);
      // A little chance keeps the nodes of a cluster that starts at once apart.
      const { renewMs, failedRetryMs } = this.#times;
      const delayMs = renewed ? renewMs * (0.95 + Math.random() / 10) : failedRetryMs * (0.5 + Math.random());
      await sleep(delayMs, undefined, { signal }).catch(() => {});
    }
  }

  /** By the clock of this node, which has written the time as well. */
  async #lookBack(signal: AbortSignal): Promise<void> {
    const { api, node, log, onResumed } = this.#options;
    try {
      const raw = await api.get(`${this.#path}/${this.#name}`, { timeoutMs: LOOK_BACK_MS, signal, retry: false });
      const lease = projectLease(raw)?.value;
      const agoMs = wallMs() - Date.parse(lease?.renewTime ?? '');
      if (!signal.aborted && lease?.holder === node && agoMs >= 0 && agoMs < this.#times.durationMs) onResumed();
    } catch (error) {
      if (!isNotFound(error)) log.debug({ err: error }, 'whether this node had a session is not known');
    }
  }

  async #renew(signal: AbortSignal): Promise<boolean> {
    const { log, onRenewed } = this.#options;
    const begunMs = monotonicMs();
    try {
      await this.#write(signal);
      if (this.#end.signal.aborted) return true;
      onRenewed(begunMs + this.#times.durationMs - SESSION_MARGIN_MS);
      if (this.#failing) log.info('the session of this node is renewed again');
      this.#failing = false;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (!this.#failing) log.warn({ err: error }, 'the session of this node cannot be renewed; trying again');
      this.#failing = true;
      return false;
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { api, node, namespace, takeover } = this.#options;
    const spec = {
      holderIdentity: node,
      leaseDurationSeconds: this.#times.durationMs / 1_000,
      renewTime: microTime(),
    };
    const request = { timeoutMs: this.#times.requestMs, signal };
    const marks = {
      labels: { [RECORD_LABEL]: SESSION },
      annotations: { [NODE_ANNOTATION]: node, [TAKEOVER_ANNOTATION]: takeover },
    };
    try {
      // Nobody else writes it, so there is nothing to compare. Without its marks nobody would find it.
      await api.patch(`${this.#path}/${this.#name}`, { metadata: marks, spec }, request);
      return;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const metadata = { name: this.#name, namespace, ...marks };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
    await api.create(this.#path, lease, request).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
  }
}
