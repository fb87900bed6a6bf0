import type { Logger } from '../log.js';

export interface KeyedQueueOptions {
  /** What is to be done for a key. Where it rejects, it is done again later. */
  readonly work: (key: string) => Promise<void>;
  /** Of how many keys at the same time. */
  readonly concurrency: number;
  /** What to wait after an error, before it is doubled up to 60 s: a number, or one that the error asks for. */
  readonly delayMs?: (error: unknown) => number;
  readonly log: Logger;
  /** For the log: what the work is. */
  readonly name: string;
}

const MAX_DELAY_MS = 60_000;

/** Work by key: never twice at the same time for one key, once more where a key was added during its work, retried on errors. */
export class KeyedQueue {
  readonly #options: KeyedQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #delayed = new Map<string, NodeJS.Timeout>();
  readonly #failures = new Map<string, number>();
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(options: KeyedQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait, are worked on, or are tried again later. */
  get size(): number {
    return this.#waiting.size + this.#running.size + this.#delayed.size;
  }

  /** At once; a delay after an error ends. */
  add(key: string): void {
    if (this.#stopped) return;
    this.#undelay(key);
    this.#waiting.add(key);
    this.#next();
  }

  /** Not before the delay is over, unless {@link add} is called. */
  addLater(key: string, delayMs: number): void {
    if (this.#stopped || this.#waiting.has(key) || this.#delayed.has(key)) return;
    const timer = setTimeout(() => this.add(key), delayMs);
    this.#delayed.set(key, timer);
  }

  /** Forgets what was to be done for a key; work that runs is not stopped. */
  remove(key: string): void {
    this.#waiting.delete(key);
    this.#failures.delete(key);
    this.#undelay(key);
  }

  /** Starts nothing any more; resolves when what runs has ended. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    for (const key of [...this.#delayed.keys()]) this.#undelay(key);
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    try {
      await this.#options.work(key);
      this.#failures.delete(key);
    } catch (error) {
      this.#failed(key, error);
    }
    this.#running.delete(key);
    this.#next();
    if (this.#running.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #failed(key: string, error: unknown): void {
    if (this.#stopped) return;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const baseMs = (this.#options.delayMs?.(error) ?? 200) * 2 ** Math.min(failures - 1, 20);
    const delayMs = Math.min(baseMs, MAX_DELAY_MS) * (0.75 + Math.random() / 2);
    this.#options.log.warn(
      { err: error, key, failures, againInMs: Math.round(delayMs) },
      `${this.#options.name} failed; it is tried again`,
    );
    this.addLater(key, delayMs);
  }

  #undelay(key: string): void {
    const timer = this.#delayed.get(key);
    if (timer) clearTimeout(timer);
    this.#delayed.delete(key);
  }
}
