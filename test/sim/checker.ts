import type { Address } from '../../src/net/address.js';
import type { PeerMessage } from '../../src/ownership/message.js';
import type { Table } from '../../src/responder/types.js';
import type { NodeNic, SimNode } from './sim_node.js';
import type { World } from './world.js';

/** Watches the world from outside. Every method is called when it happens; a checker has those that it needs. */
export interface Checker {
  readonly name: string;
  /** A node began or ceased to answer for an address. */
  onAnswering?(node: SimNode, nic: NodeNic, address: Address, on: boolean): void;
  onAnnounced?(node: SimNode, nic: NodeNic, address: Address): void;
  /** A speaker has read a configuration. */
  onConfigured?(node: SimNode): void;
  onPublished?(node: SimNode, table: Table): void;
  onSent?(node: SimNode, interfaceName: string, message: PeerMessage): void;
  onHeard?(node: SimNode, interfaceName: string, from: string, message: PeerMessage): void;
  onStepped?(node: SimNode): void;
  /** Faults are over, and the time is up within which everything has to be well. */
  onSettled?(): void;
}

export type CheckerFactory = (world: World) => Checker;

/** What a checker found. */
export class Violation extends Error {
  override readonly name = 'Violation';

  constructor(
    readonly checker: string,
    readonly atMs: number,
    text: string,
  ) {
    super(`${checker}: ${text} (at ${atMs.toFixed(1)} ms)`);
  }
}
