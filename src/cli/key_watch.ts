import { ArpeggioError } from '../errors.js';
import type { Logger } from '../log.js';
import { readKeyFile } from '../sources/file/key_file.js';
import { PathWatcher } from '../sources/file/watch_path.js';

/** A Secret is exchanged in several steps. */
const SETTLE_MS = 200;

export interface KeyWatchOptions {
  readonly file: string;
  readonly log: Logger;
  readonly onKeys: (keys: readonly Uint8Array[]) => void;
}

/** The keys of a key file, read again whenever it changes: a wrong file leaves those that were read before. */
export class KeyWatch {
  readonly #options: KeyWatchOptions;
  readonly #watcher: PathWatcher;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeyWatchOptions) {
    this.#options = options;
    this.#watcher = new PathWatcher(options.file, () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.reload(), SETTLE_MS);
    });
  }

  /** @throws {ArpeggioError} ERR_INVALID_ARGUMENT that says what is wrong with the file */
  static read(file: string): Uint8Array[] {
    try {
      return readKeyFile(file);
    } catch (error) {
      throw new ArpeggioError('ERR_INVALID_ARGUMENT', `--heartbeat-key-file: ${(error as Error).message}`);
    }
  }

  /** Reads once more: the file may have changed since its keys were taken. */
  start(): void {
    this.reload();
  }

  reload(): void {
    this.#refresh();
    try {
      this.#options.onKeys(readKeyFile(this.#options.file));
    } catch (error) {
      this.#options.log.error(`${(error as Error).message}; the keys that were read before stay in force`);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watcher.close();
  }

  #refresh(): void {
    try {
      this.#watcher.refresh();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the key file is not watched; SIGHUP has it read again');
    }
  }
}
