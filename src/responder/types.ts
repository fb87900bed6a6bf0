import type { Address } from '../net/address.js';

/** A network interface of this node as rtnetlink describes it. */
export interface LinkInfo {
  readonly name: string;
  /** Kernel's ifindex; changes when an interface is deleted and created again. */
  readonly index: number;
  /** Colon-separated lower case, "" where the link has none. */
  readonly mac: string;
  /** IFF_UP: the administrator switched it on. */
  readonly up: boolean;
  /** IFF_LOWER_UP and operstate not down: frames can pass. */
  readonly carrier: boolean;
  readonly loopback: boolean;
  /** IFF_NOARP: no address resolution on this link. */
  readonly noArp: boolean;
  /** ARPHRD_ETHER. */
  readonly ethernet: boolean;
  /** Enslaved to a bond, bridge or team: its master is used in its place. */
  readonly enslaved: boolean;
  /** Why no frame can be answered on it, in words; "" when one can. */
  readonly unusableReason: string;
  /** Its addresses as [address, prefix length]. Filled in by listLinks(); empty in events (lo may hold thousands). */
  readonly addresses: readonly (readonly [Address, number])[];
}

/** What the native thread saw on the wire about an address of the table that others seem to use. */
export type RivalKind =
  /** ARP with our address as sender protocol address, from a foreign MAC (RFC 5227 2.4). */
  | 'arp'
  /** ARP probe for the address by somebody else (RFC 5227 2.1.1). */
  | 'arp-probe'
  /** Neighbor Advertisement for the address from a foreign MAC (RFC 4862 5.4.4). */
  | 'na'
  /** Neighbor Solicitation whose source is our address, from a foreign MAC: its sender uses it. */
  | 'ns'
  /** Neighbor Solicitation of somebody's duplicate address detection (RFC 4862 5.4.3). */
  | 'dad';

/** What a node says of itself: joining: listens, takes nothing; draining: gives everything away; leaving: has done so. */
export type NodeState = 'joining' | 'ready' | 'draining' | 'leaving';

/** What the packet thread knows of a peer on one interface. Reported when anything of it changes. */
export interface PeerReport {
  readonly node: string;
  /** Our interface on the segment that it was heard on. */
  readonly interfaceName: string;
  /** Of the peer's process: 16 hexadecimal digits, another after each start. */
  readonly incarnation: string;
  /** Source of its heartbeats, and of what it answers and announces. */
  readonly mac: string;
  readonly state: NodeState;
  /** one-way: we hear it, it does not hear us; down: not heard for its detection time, or it left. */
  readonly link: 'two-way' | 'one-way' | 'down';
  /** How often it sends, in milliseconds, and after how many of them it wants to be judged. */
  readonly intervalMs: number;
  readonly multiplier: number;
  /** How many other nodes it hears, us left out. */
  readonly hears: number;
  /** Version and digest of its claims on this segment, as its heartbeats say. 0: none yet. */
  readonly claimsVersion: number;
  readonly claimsDigest: number;
  /** The version of our claims that it holds. */
  readonly heldVersion: number;
}

/** When a peer's process was heard last on an interface. */
export interface PeerHeard {
  readonly interfaceName: string;
  /** PeerReport.incarnation. */
  readonly incarnation: string;
  /** Milliseconds since its last frame that was not refused; while the machine is suspended they do not count. */
  readonly agoMs: number;
}

/** Why a frame of the heartbeat protocol was refused: names of native/drop_reason.h. */
export type HeartbeatRefusal =
  | 'heartbeat-malformed'
  | 'heartbeat-version'
  | 'heartbeat-cluster'
  | 'heartbeat-unauthenticated'
  | 'heartbeat-forged'
  | 'heartbeat-replayed'
  | 'heartbeat-old-incarnation';

export type ResponderEvent =
  | { readonly type: 'peer'; readonly peer: PeerReport }
  /** An authenticated message of a peer: see ownership/codec. */
  | {
      readonly type: 'message';
      readonly interfaceName: string;
      readonly node: string;
      readonly incarnation: string;
      readonly body: Uint8Array;
    }
  /** The thread has carried out what was armed against the loss of a peer: the addresses are answered and announced. */
  | {
      readonly type: 'took';
      /** Counts up from 1. A table published without having seen it (Table.tookSeen) does not undo it. */
      readonly number: number;
      readonly interfaceName: string;
      readonly node: string;
      readonly incarnation: string;
      readonly addresses: readonly Address[];
      /** From the peer's last heartbeat to the first announcement. */
      readonly afterMs: number;
    }
  /**
   * Nothing is answered on the interface until a table with Table.holdsLifted >= number there: others may have taken over
   * while we could not hear them.
   */
  | {
      readonly type: 'held';
      readonly number: number;
      readonly interfaceName: string;
      readonly reason: 'link-returned' | 'paused' | 'table-expired';
    }
  /** How many of the clients asked to follow have answered at our MAC. Final once nothing is asked any more. */
  | {
      readonly type: 'confirmed';
      readonly interfaceName: string;
      /** `took.number` of a takeover of the thread's own, or the number given to announce(). */
      readonly cause: 'took' | 'announce';
      readonly number: number;
      readonly clients: number;
      readonly confirmed: number;
      readonly final: boolean;
    }
  /** At most once per source and minute; `count` since the last report. */
  | {
      readonly type: 'heartbeat-refused';
      readonly interfaceName: string;
      readonly mac: string;
      readonly refusal: HeartbeatRefusal;
      readonly count: number;
    }
  /** Our own heartbeats of another interface arrive here: both are on one segment. Once per pair. */
  | { readonly type: 'same-segment'; readonly interfaceName: string; readonly otherInterfaceName: string }
  /** Another host says that it is `node`: this node, or a peer that is heard. At most once a minute for each. */
  | { readonly type: 'name-in-use'; readonly interfaceName: string; readonly mac: string; readonly node: string }
  | { readonly type: 'links'; readonly links: readonly LinkInfo[] }
  | {
      readonly type: 'rival';
      readonly kind: RivalKind;
      readonly address: Address;
      readonly interfaceName: string;
      readonly mac: string;
    }
  | { readonly type: 'port-opened'; readonly interfaceName: string; readonly mac: string }
  | { readonly type: 'port-closed'; readonly interfaceName: string; readonly reason: string }
  | { readonly type: 'port-failed'; readonly interfaceName: string; readonly error: string }
  /** The kernel's list of links could not be read; it is read again at the next change. */
  | { readonly type: 'links-failed'; readonly error: string }
  /** The eBPF filter cannot hold the table; the classic filter took over. */
  | { readonly type: 'filter-fallback'; readonly reason: string }
  /** The published table outlived its deadline: nothing is answered until the next publish or renew. */
  | { readonly type: 'table-expired' }
  /** The queue to JavaScript was full; `count` events were lost. */
  | { readonly type: 'events-lost'; readonly count: number };

