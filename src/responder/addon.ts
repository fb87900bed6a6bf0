import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ArpeggioError } from '../errors.js';
import { type Address, addressBytes, addressFromBytes } from '../net/address.js';
import { translateNativeError } from './native_error.js';
import type {
  Advertisement,
  FrameContext,
  HeartbeatOptions,
  HeartbeatRefusal,
  LinkInfo,
  PacketType,
  PeerHeard,
  PeerReport,
  ResponderEvent,
  RivalKind,
  Verdict,
} from './types.js';

/** The addon's responder. All arrays of a table have one element (addresses: 16 bytes) per entry. */
export interface NativeResponder {
  publish(
    interfaceNames: readonly string[],
    addresses: Uint8Array,
    selected: BigUint64Array,
    answer: BigUint64Array,
    tentative: BigUint64Array,
    quiet: BigUint64Array,
    counterSlots: Uint32Array,
    lifetimeMs: number,
    plans: NativePlans,
    tookSeen: number,
    holdsLifted: Float64Array,
  ): void;
  renew(lifetimeMs: number): void;
  announce(
    addresses: Uint8Array,
    slot: number,
    ipv4Ms: Uint32Array,
    ipv6Ms: Uint32Array,
    urgent: boolean,
    confirm: number,
  ): void;
  probe(addresses: Uint8Array, slot: number, offsetsMs: Uint32Array): void;
  advertise(interfaceName: string, advertisement: Advertisement): void;
  send(interfaceName: string, body: Uint8Array): void;
  setKeys(keys: readonly Uint8Array[]): void;
  maxMessageSize(): number;
  takeEvents(): { peers: PeerReport[]; events: NativeEvent[]; links: NativeLink[] | null; lost: number };
  peersHeard(): PeerHeard[];
  interfaceCounters(slot: number): Float64Array;
  addressCounters(slots: Uint32Array): Float64Array;
  describe(): { ebpf: boolean; ebpfReason: string; fifo: boolean; nice: number };
  close(): void;
}

/** Of all plans in turn: `sizes` says how many of `entries` (positions in the table) belong to each. */
export interface NativePlans {
  readonly slots: Uint32Array;
  readonly incarnations: BigUint64Array;
  readonly sizes: Uint32Array;
  readonly entries: Uint32Array;
}

type Of<Type extends ResponderEvent['type']> = Extract<ResponderEvent, { type: Type }>;

interface NativeEventBase {
  readonly interfaceName: string;
  readonly mac: string;
  /** A reason, an error, the name of a node or of another interface. */
  readonly text: string;
}

export type NativeEvent = NativeEventBase &
  (
    | {
        readonly type:
          | 'port-opened'
          | 'port-closed'
          | 'port-failed'
          | 'links-failed'
          | 'table-expired'
          | 'filter-fallback'
          | 'same-segment'
          | 'name-in-use';
      }
    | { readonly type: 'rival'; readonly address: Uint8Array; readonly kind: RivalKind }
    | { readonly type: 'message'; readonly incarnation: string; readonly body: Uint8Array }
    | ({ readonly type: 'took'; readonly addresses: Uint8Array } & Pick<
        Of<'took'>,
        'number' | 'incarnation' | 'afterMs'
      >)
    | { readonly type: 'held'; readonly number: number; readonly text: Of<'held'>['reason'] }
    | ({ readonly type: 'confirmed' } & Omit<Of<'confirmed'>, 'type' | 'interfaceName'>)
    | { readonly type: 'heartbeat-refused'; readonly refusal: HeartbeatRefusal; readonly count: number }
  );

export interface NativeLink extends Omit<LinkInfo, 'addresses'> {
  readonly addresses: Uint8Array;
  readonly prefixLengths: Uint8Array;
}

