import { readdirSync, readFileSync } from 'node:fs';
import { addressFromBytes, parseAddress } from '../../src/net/address.js';
import type { FrameContext, PacketType, TableEntry, Verdict } from '../../src/responder/types.js';

/** The vector files; compiled tests run from dist/test/native. */
const DIRECTORY = new URL('../../../test/vectors/', import.meta.url);
/** These have forms and tests of their own. */
const METALLB_PREFIX = 'metallb-';
const METALLB_FILE = `${METALLB_PREFIX}arp.json`;
export const HEARTBEAT_FILE = 'heartbeat.json';

export interface VectorInterface {
  readonly name: string;
  readonly mac: string;
  readonly ownMacs: readonly string[];
}

/** A frame and what must become of it; test/vectors/README.md describes the form. */
export interface Vector {
  readonly name: string;
  readonly source: string;
  readonly interface?: VectorInterface;
  readonly table?: readonly TableEntry[];
  readonly packetType?: PacketType;
  readonly vlanTci?: number;
  readonly expired?: boolean;
  readonly held?: boolean;
  readonly frame: readonly string[];
  readonly expect: {
    readonly reply?: readonly string[];
    readonly drop?: string;
    readonly rival?: { readonly kind: string; readonly address: string; readonly mac: string };
    readonly client?: { readonly service: string; readonly address: string; readonly mac: string };
    readonly confirmed?: boolean;
  };
}

export interface VectorFile {
  readonly fileName: string;
  readonly about: string;
  readonly interface: VectorInterface;
  readonly table: readonly TableEntry[];
  readonly vectors: readonly Vector[];
}

export function readJson(fileName: string): unknown {
  return JSON.parse(readFileSync(new URL(fileName, DIRECTORY), 'utf8'));
}

export function readMetallbFile(): unknown {
  return readJson(METALLB_FILE);
}

/** Every file with frames for reply(), in order of name. */
export function readVectorFiles(): VectorFile[] {
  return readdirSync(DIRECTORY)
    .filter((name) => name.endsWith('.json') && !name.startsWith(METALLB_PREFIX) && name !== HEARTBEAT_FILE)
    .sort()
    .map((fileName) => ({ fileName, ...(readJson(fileName) as Omit<VectorFile, 'fileName'>) }));
}

/** Bytes of hex text with blanks between fields. */
export function bytesOf(...lines: readonly string[]): Uint8Array {
  const hex = lines.join('').replaceAll(' ', '');
  if (!/^([0-9a-f]{2})*$/.test(hex)) throw new Error(`not whole bytes of lower-case hex: ${lines.join(' ')}`);
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** Hex text without blanks: node:assert shows where two of them part. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function macOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The packet type that the kernel's eth_type_trans gives a frame on an interface with this MAC. */
export function packetTypeOf(frame: Uint8Array, interfaceMac: string): PacketType {
  const destination = macOf(frame.subarray(0, 6));
  if (destination === 'ff:ff:ff:ff:ff:ff') return 'broadcast';
  if (frame.length > 0 && (frame[0]! & 1) !== 0) return 'multicast';
  return destination === interfaceMac ? 'host' : 'otherhost';
}

/** The context in which a vector's frame, or a variation of it, is judged. */
export function contextOf(file: VectorFile, vector: Vector, frame: Uint8Array): FrameContext {
  const { name, mac, ownMacs } = vector.interface ?? file.interface;
  const entries = (vector.table ?? file.table).map((entry) => ({ ...entry, address: parseAddress(entry.address) }));
  return {
    packetType: vector.packetType ?? packetTypeOf(frame, mac),
    vlanTci: vector.vlanTci ?? null,
    interfaceName: name,
    mac,
    ownMacs,
    table: { interfaces: ['eth0', 'eth1'], entries },
    expired: vector.expired ?? false,
    held: vector.held ?? false,
  };
}

/** A verdict as comparable plain data. */
export function describe(verdict: Verdict) {
  return {
    drop: verdict.drop,
    reply: verdict.reply && hexOf(verdict.reply),
    rival: verdict.rival && { kind: verdict.rival.kind, address: verdict.rival.address, mac: verdict.rival.mac },
    client: verdict.client && { ...verdict.client },
    confirmed: verdict.confirmed,
  };
}

/** Who is answered asked: the client is known by the reply, and vectors need not name it. */
export function clientOf({ expect }: Vector): Verdict['client'] {
  if (expect.client !== undefined) return expect.client as Verdict['client'];
  if (expect.reply === undefined) return null;
  const reply = bytesOf(...expect.reply);
  const mac = macOf(reply.subarray(0, 6));
  if (hexOf(reply.subarray(12, 14)) === '86dd') {
    // To all nodes: it answers duplicate address detection.
    if ((reply[0]! & 1) !== 0) return null;
    return {
      service: addressFromBytes(reply.subarray(22, 38)),
      address: addressFromBytes(reply.subarray(38, 54)),
      mac,
    };
  }
  const [service, address] = [28, 38].map((start) => parseAddress([...reply.subarray(start, start + 4)].join('.')));
  return address === '0.0.0.0' ? null : { service: service!, address: address!, mac };
}

/** ICMPv6 checksum (RFC 4443 2.3) of a message whose checksum field is zero; 0 over one that carries a right checksum. */
export function icmpv6Checksum(source: Uint8Array, destination: Uint8Array, message: Uint8Array): number {
  const words = Buffer.alloc(40 + message.length + (message.length % 2));
  words.set(source, 0);
  words.set(destination, 16);
  words.writeUInt32BE(message.length, 32);
  words.writeUInt32BE(58, 36);
  words.set(message, 40);
  let sum = 0;
  for (let offset = 0; offset < words.length; offset += 2) sum += words.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
