import type { DesiredState } from '../desired/desired.js';

/** Where the service IPs live on this node: on `lo` with arp_ignore/arp_announce set, or left to somebody else. */
export type ServeMode = 'loopback' | 'none';

/** The configuration file, validated, defaults filled in. */
export interface Config {
  readonly node: string;
  /** null: every eligible Ethernet interface. */
  readonly interfaces: readonly string[] | null;
  readonly serve: ServeMode;
  readonly desired: DesiredState;
}
