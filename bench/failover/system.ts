import type { Bed } from './bed.js';
import type { AddressFamily } from './services.js';

export const SYSTEM_NAMES = ['arpeggio', 'keepalived-1s', 'keepalived-100ms', 'ucarp'] as const;

export type SystemName = (typeof SYSTEM_NAMES)[number];

/** Something that keeps service IPs answered on a segment, run on every node of a bed. */
export interface System {
  readonly name: SystemName;
  readonly title: string;
  readonly families: readonly AddressFamily[];
  /** How long at least to watch after the loss of an owner, and after anything else: its slowest reactions and some. */
  readonly watchMs: { readonly loss: number; readonly other: number };
  start(bed: Bed): Promise<Running>;
}

/** A system at work; nodes are named as in lab/stage. */
export interface Running {
  /** SIGKILL to all its processes on the node. */
  kill(node: string): Promise<void>;
  /** SIGTERM; resolves when its processes have ended. */
  terminate(node: string): Promise<void>;
  /** Starts it again where it was ended. */
  startNode(node: string): Promise<void>;
  /** Has the service's addresses moved to one node, where a command does that. */
  readonly gather?: (addresses: readonly string[], node: string) => Promise<void>;
  /** Orders a node to give its addresses away, where a command does that; and the opposite. */
  readonly drain?: (node: string) => Promise<void>;
  readonly undrain?: (node: string) => Promise<void>;
  /** What its nodes said at last, for whoever looks into a repetition that went wrong. */
  readonly lastWords?: () => string;
  stop(): Promise<void>;
}
