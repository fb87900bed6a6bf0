// Replays, old incarnations, keys, floods: what somebody on the segment can send without being one of us.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode, type Heartbeat, incarnation, READY, SLOT, TestNode, TestSegment } from './heartbeat_segment.js';

const US = incarnation(0xa);
const OLD = incarnation(0xb1);
const NEW = incarnation(0xb2);
const node = (options = {}) => new TestNode('host-a', 0xa, options).open(0);
const key = (text: string) => Buffer.from(text);
const hearsUs = (sequence: number) => ({ heard: [{ incarnation: US, sequence, held: 0 }] });

/** A node that has sent for `durationMs`, and its sequences by the time they were sent. */
function sender(durationMs: number) {
  const us = node();
  us.run(durationMs);
  const sequences = new Map(us.takeSent().map(({ atMs, sequence }) => [Math.round(atMs), sequence]));
  return { us, sequenceAt: (atMs: number) => sequences.get(atMs)! };
}

test('an older incarnation is heard once it echoes a sequence of the last 2 s: its clock was set back', () => {
  const { us, sequenceAt } = sender(5000);
  us.hear({ incarnation: NEW, sequence: 50, ...hearsUs(sequenceAt(4000)) }, 5000);
  assert.equal(us.hear({ incarnation: OLD, sequence: 1 }, 5010), 'heartbeat-old-incarnation');
  assert.equal(us.hear({ incarnation: OLD, sequence: 2, ...hearsUs(sequenceAt(5000)) }, 5020), null);
  assert.deepEqual(
    us.of('down').map(({ incarnation: of, cause, wasTwoWay }) => [of, cause, wasTwoWay]),
    [[NEW, 'restarted', true]],
  );
  assert.equal(us.link('host-b'), 'two-way');
});

test('an echo is fresh for 2 s; what was not sent yet, or in another incarnation of ours, is no echo', () => {
  const { us, sequenceAt } = sender(5000);
  us.hear({ incarnation: NEW, sequence: 50 }, 5000);
  const refused = (fields: Partial<Heartbeat>, atMs: number) =>
    assert.equal(us.hear({ incarnation: OLD, sequence: 2, ...fields }, atMs), 'heartbeat-old-incarnation');
  refused(hearsUs(sequenceAt(2950)), 5000);
  refused(hearsUs(1), 5000);
  refused(hearsUs(0), 5000);
  refused(hearsUs(sequenceAt(5000) + 1), 5000);
  refused(hearsUs(0xffffffff), 5000);
  refused({ heard: [{ incarnation: incarnation(9), sequence: sequenceAt(5000), held: 0 }] }, 5000);
  // 3 s later nothing of what was sent by then is fresh.
  refused(hearsUs(sequenceAt(5000)), 8000);
  assert.equal(us.hear({ incarnation: OLD, sequence: 2, ...hearsUs(sequenceAt(3100)) }, 5000), null);
});

test('an incarnation that was replaced never comes back, whatever it echoes and however its number is', () => {
  const { us, sequenceAt } = sender(1000);
  us.hear({ incarnation: NEW, sequence: 50 }, 1000);
  us.hear({ incarnation: OLD, sequence: 1, ...hearsUs(sequenceAt(1000)) }, 1000);
  // NEW is the greater number, but it has been replaced.
  assert.equal(
    us.hear({ incarnation: NEW, sequence: 51, ...hearsUs(sequenceAt(1000)) }, 1001),
    'heartbeat-old-incarnation',
  );
  us.hear({ incarnation: incarnation(0xb3), sequence: 1 }, 1002);
  for (const of of [OLD, NEW]) {
    assert.equal(
      us.hear({ incarnation: of, sequence: 99, ...hearsUs(sequenceAt(1000)) }, 1003),
      'heartbeat-old-incarnation',
    );
  }
});

