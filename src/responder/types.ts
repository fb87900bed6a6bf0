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

export type ResponderEvent =
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
}

export interface Table {
  /** Interfaces that the responder opens, and opens again whenever they come back. At most 64. */
  readonly interfaces: readonly string[];
  readonly entries: readonly TableEntry[];
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
  readonly table: Table;
  /** True once the table's deadline has passed. */
  readonly expired?: boolean;
}

/** Output of {@link evaluateFrame}: exactly one of `reply` and `drop` is set. */
export interface Verdict {
  /** The whole Ethernet frame to send, or null. */
  readonly reply: Uint8Array | null;
  /** A name of native/drop_reason.h, or null. */
  readonly drop: string | null;
  /** A rival to report, whether or not the frame is answered. */
  readonly rival: { readonly kind: RivalKind; readonly address: Address; readonly mac: string } | null;
}
