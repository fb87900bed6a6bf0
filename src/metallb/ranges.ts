// Ranges of addresses: what stands in spec.addresses of an IPAddressPool.
import { type Address, addressFromBytes, AddressError, type Family, familyOf, parseAddress } from '../net/address.js';
import { formatSubnet, subnetOf } from '../net/subnet.js';
import type { AddressRange } from './types.js';

/** Thrown by {@link parseRange}; the message says what to change. */
export class RangeSyntaxError extends Error {
  override readonly name = 'RangeSyntaxError';
  readonly reason: 'invalid-address' | 'range-reversed';

  constructor(reason: 'invalid-address' | 'range-reversed', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

const WIDTH: Record<Family, number> = { ipv4: 32, ipv6: 128 };
/** ::ffff:0:0/96 (RFC 4291 2.5.5.2): IPv4 addresses in another dress. */
const MAPPED_FIRST = 0xffffn << 32n;
const MAPPED_LAST = MAPPED_FIRST | 0xffffffffn;

/** An IPv4 address as a number of 32 bits, an IPv6 address as one of 128. */
export function addressToBigint(address: Address): bigint {
  if (familyOf(address) === 'ipv4') {
    const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number];
    return BigInt(((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
  }
  // The canonical form (RFC 5952) has no dotted part; "::" stands for as many groups as are missing.
  const [head = '', tail] = address.split('::');
  const before = hexOf(head);
  const after = tail === undefined ? '' : hexOf(tail);
  return BigInt(`0x${before}${'0'.repeat(32 - before.length - after.length)}${after}`);
}

/** "db8:1" as 0db80001. */
function hexOf(groups: string): string {
  if (groups === '') return '';
  return groups
    .split(':')
    .map((group) => group.padStart(4, '0'))
    .join('');
}

/** The reverse of {@link addressToBigint}. Throws RangeError for what is no address of the family. */
export function bigintToAddress(value: bigint, family: Family): Address {
  if (value < 0n || value >> BigInt(WIDTH[family]) !== 0n)
    throw new RangeError(`${value} is no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`);
  if (family === 'ipv4') {
    const number = Number(value);
    return [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255].join('.') as Address;
  }
  if (value >= MAPPED_FIRST && value <= MAPPED_LAST) throw new RangeError('an IPv4-mapped address is none of IPv6');
  const bytes = new Uint8Array(16);
  for (let index = 15, rest = value; index >= 0; index -= 1, rest >>= 8n) bytes[index] = Number(rest & 255n);
  return addressFromBytes(bytes);
}

/**
 * Parses "192.0.2.0/24" or "192.0.2.10-192.0.2.20", of either family; blanks around the "-" are allowed. Bits of a prefix beyond
 * its length are taken for zero. Throws RangeSyntaxError.
 */
export function parseRange(text: string): AddressRange {
  return text.includes('-') ? parseEnds(text) : parsePrefix(text);
}

function refuseMapped({ family, first, last, text }: Omit<AddressRange, 'cidrs'>): void {
  if (family === 'ipv6' && first <= MAPPED_LAST && last >= MAPPED_FIRST)
    throw invalid(`${quoted(text)} holds IPv4-mapped addresses (::ffff:0:0/96), which no service can have`);
}

function parseEnds(text: string): AddressRange {
  const ends = text.split('-');
  if (ends.length !== 2) throw invalid(`${quoted(text)} has more than one "-"; write FIRST-LAST`);
  const [first, last] = ends.map((end) => addressOf(end.trim(), text)) as [Address, Address];
  const family = familyOf(first);
  if (familyOf(last) !== family) throw invalid(`${quoted(text)} goes from one address family to the other`);
  const range = { family, first: addressToBigint(first), last: addressToBigint(last), text };
  if (range.first > range.last)
    throw new RangeSyntaxError('range-reversed', `${quoted(text)} ends before it begins; write ${last}-${first}`);
  // Before its prefixes are worked out: there are none of such addresses.
  refuseMapped(range);
  return { ...range, cidrs: prefixesOf(range) };
}

function parsePrefix(text: string): AddressRange {
  const slash = text.indexOf('/');
  if (text !== text.trim()) throw invalid(`${quoted(text)} has a blank before or after it; take it out`);
  const address = addressOf(slash < 0 ? text : text.slice(0, slash), text);
  const width = WIDTH[familyOf(address)];
  if (slash < 0) throw invalid(`${quoted(text)} is one address; write ${address}/${width}, or FIRST-LAST`);
  const lengthText = text.slice(slash + 1);
  const length = Number(lengthText);
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || length > width)
    throw invalid(`${quoted(text)} has no prefix length of 0 to ${width}`);
  const subnet = subnetOf(address, length);
  const first = addressToBigint(subnet.network);
  const last = first | ((1n << BigInt(width - length)) - 1n);
  refuseMapped({ family: subnet.family, first, last, text });
  return { family: subnet.family, first, last, text, cidrs: [formatSubnet(subnet)] };
}

function addressOf(text: string, whole: string): Address {
  try {
    return parseAddress(text);
  } catch (cause) {
    if (!(cause instanceof AddressError)) throw cause;
    throw invalid(`${text === whole ? '' : `${quoted(whole)}: `}${cause.message}`, cause);
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function invalid(message: string, cause?: unknown): RangeSyntaxError {
  return new RangeSyntaxError('invalid-address', message, cause);
}

/** The fewest prefixes that make up exactly the range, in order. */
function prefixesOf({ family, first, last }: Pick<AddressRange, 'family' | 'first' | 'last'>): string[] {
  const width = WIDTH[family];
  const prefixes: string[] = [];
  let start = first;
  while (start <= last) {
    // The largest block that begins here and ends within the range.
    let bits = 0;
    while (bits < width) {
      const size = 1n << BigInt(bits + 1);
      if (start % size !== 0n || start + size - 1n > last) break;
      bits += 1;
    }
    prefixes.push(`${bigintToAddress(start, family)}/${width - bits}`);
    start += 1n << BigInt(bits);
  }
  return prefixes;
}

export function rangeContains(range: AddressRange, address: Address): boolean {
  if (familyOf(address) !== range.family) return false;
  const value = addressToBigint(address);
  return range.first <= value && value <= range.last;
}

/** How many addresses belong to the range. */
export function rangeSize(range: AddressRange): bigint {
  return range.last - range.first + 1n;
}

/** A range and whose it is. */
export interface OwnedRange<T> {
  readonly range: AddressRange;
  readonly owner: T;
}

/**
 * Two ranges that share addresses, for each range that shares any with one before it; IPv4 first, then in order of the first address.
 * Takes n log n steps.
 */
export function overlaps<T>(ranges: readonly OwnedRange<T>[]): (readonly [OwnedRange<T>, OwnedRange<T>])[] {
  const found: (readonly [OwnedRange<T>, OwnedRange<T>])[] = [];
  let widest: OwnedRange<T> | null = null;
  for (const entry of [...ranges].sort(compareRanges)) {
    if (widest !== null && widest.range.family === entry.range.family && entry.range.first <= widest.range.last)
      found.push([widest, entry]);
    if (widest === null || widest.range.family !== entry.range.family || entry.range.last > widest.range.last)
      widest = entry;
  }
  return found;
}

function compareRanges<T>(a: OwnedRange<T>, b: OwnedRange<T>): number {
  if (a.range.family !== b.range.family) return a.range.family === 'ipv4' ? -1 : 1;
  return a.range.first < b.range.first ? -1 : a.range.first > b.range.first ? 1 : 0;
}

/** Finds the range that an address belongs to, of ranges that do not overlap. A look-up takes log n steps. */
export class RangeIndex<T> {
  readonly #ranges: readonly OwnedRange<T>[];

  constructor(ranges: readonly OwnedRange<T>[]) {
    this.#ranges = [...ranges].sort(compareRanges);
  }

  find(address: Address): OwnedRange<T> | null {
    const family = familyOf(address);
    const value = addressToBigint(address);
    const isBeyond = ({ range }: OwnedRange<T>) =>
      range.family === family ? range.first > value : range.family === 'ipv6';
    // The last range that does not begin beyond the address.
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBeyond(this.#ranges[middle]!)) high = middle;
      else low = middle + 1;
    }
    const candidate = this.#ranges[low - 1];
    const holds = candidate !== undefined && candidate.range.family === family && value <= candidate.range.last;
    return holds ? candidate : null;
  }
}
