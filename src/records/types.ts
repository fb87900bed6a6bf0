import type { Address } from '../net/address.js';

/** Who owns an address, as its Lease says. */
export interface OwnershipRecord {
  readonly address: Address;
  /** null: nobody. */
  readonly node: string | null;
  /** leaseTransitions: counts its owners. */
  readonly term: number;
  /** Where a write of this process has made it: when that was begun, monotonic. */
  readonly begunMs?: number;
}
