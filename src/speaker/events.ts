import type { ClaimState } from '../claim/claim.js';
import type { Schedule } from '../claim/timing.js';
import type { DesiredService, DesiredState } from '../desired/desired.js';
import type { Address } from '../net/address.js';
import type { PeerMessage } from '../ownership/message.js';
import type { OwnershipRecord } from '../ownership/records.js';
import type { Advertisement, ResponderEvent, Table } from '../responder/types.js';

/** What happens to a speaker. */
export type SpeakerEvent =
  /** The interfaces it may use, while the source has yet to say what it wants: it listens, and is heard to be about to come. */
  | { readonly type: 'listen'; readonly interfaces: readonly string[] }
  /** The complete wish of the source, and the interfaces it may use, in the node's order. */
  | { readonly type: 'desired'; readonly desired: DesiredState; readonly interfaces: readonly string[] }
  /** The interfaces it may use from now on; what is desired stays. */
  | { readonly type: 'interfaces'; readonly interfaces: readonly string[] }
  /** Services in place of those with their names, and names that are gone: as if all were told anew, but cheap. */
  | { readonly type: 'services'; readonly changed: readonly DesiredService[]; readonly removed: readonly string[] }
  /** DesiredState.lastResort from now on. */
  | { readonly type: 'last-resort'; readonly nodes: readonly string[] }
  /** What ownership Leases say that is new: first all of them, then changes, our own among them. */
  | { readonly type: 'record'; readonly records: readonly OwnershipRecord[] }
  /** The other nodes whose session Lease lasts: their speakers run, and reach the API server; and those that have ended theirs. */
  | { readonly type: 'sessions'; readonly live: readonly string[]; readonly ended?: readonly string[] }
  /** The session of this node was renewed, and lasts until then: others take nothing of it before (`takeover: fenced`). */
  | { readonly type: 'renewed'; readonly untilMs: number }
  /** A process of this node ran until a moment ago: what records name this node for was answered by it. */
  | { readonly type: 'resume' }
  /** The interfaces that can carry frames now. */
  | { readonly type: 'usable'; readonly interfaces: ReadonlySet<string> }
  /** What the packet thread saw or did by itself. */
  | Extract<ResponderEvent, { type: 'rival' | 'peer' | 'took' | 'held' }>
  /** A decoded message of a peer's process. */
  | {
      readonly type: 'message';
      readonly interfaceName: string;
      readonly node: string;
      readonly incarnation: string;
      readonly message: PeerMessage;
    }
  /** The addresses of the `serve` effect with this number are in place, and of all before it. */
  | { readonly type: 'served'; readonly generation: number }
  /** Give everything to other nodes, and take nothing. */
  | { readonly type: 'drain' }
  | { readonly type: 'undrain' }
  /** Move an address to a node, whoever owns it. */
  | { readonly type: 'move'; readonly address: Address; readonly node: string }
  /** The time that `nextMs` named has come. */
  | { readonly type: 'tick' }
  /** Give everything to other nodes, as far as they take it within 3 s, then answer nothing: see `stopped`. */
  | { readonly type: 'stop' };

export interface AnnounceEffect {
  readonly type: 'announce';
  readonly interfaceName: string;
  readonly addresses: readonly Address[];
  readonly schedule: Schedule;
  /** False: a refresh, which waits for everything else. */
  readonly urgent: boolean;
  /** Whether recent clients are asked, one by one, to follow. */
  readonly confirm: boolean;
}

/** A claim changed its state, or the reason for it: for logs and events. */
export interface ChangedEffect {
  readonly type: 'changed';
  readonly address: Address;
  readonly interfaceName: string;
  readonly from: ClaimState;
  readonly to: ClaimState;
  readonly reason: string;
  readonly rivalMac: string | null;
}

/** Addresses have another owner on a segment, as this node sees it: for logs and events. null: nobody. */
export interface MovedEffect {
  readonly type: 'moved';
  readonly interfaceName: string;
  readonly addresses: readonly Address[];
  readonly from: string | null;
  readonly to: string | null;
  readonly why: string;
}

/** What a speaker wants done. Carried out in order: a table is in force before what it answers is announced. */
export type Effect =
  | { readonly type: 'publish'; readonly table: Table }
  | {
      readonly type: 'probe';
      readonly interfaceName: string;
      readonly addresses: readonly Address[];
      readonly offsetsMs: readonly number[];
    }
  | AnnounceEffect
  | { readonly type: 'send'; readonly interfaceName: string; readonly message: PeerMessage }
  | { readonly type: 'advertise'; readonly interfaceName: string; readonly advertisement: Advertisement }
  /** The addresses whose traffic this node should serve: all of them, each time they change. */
  | { readonly type: 'serve'; readonly generation: number; readonly addresses: readonly Address[] }
  | ChangedEffect
  | MovedEffect;
