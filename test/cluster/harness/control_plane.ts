import type { TestContext } from 'node:test';
import { ControlPlane, type ControlPlaneOptions } from '../../../src/lab/kubernetes/control_plane.js';
import { requireControlPlane } from './requirements.js';

/** Runs a test body on a control plane of its own, and takes that down again whatever happened. */
export async function withControlPlane(
  t: TestContext,
  options: ControlPlaneOptions,
  body: (control: ControlPlane) => Promise<void>,
): Promise<void> {
  const program = requireControlPlane(t);
  if (program === null) return;
  const control = await ControlPlane.start(program, options);
  try {
    await body(control);
  } finally {
    await control.stop();
  }
}
