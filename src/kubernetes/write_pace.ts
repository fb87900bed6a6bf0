import type { ObjectKey } from './types.js';

/** So many writes in a row cost nothing: a user may change something as often as that. */
const BURST = 10;
/** After them one is due every so many milliseconds. */
const EVERY_MS = 5_000;

/** From so many objects on those that have their whole burst again are forgotten. */
const PRUNE_FROM = 1_000;

/**
 * How often one object may be written. Where somebody else undoes each write, such as another controller that serves the same
 * class, both would go on as fast as the API server answers, and every watcher of such objects with them.
 */
export class WritePace {
  /** Writes left at a time. */
  readonly #left = new Map<ObjectKey, { writes: number; atMs: number }>();
  #pruneAt = PRUNE_FROM;

  /** Milliseconds until the object may be written; 0: now. */
  waitMs(key: ObjectKey, nowMs: number): number {
    return Math.max(0, Math.ceil((1 - this.#writesLeft(key, nowMs)) * EVERY_MS));
  }

  wrote(key: ObjectKey, nowMs: number): void {
    this.#left.set(key, { writes: this.#writesLeft(key, nowMs) - 1, atMs: nowMs });
    if (this.#left.size < this.#pruneAt) return;
    for (const other of this.#left.keys()) if (this.#writesLeft(other, nowMs) >= BURST) this.#left.delete(other);
    this.#pruneAt = Math.max(PRUNE_FROM, 2 * this.#left.size);
  }

  /** The object is gone. */
  forget(key: ObjectKey): void {
    this.#left.delete(key);
  }

  #writesLeft(key: ObjectKey, nowMs: number): number {
    const left = this.#left.get(key);
    return left === undefined ? BURST : Math.min(BURST, left.writes + (nowMs - left.atMs) / EVERY_MS);
  }
}
