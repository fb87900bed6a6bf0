import { readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../../log.js';
import { decodeState, encodeState, type SavedState } from './saved_state.js';

export type { SavedState } from './saved_state.js';

export const DEFAULT_WRITE_EVERY_MS = 10_000;

export interface StateFileOptions {
  readonly path: string;
  readonly log: Logger;
  /** At least so much time passes between two writings. Default: {@link DEFAULT_WRITE_EVERY_MS}. */
  readonly everyMs?: number;
}

/**
 * Keeps the last state on disk, so that a speaker that starts while the API server is away serves what it served before. Trouble
 * with the disk is logged once, and ends nothing.
 */
export class StateFile {
  readonly #options: StateFileOptions;
  readonly #everyMs: number;
  #read: (() => SavedState) | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;
  #closed = false;

  constructor(options: StateFileOptions) {
    this.#options = options;
    this.#everyMs = options.everyMs ?? DEFAULT_WRITE_EVERY_MS;
  }

  /** What was saved last; null, with a line in the log, where nothing usable is there. */
  load(): SavedState | null {
    const { path, log } = this.#options;
    try {
      return decodeState(readFileSync(path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') log.info({ path }, 'no state was saved on this node yet');
      else log.warn({ path, err: error }, 'the saved state cannot be read, and is not used');
      return null;
    }
  }

  /**
   * The state is another one: written soon, at the latest `everyMs` from now.
   *
   * @param read called when it is written
   */
  changed(read: () => SavedState): void {
    if (this.#closed) return;
    this.#read = read;
    // The first change is written at once, what follows it together.
    if (this.#timer === null) this.#write();
  }

  /** Writes what is not written yet, and ends. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#read !== null) this.#save();
    await this.#writing;
  }

  #write(): void {
    this.#arm();
    this.#save();
  }

  #arm(): void {
    if (this.#timer !== null || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#read !== null) this.#write();
    }, this.#everyMs);
    this.#timer.unref();
  }

  #save(): void {
    const read = this.#read!;
    this.#read = null;
    this.#writing = this.#writing.then(() => this.#replace(read));
  }

  async #replace(read: () => SavedState): Promise<void> {
    const { path, log } = this.#options;
    try {
      await replaceFile(path, encodeState(read()));
      if (this.#failed) log.info({ path }, 'the state is saved again');
      this.#failed = false;
    } catch (error) {
      if (!this.#failed)
        log.warn({ path, err: error }, 'the state cannot be saved: without the API server a restart would find none');
      this.#failed = true;
      this.#read ??= read;
      this.#arm();
    }
  }
}

/** In one step, and on the disk before the name is: after a power cut there is the old one or the new one. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
