import type { NodeService } from '../arpeggio_node.js';
import type { LabClient } from '../client.js';
import type { Lab } from '../lab.js';
import { monotonicOf } from '../monotonic.js';

export const CLAIM_LIMIT_MS = 200;
const GIVE_UP_MS = 2000;

const ms = (value: number) => `${Math.round(value)} ms`;

/**
 * Expects that a client which keeps asking gets through to each address within 200 ms of the first probe. The probe's
 * time is the node's word (its log), the answer's is the client's.
 */
export async function expectClaimed(
  lab: Lab,
  client: LabClient,
  addresses: readonly NodeService['addresses'][number][],
  since: number,
): Promise<void> {
  for (const address of addresses) {
    const probing = await lab.node.waitForLog(
      `probing of ${address}`,
      (line) => line.address === address && line.to === 'probing' && monotonicOf(line.time) >= since - 1,
    );
    const probedAt = monotonicOf(probing.time);
    const echoAt = await client.firstEcho(address, since, GIVE_UP_MS);
    lab.expect(
      `${address} is probed, then answered within ${CLAIM_LIMIT_MS} ms`,
      echoAt !== null && echoAt > probedAt && echoAt - probedAt <= CLAIM_LIMIT_MS,
      echoAt === null ? `no answer within ${GIVE_UP_MS} ms` : `${ms(echoAt - probedAt)} after the first probe`,
    );
  }
}
