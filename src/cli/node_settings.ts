import type { ServeMode } from '../config/config.js';

/** What a speaker needs to know beside what it is to announce; a configuration file's Config is one. */
export interface NodeSettings {
  /** Name of this node. */
  readonly node: string;
  /** Nodes of one cluster share the service IPs of a segment. */
  readonly cluster: string;
  /** null: every eligible Ethernet interface. */
  readonly interfaces: readonly string[] | null;
  readonly serve: ServeMode;
  readonly heartbeat: HeartbeatSettings;
}

/** How nodes of a segment hear each other; see HeartbeatOptions of the responder. */
export interface HeartbeatSettings {
  readonly intervalMs: number;
  /** A peer is down after so many of its intervals without a heartbeat. */
  readonly multiplier: number;
  /** The signing key first; empty: heartbeats are not signed. */
  readonly keys: readonly Uint8Array[];
}
