import { monotonicMs } from '../clock.js';
import { WritePace } from '../kubernetes/write_pace.js';
import type { Logger } from '../log.js';

/** Milliseconds until a failed write is tried again: doubled each time, half of it by chance. */
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 30_000;
const CONCURRENCY = 4;

export interface WriteQueueOptions {
  /** What is written, for messages: "ownership records". */
  readonly what: string;
  readonly log: Logger;
  /** Brings what the key names to what it shall be now; false: it was so already. What it throws is tried again later. */
  readonly write: (key: string) => Promise<unknown>;
  /** Whether a key that is written again and again, as what somebody undoes each time, is slowed down. Default: false. */
  readonly paced?: boolean;
  /** How many are under way at once. Default: 4. */
  readonly concurrency?: number;
  /** 0 <= random() < 1. */
  readonly random?: () => number;
}

/**
 * Writes that may wait: keys, not values, so that a thousand changes of one object make one write of the last. Nothing waits
 * for it but `settled`. A failure is told once, and once more when all is written.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  readonly #due = new Set<string>();
  readonly #running = new Set<string>();
  readonly #retries = new Map<string, { attempts: number; timer: NodeJS.Timeout | null }>();
  readonly #pace: WritePace | null;
  #failing = false;
  #stopped = false;
  #onIdle: (() => void)[] = [];

  constructor(options: WriteQueueOptions) {
    this.#options = options;
    this.#pace = options.paced ? new WritePace() : null;
  }

  /** How many keys are not as they shall be. */
  get size(): number {
    return new Set([...this.#due, ...this.#running, ...this.#retries.keys()]).size;
  }

  add(key: string): void {
    if (this.#stopped) return;
    const retry = this.#retries.get(key);
    // While the server refuses everything, news does not make more attempts.
    if (retry?.timer) return;
    this.#due.add(key);
    this.#pump();
  }

  /** What failed is tried at once: there is reason to think that it works again. */
  retryNow(): void {
    for (const [key, { attempts, timer }] of this.#retries) {
      if (!timer) continue;
      clearTimeout(timer);
      this.#retries.set(key, { attempts, timer: null });
      this.#due.add(key);
    }
    this.#pump();
  }

  /** Resolves when nothing is due or under way, or after so many milliseconds; what waits after a failure is not counted. */
  async settled(limitMs: number): Promise<void> {
    if (this.#due.size + this.#running.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onIdle.push(resolve);
      timer = setTimeout(resolve, limitMs);
    });
    clearTimeout(timer);
  }

  /** Nothing more is begun. */
  stop(): void {
    this.#stopped = true;
    this.#due.clear();
    for (const { timer } of this.#retries.values()) clearTimeout(timer ?? undefined);
    this.#retries.clear();
  }

  #pump(): void {
    const { concurrency = CONCURRENCY } = this.#options;
    for (const key of this.#due) {
      if (this.#running.size >= concurrency) return;
      if (this.#running.has(key)) continue;
      this.#due.delete(key);
      const waitMs = this.#pace?.waitMs(key, monotonicMs()) ?? 0;
      if (waitMs > 0) this.#later(key, this.#retries.get(key)?.attempts ?? 0, waitMs);
      else {
        this.#running.add(key);
        void this.#run(key);
      }
    }
    if (this.#due.size + this.#running.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  async #run(key: string): Promise<void> {
    try {
      const wrote = await this.#options.write(key);
      if (wrote !== false) this.#pace?.wrote(key, monotonicMs());
      this.#retries.delete(key);
      this.#tellSuccess();
    } catch (error) {
      if (!this.#stopped) this.#retryLater(key, error);
    }
    this.#running.delete(key);
    this.#pump();
  }

  #retryLater(key: string, error: unknown): void {
    const { log, what, random = Math.random } = this.#options;
    if (!this.#failing) log.warn({ err: error }, `${what} cannot be written at present; trying again`);
    else log.debug({ err: error, key }, `${what} still cannot be written`);
    this.#failing = true;
    const attempts = (this.#retries.get(key)?.attempts ?? 0) + 1;
    const delayMs = Math.min(RETRY_FIRST_MS * 2 ** (attempts - 1), RETRY_LAST_MS) * (0.5 + random() / 2);
    this.#later(key, attempts, Math.max(delayMs, retryAfterMs(error)));
  }

  #later(key: string, attempts: number, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#retries.set(key, { attempts, timer: null });
      this.#due.add(key);
      this.#pump();
    }, delayMs);
    timer.unref();
    this.#retries.set(key, { attempts, timer });
  }

  #tellSuccess(): void {
    if (!this.#failing || this.#retries.size > 0) return;
    this.#failing = false;
    this.#options.log.info(`${this.#options.what} are written again`);
  }
}

/** What the server asked for; see ApiError. */
function retryAfterMs(error: unknown): number {
  const asked = (error as { retryAfterMs?: number | null }).retryAfterMs;
  return typeof asked === 'number' ? asked : 0;
}
