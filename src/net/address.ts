import ipaddr from 'ipaddr.js';

/**
 * An IP address in canonical text: dotted decimal, or RFC 5952 for IPv6. Two addresses are equal when their texts are.
 * Made only by {@link parseAddress} and {@link addressFromBytes}.
 */
export type Address = string & { readonly __brand: 'Address' };

export type Family = 'ipv4' | 'ipv6';

/** Thrown by {@link parseAddress}; the message says what is wrong with the text. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/**
 * Parses an address strictly. IPv4 must be four decimal numbers without leading zeros: "010.0.0.1" means 8.0.0.1 to
 * some programs and 10.0.0.1 to others, so it is refused. IPv6 takes no zone and no IPv4-mapped form.
 */
export function parseAddress(text: string): Address {
  const slash = text.indexOf('/');
  if (slash > 0)
    throw new AddressError(
      `${JSON.stringify(text)} has a prefix length; give the address without the prefix length: ${text.slice(0, slash)}`,
    );
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Address {
  if (/^[\d.]+$/.test(text) && /(^|\.)0\d/.test(text))
    throw new AddressError(
      `${JSON.stringify(text)} has a number with a leading zero, which some programs read as octal; write it in plain decimal`,
    );
  if (!/^\d+(\.\d+){3}$/.test(text)) throw new AddressError(`${JSON.stringify(text)} is not an IP address`);
  if (text.split('.').some((part) => part.length > 3 || Number(part) > 255))
    throw new AddressError(`${JSON.stringify(text)} is not an IP address: a number is above 255`);
  return text as Address;
}

function parseIpv6(text: string): Address {
  if (text.includes('%'))
    throw new AddressError(
      `${JSON.stringify(text)} has a zone; give the address alone and name the interface under interfaces`,
    );
  let parsed: ipaddr.IPv6;
  try {
    parsed = ipaddr.IPv6.parse(text.includes('.') ? withoutDottedTail(text) : text);
  } catch (cause) {
    if (cause instanceof AddressError) throw cause;
    throw new AddressError(`${JSON.stringify(text)} is not an IPv6 address`, { cause });
  }
  if (parsed.isIPv4MappedAddress())
    throw new AddressError(`${JSON.stringify(text)} is an IPv4-mapped address; write it as ${parsed.toIPv4Address()}`);
  return parsed.toRFC5952String() as Address;
}

/**
 * Rewrites 64:ff9b::192.0.2.1 as 64:ff9b::c000:201 (RFC 4291 2.2, third form). ipaddr.js must not see the dotted part:
 * it reads octal there and takes ::192.0.2.1 for the IPv4-mapped ::ffff:192.0.2.1.
 */
function withoutDottedTail(text: string): string {
  const start = text.lastIndexOf(':') + 1;
  const [a, b, c, d] = parseIpv4(text.slice(start)).split('.').map(Number) as [number, number, number, number];
  return `${text.slice(0, start)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
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
