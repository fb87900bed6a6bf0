// Who may announce the addresses of a Service.
import type { DesiredService } from '../desired/desired.js';
import type { Node } from '../kubernetes/types.js';
import type { Configuration } from '../metallb/types.js';
import type { Address } from '../net/address.js';

/** Codes of ../shared/metallb-cases: why nobody, or a node, may announce a service. */
export type RefusalCode =
  | 'no-active-endpoint'
  | 'no-matching-advertisement'
  | 'shared-address-with-service-selector'
  | 'not-alive'
  | 'network-unavailable'
  | 'node-excluded'
  | 'no-local-endpoint'
  | 'no-eligible-node';

/** What all services are judged by. Never changed once it was used: what follows from it is kept as long as it is. */
export interface ClusterView {
  readonly configuration: Configuration;
  /** By name. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** Nodes labelled node.kubernetes.io/exclude-from-external-load-balancers take part. */
  readonly ignoreExcludeLB: boolean;
}

/** What follows for a Service from its endpoints, the advertisements and the nodes. */
export interface Announcement {
  readonly addresses: readonly Address[];
  /** Names of the nodes that may announce it; sorted. */
  readonly eligible: readonly string[];
  readonly refused: ReadonlyMap<string, RefusalCode>;
  /** Why nobody may; null where somebody may. */
  readonly reason: RefusalCode | null;
  /** Names of the advertisements that apply; sorted. */
  readonly advertisements: readonly string[];
  /** What the speaker is to be told; null where nobody may announce it. */
  readonly desired: DesiredService | null;
}
