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

/** How nodes of a segment hear each other; see HeartbeatOptions of the responder. */
export interface HeartbeatConfig {
  readonly intervalMs: number;
  /** A peer is down after so many of its intervals without a heartbeat. */
  readonly multiplier: number;
  /** Absolute path; null: heartbeats are not signed. */
  readonly keyFile: string | null;
  /** What the key file holds, the signing key first; the source that reads the file fills it in. */
  readonly keys: readonly Uint8Array[];
}

/** The configuration file, validated, defaults filled in. */
export interface Config {
  readonly node: string;
  readonly cluster: string;
  /** null: every eligible Ethernet interface. */
  readonly interfaces: readonly string[] | null;
  readonly serve: ServeMode;
  readonly heartbeat: HeartbeatConfig;
  readonly status: StatusConfig;
  readonly desired: DesiredState;
}