/** What a {@link NativeHeartbeater} did or saw; interfaces are slots, numbers from 0 to 63. */
export type NativeHeartbeatEvent = { readonly slot: number } & (
  | { readonly type: 'send'; readonly frame: Uint8Array }
  | { readonly type: 'peer'; readonly peer: Omit<PeerReport, 'interfaceName'> }
  /** `cause`: nothing heard, said so, another incarnation, our port cannot be used, table of peers full. */
  | {
      readonly type: 'down';
      readonly node: string;
      readonly incarnation: string;
      readonly wasTwoWay: boolean;
      readonly lastHeardMs: number;
      readonly cause: 'silent' | 'left' | 'restarted' | 'deaf' | 'forgotten';
    }
  | { readonly type: 'message'; readonly node: string; readonly incarnation: string; readonly body: Uint8Array }
  | { readonly type: 'refused'; readonly mac: string; readonly refusal: HeartbeatRefusal; readonly count: number }
  | { readonly type: 'same-segment'; readonly otherSlot: number }
  | { readonly type: 'name-in-use'; readonly mac: string; readonly node: string }
);

/** The packet thread's heartbeat protocol by itself, frames and times being arguments: for tests. */
export interface NativeHeartbeater {
  open(slot: number, mac: Uint8Array, nowMs: number): void;
  shut(slot: number, nowMs: number): void;
  forget(slot: number): void;
  setKeys(keys: readonly Uint8Array[]): void;
  advertise(slot: number, advertisement: Advertisement, nowMs: number): void;
  sendMessage(slot: number, body: Uint8Array, nowMs: number): boolean;
  /** `packetType` is sll_pkttype. Returns the drop reason, or null. */
  frame(slot: number, frame: Uint8Array, packetType: number, vlanTci: number | null, nowMs: number): string | null;
  tick(nowMs: number): void;
  /** When `tick` has work next; Infinity for never. */
  nextDueMs(): number;
  paused(gapMs: number): void;
  expire(nowMs: number): void;
  renew(nowMs: number): void;
  peers(slot: number): Omit<PeerReport, 'interfaceName'>[];
  takeEvents(): NativeHeartbeatEvent[];
}

interface NativeTableEntry {
  address: Uint8Array;
  selected: bigint;
  answer: bigint;
  tentative: bigint;
}

interface Addon {
  readonly NativeResponder: new (
    options: {
      ebpfFilter: boolean;
      raisePriority: boolean;
      linkScheduleIpv4Ms: Uint32Array;
      linkScheduleIpv6Ms: Uint32Array;
      heartbeat: HeartbeatOptions | null;
    },
    onWake: () => void,
  ) => NativeResponder;
  /** `random` in [0, 1) takes the place of chance. */
  readonly NativeHeartbeater: new (
    options: HeartbeatOptions,
    random: number,
  ) => NativeHeartbeater;
  evaluateFrame(
    frame: Uint8Array,
    packetType: number,
    vlanTci: number | null,
    receiver: { slot: number; mac: Uint8Array; ownMacs: Uint8Array[]; held: boolean },
    table: { entries: NativeTableEntry[]; expired: boolean },
  ): {
    reply: Uint8Array | null;
    drop: string | null;
    rival: { kind: RivalKind; address: Uint8Array; mac: string } | null;
    client: { service: Uint8Array; address: Uint8Array; mac: string } | null;
    confirmed: boolean;
  };
  announcementFrames(address: Uint8Array, mac: Uint8Array): Uint8Array[];
  directedFrames(address: Uint8Array, mac: Uint8Array, client: Uint8Array, clientMac: Uint8Array): Uint8Array[];
  probeFrame(address: Uint8Array, mac: Uint8Array, nonce: Uint8Array): Uint8Array;
  listLinks(): NativeLink[];
  readonly dropReasons: readonly string[];
  readonly interfaceCounterNames: readonly string[];
  readonly addressCounterNames: readonly string[];
  readonly maxInterfaces: number;
}