test('a second host with the name of a living node is refused and named once a minute; a restart counts at once', () => {
  const { us, sequenceAt } = sender(1000);
  const double = { mac: '02:00:00:00:00:b2', incarnation: NEW };
  const beat = (atMs: number) => us.hear({ incarnation: OLD, sequence: atMs, ...hearsUs(sequenceAt(1000)) }, atMs);
  beat(1000);
  for (let atMs = 1010; atMs <= 62_000; atMs += 20) {
    assert.equal(us.hear({ ...double, sequence: atMs, ...hearsUs(1) }, atMs), 'heartbeat-old-incarnation');
    assert.equal(beat(atMs + 10), null);
    us.tick(atMs + 10);
  }
  assert.deepEqual(us.of('down'), []);
  assert.equal(us.link('host-b'), 'two-way');
  assert.deepEqual(
    us.of('name-in-use').map(({ atMs, mac, node }) => [atMs, mac, node]),
    [
      [1010, double.mac, 'host-b'],
      [61_010, double.mac, 'host-b'],
    ],
  );
  assert.deepEqual(us.of('refused'), [], 'told once, and not as an old process');
  // From its own MAC the newer one is a restart.
  assert.equal(us.hear({ incarnation: NEW, sequence: 1 }, 62_020), null);
  assert.deepEqual(
    us.of('down').map(({ incarnation: of, cause }) => [of, cause]),
    [[OLD, 'restarted']],
  );
});

test('who restarts with another MAC is heard once its former process is down; one that never heard us holds no name', () => {
  const { us, sequenceAt } = sender(1000);
  const moved = { mac: '02:00:00:00:00:b2', incarnation: NEW };
  us.hear({ incarnation: OLD, sequence: 1, ...hearsUs(sequenceAt(1000)) }, 1000);
  us.run(1149);
  assert.equal(us.hear({ ...moved, sequence: 1 }, 1149), 'heartbeat-old-incarnation');
  us.run(1151);
  assert.equal(us.hear({ ...moved, sequence: 2 }, 1151), null);
  assert.deepEqual(
    us.of('down').map(({ incarnation: of, cause }) => [of, cause]),
    [[OLD, 'silent']],
  );
  assert.equal(us.hear({ incarnation: incarnation(0xb3), sequence: 1 }, 1160), null, 'the one before was one-way');
});

test('frames recorded before we were started anew make no more than a one-way peer, which the real one takes over', () => {
  const segment = new TestSegment();
  const before = segment.add(new TestNode('host-a', 0xa));
  const peer = segment.add(new TestNode('host-b', 0xb));
  const recorded: Uint8Array[] = [];
  segment.passes = (from, to) => {
    if (from === peer) recorded.push(from.of('send').at(-1)!.frame);
    return from !== to;
  };
  segment.run(1000);
  peer.heartbeater.sendMessage(SLOT, new Uint8Array([1]), segment.nowMs);
  segment.deliver();
  segment.passes = () => true;
  segment.remove(before);
  const after = segment.add(new TestNode('host-a', 0xaa, { mac: before.mac }));
  assert.ok(recorded.length > 10);
  for (const frame of recorded) after.hear(frame, segment.nowMs);
  assert.equal(after.link('host-b'), 'one-way');
  assert.deepEqual(after.of('message'), []);
  segment.run(100);
  assert.equal(after.link('host-b'), 'two-way');
  for (const frame of recorded) assert.equal(after.hear(frame, segment.nowMs), 'heartbeat-replayed');
  segment.run(1000);
  assert.deepEqual(after.of('down'), []);
});

test('keys are rotated without a peer being lost: add the new one, sign with it, take the old one away', () => {
  const segment = new TestSegment();
  const [first, second] = [key('first'), key('second')];
  const nodes = [1, 2, 3].map((number) => segment.add(new TestNode(`host-${number}`, number, { keys: [first] })));
  segment.run(500);
  for (const keys of [[first, second], [second, first], [second]]) {
    for (const each of nodes) {
      each.heartbeater.setKeys(keys);
      segment.run(333);
    }
  }
  segment.run(500);
  for (const each of nodes) {
    assert.deepEqual(each.of('down'), []);
    assert.deepEqual(each.of('refused'), []);
    assert.deepEqual(
      each.heartbeater.peers(SLOT).map(({ link }) => link),
      ['two-way', 'two-way'],
    );
  }
});

