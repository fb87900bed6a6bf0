// When heartbeats are sent, and what they say: intervals, jitter, news at once, leaving, the expired table, messages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { macBytes } from '../../src/responder/addon.js';
import { incarnation, READY, SLOT, TestNode, TestSegment } from './heartbeat_segment.js';

const US = incarnation(0xa);
const hearsUs = { incarnation: US, sequence: 1, held: 0 };
const node = (options = {}) => new TestNode('host-a', 0xa, options).open(0);
const times = (sent: readonly { atMs: number }[]) => sent.map(({ atMs }) => Math.round(atMs * 1000) / 1000);

test('one heartbeat an interval, jittered by -10 to 0 %', () => {
  for (const [random, intervalMs] of [
    [0, 50],
    [0.5, 47.5],
    [0.999999, 45],
  ] as const) {
    const us = node({ random });
    us.run(10 * intervalMs - 0.01);
    assert.deepEqual(
      us.takeSent().map(({ atMs }) => Math.round(atMs)),
      Array.from({ length: 10 }, (_, index) => Math.round(index * intervalMs)),
    );
  }
});

test('sequences grow by one, from 1, over heartbeats and messages of all interfaces', () => {
  const us = node();
  us.heartbeater.open(1, macBytes('02:00:00:00:00:1a'), 0);
  us.tick(0);
  us.heartbeater.sendMessage(SLOT, new Uint8Array(5), 1);
  us.heartbeater.sendMessage(1, new Uint8Array(5), 1);
  us.run(60);
  assert.deepEqual(
    us.takeSent().map(({ sequence }) => sequence),
    [1, 2, 3, 4, 5, 6].slice(0, 6),
  );
});

test('an interface that gets another slot goes on with its sequence', () => {
  const us = node();
  us.run(500);
  us.heartbeater.forget(SLOT);
  us.collect(500);
  const last = us.takeSent().at(-1)!.sequence;
  us.heartbeater.open(7, macBytes(us.mac), 500);
  us.tick(500);
  assert.equal(us.takeSent()[0]?.sequence, last + 1);
});

test('news of state and claims go out at once, all else with the next heartbeat', () => {
  const us = node();
  us.run(10);
  us.takeSent();
  us.heartbeater.advertise(SLOT, READY, 10);
  assert.ok(us.heartbeater.nextDueMs() <= 10);
  us.tick(10);
  us.run(20);
  us.heartbeater.advertise(SLOT, { ...READY, claimsVersion: 1 }, 20);
  us.tick(20);
  us.run(30);
  us.heartbeater.advertise(SLOT, { ...READY, claimsVersion: 1, claimsDigest: 5, held: [[US, 1]] }, 30);
  us.run(49);
  assert.deepEqual(times(us.takeSent()), [10, 20]);
  // The schedule does not move.
  us.run(50);
  assert.deepEqual(times(us.takeSent()), [50]);
});

test('at most one heartbeat in 5 ms is sent beside the schedule, and the last news is among them', () => {
  const us = node();
  us.run(1);
  us.takeSent();
  for (let version = 1; version <= 30; version += 1) {
    us.heartbeater.advertise(SLOT, { ...READY, claimsVersion: version }, 1 + version / 2);
    us.tick(1 + version / 2);
  }
  us.run(40);
  const sent = us.takeSent();
  assert.deepEqual(times(sent), [1.5, 6.5, 11.5, 16.5]);
  assert.equal(sent.at(-1)?.claimsVersion, 30);
});

test('a new peer, a restarted one and one that is back are answered at once; frames that follow are not', () => {
  const us = node();
  us.run(10);
  us.takeSent();
  us.hear({ sequence: 1 }, 10);
  us.run(16);
  us.hear({ sequence: 2 }, 16);
  us.run(20);
  us.hear({ incarnation: incarnation(0xb2), sequence: 1 }, 20);
  us.run(30);
  const sent = us.takeSent();
  assert.deepEqual(times(sent), [10, 20]);
  assert.deepEqual(
    sent.map(({ heard }) => heard.map((peer) => peer.incarnation)),
    [[incarnation(0xb1)], [incarnation(0xb2)]],
  );
});

test('held versions are told by peer, 0 where none was given', () => {
  const us = node();
  us.hear({ node: 'host-b', incarnation: incarnation(0xb), sequence: 3 }, 1);
  us.hear({ node: 'host-c', incarnation: incarnation(0xc), sequence: 4 }, 1);
  us.heartbeater.advertise(SLOT, { ...READY, held: [[incarnation(0xc), 77]] }, 1);
  us.tick(1);
  assert.deepEqual(us.takeSent()[0]?.heard, [
    { incarnation: incarnation(0xb), sequence: 3, held: 0 },
    { incarnation: incarnation(0xc), sequence: 4, held: 77 },
  ]);
});

test('versions given before their peer is heard count from its first heartbeat', () => {
  const us = node();
  us.heartbeater.advertise(SLOT, { ...READY, held: [[incarnation(0xb1), 9]] }, 1);
  us.hear({ sequence: 3 }, 2);
  us.run(60);
  assert.equal(us.takeSent().at(-1)?.heard[0]?.held, 9);
});

