import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { renderStatus } from '../../src/status/render.js';
import { statusSchema } from '../../src/status/schema.js';
import { durationText, tableText } from '../../src/status/table_text.js';
import { sampleAddress, sampleInterface, sampleMove, samplePeer, sampleStatus } from './status_sample.js';

const plain = { color: false };

test('one node, all well', () => {
  assert.equal(
    renderStatus(sampleStatus(), plain),
    `node host-a is ready: arpeggio 0.1.0, process 42, up 3m12s, 58 MB
answers for 1 of 1 service IPs: 12 requests, 10 replies, 5 announcements; ebpf filter, priority nice -15

INTERFACE  STATE  MAC                INDEX  REASON
eth0       open   02:00:00:00:00:01  2

ADDRESS     OWNER   ANSWERING  STATE  SINCE  REASON       SERVICES
192.0.2.10  host-a  yes        owned  3m12s  first claim  web
`,
  );
});

test('a conflict shows the foreign MAC and the next try; interfaces that differ are named; links say what is wrong', () => {
  const status = sampleStatus({
    interfaces: [
      { name: 'eth0', index: 2, mac: '02:00:00:00:00:01', up: true, carrier: false, state: 'waiting', reason: null },
      { name: 'eth1', index: 3, mac: '02:00:00:00:00:02', up: false, carrier: false, state: 'waiting', reason: null },
      { name: 'eth2', index: null, mac: null, up: false, carrier: false, state: 'waiting', reason: null },
      { name: 'eth3', index: 5, mac: '02:00:00:00:00:03', up: true, carrier: true, state: 'failed', reason: 'ENOMEM' },
    ],
    addresses: [
      sampleAddress({
        owner: null,
        answering: false,
        reason: 'in use by 02:00:00:00:00:99',
        interfaces: [
          sampleInterface({
            state: 'conflict',
            owner: null,
            rivalMac: '02:00:00:00:00:99',
            retryAt: '2026-11-20T10:00:12.000Z',
          }),
        ],
      }),
      sampleAddress({
        address: '2001:db8::10',
        services: ['web', 'dns'],
        interfaces: [sampleInterface(), sampleInterface({ name: 'eth1', state: 'probing' })],
      }),
      sampleAddress({ address: '192.0.2.11', owner: null, answering: false, reason: 'no interface', interfaces: [] }),
    ],
    warnings: ['the kernel answers for 192.0.2.10 on eth0 as well'],
  });
  assert.equal(
    renderStatus(status, plain),
    `node host-a is ready: arpeggio 0.1.0, process 42, up 3m12s, 58 MB
answers for 1 of 3 service IPs: 12 requests, 10 replies, 5 announcements; ebpf filter, priority nice -15

warning: the kernel answers for 192.0.2.10 on eth0 as well

INTERFACE  STATE    MAC                INDEX  REASON
eth0       waiting  02:00:00:00:00:01  2      no carrier
eth1       waiting  02:00:00:00:00:02  3      down
eth2       waiting  -                  -      no such interface
eth3       failed   02:00:00:00:00:03  5      ENOMEM

ADDRESS       OWNER   ANSWERING  STATE                                           SINCE  REASON                       SERVICES
192.0.2.10    -       no         conflict with 02:00:00:00:00:99 (retry in 12s)  3m12s  in use by 02:00:00:00:00:99  web
2001:db8::10  host-a  yes        eth0 owned, eth1 probing                        3m12s  first claim                  web, dns
192.0.2.11    -       no         waiting                                         3m12s  no interface                 web
`,
  );
});