test('nodes with and without a key do not hear each other, and each says why once', () => {
  const segment = new TestSegment();
  const open = segment.add(new TestNode('host-a', 0xa));
  const closed = segment.add(new TestNode('host-b', 0xb, { keys: [key('secret')] }));
  segment.run(5000);
  for (const each of [open, closed]) {
    assert.deepEqual(each.heartbeater.peers(SLOT), []);
    assert.deepEqual(
      each.of('refused').map(({ refusal, count }) => [refusal, count]),
      [['heartbeat-unauthenticated', 1]],
    );
  }
});

test('an empty key is refused', () => {
  assert.throws(() => node({ keys: [key('')] }), /OpenSSL/);
  const us = node({ keys: [key('good')] });
  assert.throws(() => us.heartbeater.setKeys([key('good'), key('')]), /OpenSSL/);
  assert.equal(us.hear({ key: key('good') }, 0), null);
});

test('a refusal is reported once per source, reason and minute, with the count of those in between', () => {
  const us = node({ keys: [key('ours')] });
  const forged = { key: key('theirs') };
  const at = (fields: Partial<Heartbeat>, atMs: number) => us.hear({ ...forged, ...fields }, atMs);
  at({}, 0);
  for (let index = 0; index < 500; index += 1) at({}, 10 + index);
  at({ key: null }, 1000);
  at({ mac: '02:00:00:00:00:b2' }, 2000);
  at({}, 60_000);
  at({}, 61_000);
  at({}, 121_000);
  assert.deepEqual(
    us.of('refused').map(({ atMs, mac, refusal, count }) => [atMs, mac.slice(-2), refusal, count]),
    [
      [0, 'b1', 'heartbeat-forged', 1],
      [1000, 'b1', 'heartbeat-unauthenticated', 1],
      [2000, 'b2', 'heartbeat-forged', 1],
      [60_000, 'b1', 'heartbeat-forged', 501],
      [121_000, 'b1', 'heartbeat-forged', 2],
    ],
  );
});

test('a flood of forged frames from all sources disturbs no judgement and makes at most 256 reports', () => {
  const secret = key('ours');
  const us = node({ keys: [secret] });
  us.heartbeater.advertise(SLOT, READY, 0);
  const flood = Array.from({ length: 2000 }, (_, index) =>
    encode({
      key: key('theirs'),
      node: index % 3 === 0 ? 'host-b' : `host-${index}`,
      incarnation: incarnation(0xffff0000 + index),
      mac: `02:00:00:01:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`,
      state: index % 2 === 0 ? 'leaving' : 'ready',
    }),
  );
  // 100,000 a second of them for half a second, among them a peer's heartbeats every 50 ms.
  for (let ms = 0; ms < 500; ms += 1) {
    if (ms % 50 === 0) {
      assert.equal(us.hear({ sequence: ms + 1, key: secret, ...hearsUs(1) }, ms), null);
    }
    for (let index = 0; index < 100; index += 1) {
      const drop = us.heartbeater.frame(SLOT, flood[(ms * 100 + index) % flood.length]!, 2, null, ms);
      if (drop !== 'heartbeat-forged') assert.fail(`${drop}`);
    }
    us.run(ms);
  }
  us.collect(499);
  assert.deepEqual(us.of('down'), []);
  assert.equal(us.link('host-b'), 'two-way');
  const refused = us.of('refused').length;
  assert.ok(refused > 64 && refused <= 256, `${refused} reports`);
  us.run(599.9);
  assert.equal(us.link('host-b'), 'two-way');
  us.run(600);
  assert.equal(us.link('host-b'), 'down');
});
