import type { Address } from '../net/address.js';
import type { PeerMessage } from './message.js';
import type { Records } from './records.js';

/** A process of a peer. */
export interface PeerProcess {
  readonly node: string;
  readonly incarnation: string;
}

export interface SegmentOptions {
  readonly node: string;
  readonly incarnation: string;
  readonly interfaceName: string;
  readonly intervalMs: number;
  /** Of all segments. */
  readonly records: Records;
  /** Whether this node could answer the address at once: it is served here, and no foreign host uses it. */
  readonly canTake: (address: Address) => boolean;
  /** Whether the address is in place on this node. */
  readonly isServed: (address: Address) => boolean;
}

/** How this node came to own an address. */
export type Acquisition =
  /** Nobody had it: it is probed first. */
  | 'first'
  /** It was ours until this process began, a moment ago: answered at once, and probed beside that. */
  | 'resumed'
  /** The packet thread took it over by itself, and has announced it. */
  | 'took'
  | 'takeover'
  | 'handover';

/** What a segment asks for. */
export type SegmentAction =
  | { readonly type: 'own'; readonly address: Address; readonly how: Acquisition; readonly why: string }
  /** Another node owns the address now, or nobody does. */
  | { readonly type: 'stand-by'; readonly address: Address; readonly why: string }
  /** Clients may have heard another owner last. */
  | { readonly type: 'announce'; readonly address: Address }
  | { readonly type: 'send'; readonly message: PeerMessage }
  | {
      readonly type: 'moved';
      readonly address: Address;
      readonly from: string | null;
      readonly to: string | null;
      readonly why: string;
    };
