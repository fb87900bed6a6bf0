import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ArpeggioError } from '../errors.js';

/** Remembers beside the state file that this node is drained, so that it stays so when it is started again. */
export class DrainedFile {
  readonly #path: string;

  constructor(stateFile: string) {
    this.#path = `${stateFile.replace(/\.json$/, '')}.drained`;
  }

  get isDrained(): boolean {
    return existsSync(this.#path);
  }

  /** @throws {ArpeggioError} ERR_SYSTEM */
  set(drained: boolean): void {
    try {
      if (!drained) rmSync(this.#path, { force: true });
      else {
        mkdirSync(dirname(this.#path), { recursive: true });
        writeFileSync(this.#path, 'arpeggio drain was called; arpeggio undrain ends it\n', { mode: 0o644 });
      }
    } catch (error) {
      const { message, errno, syscall = 'open' } = error as NodeJS.ErrnoException;
      throw new ArpeggioError('ERR_SYSTEM', `cannot remember that this node is drained: ${message}`, {
        errno: -(errno ?? 0),
        syscall,
        cause: error,
      });
    }
  }
}
