import type { Address } from '../../src/net/address.js';
import type { NodeState } from '../../src/responder/types.js';

/** What both kinds of frames of the heartbeat protocol begin with. */
interface PeerHeader {
  readonly mac: string;
  readonly node: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly intervalMs: number;
  readonly multiplier: number;
  readonly state: NodeState;
}

export interface HeardEntry {
  /** The last sequence heard from that peer. */
  readonly sequence: number;
  /** The version of its claims that the sender holds. */
  readonly held: number;
}

export interface Heartbeat extends PeerHeader {
  readonly kind: 'heartbeat';
  readonly claimsVersion: number;
  readonly claimsDigest: number;
  readonly peers: number;
  readonly slice: number;
  readonly slices: number;
  /** By incarnation. */
  readonly entries: ReadonlyMap<string, HeardEntry>;
}

export interface Message extends PeerHeader {
  readonly kind: 'message';
  readonly body: Uint8Array;
}

export type PeerFrame = Heartbeat | Message;

/** ARP and NDP, both families in one form. `mac` is always the sender's. */
export type ArpFrame =
  /** Who has the address? To everybody, or to the one it was last seen at. `client`: the asker's own IP. */
  | { readonly kind: 'request'; readonly mac: string; readonly address: Address; readonly client: Address }
  | { readonly kind: 'answer'; readonly mac: string; readonly address: Address }
  /** Both gratuitous forms, or the unsolicited NA. */
  | { readonly kind: 'announce'; readonly mac: string; readonly address: Address }
  /** An ARP probe, or the solicitation of DAD. */
  | { readonly kind: 'probe'; readonly mac: string; readonly address: Address }
  /** The directed request for the client's own IP, from the service IP. */
  | { readonly kind: 'directed'; readonly mac: string; readonly address: Address; readonly client: Address }
  /** The client's answer to it. */
  | { readonly kind: 'confirm'; readonly mac: string; readonly address: Address; readonly client: Address };

export type Frame = PeerFrame | ArpFrame;
