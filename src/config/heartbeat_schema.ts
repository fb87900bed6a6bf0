import * as z from 'zod';
import { formatDuration, parseDuration } from './duration.js';
import { mustBe, text, wholeNumber } from './field.js';

const INTERVAL_MS = { least: 10, most: 10_000 };
const MULTIPLIER = { least: 2, most: 50 };
/** A busy host keeps a thread from running for tens of milliseconds. */
const LEAST_DETECTION_MS = 60;
/** The life of a table: a node whose control plane hangs stops answering after it. */
const DEAD_MAN_MS = 5_000;

function interval(input: string): number {
  const ms = parseDuration(input);
  if (ms < INTERVAL_MS.least || ms > INTERVAL_MS.most)
    throw new Error(
      `an interval is ${formatDuration(INTERVAL_MS.least)} to ${formatDuration(INTERVAL_MS.most)}, not ${formatDuration(ms)}`,
    );
  return ms;
}

function keyFile(path: string): string {
  if (!path.startsWith('/') || path.endsWith('/') || path.includes('\0'))
    throw new Error(`${JSON.stringify(path)} must be the absolute path of a file, such as /etc/arpeggio/heartbeat.key`);
  return path;
}

/** Why the two do not go together; null if they do. */
function wrongDetection(intervalMs: number, multiplier: number): string | null {
  const detectionMs = intervalMs * multiplier;
  const product = `${formatDuration(intervalMs)} times ${multiplier} is ${formatDuration(detectionMs)}`;
  if (detectionMs < LEAST_DETECTION_MS)
    return `${product} of silence, after which a peer counts as down; below ${LEAST_DETECTION_MS}ms a busy host is taken for a dead one: raise interval or multiplier`;
  if (detectionMs >= DEAD_MAN_MS)
    return `${product} of silence, after which a peer counts as down; it must be less than the ${formatDuration(DEAD_MAN_MS)} after which a node that hangs stops answering by itself: lower interval or multiplier`;
  return null;
}

export const heartbeatSchema = z
  .strictObject(
    {
      interval: text('a duration, such as 50ms', interval).prefault('50ms').meta({
        description: 'How often this node is heard: `10ms` to `10s`. Longer by itself where a segment has many nodes.',
        example: '50ms',
      }),
      multiplier: wholeNumber(MULTIPLIER.least, MULTIPLIER.most).default(3).meta({
        description:
          'After so many intervals of silence a node counts as down: 2 to 50. The product must be at least 60 ms, and less than the 5 s after which a node that hangs stops answering by itself.',
        example: 3,
      }),
      key: z
        .strictObject(
          {
            file: text('the path of a file', keyFile).meta({
              description:
                'File that only its owner and group may read, the same on all nodes. Each line is a key of at least 16 characters, taken as it is; make one with `head -c 32 /dev/urandom | base64`. The first line signs; a second one is accepted too, so that keys can be changed node by node, each by SIGHUP.',
              example: '/etc/arpeggio/heartbeat.key',
            }),
          },
          { error: mustBe('a mapping with the key file') },
        )
        .optional()
        .meta({ description: 'Who has the key is heard. Without: who is on the segment.' }),
    },
    { error: mustBe('a mapping with interval, multiplier and key') },
  )
  .check(({ value, issues }) => {
    if (issues.length > 0) return;
    const message = wrongDetection(value.interval, value.multiplier);
    if (message) issues.push({ code: 'custom', message, input: value, path: ['interval'] });
  });
