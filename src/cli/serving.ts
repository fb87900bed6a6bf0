// Puts the service IPs in place before they are answered: on lo, or nowhere where something else serves them.
import type { ServeMode } from '../config/config.js';
import type { Logger } from '../log.js';
import type { LinkInfo } from '../responder/types.js';
import { LoopbackServer } from '../serve/loopback_server.js';
import type { Effect } from '../speaker.js';

type Serve = Extract<Effect, { type: 'serve' }>;

const RETRY_MS = 5_000;

export interface ServingOptions {
  readonly stateFile: string;
  readonly log: Logger;
  readonly links: () => readonly LinkInfo[];
  /** The addresses of the `serve` effect with this number are in place. Not called from within a method of Serving. */
  readonly onServed: (generation: number) => void;
}

export class Serving {
  readonly #options: ServingOptions;
  #mode: ServeMode = 'none';
  /** Opened by the first `serve: loopback`, and kept: it does one thing after the other, however fast reloads come. */
  #server: LoopbackServer | null = null;
  #wanted: Serve | null = null;
  #retry: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  /**
   * To be called before the mode is set, so that a refused configuration changes nothing.
   * @throws {ArpeggioError} ERR_ALREADY_RUNNING while another process uses the state file
   */
  prepare(mode: ServeMode): void {
    if (mode !== 'loopback') return;
    const { stateFile, log } = this.#options;
    this.#server ??= LoopbackServer.open({ stateFile, log: log.child({ module: 'serve' }) });
  }

  /** From now on; `prepare` has been called for it. Addresses on `lo` are put there or taken away. */
  setMode(mode: ServeMode): void {
    const changed = this.#mode !== mode;
    this.#mode = mode;
    if (!changed) return;
    if (mode === 'none') {
      this.#server?.cleanup().catch((error: unknown) => {
        this.#options.log.error(
          { err: error },
          'service IPs are left on lo; after a stop, arpeggio cleanup takes them off',
        );
      });
    }
    this.#do();
  }

  serve(wanted: Serve): void {
    this.#wanted = wanted;
    this.#do();
  }

  linksChanged(): void {
    const loopback = this.#loopback;
    if (loopback) this.#whenDone(loopback.setInterfaces(this.#options.links().filter(speaksArp)));
  }

  /** Nothing is tried again. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#retry);
  }

  /** Addresses stay on `lo`. */
  async close(): Promise<void> {
    this.end();
    await this.#server?.close();
  }

  /** null: somebody else serves the addresses. */
  get #loopback(): LoopbackServer | null {
    return this.#mode === 'loopback' ? this.#server : null;
  }

  #do(): void {
    clearTimeout(this.#retry);
    const wanted = this.#wanted;
    if (!wanted) return;
    const done = (): void => this.#options.onServed(wanted.generation);
    const loopback = this.#loopback;
    if (!loopback) {
      // After this step: the effects that follow come first.
      queueMicrotask(done);
      return;
    }
    void loopback.setInterfaces(this.#options.links().filter(speaksArp)).catch(() => {});
    this.#whenDone(loopback.setAddresses(wanted.addresses).then(done));
  }

  /** What could not be served is not answered, and tried again. */
  #whenDone(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#options.log.error(
        { err: error },
        'the service IPs cannot be put on lo, so they are not answered; trying again',
      );
      if (this.#ended) return;
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#do(), RETRY_MS);
    });
  }
}

function speaksArp({ ethernet, noArp, loopback }: LinkInfo): boolean {
  return ethernet && !noArp && !loopback;
}
