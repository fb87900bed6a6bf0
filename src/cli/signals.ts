import type { Logger } from '../log.js';

/** Signal handlers are attached here and nowhere else, and are gone after close(). */
export class Signals {
  /** Resolves with the first SIGTERM or SIGINT. */
  readonly stopped: Promise<void>;
  readonly #hurry = new AbortController();
  readonly #reload: () => void;
  readonly #log: Logger;
  #resolve: (() => void) | null = null;

  /** @param reload called for SIGHUP, until the process is to stop */
  constructor(reload: () => void, log: Logger) {
    this.#reload = reload;
    this.#log = log;
    this.stopped = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    process.on('SIGHUP', this.#onHangUp).on('SIGTERM', this.#onStop).on('SIGINT', this.#onStop);
  }

  /** Aborted by the second one. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  close(): void {
    process.off('SIGHUP', this.#onHangUp).off('SIGTERM', this.#onStop).off('SIGINT', this.#onStop);
  }

  readonly #onHangUp = (): void => {
    if (this.#resolve) this.#reload();
  };

  readonly #onStop = (signal: NodeJS.Signals): void => {
    const first = this.#resolve;
    this.#resolve = null;
    if (!first) {
      this.#log.info(`${signal} again: not waiting for other nodes`);
      this.#hurry.abort();
      return;
    }
    this.#log.info(`${signal}: stopping`);
    first();
  };
}
