import type { AddressInterfaceStatus, AddressStatus, MoveStatus, PeerStatus, Status } from '../../src/status/schema.js';

const NOW = '2026-11-20T10:00:00.000Z';

/** An address on eth0, owned by this node. */
export function sampleInterface(overrides: Partial<AddressInterfaceStatus> = {}): AddressInterfaceStatus {
  return {
    name: 'eth0',
    state: 'owned',
    owner: 'host-a',
    term: 1,
    firm: true,
    ownedSince: NOW,
    since: NOW,
    reason: null,
    rivalMac: null,
    retryAt: null,
    ...overrides,
  };
}

/** A peer that is well. */
export function samplePeer(overrides: Partial<PeerStatus> = {}): PeerStatus {
  return {
    node: 'host-b',
    interface: 'eth0',
    state: 'ready',
    link: 'two-way',
    mac: '02:00:00:00:00:0b',
    lastHeardMs: 31,
    intervalMs: 50,
    multiplier: 3,
    ...overrides,
  };
}

export function sampleMove(overrides: Partial<MoveStatus> = {}): MoveStatus {
  return {
    time: '2026-11-20T09:59:48.000Z',
    interface: 'eth0',
    count: 3,
    addresses: ['192.0.2.10', '192.0.2.11', '192.0.2.12'],
    from: 'host-c',
    to: 'host-a',
    reason: 'host-c is down',
    afterMs: 127.6,
    clients: { asked: 42, confirmed: 41 },
    ...overrides,
  };
}

/** An address as it is when all is well; overridden where a test needs something else. */
export function sampleAddress(overrides: Partial<AddressStatus> = {}): AddressStatus {
  return {
    address: '192.0.2.10',
    owner: 'host-a',
    answering: true,
    term: 1,
    since: '2026-11-20T09:56:48.000Z',
    reason: 'first claim',
    services: ['web'],
    interfaces: [sampleInterface()],
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
    moves: [],
    counters: {
      requests: 12,
      replies: 10,
      announcements: 5,
      probes: 3,
      sendErrors: 0,
      ringDrops: 0,
      heartbeatsSent: 0,
      heartbeatsHeard: 0,
      heartbeatsRefused: 0,
      drops: { 'not-answering': 2 },
    },
    warnings: [],
    ...overrides,
  };
}
