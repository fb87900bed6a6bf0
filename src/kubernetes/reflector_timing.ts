import { ApiError } from './api_error.js';

/** How a reflector paces itself; milliseconds. */
export interface ReflectorTimings {
  /** A watch is asked to last this long, drawn between the two: not all clients come back at once. */
  minWatchMs: number;
  maxWatchMs: number;
  /**
   * A watch silent for this long, and up to a fifth more, is begun anew. The API server sends a bookmark every minute, but only where
   * objects of the kind have changed; a server that is gone is noticed by TCP within 20 s.
   */
  idleTimeoutMs: number;
  /** One page of a list, with what is tried again. */
  pageTimeoutMs: number;
  /** A watch that ends earlier, without a word, counts as failed. */
  shortWatchMs: number;
  /** The first pause; each further one is twice as long, up to the greatest. */
  minBackoffMs: number;
  maxBackoffMs: number;
  /** The greatest pause while nobody answers at all: to be back soon when the server is. */
  maxUnreachableMs: number;
}

export const DEFAULT_TIMINGS: ReflectorTimings = {
  minWatchMs: 300_000,
  maxWatchMs: 600_000,
  idleTimeoutMs: 120_000,
  pageTimeoutMs: 60_000,
  shortWatchMs: 2000,
  minBackoffMs: 250,
  maxBackoffMs: 15_000,
  maxUnreachableMs: 5000,
};

/** A server that asks for more is obeyed only so far: it must not be able to silence us for a day. */
const MAX_RETRY_AFTER_MS = 300_000;

/**
 * The pause before the next attempt, in ms: half to all of the doubled pause; where the server named one, that and up to a fifth
 * more. `failures` counts from 1, `random` is 0 <= x < 1.
 */
export function backoffMs(error: unknown, failures: number, random: number, timings: ReflectorTimings): number {
  const { minBackoffMs, maxBackoffMs, maxUnreachableMs } = timings;
  const { retryAfterMs, reason } = error instanceof ApiError ? error : { retryAfterMs: null, reason: '' };
  const max = reason === 'Unreachable' ? Math.min(maxBackoffMs, maxUnreachableMs) : maxBackoffMs;
  const own = Math.min(max, minBackoffMs * 2 ** Math.min(failures - 1, 30)) * (0.5 + random / 2);
  if (retryAfterMs === null) return own;
  return Math.max(own, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) * (1 + random / 5));
}

export function idleMs(random: number, { idleTimeoutMs }: ReflectorTimings): number {
  return idleTimeoutMs * (1 + random / 5);
}

/** For timeoutSeconds, at least 1. */
export function watchSeconds(random: number, { minWatchMs, maxWatchMs }: ReflectorTimings): number {
  return Math.max(1, Math.round((minWatchMs + random * (maxWatchMs - minWatchMs)) / 1000));
}
