import type { Claim } from '../claim/claim.js';
import type { Config } from '../config/config.js';
import type { Address } from '../net/address.js';
import type { AddressCounters as ResponderAddressCounters } from '../responder/responder.js';
import type { LinkInfo } from '../responder/types.js';
import type { Speaker } from '../speaker.js';
import type { AddressStatus, Counters, InterfaceStatus, Status } from '../status/schema.js';
import { VERSION } from '../version.js';

export interface PortState {
  readonly state: InterfaceStatus['state'];
  readonly reason: string | null;
}

export interface ReportInput {
  readonly config: Config;
  readonly state: Status['state'];
  /** Monotonic, as the claims' times are. */
  readonly nowMs: number;
  readonly iso: (monotonicMs: number) => string;
  readonly links: readonly LinkInfo[];
  readonly ports: ReadonlyMap<string, PortState>;
  readonly speaker: Speaker;
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
    node: input.config.node,
    version: VERSION,
    state: input.state,
    time: input.iso(input.nowMs),
    process: { pid: process.pid, uptimeMs: Math.round(process.uptime() * 1000), rssBytes: process.memoryUsage.rss() },
    responder: { ...input.responder, tableAgeMs: Math.round(input.tableAgeMs) },
    interfaces,
    peers: [],
    addresses: [...input.speaker.claims].map(([address, claims]) => addressStatus(address, claims, open, input)),
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

function addressStatus(
  address: Address,
  claims: readonly Claim[],
  open: ReadonlySet<string>,
  { config, iso, speaker, addressCounters, nowMs }: ReportInput,
): AddressStatus {
  const answeredAt = claims.find(({ answered, interfaceName }) => answered && open.has(interfaceName));
  const shown = answeredAt ?? claims.find(({ answered }) => answered) ?? claims[0];
  return {
    address,
    owner: answeredAt ? config.node : null,
    answering: answeredAt !== undefined,
    term: 0,
    since: iso(shown?.sinceMs ?? nowMs),
    reason: reasonOf(shown, answeredAt !== undefined),
    services: [...(speaker.desired.get(address)?.services ?? [])],
    interfaces: claims.map(({ interfaceName, state, sinceMs, reason, rivalMac, retryMs }) => ({
      name: interfaceName,
      state,
      since: iso(sinceMs),
      reason,
      rivalMac,
      retryAt: retryMs === null ? null : iso(retryMs),
    })),
    counters: { ...(addressCounters.get(address) ?? NO_COUNTERS) },
  };
}

function reasonOf(claim: Claim | undefined, answering: boolean): string {
  if (!claim) return 'no interface is selected for it';
  if (!answering && claim.answered) return `${claim.interfaceName} is not usable`;
  return claim.reason;
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
    drops,
  };
}
