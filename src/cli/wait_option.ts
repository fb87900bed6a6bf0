import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidArgumentError } from 'commander';
import { monotonicMs } from '../clock.js';
import { parseDuration } from '../config/duration.js';

const POLL_MS = 100;

/** For commander: "30s" in milliseconds. */
export function timeoutMs(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/**
 * Asks again and again until `done`, or until the time is over; `seen` gets every answer, the last one is returned.
 * What `ask` throws ends it.
 */
export async function askUntil<T>(
  ask: () => Promise<T>,
  done: (answer: T) => boolean,
  waitMs: number,
  seen: (answer: T) => void,
): Promise<T> {
  const endMs = monotonicMs() + waitMs;
  for (;;) {
    const answer = await ask();
    seen(answer);
    if (done(answer) || monotonicMs() >= endMs) return answer;
    await sleep(POLL_MS);
  }
}