/** One address of the table. Interfaces are named; an address is answered only where it is listed. */
export interface TableEntry {
  readonly address: Address;
  /** Where the address is watched (rivals are reported); a superset of `answer`. */
  readonly selected: readonly string[];
  /** Where it is answered. */
  readonly answer: readonly string[];
  /** Where it is answered as an optimistic address: O=0 (RFC 4429 3.3), somebody else's DAD is not defended against. */
  readonly tentative: readonly string[];
  /** Where it is answered, but no longer announced, and no client asked to follow: its successor is about to do so. */
  readonly quiet?: readonly string[];
}

/** What the thread shall answer and announce, by itself, on the interface as soon as the peer is down there. */
export interface TakeoverPlan {
  readonly interfaceName: string;
  /** PeerReport.incarnation. */
  readonly incarnation: string;
  /** Of the table's entries, selected on the interface. */
  readonly addresses: readonly Address[];
}

export interface Table {
  /** Interfaces that the responder opens, and opens again whenever they come back. At most 64. */
  readonly interfaces: readonly string[];
  readonly entries: readonly TableEntry[];
  /** Default: none. */
  readonly plans?: readonly TakeoverPlan[];
  /** The last `took` event that this table knows of, default 0: what later ones took is kept answered. */
  readonly tookSeen?: number;
  /** By interface: its holds up to this number are lifted; default 0. */
  readonly holdsLifted?: Readonly<Record<string, number>>;
}

/** What heartbeats say on one interface, beside what the thread knows by itself. */
export interface Advertisement {
  readonly state: NodeState;
  readonly claimsVersion: number;
  readonly claimsDigest: number;
  /** For each peer, by incarnation: the version of its claims that we hold. */
  readonly held: readonly (readonly [incarnation: string, version: number])[];
}

export interface HeartbeatOptions {
  readonly node: string;
  /** Only nodes of one cluster hear each other. */
  readonly cluster: string;
  /** 16 hexadecimal digits, another at each start. */
  readonly incarnation: string;
  readonly intervalMs: number;
  /** A peer is down after so many of its intervals without a heartbeat. */
  readonly multiplier: number;
  /** The first signs; each is accepted. None: heartbeats carry no MAC, and those that do are refused. */
  readonly keys: readonly Uint8Array[];
}

/** How a frame reached the socket: sockaddr_ll's sll_pkttype. */
export type PacketType = 'host' | 'broadcast' | 'multicast' | 'otherhost' | 'outgoing';

/** Input of {@link evaluateFrame}: what the native thread knows when a frame arrives. */
export interface FrameContext {
  readonly packetType: PacketType;
  /** 802.1Q tag that the kernel stripped (tci, 16 bits), null without one. */
  readonly vlanTci: number | null;
  /** The interface that received it, and the MACs of this node's other interfaces and bond slaves. */
  readonly interfaceName: string;
  readonly mac: string;
  readonly ownMacs: readonly string[];
  readonly table: Pick<Table, 'interfaces' | 'entries'>;
  /** True once the table's deadline has passed. */
  readonly expired?: boolean;
  /** True while the interface is held: nothing is answered there. */
  readonly held?: boolean;
}

/** Output of {@link evaluateFrame}: exactly one of `reply` and `drop` is set. */
export interface Verdict {
  /** The whole Ethernet frame to send, or null. */
  readonly reply: Uint8Array | null;
  /** A name of native/drop_reason.h, or null. */
  readonly drop: string | null;
  /** A rival to report, whether or not the frame is answered. */
  readonly rival: { readonly kind: RivalKind; readonly address: Address; readonly mac: string } | null;
  /** The host that asked for `service`, to be remembered; or, where `confirmed`, that answered it at our MAC. */
  readonly client: { readonly service: Address; readonly address: Address; readonly mac: string } | null;
  /** The client has proved that it sends to our MAC. */
  readonly confirmed: boolean;
}
