import type { Address } from '../net/address.js';

/**
 * A node's word that it answers for an address on a segment. Of two claims to one address the better one counts: firm
 * before provisional, then the higher term, then the higher rank (see ownership/order).
 */
export interface OwnershipClaim {
  readonly address: Address;
  /** Counts the owners of the address, from 1. */
  readonly term: number;
  /** Acknowledged by most of the nodes that its maker knows; until then it is provisional. */
  readonly firm: boolean;
}

/** Changes of the sender's claims: `baseVersion` and the changes make `version`. */
export interface ClaimsChange {
  readonly type: 'claims-change';
  readonly baseVersion: number;
  readonly version: number;
  readonly claims: readonly OwnershipClaim[];
  /** Addresses that the sender claims no more: an explicit yield. */
  readonly yielded: readonly Address[];
}

/** One page of all claims that the sender has; the last page completes `version`. */
export interface ClaimsPage {
  readonly type: 'claims-page';
  readonly version: number;
  /** From 0. */
  readonly page: number;
  readonly pages: number;
  readonly claims: readonly OwnershipClaim[];
}

/** The sender, who owns the addresses, asks `to` to take them: it answers and announces, then the sender stops. */
export interface Handover {
  readonly type: 'handover';
  /** Incarnation of the successor. */
  readonly to: string;
  readonly addresses: readonly Address[];
}

/** The successor cannot take these addresses. */
export interface Decline {
  readonly type: 'decline';
  /** Incarnation of the owner that asked. */
  readonly to: string;
  readonly addresses: readonly Address[];
}

/** The successor was not told yet that it may own these addresses; it takes them as soon as it is. */
export interface Later {
  readonly type: 'later';
  /** Incarnation of the owner that asked. */
  readonly to: string;
  readonly addresses: readonly Address[];
}

/** Somebody asked the sender to have the address moved; its owner does that. */
export interface MoveRequest {
  readonly type: 'move-request';
  readonly address: Address;
  /** Name of the node that shall own it. */
  readonly node: string;
}

/** What speakers tell each other beside heartbeats. Sent to all nodes of the segment; lost ones are repaired or repeated. */
export type PeerMessage = ClaimsChange | ClaimsPage | Handover | Decline | Later | MoveRequest;
