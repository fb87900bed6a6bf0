import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ClaimView,
  type Owner,
  type PortState,
  type ReportInput,
  statusReport,
} from '../../src/cli/status_report.js';
import type { Address } from '../../src/net/address.js';
import { statusSchema } from '../../src/status/schema.js';
import { IPV4, IPV6, RIVAL } from './claim_sample.js';
import { sampleLink } from './link_sample.js';
import { peer } from './shell_sample.js';

const EPOCH_MS = Date.UTC(2026, 0, 1);
const iso = (ms: number) => new Date(EPOCH_MS + ms).toISOString();
const OPEN: PortState = { state: 'open', reason: null };

function claim(overrides: Partial<ClaimView> = {}): ClaimView {
  const state = overrides.state ?? 'owned';
  return {
    interfaceName: 'eth0',
    state,
    answered: state === 'owned' || state === 'newcomer',
    sinceMs: 7_000,
    reason: 'first claim',
    rivalMac: null,
    retryMs: null,
    ...overrides,
  };
}

const OWNER: Owner = { node: 'host-a', term: 2, firm: true, sinceMs: 120 };

interface Speaking {
  claims?: ReadonlyMap<Address, readonly ClaimView[]>;
  interfaces?: readonly string[];
  owners?: Readonly<Record<string, Owner>>;
}

/** What the report says of a speaker with these claims; `owners` by interface, of every address. */
function report(
  { claims = new Map([[IPV4, [claim()]]]), interfaces = ['eth0', 'eth1'], owners = { eth0: OWNER } }: Speaking = {},
  overrides: Partial<ReportInput> = {},
) {
  const of = (address: Address, services: string[]) => ({
    address,
    services,
    interfaces: null,
    nodes: null,
    scopes: null,
    prefer: new Map(),
  });
  const status = statusReport({
    node: 'host-a',
    state: 'ready',
    nowMs: 8_000,
    iso,
    links: ['eth0', 'eth1'].map((name) => sampleLink(name)),
    ports: new Map([
      ['eth0', OPEN],
      ['eth1', OPEN],
    ]),
    speaker: {
      desired: new Map([
        [IPV4, of(IPV4, ['web', 'db'])],
        [IPV6, of(IPV6, ['db'])],
      ]),
      claims,
      interfaces,
      ownerOf: (_, name) => owners[name] ?? null,
      peers: () => [],
    },
    heardMs: () => null,
    moves: [],
    responder: { filter: 'classic', priority: 'nice -15' },
    tableAgeMs: 123.6,
    addressCounters: new Map(),
    interfaceCounters: new Map(),
    warnings: [],
    ...overrides,
  });
  assert.deepEqual(statusSchema.parse(status), status, 'it is what the schema says');
  return { status, ipv4: status.addresses[0]! };
}

test('an owned address: owner, since, reason, services, interfaces, counters', () => {
  const counters = { requests: 7, replies: 6, announcements: 5 };
  const { ipv4, status } = report(
    {
      claims: new Map([
        [IPV4, [claim()]],
        [IPV6, [claim()]],
      ]),
    },
    { addressCounters: new Map([[IPV4, counters]]) },
  );
  assert.deepEqual(ipv4, {
    address: IPV4,
    owner: 'host-a',
    answering: true,
    term: 2,
    since: iso(7_000),
    reason: 'first claim',
    services: ['web', 'db'],
    interfaces: [
      {
        name: 'eth0',
        state: 'owned',
        owner: 'host-a',
        term: 2,
        firm: true,
        ownedSince: iso(120),
        since: iso(7_000),
        reason: 'first claim',
        rivalMac: null,
        retryAt: null,
      },
    ],
    counters,
  });
  assert.deepEqual(status.addresses[1]?.services, ['db']);
  assert.deepEqual(status.addresses[1]?.counters, { requests: 0, replies: 0, announcements: 0 });
});

test('while probing nobody is known to own it', () => {
  const reason = 'asking whether somebody uses it';
  const { ipv4 } = report({ claims: new Map([[IPV4, [claim({ state: 'probing', reason })]]]), owners: {} });
  assert.deepEqual([ipv4.owner, ipv4.answering, ipv4.interfaces[0]?.state], [null, false, 'probing']);
  assert.deepEqual([ipv4.reason, ipv4.term, ipv4.interfaces[0]?.ownedSince], [reason, 0, null]);
});

test('an address of another node: its owner, its term, and since when', () => {
  const owner = { node: 'host-b', term: 5, firm: false, sinceMs: 7_500 };
  const standby = claim({ state: 'standby', reason: 'host-c owns it', sinceMs: 600 });
  const { ipv4 } = report({ claims: new Map([[IPV4, [standby]]]), owners: { eth0: owner } });
  assert.deepEqual(
    [ipv4.owner, ipv4.answering, ipv4.term, ipv4.since, ipv4.reason],
    ['host-b', false, 5, iso(7_500), 'host-b owns it'],
  );
  const { owner: there, term, firm, ownedSince } = ipv4.interfaces[0]!;
  assert.deepEqual([there, term, firm, ownedSince], ['host-b', 5, false, iso(7_500)]);
});