test('leaving is said three times within 10 ms, then nothing more, until another state is advertised', () => {
  const us = node();
  us.heartbeater.advertise(SLOT, READY, 0);
  us.run(20);
  us.takeSent();
  us.heartbeater.advertise(SLOT, { ...READY, state: 'leaving' }, 20);
  us.heartbeater.advertise(SLOT, { ...READY, state: 'leaving', claimsVersion: 2 }, 21);
  us.run(1000);
  const sent = us.takeSent();
  assert.deepEqual(times(sent), [20, 25, 30]);
  assert.ok(sent.every(({ state }) => state === 'leaving'));
  assert.equal(us.heartbeater.sendMessage(SLOT, new Uint8Array(1), 1000), false);
  assert.equal(us.heartbeater.nextDueMs(), Number.POSITIVE_INFINITY);
  us.heartbeater.advertise(SLOT, READY, 1000);
  us.tick(1000);
  us.run(1050);
  assert.deepEqual(
    us.takeSent().map(({ atMs, state }) => [atMs, state]),
    [
      [1000, 'ready'],
      [1050, 'ready'],
    ],
  );
});

test('an expired table leaves once and is silent; renewed it is back at once', () => {
  const us = node();
  us.heartbeater.advertise(SLOT, READY, 0);
  us.run(20);
  us.takeSent();
  us.heartbeater.expire(20);
  us.heartbeater.expire(22);
  us.heartbeater.advertise(SLOT, { ...READY, claimsVersion: 3 }, 23);
  us.run(1000);
  const sent = us.takeSent();
  assert.deepEqual(times(sent), [20, 25, 30]);
  assert.ok(sent.every(({ state }) => state === 'leaving'));
  assert.equal(us.heartbeater.sendMessage(SLOT, new Uint8Array(1), 1000), false);
  us.heartbeater.renew(1000);
  us.tick(1000);
  us.run(1010);
  assert.deepEqual(
    us.takeSent().map(({ atMs, state, claimsVersion }) => [atMs, state, claimsVersion]),
    [[1000, 'ready', 3]],
  );
  // Who has left does not come back by a renewal.
  us.heartbeater.advertise(SLOT, { ...READY, state: 'leaving' }, 1010);
  us.run(1100);
  us.takeSent();
  us.heartbeater.expire(1100);
  us.heartbeater.renew(1200);
  us.run(2000);
  assert.deepEqual(us.takeSent(), []);
});

test('messages arrive with their sender, only from peers that hear us or did', () => {
  const us = node();
  const message = new Uint8Array([1, 2, 3]);
  us.hear({ sequence: 1, message }, 0);
  assert.deepEqual(us.of('message'), []);
  us.hear({ sequence: 2, heard: [hearsUs] }, 0);
  us.hear({ sequence: 3 }, 0);
  assert.equal(us.link('host-b'), 'one-way');
  us.hear({ sequence: 4, message }, 0);
  const received = us.of('message').map(({ node: from, incarnation: of, body }) => [from, of, [...body]]);
  assert.deepEqual(received, [['host-b', incarnation(0xb1), [1, 2, 3]]]);
  // Another start of the node has to hear us first.
  us.hear({ incarnation: incarnation(0xb2), sequence: 1, message }, 0);
  assert.equal(us.of('message').length, 1);
});

test('a message that does not fit is not sent: 1,200 bytes, less for names of more than 241 bytes', () => {
  const fits = (name: string, size: number) =>
    new TestNode(name, 0xa).open(0).heartbeater.sendMessage(SLOT, new Uint8Array(size), 0);
  assert.ok(fits('a'.repeat(241), 1200));
  assert.ok(!fits('a', 1201));
  assert.ok(fits('a'.repeat(253), 1188));
  assert.ok(!fits('a'.repeat(253), 1189));
});

test('no message leaves through a port that cannot be used', () => {
  const us = node();
  us.heartbeater.shut(SLOT, 1);
  assert.equal(us.heartbeater.sendMessage(SLOT, new Uint8Array(1), 1), false);
  assert.equal(us.heartbeater.sendMessage(5, new Uint8Array(1), 1), false);
});

test('our frames of another interface tell that both are on one segment, once', () => {
  const us = node();
  us.heartbeater.open(1, macBytes('02:00:00:00:00:1a'), 0);
  for (let sequence = 1; sequence < 4; sequence += 1) {
    const own = { node: 'host-a', incarnation: US, sequence, mac: '02:00:00:00:00:1a' };
    assert.equal(us.hear(own, sequence), 'own-frame');
    assert.equal(us.hear({ ...own, mac: us.mac }, sequence), 'own-frame');
  }
  assert.deepEqual(
    us.of('same-segment').map(({ slot, otherSlot }) => [slot, otherSlot]),
    [[0, 1]],
  );
});

test('another MAC of the port is told at once', () => {
  const us = node();
  us.run(10);
  us.takeSent();
  us.heartbeater.open(SLOT, macBytes('02:00:00:00:00:1b'), 10);
  us.tick(10);
  assert.deepEqual(
    us.takeSent().map(({ mac, atMs }) => [mac, atMs]),
    [['02:00:00:00:00:1b', 10]],
  );
});

test('the interval grows so that 40 nodes of 10 ms send no more than 2,000 heartbeats a second, all two-way', () => {
  const segment = new TestSegment();
  for (let number = 1; number <= 40; number += 1) {
    segment.add(new TestNode(`host-${number}`, number, { intervalMs: 10, random: (number % 10) / 10 }));
  }
  segment.run(1000);
  segment.frames = 0;
  segment.run(1000);
  assert.ok(segment.frames <= 2000 / 0.9 && segment.frames > 1500, `${segment.frames} frames a second`);
  for (const node of segment.nodes) {
    const peers = node.heartbeater.peers(SLOT);
    assert.equal(peers.length, 39);
    for (const peer of peers) assert.deepEqual([peer.link, peer.intervalMs, peer.hears], ['two-way', 20, 38]);
    assert.deepEqual(node.of('down'), []);
  }
});
