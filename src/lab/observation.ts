// What clients see while something happens to the nodes.
import { setTimeout as delay } from 'node:timers/promises';
import type { LabClient } from './client.js';
import { monotonicMs } from './monotonic.js';
import type { StreamReport } from './programs/protocol.js';

/** Looked at before the event too, so that a change right at its beginning is seen as one. */
const LEAD_MS = 200;
const AFTER_MS = 700;
const QUIET_AFTER_CUT_MS = 2600;

/** What one client saw, by address. */
export type Seen = Readonly<Record<string, StreamReport>>;

export class Observation {
  constructor(
    /** When the event began. */
    readonly atMs: number,
    /** By client. */
    readonly seen: Readonly<Record<string, Seen>>,
  ) {}

  /** With the eyes of one client. */
  of(client: string): Observation {
    return new Observation(this.atMs, { [client]: this.seen[client] ?? {} });
  }

  /** The addresses that `wanted` holds for. */
  only(wanted: (address: string) => boolean): Observation {
    const some = (reports: Seen) => Object.fromEntries(Object.entries(reports).filter(([address]) => wanted(address)));
    const seen = Object.entries(this.seen).map(([client, reports]) => [client, some(reports)] as const);
    return new Observation(this.atMs, Object.fromEntries(seen));
  }

  get reports(): readonly StreamReport[] {
    return Object.values(this.seen).flatMap((reports) => Object.values(reports));
  }

  get sent(): number {
    return this.reports.reduce((sum, { sent }) => sum + sent, 0);
  }

  get lost(): number {
    return this.reports.reduce((sum, { lost }) => sum + lost, 0);
  }

  /** The longest time without an answer from an address of which anything was lost; 0 when nothing was. */
  get outageMs(): number {
    return Math.max(0, ...this.reports.filter(({ lost }) => lost > 0).map(({ longestGapMs }) => longestGapMs));
  }

  /** How often, at most, an address was answered by another node than before. */
  get mostChanges(): number {
    return Math.max(0, ...this.reports.map(({ answeredBy }) => answeredBy.length - 1));
  }
}

/** Lets something happen, and looks on for `afterMs` more. The clients are sending. */
export async function observe(
  { clients }: { readonly clients: readonly LabClient[] },
  event: () => Promise<unknown>,
  afterMs: number = AFTER_MS,
): Promise<Observation> {
  await delay(LEAD_MS);
  const atMs = monotonicMs();
  await event();
  await delay(afterMs);
  const to = monotonicMs();
  const seen = await Promise.all(
    clients.map(async (client) => [client.name, await client.reports(atMs - LEAD_MS, to)] as const),
  );
  return new Observation(atMs, Object.fromEntries(seen));
}

/**
 * Waits until a node that was cut off at `atMs`, and believes since then that all others are gone, has said so for the last
 * time: it asks clients again after a second, and announces IPv4 until 1.1 s and IPv6 until 2 s after it took over. A frame
 * of these that falls between its return and the first heartbeat moves clients for some milliseconds, whatever the nodes do.
 */
export async function quietTime(atMs: number): Promise<void> {
  await delay(Math.max(0, atMs + QUIET_AFTER_CUT_MS - LEAD_MS - monotonicMs()));
}
