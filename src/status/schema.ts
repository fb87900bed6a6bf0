import * as z from 'zod';

/** ISO 8601 in UTC with milliseconds, as Date.toISOString() writes it. */
const time = z.iso.datetime();

const count = z.number().nonnegative();

/** Of one address, since the start of the process. */
const addressCountersSchema = z.object({
  /** ARP requests and Neighbor Solicitations for it. */
  requests: count,
  /** Of them answered. */
  replies: count,
  /** Unsolicited frames sent: gratuitous ARP, Neighbor Advertisements. */
  announcements: count,
});

/** Of all addresses and interfaces, since the start of the process. */
const countersSchema = addressCountersSchema.extend({
  /** ARP probes and Neighbor Solicitations sent to detect conflicts. */
  probes: count,
  /** Frames that the kernel refused to send. */
  sendErrors: count,
  /** Frames that the kernel dropped because the responder was too slow. */
  ringDrops: count,
  /** Heartbeats sent; heartbeats and messages of peers heard; frames of the protocol refused, see drops. */
  heartbeatsSent: count,
  heartbeatsHeard: count,
  heartbeatsRefused: count,
  /** Frames that were not answered, by drop reason; reasons that never occurred may be left out. */
  drops: z.record(z.string(), count),
});

const interfaceSchema = z.object({
  name: z.string(),
  /** Kernel's ifindex; null while there is no such interface. */
  index: z.int().nullable(),
  mac: z.string().nullable(),
  up: z.boolean(),
  carrier: z.boolean(),
  /** open: service IPs are answered here; waiting: they will be, as soon as the link permits; failed: see reason. */
  state: z.enum(['open', 'waiting', 'failed']),
  reason: z.string().nullable(),
});

const peerSchema = z.object({
  node: z.string(),
  interface: z.string(),
  /** What it says of itself; down: not heard any more, or it left. */
  state: z.enum(['joining', 'ready', 'draining', 'leaving', 'down']),
  /** one-way: it is heard and does not hear this node; such a peer counts for nothing. */
  link: z.enum(['two-way', 'one-way', 'down']),
  mac: z.string(),
  /** Milliseconds since its last heartbeat there; null where that is forgotten. */
  lastHeardMs: z.number().nonnegative().nullable(),
  /** How often it is to be heard, and after how many of them it counts as down. */
  intervalMs: z.number().positive(),
  multiplier: z.int().positive(),
});

/**
 * An address on one interface. waiting: for the interface, or for its turn; probing: asking whether somebody uses it
 * (RFC 5227 2.1.1, RFC 4862 5.4), not answered yet; standby: another node owns it there; tentative: answered with O=0 (RFC 4429); newcomer: answered, still
 * probing, yields to any other user; owned: answered and defended; conflict: another host uses it, held back.
 */
export const ADDRESS_STATES = ['waiting', 'probing', 'standby', 'tentative', 'newcomer', 'owned', 'conflict'] as const;

const addressInterfaceSchema = z.object({
  name: z.string(),
  state: z.enum(ADDRESS_STATES),
  /** Node that owns it on this segment; null when nobody is known to. */
  owner: z.string().nullable(),
  /** Counts its owners there; 0 before the first. */
  term: z.int().nonnegative(),
  /** Whether most nodes know the owner's claim; a provisional one yields to a firm one. */
  firm: z.boolean(),
  /** Since when it has this owner. */
  ownedSince: time.nullable(),
  since: time,
  reason: z.string().nullable(),
  /** MAC of the other host in a conflict. */
  rivalMac: z.string().nullable(),
  /** When the address is probed again after a conflict. */
  retryAt: time.nullable(),
});

const addressSchema = z.object({
  address: z.string(),
  /** Node that owns it, on the first interface where anybody does; null when nobody is known to. */
  owner: z.string().nullable(),
  /** Whether this node answers, on at least one interface. */
  answering: z.boolean(),
  /** Counts its owners there. */
  term: z.int().nonnegative(),
  /** Time of the last change of owner or answering. */
  since: time,
  reason: z.string(),
  services: z.array(z.string()),
  interfaces: z.array(addressInterfaceSchema),
  counters: addressCountersSchema,
});

/** Addresses that changed their owner together. */
const moveSchema = z.object({
  time,
  interface: z.string(),
  /** How many, and the first of them. */
  count: z.int().positive(),
  addresses: z.array(z.string()),
  from: z.string().nullable(),
  to: z.string().nullable(),
  reason: z.string(),
  /** From the last heartbeat of the old owner to the first announcement; null unless a loss was made up for here. */
  afterMs: z.number().nonnegative().nullable(),
  /** Clients that were asked to follow, and of them those that answered to this node; null where it asked nobody. */
  clients: z.object({ asked: z.int().nonnegative(), confirmed: z.int().nonnegative() }).nullable(),
});

const responderSchema = z.object({
  /** What wakes the responder: ebpf, a filter that knows the service IPs; classic, one that passes all requests. */
  filter: z.enum(['ebpf', 'classic']),
  /** Priority of its thread, such as "nice -15" or "normal". */
  priority: z.string(),
  /** Age of the table in force; past its lifetime nothing is answered. */
  tableAgeMs: z.number().nonnegative(),
});

export const NODE_STATES = ['joining', 'ready', 'draining', 'drained', 'leaving'] as const;

/** Body of GET /api/v1/status and output of `arpeggio status --json`. */
export const statusSchema = z.object({
  node: z.string(),
  version: z.string(),
  /** joining: listens before it takes anything; ready; draining and leaving: gives everything away; drained: has done so. */
  state: z.enum(NODE_STATES),
  /** When this was written, by the node's clock. */
  time,
  process: z.object({ pid: z.int(), uptimeMs: z.number().nonnegative(), rssBytes: z.number().nonnegative() }),
  responder: responderSchema,
  interfaces: z.array(interfaceSchema),
  peers: z.array(peerSchema),
  addresses: z.array(addressSchema),
  /** The last ones that this node took part in or heard of, newest first. */
  moves: z.array(moveSchema),
  counters: countersSchema,
  /** Things to put right that hold nothing back, such as a kernel that answers as well. */
  warnings: z.array(z.string()),
});

export type Status = z.infer<typeof statusSchema>;
export type InterfaceStatus = z.infer<typeof interfaceSchema>;
export type PeerStatus = z.infer<typeof peerSchema>;
export type MoveStatus = z.infer<typeof moveSchema>;
export type AddressStatus = z.infer<typeof addressSchema>;
export type AddressInterfaceStatus = z.infer<typeof addressInterfaceSchema>;
export type AddressCounters = z.infer<typeof addressCountersSchema>;
export type Counters = z.infer<typeof countersSchema>;

/** Body of GET /healthz; 200 when ok, else 503. */
export interface Health {
  readonly ok: boolean;
  /** Why not; null when ok. */
  readonly reason: string | null;
}
