import { ADDRESS_BYTES, type Address, addressBytes, addressFromBytes, type Family, familyOf } from './address.js';

/** A subnet as an interface address with its prefix length describes it. Made by {@link subnetOf}. */
export interface Subnet {
  readonly family: Family;
  /** 0-32 for IPv4, 0-128 for IPv6. */
  readonly prefixLength: number;
  /** The lowest address: IPv4's network address, IPv6's Subnet-Router anycast address (RFC 4291 2.6.1). */
  readonly network: Address;
  /** The directed broadcast address; null for IPv6, and for /31 and /32, which have none (RFC 3021 2.1). */
  readonly broadcast: Address | null;
  /** `network` as in addressBytes. */
  readonly networkBytes: Uint8Array;
}

/** The subnet that `address` with `prefixLength` lies in. Throws RangeError for a length that the family does not have. */
export function subnetOf(address: Address, prefixLength: number): Subnet {
  const family = familyOf(address);
  const width = family === 'ipv4' ? 32 : 128;
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > width)
    throw new RangeError(`a prefix length of ${address} is 0 to ${width}, not ${prefixLength}`);
  const lowest = addressBytes(address);
  const highest = addressBytes(address);
  const fixedBits = 128 - width + prefixLength;
  for (let index = 0; index < ADDRESS_BYTES; index += 1) {
    const mask = byteMask(fixedBits, index);
    lowest[index]! &= mask;
    highest[index]! |= ~mask;
  }
  return {
    family,
    prefixLength,
    network: addressFromBytes(lowest),
    broadcast: family === 'ipv4' && prefixLength <= 30 ? addressFromBytes(highest) : null,
    networkBytes: lowest,
  };
}

/** The bits of byte `index` that belong to a prefix of `fixedBits`. */
function byteMask(fixedBits: number, index: number): number {
  const bits = Math.min(8, Math.max(0, fixedBits - index * 8));
  return (0xff << (8 - bits)) & 0xff;
}

/** True if the address lies in the subnet. Give `bytes`, the addressBytes of it, where many subnets are asked. */
export function subnetContains(subnet: Subnet, address: Address, bytes = addressBytes(address)): boolean {
  if (familyOf(address) !== subnet.family) return false;
  const fixedBits = subnet.prefixLength + (subnet.family === 'ipv4' ? 96 : 0);
  for (let index = 0; index * 8 < fixedBits; index += 1)
    if ((bytes[index]! & byteMask(fixedBits, index)) !== subnet.networkBytes[index]) return false;
  return true;
}

/** What the address is in the subnet if it cannot be a host's there: "broadcast", "network" or "anycast"; else null. */
export function reservedRole(subnet: Subnet, address: Address): 'broadcast' | 'network' | 'anycast' | null {
  if (address === subnet.broadcast) return 'broadcast';
  if (address !== subnet.network) return null;
  if (subnet.family === 'ipv4') return subnet.prefixLength <= 30 ? 'network' : null;
  // On a /127 both addresses are hosts' (RFC 6164 6).
  return subnet.prefixLength <= 126 ? 'anycast' : null;
}

/** "192.0.2.0/24". */
export function formatSubnet(subnet: Subnet): string {
  return `${subnet.network}/${subnet.prefixLength}`;
}
