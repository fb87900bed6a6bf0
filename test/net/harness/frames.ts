// Builds the frames that tests send. What is expected back is written out in the tests, byte by byte.

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const ALL_NODES = 'ff02::1';
const ETHERTYPE_ARP = '0806';
const ETHERTYPE_IPV6 = '86dd';
const ICMPV6 = 58;

export const hexMac = (mac: string): string => mac.replaceAll(':', '').toLowerCase();

export function hexIpv4(address: string): string {
  return Buffer.from(address.split('.').map(Number)).toString('hex');
}

/** Takes any text form without embedded IPv4. */
export function hexIpv6(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => group.padStart(4, '0')));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = Array<string>(tail === undefined ? 0 : 8 - before.length - after.length).fill('0000');
  return [...before, ...zeros, ...after].join('');
}

const hex8 = (value: number) => value.toString(16).padStart(2, '0');
const hex16 = (value: number) => value.toString(16).padStart(4, '0');

/** RFC 4291 2.7.1. */
export function solicitedNodeGroup(address: string): string {
  const low = hexIpv6(address).slice(-6);
  return `ff02::1:ff${low.slice(0, 2)}:${low.slice(2)}`;
}

/** RFC 2464 7. */
export function multicastMac(group: string): string {
  return `33:33:${hexIpv6(group).slice(-8).match(/../g)?.join(':')}`;
}

export interface ArpFields {
  /** Ethernet destination; default broadcast. */
  readonly destination?: string;
  /** Ethernet source; default `sha`. */
  readonly source?: string;
  /** 1 request (default), 2 reply. */
  readonly op?: number;
  readonly sha: string;
  readonly spa: string;
  readonly tha?: string;
  readonly tpa: string;
  /** An 802.1Q tag in band: its tag control information. */
  readonly vlanTci?: number;
}

/** 42 bytes, or 46 with a tag: nothing is padded. */
export function arp(fields: ArpFields): string {
  const { destination = BROADCAST, sha, source = sha, op = 1, tha = '00:00:00:00:00:00' } = fields;
  const tag = fields.vlanTci === undefined ? '' : `8100${hex16(fields.vlanTci)}`;
  return [
    hexMac(destination),
    hexMac(source),
    tag,
    ETHERTYPE_ARP,
    `000108000604${hex16(op)}`,
    hexMac(sha),
    hexIpv4(fields.spa),
    hexMac(tha),
    hexIpv4(fields.tpa),
  ].join('');
}

function checksum(hex: string): number {
  let sum = 0;
  for (let at = 0; at < hex.length; at += 4) sum += Number.parseInt(hex.slice(at, at + 4).padEnd(4, '0'), 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** ICMPv6 checksum (RFC 4443 2.3) of a message whose own checksum field is zero. */
export function icmpv6Checksum(source: string, destination: string, message: string): string {
  const length = (message.length / 2).toString(16).padStart(8, '0');
  return hex16(checksum(`${hexIpv6(source)}${hexIpv6(destination)}${length}000000${hex8(ICMPV6)}${message}`));
}

export interface NeighborSolicitationFields {
  /** Ethernet source. */
  readonly mac: string;
  /** IPv6 source; "::" for duplicate address detection. */
  readonly source: string;
  readonly target: string;
  /** IPv6 destination; default the target's solicited-node group. */
  readonly destination?: string;
  /** Ethernet destination; default the one of the group. */
  readonly destinationMac?: string;
  /** Source link-layer address option; null: without. Default `mac`. */
  readonly sourceLinkLayerAddress?: string | null;
  readonly vlanTci?: number;
}

/** RFC 4861 4.3. */
export function neighborSolicitation(fields: NeighborSolicitationFields): string {
  const { mac, source, target, destination = solicitedNodeGroup(target), vlanTci } = fields;
  const option = fields.sourceLinkLayerAddress === undefined ? mac : fields.sourceLinkLayerAddress;
  const rest = `00000000${hexIpv6(target)}${option === null ? '' : `0101${hexMac(option)}`}`;
  const sum = icmpv6Checksum(source, destination, `87000000${rest}`);
  const message = `8700${sum}${rest}`;
  return [
    hexMac(fields.destinationMac ?? multicastMac(destination)),
    hexMac(mac),
    vlanTci === undefined ? '' : `8100${hex16(vlanTci)}`,
    ETHERTYPE_IPV6,
    `60000000${hex16(message.length / 2)}${hex8(ICMPV6)}ff`,
    hexIpv6(source),
    hexIpv6(destination),
    message,
  ].join('');
}
