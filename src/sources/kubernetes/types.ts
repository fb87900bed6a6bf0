// What the cluster wants of a speaker, as the source hands it over.
import type { DesiredService, DesiredState } from '../../desired/desired.js';
import type { ReflectorStatus } from '../../kubernetes/types.js';

export type SourceUpdate =
  /** Everything: first, once all lists are complete, and after the configuration has changed. */
  | { readonly type: 'complete'; readonly desired: DesiredState }
  /** What differs from before; `removed` holds names. */
  | { readonly type: 'services'; readonly changed: readonly DesiredService[]; readonly removed: readonly string[] }
  /** The nodes that own something only where no other node may; sorted. */
  | { readonly type: 'last-resort'; readonly nodes: readonly string[] };

/** The kinds of objects that are read. */
export type WatchedKind = 'services' | 'endpointSlices' | 'nodes' | 'namespaces' | 'pools' | 'advertisements';

/**
 * Which configuration is in force. none: there was no valid one yet, and nothing is decided; current: the one in the cluster;
 * last-good: that one is wrong, and the one before it stays.
 */
export type ConfigurationInForce = 'none' | 'current' | 'last-good';

export interface SourceStatus {
  /** Whether all lists were complete once, and there was a valid configuration: what is desired is known. */
  readonly synced: boolean;
  readonly configuration: ConfigurationInForce;
  readonly reflectors: Readonly<Record<WatchedKind, ReflectorStatus>>;
}
