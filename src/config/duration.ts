const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

/**
 * Milliseconds of a duration as Kubernetes and Go write them: "50ms", "1s", "1.5s", "1m30s".
 * @throws {Error} for what is none, and for fractions of a millisecond
 */
export function parseDuration(text: string): number {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m))+$/.test(text))
    throw new Error(`${JSON.stringify(text)} is no duration; write a number with its unit, such as 50ms or 1s`);
  let ms = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)(ms|s|m)/g)) ms += Number(number) * UNITS_MS[unit!]!;
  const whole = Math.round(ms);
  if (Math.abs(ms - whole) > 1e-6)
    throw new Error(`${JSON.stringify(text)} is no whole number of milliseconds; use one, such as ${Math.ceil(ms)}ms`);
  return whole;
}

/** The shortest way to write it: "50ms", "2s", "1.5s". */
export function formatDuration(ms: number): string {
  return ms >= 1_000 ? `${ms / 1_000}s` : `${ms}ms`;
}
