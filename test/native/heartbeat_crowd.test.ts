// A thousand peers: their list goes out in slices, each frame fits, news go first, and a peer reads it back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode, type Heartbeat, incarnation, READY, SLOT, TestNode } from './heartbeat_segment.js';

const PEERS = 1000;
const FIRST = 0x10000;
const US = incarnation(0xa);
const INTERVAL_MS = 500.5;

function crowd(name = 'host-a') {
  const us = new TestNode(name, 0xa).open(0);
  us.heartbeater.advertise(SLOT, READY, 0);
  const frames = Array.from({ length: PEERS }, (_, number) =>
    Buffer.from(
      encode({
        node: `host-${number}`,
        incarnation: incarnation(FIRST + number),
        intervalMs: INTERVAL_MS,
        peerCount: PEERS,
      }),
    ),
  );
  const beat = (sequence: number, atMs: number, count = PEERS) => {
    for (const frame of frames.slice(0, count)) {
      frame.writeBigUInt64BE(BigInt(sequence), 42);
      assert.equal(us.heartbeater.frame(SLOT, frame, 2, null, atMs), null);
    }
    us.collect(atMs);
  };
  return { us, beat };
}

/** Runs in steps of a second, the peers being heard in each. */
function rotate({ us, beat }: ReturnType<typeof crowd>, seconds: number) {
  for (let second = 0; second < seconds; second += 1) {
    beat(second + 2, second * 1000);
    us.run((second + 1) * 1000 - 1);
  }
  return us.takeSent();
}

for (const name of ['host-a', 'n'.repeat(253)]) {
  test(`1,000 peers and a name of ${name.length} bytes: every rotation names all, at 2,000 heartbeats a second in all`, () => {
    const each = crowd(name);
    const sent = rotate(each, 24);
    const { slices } = sent.at(-1)!;
    assert.ok(slices > 10 && slices < 30, `${slices} slices`);
    const rotation = sent.slice(-slices);
    assert.deepEqual(
      rotation.map(({ slice }) => slice).sort((a, b) => a - b),
      Array.from({ length: slices }, (_, index) => index),
    );
    const named = new Set(rotation.flatMap(({ heard }) => heard.map((peer) => peer.incarnation)));
    assert.equal(named.size, PEERS);
    for (const frame of rotation) {
      assert.equal(frame.peerCount, PEERS);
      assert.equal(frame.intervalMs, INTERVAL_MS);
    }
    const seconds = (rotation.at(-1)!.atMs - rotation[0]!.atMs) / 1000;
    assert.ok((slices - 1) / seconds < 2.3, 'two frames a second of each of 1,001 nodes');
    assert.deepEqual(each.us.of('down'), []);
  });
}

test('a newcomer and a version just acknowledged are in the next two heartbeats, whatever their slice', () => {
  const each = crowd();
  rotate(each, 20);
  const { us } = each;
  us.hear({ node: 'newcomer', incarnation: incarnation(0xfff), sequence: 1, intervalMs: 5000 }, 20_000);
  us.heartbeater.advertise(SLOT, { ...READY, held: [[incarnation(FIRST + 5), 42]] }, 20_000);
  us.run(21_300);
  const [first, second] = us.takeSent();
  for (const frame of [first, second] as Heartbeat[]) {
    assert.ok(frame.heard.some((peer) => peer.incarnation === incarnation(0xfff)));
    assert.ok(frame.heard.some((peer) => peer.incarnation === incarnation(FIRST + 5) && peer.held === 42));
  }
});

test('the slices of one node make it and the other two-way, and keep them so', () => {
  const each = crowd();
  const other = new TestNode('host-7', 7, { incarnation: incarnation(FIRST + 7) }).open(0);
  let twoWay = 0;
  for (const { atMs, ...fields } of rotate(each, 24)) {
    other.hear({ ...fields, incarnation: US }, atMs);
    if (other.link('host-a') === 'two-way') twoWay += 1;
    else assert.equal(twoWay, 0, `one-way again at ${atMs} ms`);
  }
  assert.ok(twoWay > 20);
});

test('when most have gone the list is one slice again', () => {
  const each = crowd();
  rotate(each, 3);
  each.beat(100, 3000, 3);
  each.us.run(4500);
  each.beat(101, 4500, 3);
  each.us.run(5000);
  const last = each.us.takeSent().at(-1)!;
  assert.deepEqual([last.slices, last.peerCount, last.heard.length, last.intervalMs], [1, 3, 3, 50]);
});
