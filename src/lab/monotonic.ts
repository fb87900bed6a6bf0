/** CLOCK_MONOTONIC in milliseconds with fractions: comparable between all processes of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The same for a wall clock time of the last seconds, such as the time of a log line. Good to a millisecond. */
export function monotonicOf(wallTime: string): number {
  return Date.parse(wallTime) - Date.now() + monotonicMs();
}
