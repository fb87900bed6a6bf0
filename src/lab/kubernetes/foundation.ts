import { Network } from '../netns.js';
import type { NetworkSpec } from '../network_spec.js';
import { ControlPlane, type ControlPlaneOptions } from './control_plane.js';
import { Doors } from './doors.js';

/** What every cluster stands on. */
export interface Foundation {
  readonly network: Network;
  readonly control: ControlPlane;
  /** How the nodes reach the API server; a door has the name of its node. */
  readonly doors: Doors;
}

/**
 * Starts it and lets `build` go on; what is there is taken down again where either fails.
 * @param program the control plane
 */
export async function buildOn<T>(
  program: string,
  spec: NetworkSpec,
  options: ControlPlaneOptions,
  build: (foundation: Foundation) => Promise<T>,
): Promise<T> {
  const network = await Network.create(spec);
  let control: ControlPlane | null = null;
  let doors: Doors | null = null;
  try {
    control = await ControlPlane.start(program, options);
    doors = new Doors(program, control.address);
    return await build({ network, control, doors });
  } catch (error) {
    doors?.close();
    network.close();
    await control?.stop();
    throw error;
  }
}

export async function takeDown({ network, control, doors }: Foundation): Promise<void> {
  doors.close();
  network.close();
  await control.stop();
}
