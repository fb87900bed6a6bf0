import type { LabClient } from '../client.js';
import type { Lab } from '../lab.js';
import { monotonicOf } from '../monotonic.js';

export const CLAIM_LIMIT_MS = 300;
const GIVE_UP_MS = 5000;

/**
 * Expects that a client which keeps asking gets through to each address within 300 ms of the first probe. The probe's
 * time is the word of a node (its log), the answer's is the client's.
 */
export async function expectClaimed(
  lab: Lab,
  client: LabClient,
  addresses: readonly string[],
  since: number,
): Promise<void> {
  for (const address of addresses) {
    const echoAt = await client.firstEcho(address, since, GIVE_UP_MS);
    const probes = lab.nodes
      .flatMap(({ log }) => log)
      .filter((line) => line.address === address && line.to === 'probing')
      .map(({ time }) => monotonicOf(time))
      // The log's times are whole milliseconds.
      .filter((at) => at >= since - 1);
    const probedAt = Math.min(...probes);
    const held = echoAt !== null && echoAt > probedAt && echoAt - probedAt <= CLAIM_LIMIT_MS;
    const figure =
      echoAt === null
        ? `no answer within ${GIVE_UP_MS} ms`
        : probes.length === 0
          ? 'not probed'
          : `${Math.round(echoAt - probedAt)} ms after the first probe`;
    lab.expect(`${address} is probed, then answered within ${CLAIM_LIMIT_MS} ms`, held, figure);
  }
}
