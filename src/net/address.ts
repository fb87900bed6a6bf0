import ipaddr from 'ipaddr.js';

/**
 * An IP address in canonical text: dotted decimal, or RFC 5952 for IPv6. Two addresses are equal when their texts are.
 * Made only by {@link parseAddress} and {@link addressFromBytes}.
 */
export type Address = string & { readonly __brand: 'Address' };

export type Family = 'ipv4' | 'ipv6';

const FOUR_PART_DECIMAL = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/;

/** Thrown by {@link parseAddress}; the message says what is wrong with the text. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/**
 * Parses an address strictly. IPv4 must be four decimal numbers without leading zeros: "010.0.0.1" means 8.0.0.1 to
 * some programs and 10.0.0.1 to others, so it is refused. IPv6 takes no zone and no embedded IPv4-mapped form.
 */
export function parseAddress(text: string): Address {
  if (text.includes(':')) {
    if (text.includes('%'))
      throw new AddressError(`"${text}" has a zone; give the address alone and name the interface under interfaces`);
    if (!ipaddr.IPv6.isValid(text)) throw new AddressError(`"${text}" is not an IPv6 address`);
    const parsed = ipaddr.IPv6.parse(text);
    if (parsed.isIPv4MappedAddress())
      throw new AddressError(`"${text}" is an IPv4-mapped address; write it as ${parsed.toIPv4Address()}`);
    return parsed.toRFC5952String() as Address;
  }
  if (/^[\d.]+$/.test(text) && /(^|\.)0\d/.test(text)) {
    throw new AddressError(
      `"${text}" has a number with a leading zero, which some programs read as octal; write it in plain decimal`,
    );
  }
  if (!FOUR_PART_DECIMAL.test(text) || !ipaddr.IPv4.isValid(text))
    throw new AddressError(`"${text}" is not an IP address`);
  return text as Address;
}

export function familyOf(address: Address): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** Length in bytes of {@link addressBytes}: IPv4 addresses are stored IPv4-mapped (RFC 4291 2.5.5.2). */
export const ADDRESS_BYTES = 16;

/** Writes the address as 16 bytes at `offset`, IPv4 as ::ffff:a.b.c.d. */
export function writeAddress(address: Address, target: Uint8Array, offset: number): void {
  if (familyOf(address) === 'ipv4') {
    target.fill(0, offset, offset + 10);
    target[offset + 10] = 0xff;
    target[offset + 11] = 0xff;
    let value = 0;
    let position = offset + 12;
    for (let index = 0; index < address.length; index += 1) {
      const digit = address.charCodeAt(index) - 48;
      if (digit >= 0) value = value * 10 + digit;
      else {
        target[position] = value;
        position += 1;
        value = 0;
      }
    }
    target[position] = value;
    return;
  }
  target.set(ipaddr.IPv6.parse(address).toByteArray(), offset);
}

/** The address as 16 bytes, IPv4 as ::ffff:a.b.c.d. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  writeAddress(address, bytes, 0);
  return bytes;
}

/** The reverse of {@link addressBytes}. */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length !== ADDRESS_BYTES)
    throw new AddressError(`an address has ${ADDRESS_BYTES} bytes, not ${bytes.length}`);
  const parsed = new ipaddr.IPv6([...bytes]);
  return (parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toRFC5952String()) as Address;
}