test('three nodes: who owns what, the peers, and what moved last', () => {
  const standby = sampleInterface({ state: 'standby', owner: 'host-b' });
  const status = sampleStatus({
    addresses: [
      sampleAddress({ reason: 'host-c is down' }),
      sampleAddress({
        address: '192.0.2.11',
        owner: 'host-b',
        answering: false,
        reason: 'host-b owns it',
        interfaces: [standby],
      }),
      sampleAddress({
        address: '2001:db8::10',
        reason: 'first claim',
        interfaces: [sampleInterface(), { ...standby, name: 'eth1' }],
      }),
    ],
    peers: [
      samplePeer(),
      samplePeer({ node: 'host-c', state: 'down', link: 'down', lastHeardMs: 12_100 }),
      samplePeer({ node: 'host-d', state: 'down', link: 'down', lastHeardMs: null, intervalMs: 100 }),
    ],
    moves: [
      sampleMove(),
      sampleMove({ count: 1, from: 'host-a', to: 'host-b', reason: 'arpeggio move', afterMs: null, clients: null }),
    ],
    counters: { ...sampleStatus().counters, heartbeatsSent: 900, heartbeatsHeard: 1_700, heartbeatsRefused: 2 },
  });
  assert.equal(
    renderStatus(status, plain).split('\n\n').slice(2).join('\n\n'),
    `ADDRESS       OWNER                     ANSWERING  STATE                     SINCE  REASON          SERVICES
192.0.2.10    host-a                    yes        owned                     3m12s  host-c is down  web
192.0.2.11    host-b                    no         standby                   3m12s  host-b owns it  web
2001:db8::10  eth0 host-a, eth1 host-b  yes        eth0 owned, eth1 standby  3m12s  first claim     web

PEER    INTERFACE  STATE  LINK     LAST HEARD  INTERVAL
host-b  eth0       ready  two-way  31 ms ago   50 ms, down after 3
host-c  eth0       down   down     12s ago     50 ms, down after 3
host-d  eth0       down   down     -           100 ms, down after 3

MOVED    INTERFACE  ADDRESSES   FROM    TO      WITHIN  CLIENTS  REASON
12s ago  eth0       3           host-c  host-a  128 ms  41/42    host-c is down
12s ago  eth0       192.0.2.10  host-a  host-b  -       -        arpeggio move
`,
  );
  assert.match(renderStatus(status, plain), /^hears 1 of 3 other nodes: 900 heartbeats sent, 1700 heard, 2 refused$/m);
});

test('nothing configured', () => {
  const text = renderStatus(sampleStatus({ interfaces: [], addresses: [] }), plain);
  assert.match(text, /^INTERFACE +STATE.*\n\(none\)$/m);
  assert.match(text, /^ADDRESS +OWNER.*\n\(none\)$/m);
});

test('colours change no column', () => {
  const status = sampleStatus({
    addresses: [sampleAddress(), sampleAddress({ address: '2001:db8::10', answering: false })],
  });
  const colored = renderStatus(status, { color: true });
  assert.ok(colored.includes('\x1b[32mowned\x1b[39m'));
  assert.equal(stripVTControlCharacters(colored), renderStatus(status, plain));
});

test('the sample is what the schema describes, and the schema refuses other things', () => {
  assert.deepEqual(statusSchema.parse(sampleStatus()), sampleStatus());
  assert.equal(statusSchema.safeParse({ ...sampleStatus(), state: 'fine' }).success, false);
  assert.equal(
    statusSchema.safeParse({ ...sampleStatus(), addresses: [sampleAddress({ since: 'now' })] }).success,
    false,
  );
});

test('durations have two units', () => {
  const rows: [number, string][] = [
    [-5_000, '0s'],
    [999, '0s'],
    [1_000, '1s'],
    [59_999, '59s'],
    [60_000, '1m00s'],
    [192_000, '3m12s'],
    [3_600_000, '1h00m'],
    [18_180_000, '5h03m'],
    [1_051_200_000, '12d04h'],
  ];
  for (const [ms, text] of rows) assert.equal(durationText(ms), text);
});

test('a table pads all columns but the last, and leaves no blanks at the end', () => {
  assert.equal(
    tableText([
      [{ text: 'a' }, { text: 'b' }],
      [{ text: 'long' }, { text: '' }],
    ]),
    'a     b\nlong',
  );
});
