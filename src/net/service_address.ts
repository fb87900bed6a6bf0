import { type Address, familyOf } from './address.js';

/**
 * Why no host may have this address as a service IP on an Ethernet segment, or null if it may. The answer ends a
 * sentence that begins with the address: "is a multicast address".
 */
export function unusableReason(address: Address): string | null {
  return familyOf(address) === 'ipv4' ? unusableIpv4(address) : unusableIpv6(address);
}

function unusableIpv4(address: Address): string | null {
  const first = Number.parseInt(address, 10);
  if (address === '0.0.0.0') return 'is the unspecified address';
  if (first === 0) return 'is in 0.0.0.0/8, which names no host (RFC 1122 3.2.1.3)';
  if (first === 127) return 'is a loopback address, which no other host can reach';
  if (address === '255.255.255.255') return 'is the limited broadcast address';
  if (first >= 240) return 'is in 240.0.0.0/4 (class E), which hosts refuse (RFC 1112 4)';
  if (first >= 224) return 'is a multicast address';
  return null;
}

function unusableIpv6(address: Address): string | null {
  if (address === '::') return 'is the unspecified address';
  if (address === '::1') return 'is a loopback address, which no other host can reach';
  // NaN, where the text begins with "::", is in no range.
  const first = Number.parseInt(address, 16);
  if (first >= 0xff00) return 'is a multicast address';
  if (first >= 0xfe80 && first <= 0xfebf)
    return 'is a link-local address: a client would need a zone to reach it (RFC 4007 6); use a global or unique local address';
  return null;
}

/** True for 127.0.0.0/8 and ::1. */
export function isLoopbackAddress(address: Address): boolean {
  return address === '::1' || (familyOf(address) === 'ipv4' && address.startsWith('127.'));
}
