// The configuration that users of MetalLB write: pools and advertisements, checked and resolved.
import type { Address, Family } from '../net/address.js';

/** metav1.LabelSelector; empty: everything. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly LabelSelectorRequirement[];
}

export interface LabelSelectorRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
}

/** One entry of spec.addresses: both ends belong to it. */
export interface AddressRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
  /** As the user wrote it. */
  readonly text: string;
  /** The prefixes that it is made of, as "192.0.2.0/24". */
  readonly cidrs: readonly string[];
}

/** spec.serviceAllocation. */
export interface ServiceAllocation {
  /** Lower comes first; Infinity where unset or 0. */
  readonly priority: number;
  /** Namespaces named, and those whose labels match a namespaceSelector; null: neither given, all. Sorted. */
  readonly namespaces: readonly string[] | null;
  /** Any of them has to match; empty: all services. */
  readonly serviceSelectors: readonly LabelSelector[];
}

export interface Pool {
  readonly name: string;
  readonly ranges: readonly AddressRange[];
  readonly autoAssign: boolean;
  /** Leaves out IPv4 addresses that end in .0 and .255. */
  readonly avoidBuggyIPs: boolean;
  /** null: for everybody. */
  readonly serviceAllocation: ServiceAllocation | null;
}

export interface PreferredNodeSelector {
  /** 1 to 100. */
  readonly weight: number;
  readonly preference: LabelSelector;
}

export interface Advertisement {
  readonly name: string;
  /** Names of the pools that it is for, selectors resolved; sorted. */
  readonly pools: readonly string[];
  /** Any of them has to match; empty: all nodes. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** null: all. */
  readonly interfaces: readonly string[] | null;
  /** Any of them has to match; empty: all services. */
  readonly serviceSelectors: readonly LabelSelector[];
  readonly preferredNodeSelectors: readonly PreferredNodeSelector[];
}

/** All pools and advertisements, valid together. Pools and advertisements are sorted by name. */
export interface Configuration {
  readonly pools: readonly Pool[];
  readonly advertisements: readonly Advertisement[];
  /** Addresses of pools that nodes have: no service is to be given one that it does not have already; sorted. Absent: none. */
  readonly reserved?: readonly Address[];
}

/** Codes of ../shared/metallb-cases, and what only Arpeggio looks at. */
export type ConfigurationReason =
  | 'missing-name'
  | 'duplicate-name'
  | 'no-addresses'
  | 'invalid-address'
  | 'range-reversed'
  | 'overlap'
  | 'duplicate-namespace'
  | 'duplicate-selector'
  | 'duplicate-selector-value'
  | 'invalid-selector'
  | 'duplicate-pool-reference'
  | 'weight-out-of-range'
  | 'wrong-namespace'
  | 'wrong-field'
  | 'overlaps-node-address'
  | 'unknown-pool'
  | 'unknown-namespace'
  | 'unknown-interface';

export interface ConfigurationProblem {
  readonly kind: 'IPAddressPool' | 'L2Advertisement';
  /** Of the object. */
  readonly namespace: string;
  readonly name: string;
  /** Such as spec.addresses[1]; empty for the object as a whole. */
  readonly path: string;
  readonly reason: ConfigurationReason;
  /** For people: what is wrong and what to change. */
  readonly message: string;
  /** error: the configuration stays as it was; warning: it is used. */
  readonly severity: 'error' | 'warning';
}

/**
 * The configuration to use, and everything there is to say about it. Null where there are errors, other than wrong-namespace: such
 * an object does not count, and spoils nothing.
 */
export interface ConfigurationVerdict {
  readonly configuration: Configuration | null;
  readonly problems: readonly ConfigurationProblem[];
}
