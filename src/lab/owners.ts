// Who answers for which address, by the word of the speakers themselves.
import { setTimeout as delay } from 'node:timers/promises';
import { ArpeggioError } from '../errors.js';
import type { NodeStatus } from './arpeggio_node.js';
import { monotonicMs } from './monotonic.js';

const SETTLE_STEP_MS = 20;

/** The node that answers for each address. */
export type Owners = Readonly<Record<string, string>>;

/** What runs on a node and answers. */
export interface Speaker {
  readonly isRunning: boolean;
  status(): Promise<NodeStatus>;
}

export interface SettleLimits {
  readonly timeoutMs: number;
  /** All looks within so long must agree. */
  readonly stableMs: number;
}

/** What those that run say at this moment; `problem` is null when each address has exactly one that answers, and all take part. */
export async function look(
  speakers: ReadonlyMap<string, Speaker>,
  addresses: readonly string[],
): Promise<{ readonly owners: Owners; readonly problem: string | null }> {
  const owners: Record<string, string> = {};
  const problems: string[] = [];
  const running = [...speakers].filter(([, { isRunning }]) => isRunning);
  if (running.length === 0) problems.push('no speaker runs');
  for (const [node, speaker] of running) {
    // Its socket may not be there yet.
    const status = await speaker.status().catch(() => null);
    if (status === null || ['joining', 'leaving'].includes(status.state))
      problems.push(`${node} is ${status?.state ?? 'silent'}`);
    for (const { address, answering } of status?.addresses ?? []) {
      if (!answering || !addresses.includes(address)) continue;
      if (owners[address] !== undefined) problems.push(`${owners[address]} and ${node} answer for ${address}`);
      owners[address] = node;
    }
  }
  for (const address of addresses) if (owners[address] === undefined) problems.push(`nobody answers for ${address}`);
  return { owners, problem: problems.length === 0 ? null : problems.join(', ') };
}

/**
 * Waits until {@link look} finds no problem, and the same for a while.
 * @param logs what the speakers said, for the message of the failure
 * @throws ArpeggioError ERR_SYSTEM after `timeoutMs`
 */
export async function settledOwners(
  speakers: ReadonlyMap<string, Speaker>,
  addresses: readonly string[],
  { timeoutMs, stableMs }: SettleLimits,
  logs: () => string,
): Promise<Owners> {
  const deadline = monotonicMs() + timeoutMs;
  let previous: string | null = null;
  let since = 0;
  for (;;) {
    const { owners, problem } = await look(speakers, addresses);
    const now = JSON.stringify(owners);
    if (problem !== null || now !== previous) since = monotonicMs();
    else if (monotonicMs() - since >= stableMs) return owners;
    previous = problem === null ? now : null;
    if (monotonicMs() > deadline)
      throw new ArpeggioError(
        'ERR_SYSTEM',
        `not settled after ${timeoutMs} ms: ${problem ?? 'it keeps changing'}\n${logs()}`,
      );
    await delay(SETTLE_STEP_MS);
  }
}
