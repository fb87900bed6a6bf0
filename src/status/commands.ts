// What can be asked of a running speaker beside its status: by POST, on the unix socket only.
import type { Status } from './schema.js';

export const DRAIN_PATH = '/api/v1/drain';
export const UNDRAIN_PATH = '/api/v1/undrain';
export const MOVE_PATH = '/api/v1/move';

/** Answer to GET and POST of /api/v1/drain, and to POST /api/v1/undrain. */
export interface DrainProgress {
  readonly node: string;
  readonly state: Status['state'];
  /** Service IPs that this node owns, on some interface. */
  readonly owned: number;
}

/** Body of POST /api/v1/move, and the query of GET. */
export interface MoveOrder {
  readonly address: string;
  /** Name of the node that shall own it. */
  readonly node: string;
}

/** Answer to GET and POST of /api/v1/move. */
export interface MoveProgress {
  /** In canonical form. */
  readonly address: string;
  /** Its owner on each segment where the node may own it; null: nobody is known to. */
  readonly owners: readonly { readonly interface: string; readonly node: string | null }[];
  /** Whether the node owns it on all of them. */
  readonly done: boolean;
}

/** Carries the commands out. Throws ArpeggioError: ERR_INVALID_ARGUMENT for what is never right, ERR_REFUSED. */
export interface CommandHandlers {
  drain(): DrainProgress;
  undrain(): DrainProgress;
  drainProgress(): DrainProgress;
  move(order: MoveOrder): MoveProgress;
  moveProgress(order: MoveOrder): MoveProgress;
}
