import type { Claim } from '../claim/claim.js';
import type { DesiredAddress } from '../desired/desired.js';
import type { Address } from '../net/address.js';
import type { AddressCounters as ResponderAddressCounters } from '../responder/responder.js';
import type { LinkInfo, PeerReport } from '../responder/types.js';
import type { AddressStatus, Counters, InterfaceStatus, MoveStatus, PeerStatus, Status } from '../status/schema.js';
import { VERSION } from '../version.js';

export interface PortState {
  readonly state: InterfaceStatus['state'];
  readonly reason: string | null;
}

/** Who owns an address on a segment, as this node sees it. */
export interface Owner {
  readonly node: string;
  readonly term: number;
  readonly firm: boolean;
  readonly sinceMs: number;
}

/** What of a claim is shown. */
export type ClaimView = Pick<
  Claim,
  'interfaceName' | 'state' | 'answered' | 'sinceMs' | 'reason' | 'rivalMac' | 'retryMs'
>;

/** What of the speaker is shown. */
export interface SpeakerView {
  readonly desired: ReadonlyMap<Address, DesiredAddress>;
  readonly claims: ReadonlyMap<Address, readonly ClaimView[]>;
  readonly interfaces: readonly string[];
  ownerOf(address: Address, interfaceName: string): Owner | null;
  peers(interfaceName: string): readonly PeerReport[];
}

export interface ReportInput {
  /** This node. */
  readonly node: string;
  readonly state: Status['state'];
  /** Monotonic, as the claims' times are. */
  readonly nowMs: number;
  readonly iso: (monotonicMs: number) => string;
  readonly links: readonly LinkInfo[];
  readonly ports: ReadonlyMap<string, PortState>;
  readonly speaker: SpeakerView;
  /** When a peer was last heard, monotonic; null where that is not known. */
  readonly heardMs: (peer: PeerReport) => number | null;
  readonly moves: readonly MoveStatus[];
  readonly responder: { readonly filter: 'ebpf' | 'classic'; readonly priority: string };
  readonly tableAgeMs: number;
  readonly addressCounters: ReadonlyMap<Address, ResponderAddressCounters>;
  readonly interfaceCounters: ReadonlyMap<
    string,
    { readonly counters: Readonly<Record<string, number>>; readonly drops: Readonly<Record<string, number>> }
  >;
  readonly warnings: readonly string[];
}

const NO_COUNTERS: ResponderAddressCounters = { requests: 0, replies: 0, announcements: 0 };

/** The state of the node as GET /api/v1/status gives it. */
export function statusReport(input: ReportInput): Status {
  const interfaces = input.speaker.interfaces.map((name) => interfaceStatus(name, input));
  const open = new Set(interfaces.filter(({ state }) => state === 'open').map(({ name }) => name));
  return {
    node: input.node,
    version: VERSION,
    state: input.state,
    time: input.iso(input.nowMs),
    process: { pid: process.pid, uptimeMs: Math.round(process.uptime() * 1000), rssBytes: process.memoryUsage.rss() },
    responder: { ...input.responder, tableAgeMs: Math.round(input.tableAgeMs) },
    interfaces,
    peers: interfaces.flatMap(({ name }) => input.speaker.peers(name).map((peer) => peerStatus(peer, input))),
    addresses: [...input.speaker.claims].map(([address, claims]) => addressStatus(address, claims, open, input)),
    moves: [...input.moves],
    counters: totals(input.interfaceCounters),
    warnings: [...input.warnings],
  };
}

function interfaceStatus(name: string, { links, ports }: ReportInput): InterfaceStatus {
  const link = links.find((candidate) => candidate.name === name);
  if (!link) {
    const reason = 'there is no such interface now';
    return { name, index: null, mac: null, up: false, carrier: false, state: 'waiting', reason };
  }
  const { index, mac, up, carrier, unusableReason } = link;
  const port = ports.get(name);
  const state = unusableReason === '' ? (port?.state ?? 'waiting') : 'waiting';
  const reason = unusableReason === '' ? (port?.reason ?? null) : unusableReason;
  return { name, index, mac: mac || null, up, carrier, state, reason };
}

