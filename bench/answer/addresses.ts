import { type Address, parseAddress } from '../../src/net/address.js';

export type Family = 'arp' | 'ndp';

/** The responder's own address, with its prefix: outside of all that is asked for. */
export const NODE_ADDRESS: Record<Family, string> = { arp: '10.77.250.2/16', ndp: 'fd77::f:ffff/64' };

/** Service IP number `index`, as in bench/generator/frames.h. */
export function serviceAddress(family: Family, index: number): Address {
  if (family === 'ndp') return parseAddress(`fd77::a:${index.toString(16)}`);
  const value = 0x0a4d0100 + index;
  return parseAddress([24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.'));
}

export function serviceAddresses(family: Family, count: number): Address[] {
  return Array.from({ length: count }, (_, index) => serviceAddress(family, index));
}
