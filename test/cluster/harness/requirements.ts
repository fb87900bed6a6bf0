import type { TestContext } from 'node:test';
import { requireNetworks } from '../../net/harness/network.js';

/**
 * Path of the program that is the control plane, built by `npm run test:cluster`. Where it cannot be had the test is skipped,
 * loudly, and with CI=true it fails: null then.
 */
export function requireControlPlane(t: TestContext): string | null {
  const { ARPEGGIO_CONTROL_PLANE: program, ARPEGGIO_CONTROL_PLANE_MISSING: missing } = process.env;
  if (program) return program;
  const reason = `needs a Kubernetes control plane: ${missing ?? 'run it by "npm run test:cluster"'}`;
  if (process.env.CI === 'true') throw new Error(reason);
  process.stderr.write(`!! SKIPPED ${t.name}: ${reason}\n`);
  t.skip(reason);
  return null;
}

/** As {@link requireControlPlane}, where network namespaces can be made too. */
export function requireCluster(t: TestContext): string | null {
  return requireNetworks(t) ? requireControlPlane(t) : null;
}
