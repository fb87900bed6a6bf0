// What the allocator decides about services.
import type { ObjectKey, Service } from '../kubernetes/types.js';
import type { Address } from '../net/address.js';

/** Codes of ../shared/metallb-cases. */
export type AllocationError =
  | 'address-in-use'
  | 'port-conflict'
  | 'sharing-key-mismatch'
  | 'backend-mismatch'
  | 'address-not-in-any-pool'
  | 'avoided-address'
  | 'addresses-from-different-pools'
  | 'address-not-in-requested-pool'
  | 'pool-not-for-service'
  | 'unknown-pool'
  | 'pool-exhausted'
  | 'both-ip-requests'
  | 'invalid-requested-address'
  | 'same-family-twice'
  | 'family-mismatch'
  | 'dual-stack-not-possible'
  | 'no-pools'
  | 'no-cluster-ip'
  | 'not-load-balancer'
  | 'other-class';

/** What a service shall have. */
export interface Allocation {
  /** IPv4 first; empty: none. */
  readonly addresses: readonly Address[];
  /** null: none. */
  readonly pool: string | null;
  /** Why it has none, or not what it asks for; null: it has it. */
  readonly error: AllocationError | null;
  /** For people, ends up in an event; null together with `error`. */
  readonly message: string | null;
  /** For people: what still works but should be written otherwise, such as annotations of the old prefix. */
  readonly warnings: readonly string[];
}

/** The decision on a service differs from what the object says, or from the decision before. */
export interface AllocationChange {
  readonly service: Service;
  /** null: the service is not ours (any more): its addresses and our annotation are to be taken away if they are ours. */
  readonly allocation: Allocation | null;
  readonly before: Allocation | null;
}

/** The status of an IPAddressPool; counts may exceed 2^53. */
export interface PoolUsage {
  readonly name: string;
  readonly assignedIPv4: bigint;
  readonly assignedIPv6: bigint;
  readonly availableIPv4: bigint;
  readonly availableIPv6: bigint;
}

export type { ObjectKey };
