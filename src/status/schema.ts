import { z } from 'zod';

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
  state: z.enum(['joining', 'ready', 'draining', 'leaving', 'down']),
  /** Milliseconds since its last heartbeat there. */
  lastHeardMs: z.number().nonnegative(),
});

/**
 * An address on one interface. waiting: for the interface, or for its turn; probing: asking whether somebody uses it
 * (RFC 5227 2.1.1, RFC 4862 5.4), not answered yet; tentative: answered with O=0 (RFC 4429); newcomer: answered, still
 * probing, yields to any other user; owned: answered and defended; conflict: another host uses it, held back.
 */
export const ADDRESS_STATES = ['waiting', 'standby', 'probing', 'tentative', 'newcomer', 'owned', 'conflict'] as const;

const addressInterfaceSchema = z.object({
  name: z.string(),
  state: z.enum(ADDRESS_STATES),
  since: time,
  reason: z.string().nullable(),
  /** MAC of the other host in a conflict. */
  rivalMac: z.string().nullable(),
  /** When the address is probed again after a conflict. */
  retryAt: time.nullable(),
});

const addressSchema = z.object({
  address: z.string(),
  /** Node that answers for it; null when nobody is known to. */
  owner: z.string().nullable(),
  /** Whether this node answers, on at least one interface. */
  answering: z.boolean(),
  /** Counts changes of ownership. */
  term: z.int().nonnegative(),
  /** Time of the last change of owner or answering. */
  since: time,
  reason: z.string(),
  services: z.array(z.string()),
  interfaces: z.array(addressInterfaceSchema),
  counters: addressCountersSchema,
});

const responderSchema = z.object({
  /** What wakes the responder: ebpf, a filter that knows the service IPs; classic, one that passes all requests. */
  filter: z.enum(['ebpf', 'classic']),
  /** Priority of its thread, such as "nice -15" or "normal". */
  priority: z.string(),
  /** Age of the table in force; past its lifetime nothing is answered. */
  tableAgeMs: z.number().nonnegative(),
});

/** Body of GET /api/v1/status and output of `arpeggio status --json`. */
export const statusSchema = z.object({
  node: z.string(),
  version: z.string(),
  /** joining: listens before it takes anything; ready; draining and leaving: gives everything away. */
  state: z.enum(['joining', 'ready', 'draining', 'leaving']),
  /** When this was written, by the node's clock. */
  time,
  process: z.object({ pid: z.int(), uptimeMs: z.number().nonnegative(), rssBytes: z.number().nonnegative() }),
  responder: responderSchema,
  interfaces: z.array(interfaceSchema),
  peers: z.array(peerSchema),
  addresses: z.array(addressSchema),
  counters: countersSchema,
  /** Things to put right that hold nothing back, such as a kernel that answers as well. */
  warnings: z.array(z.string()),
});

export type Status = z.infer<typeof statusSchema>;
export type InterfaceStatus = z.infer<typeof interfaceSchema>;
export type PeerStatus = z.infer<typeof peerSchema>;
export type AddressStatus = z.infer<typeof addressSchema>;
export type AddressInterfaceStatus = z.infer<typeof addressInterfaceSchema>;
export type AddressState = (typeof ADDRESS_STATES)[number];
export type AddressCounters = z.infer<typeof addressCountersSchema>;
export type Counters = z.infer<typeof countersSchema>;

/** Body of GET /healthz; 200 when ok, else 503. */
export interface Health {
  readonly ok: boolean;
  /** Why not; null when ok. */
  readonly reason: string | null;
}
