import type { DesiredState } from '../desired/desired.js';

/** Where the service IPs live on this node: on `lo` with arp_ignore/arp_announce set, or left to somebody else. */
export type ServeMode = 'loopback' | 'none';

/** Where `arpeggio status` and other readers find the state of this speaker. */
export interface StatusConfig {
  /** Absolute path of the unix socket. */
  readonly socket: string;
  /** Loopback address and TCP port of the HTTP listener; null: none. */
  readonly listen: { readonly host: string; readonly port: number } | null;
}

/** The configuration file, validated, defaults filled in. */
export interface Config {
  readonly node: string;
  /** null: every eligible Ethernet interface. */
  readonly interfaces: readonly string[] | null;
  readonly serve: ServeMode;
  readonly status: StatusConfig;
  readonly desired: DesiredState;
}
