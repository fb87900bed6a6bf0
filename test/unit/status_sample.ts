import type { AddressStatus, Status } from '../../src/status/schema.js';

const NOW = '2026-11-20T10:00:00.000Z';

/** An address as it is when all is well; overridden where a test needs something else. */
export function sampleAddress(overrides: Partial<AddressStatus> = {}): AddressStatus {
  return {
    address: '192.0.2.10',
    owner: 'host-a',
    answering: true,
    term: 0,
    since: '2026-11-20T09:56:48.000Z',
    reason: 'first claim',
    services: ['web'],
    interfaces: [{ name: 'eth0', state: 'owned', since: NOW, reason: null, rivalMac: null, retryAt: null }],
    counters: { requests: 3, replies: 3, announcements: 5 },
    ...overrides,
  };
}

/** A speaker with one address and one interface. */
export function sampleStatus(overrides: Partial<Status> = {}): Status {
  return {
    node: 'host-a',
    version: '0.1.0',
    state: 'ready',
    time: NOW,
    process: { pid: 42, uptimeMs: 192_500, rssBytes: 58_400_000 },
    responder: { filter: 'ebpf', priority: 'nice -15', tableAgeMs: 400 },
    interfaces: [
      { name: 'eth0', index: 2, mac: '02:00:00:00:00:01', up: true, carrier: true, state: 'open', reason: null },
    ],
    peers: [],
    addresses: [sampleAddress()],
    counters: {
      requests: 12,
      replies: 10,
      announcements: 5,
      probes: 3,
      sendErrors: 0,
      ringDrops: 0,
      drops: { 'not-answering': 2 },
    },
    warnings: [],
    ...overrides,
  };
}
