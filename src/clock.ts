/** Milliseconds on a clock that only moves forward (CLOCK_MONOTONIC), from an arbitrary origin; with fractions. */
export function monotonicMs(): number {
  return performance.now();
}

/** Milliseconds since the epoch. It may jump when somebody sets the time: never subtract two of them. */
export function wallMs(): number {
  return Date.now();
}

const RESYNC_MS = 50;

/**
 * Turns monotonic times into wall clock times. The offset is kept until the clocks have drifted apart by more than
 * 50 ms, so that one event keeps one time of day however often it is shown, and follows when the time is set.
 */
export class WallTime {
  private offsetMs: number;

  constructor(
    private readonly monotonic: () => number = monotonicMs,
    private readonly wall: () => number = wallMs,
  ) {
    this.offsetMs = wall() - monotonic();
  }

  /** ISO 8601 in UTC of a time that {@link monotonicMs} returned. */
  iso(atMonotonicMs: number): string {
    const offsetMs = this.wall() - this.monotonic();
    if (Math.abs(offsetMs - this.offsetMs) > RESYNC_MS) this.offsetMs = offsetMs;
    return new Date(Math.round(atMonotonicMs + this.offsetMs)).toISOString();
  }
}
