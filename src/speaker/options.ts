import type { Takeover } from '../ownership/fence.js';

export interface SpeakerOptions {
  /** Name of this node. */
  readonly node: string;
  /** Of this process: see HeartbeatOptions. */
  readonly incarnation: string;
  readonly heartbeat: { readonly intervalMs: number; readonly multiplier: number };
  /** 0 <= random() < 1; the simulator's is seeded. */
  readonly random: () => number;
  /** Whether something else, such as kube-proxy, takes the traffic to every service IP: there are no `serve` effects. Default: false. */
  readonly servedElsewhere?: boolean;
  /** fenced: nothing is answered before its record says that it is this node's. Default: fast. */
  readonly takeover?: Takeover;
}