test('a conflict shows the rival and when it is tried again', () => {
  const conflict = claim({
    state: 'conflict',
    sinceMs: 50,
    reason: `${RIVAL} uses it`,
    rivalMac: RIVAL,
    retryMs: 5_050,
  });
  const { ipv4 } = report({ claims: new Map([[IPV4, [conflict]]]), owners: {} });
  assert.deepEqual([ipv4.owner, ipv4.answering, ipv4.reason], [null, false, `${RIVAL} uses it`]);
  const { state, since, rivalMac, retryAt } = ipv4.interfaces[0]!;
  assert.deepEqual([state, since, rivalMac, retryAt], ['conflict', iso(50), RIVAL, iso(5_050)]);
});

test('answered on one interface is answered; the other shows why it is not', () => {
  const claims = [claim({ state: 'conflict', reason: 'x' }), claim({ interfaceName: 'eth1', state: 'newcomer' })];
  const { ipv4 } = report({ claims: new Map([[IPV4, claims]]), owners: { eth1: OWNER } });
  assert.deepEqual([ipv4.owner, ipv4.answering, ipv4.reason], ['host-a', true, 'first claim']);
  assert.deepEqual(
    ipv4.interfaces.map(({ name, state, owner }) => [name, state, owner]),
    [
      ['eth0', 'conflict', null],
      ['eth1', 'newcomer', 'host-a'],
    ],
  );
});

test('nothing is answered on an interface that is not open', () => {
  const ports = new Map<string, PortState>([['eth0', { state: 'waiting', reason: 'no carrier' }]]);
  const { ipv4, status } = report({ owners: {} }, { ports });
  assert.deepEqual([ipv4.owner, ipv4.answering, ipv4.reason], [null, false, 'eth0 is not usable']);
  assert.deepEqual([status.interfaces[0]?.state, status.interfaces[0]?.reason], ['waiting', 'no carrier']);
});

test('peers on each interface: what they say, whether they hear us, when they were heard', () => {
  const down = peer({ node: 'host-c', link: 'down', state: 'draining' });
  const speaker: ReportInput['speaker'] = {
    desired: new Map(),
    claims: new Map(),
    interfaces: ['eth0', 'eth1'],
    ownerOf: () => null,
    peers: (name) => (name === 'eth0' ? [peer(), down] : [peer({ interfaceName: 'eth1', link: 'one-way' })]),
  };
  const { status } = report({}, { speaker, heardMs: ({ node }) => (node === 'host-c' ? 7_000.4 : null) });
  assert.deepEqual(
    status.peers.map(({ node, interface: name, state, link, lastHeardMs }) => [node, name, state, link, lastHeardMs]),
    [
      ['host-b', 'eth0', 'ready', 'two-way', null],
      ['host-c', 'eth0', 'down', 'down', 1_000],
      ['host-b', 'eth1', 'ready', 'one-way', null],
    ],
  );
});

test('interfaces: open, not opened yet, failed, unusable, and gone', () => {
  const interfaces = ['eth0', 'eth1', 'eth2', 'eth3', 'eth4'];
  const { status } = report(
    { interfaces, claims: new Map() },
    {
      links: [
        sampleLink('eth0'),
        sampleLink('eth1'),
        sampleLink('eth2'),
        sampleLink('eth3', { carrier: false, mac: '', unusableReason: 'has no carrier' }),
      ],
      ports: new Map<string, PortState>([
        ['eth0', OPEN],
        ['eth2', { state: 'failed', reason: 'no memory' }],
        ['eth3', OPEN],
      ]),
    },
  );
  const rest = { index: 2, mac: '02:00:5e:10:00:01', up: true, carrier: true };
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
  const { ipv4 } = report({ claims: new Map([[IPV4, []]]) });
  assert.equal(ipv4.reason, 'no interface is selected for it');
  assert.deepEqual([ipv4.answering, ipv4.interfaces], [false, []]);
});

test('counters are the sums over interfaces; drop reasons that never occurred are left out', () => {
  const { status } = report(
    {},
    {
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
              'heartbeats-sent': 7,
              'heartbeats-received': 8,
            },
            drops: { rival: 1, truncated: 0, 'own-frame': 2, 'heartbeat-forged': 3, 'heartbeat-cluster': 4 },
          },
        ],
        ['eth1', { counters: { 'arp-requests': 100 }, drops: { rival: 10 } }],
      ]),
    },
  );
  assert.deepEqual(status.counters, {
    requests: 111,
    replies: 22,
    announcements: 3,
    probes: 4,
    sendErrors: 5,
    ringDrops: 6,
    heartbeatsSent: 7,
    heartbeatsHeard: 8,
    heartbeatsRefused: 7,
    drops: { rival: 11, 'own-frame': 2, 'heartbeat-forged': 3, 'heartbeat-cluster': 4 },
  });
});

test('node, state, times, responder and warnings are passed on', () => {
  const { status } = report({}, { warnings: ['mind this'], state: 'leaving' });
  assert.deepEqual([status.node, status.state, status.time], ['host-a', 'leaving', iso(8_000)]);
  assert.deepEqual(status.responder, { filter: 'classic', priority: 'nice -15', tableAgeMs: 124 });
  assert.deepEqual([status.warnings, status.peers], [['mind this'], []]);
  assert.equal(status.process.pid, process.pid);
});
