import { setMaxListeners } from 'node:events';
import type { Allocation } from '../allocation/types.js';
import { monotonicMs } from '../clock.js';
import { ApiError, isConflict, isNotFound } from '../kubernetes/api_error.js';
import { projectService } from '../kubernetes/projections.js';
import type { ObjectKey, Service } from '../kubernetes/types.js';
import { WritePace } from '../kubernetes/write_pace.js';
import type { Logger } from '../log.js';
import { KeyedQueue } from './keyed_queue.js';
import { fencePatch, servicePatch, statusPath } from './service_patch.js';
import type { ServiceView } from './service_view.js';
import type { ControllerApi } from './types.js';

export interface ServiceWriterOptions {
  readonly api: ControllerApi;
  readonly view: ServiceView;
  /** What was decided; null: the service is not ours. */
  readonly allocationOf: (key: ObjectKey) => Allocation | null;
  /** The last decision is about an older object, or other pools; the next one is on its way. */
  readonly isPending: (key: ObjectKey) => boolean;
  /** How long a write may take, in milliseconds; 0: nothing may be written. */
  readonly allowedMs: () => number;
  /** There was nothing to write, and nothing is on its way: the object is and stays as it is known. */
  readonly onSettled: (service: Service) => void;
  /** An object says now what was decided. */
  readonly onWritten: (before: Service, after: Service) => void;
  /** For tests: how long a fence that cannot be written is tried. */
  readonly fencedByTimeMs?: number;
  readonly log: Logger;
}

const CONCURRENCY = 8;
const WRITE_TIMEOUT_MS = 5_000;
/** After which a write that was refused is tried again, should the watch tell nothing. */
const CONFLICT_MS = 2_000;
/**
 * A request that was sent before this term is over by then: a client waits for 5 s, and the API server works on one for no more
 * than a minute.
 */
const FENCED_BY_TIME_MS = 70_000;

/**
 * Brings the services' objects to what was decided. What is to be written is looked up when its turn comes, so that only the
 * last decision counts.
 */
export class ServiceWriter {
  readonly #options: ServiceWriterOptions;
  readonly #queue: KeyedQueue;
  readonly #abort = new AbortController();
  /** Versions that a write was about whose outcome is unknown, or that are not the latest any more: the watch will tell. */
  readonly #unclear = new Map<ObjectKey, string>();
  readonly #pace = new WritePace();

  constructor(options: ServiceWriterOptions) {
    this.#options = options;
    // One listener for each request under way.
    setMaxListeners(0, this.#abort.signal);
    this.#queue = new KeyedQueue({
      work: (key) => this.#write(key),
      concurrency: CONCURRENCY,
      delayMs: (error) => (error instanceof ApiError ? (error.retryAfterMs ?? 200) : 200),
      log: options.log,
      name: 'writing a service',
    });
  }

  /** Services that are not what they should be yet. */
  get pending(): number {
    return this.#queue.size;
  }

  /** There may be something to write for a service. */
  add(key: ObjectKey): void {
    this.#queue.add(key);
  }

  /** The object is gone. */
  remove(key: ObjectKey): void {
    this.#unclear.delete(key);
    this.#pace.forget(key);
    this.#queue.remove(key);
  }

  /** Ends; what was sent is waited for, or given up at once where `abort`. */
  async stop(abort: boolean): Promise<void> {
    const stopped = this.#queue.stop();
    if (abort) this.#abort.abort();
    await stopped;
  }

  /**
   * Gives the service a new version without changing anything, so that the API server refuses what an earlier leader decided
   * on the old one. Resolves when that is so; where the object has changed in the meantime, it is so already. What the API server
   * does not let us write, as a policy may forbid it for one service, is waited for until nothing can be on its way any more.
   */
  async fence(service: Service, term: number): Promise<void> {
    const untilMs = monotonicMs() + (this.#options.fencedByTimeMs ?? FENCED_BY_TIME_MS);
    for (let attempt = 0; !this.#abort.signal.aborted; attempt += 1) {
      try {
        await this.#patch(service, fencePatch(service, term));
        return;
      } catch (error) {
        if (isNotFound(error)) return;
        if (isConflict(error)) return await this.#newer(service);
        if (this.#options.allowedMs() === 0) throw error;
        if (monotonicMs() >= untilMs) return;
        this.#options.log.warn({ err: error, service: service.key }, 'a service cannot be fenced; trying again');
        await new Promise((resolve) => setTimeout(resolve, Math.min(200 * 2 ** attempt, 2_000)));
      }
    }
  }

  /** Waits until the watch tells that the object is another than this version of it. */
  async #newer({ key, resourceVersion }: Service): Promise<void> {
    while (!this.#abort.signal.aborted && this.#options.view.get(key)?.resourceVersion === resourceVersion) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #write(key: ObjectKey): Promise<void> {
    const { view, allocationOf } = this.#options;
    const service = view.get(key);
    if (!service || this.#options.allowedMs() === 0) return;
    // With the version of the new object, the API server would take what was decided on the old one.
    if (this.#options.isPending(key)) return this.#queue.addLater(key, 1);
    const patch = servicePatch(service, allocationOf(key));
    if (patch === null) {
      if (this.#unclear.get(key) !== service.resourceVersion) this.#options.onSettled(service);
      return;
    }
    const waitMs = this.#pace.waitMs(key, monotonicMs());
    if (waitMs > 0) return this.#wait(key, waitMs);
    try {
      const after = await this.#patch(service, patch);
      this.#pace.wrote(key, monotonicMs());
      this.#unclear.delete(key);
      if (after === null || after.resourceVersion === service.resourceVersion) this.#options.onSettled(service);
      else this.#options.onWritten(service, after);
    } catch (error) {
      if (this.#abort.signal.aborted || isNotFound(error)) return;
      this.#unclear.set(key, service.resourceVersion);
      if (!isConflict(error)) throw error;
      // The watch is about to tell what has changed, and what follows from it.
      this.#queue.addLater(key, CONFLICT_MS);
    }
  }

  /** News of the service does not shorten it: it is told each time that somebody undoes what was written. */
  #wait(key: ObjectKey, waitMs: number): void {
    this.#options.log.warn(
      { service: key, againInMs: waitMs },
      'somebody else changes the status of this service each time it is written; if another controller serves it as well, give one of them a loadBalancerClass',
    );
    this.#queue.addLater(key, waitMs);
  }

  /** Writes; the view learns what came of it. */
  async #patch(service: Service, body: object): Promise<Service | null> {
    const timeoutMs = Math.min(this.#options.allowedMs(), WRITE_TIMEOUT_MS);
    if (timeoutMs === 0) throw new ApiError('this controller does not lead any more', { status: 0, reason: 'Aborted' });
    const answer = await this.#options.api.patch(statusPath(service), body, { timeoutMs, signal: this.#abort.signal });
    const after = projectService(answer)?.value ?? null;
    if (after) this.#options.view.answered(service, after);
    return after;
  }
}
