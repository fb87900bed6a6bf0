import type { Address } from '../net/address.js';

/** An address to be placed, with who may own it. */
export interface PlacementRequest {
  readonly address: Address;
  /** Names of the nodes that may own it now; in any order. */
  readonly candidates: readonly string[];
  /** Weight by node; the greatest among the candidates wins. */
  readonly prefer: ReadonlyMap<string, number>;
}
