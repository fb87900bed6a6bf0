import { type Address, addressFromBytes, familyOf, writeAddress } from '../net/address.js';
import type { OwnershipClaim, PeerMessage } from './message.js';

// The body of a message frame; integers are big endian:
//
//   0  kind             1   1 claims-change, 2 claims-page, 3 handover, 4 decline, 5 move-request, 6 later
//   1  format version   1   1; another is not read
//   claims-change:      base version 4, version 4, claims, addresses that are yielded
//   claims-page:        version 4, page 2, pages 2, claims
//   handover, decline, later: incarnation 8, addresses
//   move-request:       address (family 1: 4 or 6; 4 or 16 bytes), length of the node's name 1, name
//   addresses:          count of IPv4 2, count of IPv6 2, IPv4 addresses 4 each, IPv6 addresses 16 each
//   claims:             as addresses, each followed by 4: the term in the lower 31 bits, the highest bit if it is firm
//
// Nothing may follow. Lists come back with IPv4 first, otherwise in the order they were given.

/**
 * Longest body that {@link encode} makes: with the longest name of a node (253 bytes) and a MAC, the frame has exactly
 * the 1,500 bytes that Ethernet carries at least, less 4.
 */
export const MAX_BODY_BYTES = 1_184;

/** Terms end here; `encode` writes greater ones as this. At one owner change a second they last 68 years. */
export const MAX_TERM = 0x7fff_ffff;

/** Bytes beside the lists of a claims-change, and of a claims-page, empty lists counted. */
export const CHANGE_BYTES = 2 + 8 + 4 + 4;
export const PAGE_BYTES = 2 + 8 + 4;
/** The same of a handover, a decline and a later. */
export const REQUEST_BYTES = 2 + 8 + 4;

const FORMAT = 1;
const KINDS = ['claims-change', 'claims-page', 'handover', 'decline', 'move-request', 'later'] as const;
const FIRM = 0x8000_0000;
const TERM_BYTES = 4;
const IPV4_MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** Bytes of an address within a list. */
export function bytesOfAddress(address: Address): number {
  return familyOf(address) === 'ipv4' ? 4 : 16;
}

/** Bytes of a claim within a list. */
export function bytesOfClaim({ address }: OwnershipClaim): number {
  return bytesOfAddress(address) + TERM_BYTES;
}

/**
 * The message as body of a frame. Lists that do not fit must have been split (see ownership/split).
 * Throws RangeError if it would be longer than MAX_BODY_BYTES.
 */
export function encode(message: PeerMessage): Uint8Array {
  const writer = new Writer();
  writer.u8(KINDS.indexOf(message.type) + 1);
  writer.u8(FORMAT);
  switch (message.type) {
    case 'claims-change':
      writer.u32(message.baseVersion);
      writer.u32(message.version);
      writer.claims(message.claims);
      writer.addresses(message.yielded);
      break;
    case 'claims-page':
      writer.u32(message.version);
      writer.u16(message.page);
      writer.u16(message.pages);
      writer.claims(message.claims);
      break;
    case 'handover':
    case 'decline':
    case 'later':
      writer.incarnation(message.to);
      writer.addresses(message.addresses);
      break;
    case 'move-request':
      writer.u8(familyOf(message.address) === 'ipv4' ? 4 : 6);
      writer.address(message.address);
      writer.name(message.node);
  }
  return writer.written();
}

