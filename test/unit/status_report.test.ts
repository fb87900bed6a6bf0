import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PortState, type ReportInput, statusReport } from '../../src/cli/status_report.js';
import type { LinkInfo } from '../../src/responder/types.js';
import { statusSchema } from '../../src/status/schema.js';
import { IPV4, IPV6, RIVAL } from './claim_sample.js';
import { Driver, desired, service, usable } from './speaker_driver.js';

const EPOCH_MS = Date.UTC(2026, 0, 1);
const iso = (ms: number) => new Date(EPOCH_MS + ms).toISOString();
const OPEN: PortState = { state: 'open', reason: null };

function link(name: string, overrides: Partial<LinkInfo> = {}): LinkInfo {
  return {
    name,
    index: 2,
    mac: '02:00:00:00:00:01',
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

function input(driver: Driver, overrides: Partial<ReportInput> = {}): ReportInput {
  return {
    config: {
      node: 'host-a',
      cluster: 'arpeggio',
      interfaces: null,
      serve: 'none',
      heartbeat: { intervalMs: 50, multiplier: 3, keyFile: null, keys: [] },
      status: { socket: '/run/x.sock', listen: null },
      desired: { services: [], probing: 'fast' },
    },
    state: 'ready',
    nowMs: driver.nowMs,
    iso,
    links: ['eth0', 'eth1'].map((name) => link(name)),
    ports: new Map([
      ['eth0', OPEN],
      ['eth1', OPEN],
    ]),
    speaker: driver.speaker,
    responder: { filter: 'classic', priority: 'nice -15' },
    tableAgeMs: 123.6,
    addressCounters: new Map(),
    interfaceCounters: new Map(),
    warnings: [],
    ...overrides,
  };
}

/** A driver that claims both addresses on these interfaces, and what the report says. */
function report(untilMs: number, interfaces: string[], overrides: Partial<ReportInput> = {}, rivalOn?: string) {
  const driver = new Driver();
  driver.step(usable(...interfaces));
  driver.stepServed(desired([service('web', [IPV4]), service('db', [IPV4, IPV6])], interfaces));
  driver.runUntil(untilMs);
  if (rivalOn) driver.stepServed({ type: 'rival', kind: 'arp', address: IPV4, interfaceName: rivalOn, mac: RIVAL });
  const status = statusReport(input(driver, overrides));
  assert.deepEqual(statusSchema.parse(status), status, 'it is what the schema says');
  const [ipv4, ipv6] = status.addresses;
  assert.ok(ipv4 && ipv6);
  return { status, ipv4, ipv6 };
}

test('an owned address: owner, since, reason, services, interfaces, counters', () => {
  const counters = { requests: 7, replies: 6, announcements: 5 };
  const { ipv4, ipv6 } = report(8_000, ['eth0'], { addressCounters: new Map([[IPV4, counters]]) });
  assert.deepEqual(ipv4, {
    address: IPV4,
    owner: 'host-a',
    answering: true,
    term: 0,
    since: iso(7_000),
    reason: 'first claim',
    services: ['web', 'db'],
    interfaces: [
      { name: 'eth0', state: 'owned', since: iso(7_000), reason: 'first claim', rivalMac: null, retryAt: null },
    ],
    counters,
  });
  assert.deepEqual(ipv6.services, ['db']);
  assert.deepEqual(ipv6.counters, { requests: 0, replies: 0, announcements: 0 });
});

test('while probing nobody is known to own it', () => {
  const { ipv4 } = report(50, ['eth0']);
  assert.deepEqual([ipv4.owner, ipv4.answering, ipv4.interfaces[0]?.state], [null, false, 'probing']);
  assert.equal(ipv4.reason, 'asking whether somebody uses it');
});

test('a conflict shows the rival and when it is tried again', () => {
  const { ipv4 } = report(50, ['eth0'], {}, 'eth0');
  assert.deepEqual([ipv4.owner, ipv4.answering, ipv4.reason], [null, false, `${RIVAL} uses it`]);
  assert.deepEqual(ipv4.interfaces[0], {
    name: 'eth0',
    state: 'conflict',
    since: iso(50),
    reason: `${RIVAL} uses it`,
    rivalMac: RIVAL,
    retryAt: iso(5_050),
  });
});

test('answered on one interface is answered; the other shows why it is not', () => {
  const { ipv4 } = report(200, ['eth0', 'eth1'], {}, 'eth0');
  assert.deepEqual([ipv4.owner, ipv4.answering, ipv4.reason], ['host-a', true, 'first claim']);
  assert.deepEqual(
    ipv4.interfaces.map(({ name, state }) => [name, state]),
    [
      ['eth0', 'conflict'],
      ['eth1', 'newcomer'],
    ],
  );
});

test('nothing is answered on an interface that is not open', () => {
  const ports = new Map<string, PortState>([['eth0', { state: 'waiting', reason: 'no carrier' }]]);
  const { ipv4, status } = report(8_000, ['eth0'], { ports });
  assert.deepEqual([ipv4.owner, ipv4.answering, ipv4.reason], [null, false, 'eth0 is not usable']);
  assert.deepEqual([status.interfaces[0]?.state, status.interfaces[0]?.reason], ['waiting', 'no carrier']);
});

test('interfaces: open, not opened yet, failed, unusable, and gone', () => {
  const interfaces = ['eth0', 'eth1', 'eth2', 'eth3', 'eth4'];
  const { status } = report(0, interfaces, {
    links: [
      link('eth0'),
      link('eth1'),
      link('eth2'),
      link('eth3', { carrier: false, mac: '', unusableReason: 'has no carrier' }),
    ],
    ports: new Map<string, PortState>([
      ['eth0', OPEN],
      ['eth2', { state: 'failed', reason: 'no memory' }],
      ['eth3', OPEN],
    ]),
  });
  const rest = { index: 2, mac: '02:00:00:00:00:01', up: true, carrier: true };
  assert.deepEqual(status.interfaces, [
    { name: 'eth0', ...rest, state: 'open', reason: null },
    { name: 'eth1', ...rest, state: 'waiting', reason: null },
    { name: 'eth2', ...rest, state: 'failed', reason: 'no memory' },
    { name: 'eth3', ...rest, mac: null, carrier: false, state: 'waiting', reason: 'has no carrier' },
    {
      name: 'eth4',
      index: null,
      mac: null,
      up: false,
      carrier: false,
      state: 'waiting',
      reason: 'there is no such interface now',
    },
  ]);
});

test('an address that may be announced nowhere says so', () => {
  const driver = new Driver();
  driver.stepServed(desired([service('web', [IPV4], ['eth9'])]));
  const [address] = statusReport(input(driver)).addresses;
  assert.equal(address?.reason, 'no interface is selected for it');
  assert.deepEqual([address?.answering, address?.interfaces], [false, []]);
});

test('counters are the sums over interfaces; drop reasons that never occurred are left out', () => {
  const { status } = report(0, ['eth0'], {
    interfaceCounters: new Map([
      [
        'eth0',
        {
          counters: {
            'arp-requests': 1,
            solicitations: 10,
            'arp-replies': 2,
            advertisements: 20,
            announcements: 3,
            probes: 4,
            'send-errors': 5,
            'ring-drops': 6,
          },
          drops: { rival: 1, truncated: 0, 'own-frame': 2 },
        },
      ],
      ['eth1', { counters: { 'arp-requests': 100 }, drops: { rival: 10 } }],
    ]),
  });
  assert.deepEqual(status.counters, {
    requests: 111,
    replies: 22,
    announcements: 3,
    probes: 4,
    sendErrors: 5,
    ringDrops: 6,
    drops: { rival: 11, 'own-frame': 2 },
  });
});

test('node, state, times, responder and warnings are passed on', () => {
  const { status } = report(8_000, ['eth0'], { warnings: ['mind this'], state: 'leaving' });
  assert.deepEqual([status.node, status.state, status.time], ['host-a', 'leaving', iso(8_000)]);
  assert.deepEqual(status.responder, { filter: 'classic', priority: 'nice -15', tableAgeMs: 124 });
  assert.deepEqual([status.warnings, status.peers], [['mind this'], []]);
  assert.equal(status.process.pid, process.pid);
});
