import type { TestContext } from 'node:test';
import { Bed, type BedOptions } from '../../../src/lab/kubernetes/bed.js';
import { requireCluster } from './requirements.js';

/** Runs a test body on a bed of its own, and takes that down again whatever happened. */
export async function withBed(t: TestContext, options: BedOptions, body: (bed: Bed) => Promise<void>): Promise<void> {
  const program = requireCluster(t);
  if (program === null) return;
  const bed = await Bed.create(program, options);
  try {
    await body(bed);
  } finally {
    await bed.close();
  }
}
