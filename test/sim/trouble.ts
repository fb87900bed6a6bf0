/** Whether something is being done to a part of the world, and when that ended last. */
export class Trouble {
  active = 0;
  endedMs = Number.NEGATIVE_INFINITY;

  begin(): void {
    this.active += 1;
  }

  end(nowMs: number): void {
    this.active = Math.max(0, this.active - 1);
    this.endedMs = nowMs;
  }

  /** Over as soon as it began. */
  touch(nowMs: number): void {
    this.endedMs = nowMs;
  }

  /** Since when there is none: Infinity while there is. */
  get calmSinceMs(): number {
    return this.active > 0 ? Number.POSITIVE_INFINITY : this.endedMs;
  }
}
