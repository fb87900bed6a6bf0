import type { TestContext } from 'node:test';
import { networkAccess } from '../../../src/lab/access.js';
import { Network } from '../../../src/lab/netns.js';
import type { NetworkSpec } from '../../../src/lab/network_spec.js';

let obstacle: string | null | undefined;

function findObstacle(): string | null {
  const access = networkAccess();
  if (access.kind === 'direct') return null;
  if (access.kind === 'unavailable') return access.reason;
  return 'not root: run it by "npm test", or as "node dist/src/lab/enter.js -- node --test FILE"';
}

/** True where networks can be built. Else the test is skipped, loudly, and with CI=true it fails. */
export function requireNetworks(t: TestContext): boolean {
  if (obstacle === undefined) obstacle = findObstacle();
  if (obstacle === null) return true;
  const reason = `needs network namespaces: ${obstacle}`;
  if (process.env.CI === 'true') throw new Error(reason);
  process.stderr.write(`!! SKIPPED ${t.name}: ${reason}\n`);
  t.skip(reason);
  return false;
}

/** Builds the network, runs the body, and takes the network down again whatever happened. */
export async function withNetwork(
  t: TestContext,
  spec: NetworkSpec,
  body: (network: Network) => Promise<void>,
): Promise<void> {
  if (!requireNetworks(t)) return;
  const network = await Network.create(spec);
  try {
    await body(network);
  } finally {
    network.close();
  }
}