function peerStatus(peer: PeerReport, { heardMs, nowMs }: ReportInput): PeerStatus {
  const { node, interfaceName, state, link, mac, intervalMs, multiplier } = peer;
  const lastMs = heardMs(peer);
  return {
    node,
    interface: interfaceName,
    state: link === 'down' ? 'down' : state,
    link,
    mac,
    lastHeardMs: lastMs === null ? null : Math.max(0, Math.round(nowMs - lastMs)),
    intervalMs,
    multiplier,
  };
}

function addressStatus(
  address: Address,
  claims: readonly ClaimView[],
  open: ReadonlySet<string>,
  { iso, speaker, addressCounters, nowMs }: ReportInput,
): AddressStatus {
  const answeredAt = claims.find(({ answered, interfaceName }) => answered && open.has(interfaceName));
  const shown = answeredAt ?? claims.find(({ answered }) => answered) ?? claims[0];
  const owners = claims.map(({ interfaceName }) => speaker.ownerOf(address, interfaceName));
  const reasons = claims.map((claim, index) => claimReason(claim, owners[index] ?? null));
  const owner = owners.find((candidate) => candidate !== null) ?? null;
  return {
    address,
    owner: owner?.node ?? null,
    answering: answeredAt !== undefined,
    term: owner?.term ?? 0,
    since: iso(Math.max(shown?.sinceMs ?? nowMs, owner?.sinceMs ?? 0)),
    reason: reasonOf(shown, shown ? (reasons[claims.indexOf(shown)] ?? '') : '', answeredAt !== undefined),
    services: [...(speaker.desired.get(address)?.services ?? [])],
    interfaces: claims.map(({ interfaceName, state, sinceMs, rivalMac, retryMs }, index) => ({
      name: interfaceName,
      state,
      ...ownerThere(owners[index] ?? null, iso),
      since: iso(sinceMs),
      reason: reasons[index] ?? null,
      rivalMac,
      retryAt: retryMs === null ? null : iso(retryMs),
    })),
    counters: { ...(addressCounters.get(address) ?? NO_COUNTERS) },
  };
}

function ownerThere(owner: Owner | null, iso: ReportInput['iso']) {
  if (!owner) return { owner: null, term: 0, firm: false, ownedSince: null };
  return { owner: owner.node, term: owner.term, firm: owner.firm, ownedSince: iso(owner.sinceMs) };
}

/** Other nodes may have passed it on among themselves since it became standby here. */
function claimReason({ state, reason }: ClaimView, owner: Owner | null): string {
  return state === 'standby' && owner ? `${owner.node} owns it` : reason;
}

function reasonOf(claim: ClaimView | undefined, reason: string, answering: boolean): string {
  if (!claim) return 'no interface is selected for it';
  if (!answering && claim.answered) return `${claim.interfaceName} is not usable`;
  return reason;
}

function totals(interfaceCounters: ReportInput['interfaceCounters']): Counters {
  const sum = (...names: string[]): number => {
    let total = 0;
    for (const { counters } of interfaceCounters.values()) for (const name of names) total += counters[name] ?? 0;
    return total;
  };
  const drops: Record<string, number> = {};
  for (const { drops: ofInterface } of interfaceCounters.values()) {
    for (const [name, count] of Object.entries(ofInterface)) if (count > 0) drops[name] = (drops[name] ?? 0) + count;
  }
  return {
    requests: sum('arp-requests', 'solicitations'),
    replies: sum('arp-replies', 'advertisements'),
    announcements: sum('announcements'),
    probes: sum('probes'),
    sendErrors: sum('send-errors'),
    ringDrops: sum('ring-drops'),
    heartbeatsSent: sum('heartbeats-sent'),
    heartbeatsHeard: sum('heartbeats-received'),
    heartbeatsRefused: Object.entries(drops).reduce(
      (total, [name, count]) => (name.startsWith('heartbeat-') ? total + count : total),
      0,
    ),
    drops,
  };
}
