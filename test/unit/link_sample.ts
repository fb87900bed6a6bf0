import type { LinkInfo } from '../../src/responder/types.js';

/** An Ethernet interface as it should be, but for the overrides. */
export function sampleLink(name: string, overrides: Partial<LinkInfo> = {}): LinkInfo {
  return {
    name,
    index: 2,
    mac: '02:00:5e:10:00:01',
    up: true,
    carrier: true,
    loopback: false,
    noArp: false,
    ethernet: true,
    enslaved: false,
    unusableReason: '',
    addresses: [],
    ...overrides,
  };
}