/** Loads a prebuilt or locally built addon; ARPEGGIO_ADDON names another file, such as one built with sanitizers. */
function loadAddon(): Addon {
  const require = createRequire(import.meta.url);
  try {
    const chosen = process.env.ARPEGGIO_ADDON;
    if (chosen) return require(chosen) as Addon;
    const nodeGypBuild = require('node-gyp-build') as (directory: string) => unknown;
    return nodeGypBuild(packageRoot()) as Addon;
  } catch (cause) {
    throw new ArpeggioError(
      'ERR_ADDON_MISSING',
      'the native addon is not built for this machine: run "npm run setup" (needs python3, make and g++)',
      { cause },
    );
  }
}

function packageRoot(): string {
  // dist/src/responder/addon.js
  return join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
}

export const addon: Addon = loadAddon();

export function linkFromNative({ addresses, prefixLengths, ...link }: NativeLink): LinkInfo {
  const pairs = [...prefixLengths].map(
    (prefixLength, index) => [addressFromBytes(addresses.subarray(index * 16, index * 16 + 16)), prefixLength] as const,
  );
  return { ...link, addresses: pairs };
}

/**
 * Reads the node's interfaces with their addresses from the kernel, once.
 * @throws {ArpeggioError} ERR_SYSTEM when rtnetlink does not answer
 */
export function listLinks(): LinkInfo[] {
  try {
    return addon.listLinks().map(linkFromNative);
  } catch (error) {
    throw translateNativeError(error);
  }
}

export function macBytes(mac: string): Uint8Array {
  const bytes = Uint8Array.from(mac.split(':'), (part) => Number.parseInt(part, 16));
  if (bytes.length !== 6 || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) {
    throw new ArpeggioError('ERR_INVALID_ARGUMENT', `"${mac}" is not a MAC address; write it like 02:00:00:00:00:01`);
  }
  return bytes;
}

const PACKET_TYPES: readonly PacketType[] = ['host', 'broadcast', 'multicast', 'otherhost', 'outgoing'];

/** Asks the native thread's pure function what it would do with a frame. */
export function evaluateFrame(frame: Uint8Array, context: FrameContext): Verdict {
  const { interfaces, entries } = context.table;
  const bits = (names: readonly string[]): bigint =>
    names.reduce(
      (mask, name) => (interfaces.includes(name) ? mask | (1n << BigInt(interfaces.indexOf(name))) : mask),
      0n,
    );
  const known = interfaces.indexOf(context.interfaceName);
  const verdict = addon.evaluateFrame(
    frame,
    PACKET_TYPES.indexOf(context.packetType),
    context.vlanTci,
    {
      slot: known < 0 ? interfaces.length : known,
      mac: macBytes(context.mac),
      ownMacs: [context.mac, ...context.ownMacs].map(macBytes),
      held: context.held ?? false,
    },
    {
      entries: entries.map((entry) => ({
        address: addressBytes(entry.address),
        selected: bits(entry.selected),
        answer: bits(entry.answer),
        tentative: bits(entry.tentative),
      })),
      expired: context.expired ?? false,
    },
  );
  const { rival, client } = verdict;
  return {
    ...verdict,
    rival: rival && { ...rival, address: addressFromBytes(rival.address) },
    client: client && {
      ...client,
      service: addressFromBytes(client.service),
      address: addressFromBytes(client.address),
    },
  };
}

/** The frames of one announcement: ARP request and reply form, or one unsolicited NA. */
export function announcementFrames(address: Address, mac: string): Uint8Array[] {
  return addon.announcementFrames(addressBytes(address), macBytes(mac));
}

/** The frames that make one client follow: a directed ARP request; or a unicast NA, and a directed Neighbor Solicitation. */
export function directedFrames(address: Address, mac: string, client: Address, clientMac: string): Uint8Array[] {
  return addon.directedFrames(addressBytes(address), macBytes(mac), addressBytes(client), macBytes(clientMac));
}

/** The frames of one probe: an ARP probe, or a DAD Neighbor Solicitation with the 6-byte nonce. */
export function probeFrames(address: Address, mac: string, nonce: Uint8Array): Uint8Array[] {
  return [addon.probeFrame(addressBytes(address), macBytes(mac), nonce)];
}

/** Names of native/drop_reason.h in their order. */
export const dropReasons: readonly string[] = addon.dropReasons;