/** The reverse of {@link encode}; null for anything that it would not have made. Never throws. */
export function decode(body: Uint8Array): PeerMessage | null {
  const reader = new Reader(body);
  try {
    const kind = KINDS[reader.u8() - 1];
    if (kind === undefined || reader.u8() !== FORMAT) return null;
    const message = readMessage(kind, reader);
    return reader.atEnd ? message : null;
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

function readMessage(kind: (typeof KINDS)[number], reader: Reader): PeerMessage {
  switch (kind) {
    case 'claims-change': {
      const [baseVersion, version] = [reader.u32(), reader.u32()];
      if (version <= baseVersion) throw new Malformed();
      return { type: kind, baseVersion, version, claims: reader.claims(), yielded: reader.addresses() };
    }
    case 'claims-page': {
      const [version, page, pages] = [reader.u32(), reader.u16(), reader.u16()];
      if (page >= pages) throw new Malformed();
      return { type: kind, version, page, pages, claims: reader.claims() };
    }
    case 'handover':
    case 'decline':
    case 'later':
      return { type: kind, to: reader.incarnation(), addresses: reader.addresses() };
    case 'move-request': {
      const family = reader.u8();
      if (family !== 4 && family !== 6) throw new Malformed();
      return { type: kind, address: family === 4 ? reader.ipv4() : reader.ipv6(), node: reader.name() };
    }
  }
}

class Writer {
  readonly #bytes = new Uint8Array(MAX_BODY_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #wide = new Uint8Array(16);
  #end = 0;

  written(): Uint8Array {
    return this.#bytes.slice(0, this.#end);
  }

  u8(value: number): void {
    this.#view.setUint8(this.#grow(1), value);
  }

  u16(value: number): void {
    this.#view.setUint16(this.#grow(2), value);
  }

  u32(value: number): void {
    this.#view.setUint32(this.#grow(4), value);
  }

  incarnation(text: string): void {
    this.u32(Number.parseInt(text.slice(0, 8), 16));
    this.u32(Number.parseInt(text.slice(8), 16));
  }

  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u8(bytes.length);
    this.#bytes.set(bytes, this.#grow(bytes.length));
  }

  address(address: Address): void {
    writeAddress(address, this.#wide, 0);
    const bytes = familyOf(address) === 'ipv4' ? this.#wide.subarray(12) : this.#wide;
    this.#bytes.set(bytes, this.#grow(bytes.length));
  }

  addresses(addresses: readonly Address[]): void {
    for (const address of this.#counted(addresses, (item) => item)) this.address(address);
  }

  claims(claims: readonly OwnershipClaim[]): void {
    for (const { address, term, firm } of this.#counted(claims, (claim) => claim.address)) {
      this.address(address);
      this.u32(Math.min(term, MAX_TERM) + (firm ? FIRM : 0));
    }
  }

  /** Writes how many there are of each family; the items with IPv4 first. */
  #counted<Item>(items: readonly Item[], addressOf: (item: Item) => Address): readonly Item[] {
    const ipv4 = items.filter((item) => familyOf(addressOf(item)) === 'ipv4');
    this.u16(ipv4.length);
    this.u16(items.length - ipv4.length);
    if (ipv4.length === items.length || ipv4.length === 0) return items;
    return [...ipv4, ...items.filter((item) => familyOf(addressOf(item)) === 'ipv6')];
  }

  #grow(bytes: number): number {
    const start = this.#end;
    if (start + bytes > MAX_BODY_BYTES) throw new RangeError(`the message is longer than ${MAX_BODY_BYTES} bytes`);
    this.#end += bytes;
    return start;
  }
}

/** Thrown by {@link Reader}, caught by {@link decode}. */
class Malformed extends Error {}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#skip(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4));
  }

  incarnation(): string {
    const half = () => this.u32().toString(16).padStart(8, '0');
    return half() + half();
  }

  name(): string {
    const length = this.u8();
    const start = this.#skip(length);
    if (length === 0) throw new Malformed();
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.#bytes.subarray(start, start + length),
      );
    } catch {
      throw new Malformed();
    }
  }

  ipv4(): Address {
    const start = this.#skip(4);
    const bytes = this.#bytes;
    return `${bytes[start]}.${bytes[start + 1]}.${bytes[start + 2]}.${bytes[start + 3]}` as Address;
  }

  ipv6(): Address {
    const start = this.#skip(16);
    // An IPv4 address has one form only, of 4 bytes.
    if (IPV4_MAPPED.every((byte, index) => this.#bytes[start + index] === byte)) throw new Malformed();
    return addressFromBytes(this.#bytes.subarray(start, start + 16));
  }

  addresses(): Address[] {
    return this.#list(0, (address) => address);
  }

  claims(): OwnershipClaim[] {
    return this.#list(TERM_BYTES, (address) => {
      const word = this.u32();
      const term = word % FIRM;
      if (term === 0) throw new Malformed();
      return { address, term, firm: word >= FIRM };
    });
  }

  #list<Item>(extraBytes: number, item: (address: Address) => Item): Item[] {
    const [ipv4, ipv6] = [this.u16(), this.u16()];
    const needed = ipv4 * (4 + extraBytes) + ipv6 * (16 + extraBytes);
    // Before anything is made of it.
    if (needed > this.#bytes.length - this.#position) throw new Malformed();
    return Array.from({ length: ipv4 + ipv6 }, (_, index) => item(index < ipv4 ? this.ipv4() : this.ipv6()));
  }

  #skip(bytes: number): number {
    const start = this.#position;
    if (start + bytes > this.#bytes.length) throw new Malformed();
    this.#position += bytes;
    return start;
  }
}
