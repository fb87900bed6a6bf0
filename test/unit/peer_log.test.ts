import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeartbeatTrouble } from '../../src/cli/heartbeat_trouble.js';
import { newIncarnation } from '../../src/cli/incarnation.js';
import { PeerLog } from '../../src/cli/peer_log.js';
import { SharedSegments } from '../../src/cli/shared_segments.js';
import { logOf, peer } from './shell_sample.js';

test('a peer that comes and goes is a line each, and no more', () => {
  const { log, lines } = logOf();
  const peers = new PeerLog(log);
  peers.report(peer({ link: 'one-way', state: 'joining' }), 0);
  peers.report(peer(), 50);
  peers.report(peer({ claimsVersion: 9 }), 60);
  peers.report(peer({ link: 'down' }), 1_000);
  peers.report(peer({ link: 'down', hears: 0 }), 1_001);
  peers.report(peer(), 2_000);
  peers.report(peer({ link: 'down', state: 'leaving' }), 3_000);
  assert.deepEqual(lines, [
    'info: host-b is heard on eth0',
    'warn: host-b is down on eth0',
    'info: host-b is heard on eth0',
    'info: host-b has left eth0',
  ]);
});

test('a restart is heard once, in whatever order its ends are told', () => {
  const { log, lines } = logOf();
  const peers = new PeerLog(log);
  peers.report(peer(), 0);
  peers.report(peer({ incarnation: '00000000000000b2' }), 10);
  peers.report(peer({ link: 'down' }), 20);
  assert.deepEqual(lines, ['info: host-b is heard on eth0', 'info: host-b is heard on eth0, started anew']);
});

test('a peer that does not hear this node is told at once if it did before, else after two seconds, once', () => {
  const { log, lines } = logOf();
  const peers = new PeerLog(log);
  peers.report(peer(), 0);
  peers.report(peer({ link: 'one-way' }), 10);
  peers.tick(5_000);
  assert.deepEqual(lines.splice(0), [
    'info: host-b is heard on eth0',
    'warn: host-b does not hear this node on eth0 any more',
  ]);
  peers.report(peer({ node: 'host-c', link: 'one-way' }), 5_000);
  peers.tick(6_999);
  assert.deepEqual(lines, []);
  peers.tick(7_000);
  peers.tick(8_000);
  assert.deepEqual(lines, [
    'warn: host-c is heard on eth0, but does not hear this node; look at its log and at the switch',
  ]);
});

test('refused heartbeats: who, where, why and what to do; in the status for as long as it lasts', () => {
  const { log, lines } = logOf();
  const trouble = new HeartbeatTrouble(log, false);
  const event = { type: 'heartbeat-refused', interfaceName: 'eth0', mac: '02:00:00:00:00:0b', count: 3 } as const;
  trouble.refused({ ...event, refusal: 'heartbeat-unauthenticated' }, 0);
  trouble.signs = true;
  trouble.refused({ ...event, refusal: 'heartbeat-unauthenticated' }, 60_000);
  trouble.refused({ ...event, mac: '', refusal: 'heartbeat-cluster' }, 120_000);
  assert.deepEqual(lines, [
    'warn: heartbeats of 02:00:00:00:00:0b on eth0 are refused: they are signed, and this node has no key; give it the key file (heartbeat.key.file)',
    'warn: heartbeats of 02:00:00:00:00:0b on eth0 are refused: they are not signed; give that node the key file (heartbeat.key.file)',
    'warn: heartbeats of several hosts on eth0 are refused: they are of another cluster; if it is the same, give all nodes the same cluster name',
  ]);
  assert.equal(trouble.warnings(200_000).length, 2);
  assert.deepEqual(trouble.warnings(270_001), []);
});

test('a name that another host uses too is an error', () => {
  const { log, lines } = logOf();
  const trouble = new HeartbeatTrouble(log, false);
  const event = { type: 'name-in-use', interfaceName: 'eth0', mac: '02:00:00:00:00:0b', node: 'host-a' } as const;
  trouble.nameInUse(event, 0);
  const text = '02:00:00:00:00:0b on eth0 says that it is host-a too; give each node a name of its own (node)';
  assert.deepEqual([lines, trouble.warnings(0)], [[`error: ${text}`], [text]]);
});

test('of interfaces on one segment the first open one is used', () => {
  const { log, lines } = logOf();
  const shared = new SharedSegments(log);
  shared.add('eth2', 'eth1');
  shared.add('eth1', 'eth2');
  assert.equal(lines.length, 1);
  assert.deepEqual([...shared.usable(['eth0', 'eth1', 'eth2'])], ['eth0', 'eth1']);
  assert.deepEqual([...shared.usable(['eth2'])], ['eth2']);
  assert.deepEqual(shared.warnings(['eth1', 'eth2']), [
    'eth2 is on the same segment as eth1, so it is not used; name only one of them under interfaces',
  ]);
  assert.deepEqual(shared.warnings(['eth2']), []);
});

test('of three interfaces of which only neighbours hear each other, none is used beside one that it hears', () => {
  const shared = new SharedSegments(logOf().log);
  shared.add('eth0', 'eth1');
  shared.add('eth1', 'eth2');
  assert.deepEqual([...shared.usable(['eth0', 'eth1', 'eth2'])], ['eth0', 'eth2']);
});

test('an incarnation is 16 digits, grows with the clock and differs within a millisecond', () => {
  assert.equal(newIncarnation(Date.UTC(2026, 0, 1), 1), '19b76daa80000001');
  assert.ok(newIncarnation(1_000, 2 ** 20 - 1) < newIncarnation(1_001, 1));
  assert.notEqual(newIncarnation(1_000, 1), newIncarnation(1_000, 2));
  assert.match(newIncarnation(), /^[0-9a-f]{16}$/);
});
