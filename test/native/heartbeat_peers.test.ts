// Who is a peer and how long: heard, two-way, silent, left, started anew.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { incarnation, READY, SLOT, TestNode, TestSegment } from './heartbeat_segment.js';

const US = incarnation(0xa);
const hearsUs = { incarnation: US, sequence: 1, held: 0 };
const hearsC = { incarnation: incarnation(0xc), sequence: 1, held: 0 };
const node = () => new TestNode('host-a', 0xa).open(0);

test('a peer is down after its own interval times its own multiplier, to the microsecond', () => {
  const us = node();
  us.hear({ intervalMs: 20, multiplier: 5, heard: [hearsUs] }, 7);
  us.tick(106.999);
  assert.deepEqual(us.of('down'), []);
  assert.equal(us.link('host-b'), 'two-way');
  us.tick(107);
  const [down] = us.of('down');
  assert.deepEqual(
    { ...down, slot: 0 },
    {
      type: 'down',
      slot: 0,
      node: 'host-b',
      incarnation: incarnation(0xb1),
      wasTwoWay: true,
      lastHeardMs: 7,
      cause: 'silent',
      atMs: 107,
    },
  );
  assert.equal(us.link('host-b'), 'down');
  // What is armed against the loss comes before the report.
  const types = us.events.map(({ type }) => type).filter((type) => type === 'down' || type === 'peer');
  assert.deepEqual(types.slice(-2), ['down', 'peer']);
});

test('the thread is woken for the judgement, and every frame moves it on, messages too', () => {
  const us = node();
  us.heartbeater.advertise(SLOT, { ...READY, state: 'leaving' }, 0);
  us.run(20);
  us.hear({ sequence: 1 }, 100);
  assert.equal(us.heartbeater.nextDueMs(), 250);
  us.hear({ sequence: 2, message: new Uint8Array(3) }, 200);
  us.tick(250);
  assert.equal(us.link('host-b'), 'one-way');
  assert.equal(us.heartbeater.nextDueMs(), 350);
});

test('a shorter interval counts from the frame that brings it', () => {
  const us = node();
  us.hear({ sequence: 1, intervalMs: 1000 }, 0);
  us.hear({ sequence: 2, intervalMs: 10 }, 10);
  us.run(39.9);
  assert.equal(us.link('host-b'), 'one-way');
  us.run(40);
  assert.equal(us.link('host-b'), 'down');
});

test('two nodes hear each other within a millisecond and stay two-way', () => {
  const segment = new TestSegment();
  const a = segment.add(new TestNode('host-a', 0xa));
  segment.run(10);
  const b = segment.add(new TestNode('host-b', 0xb));
  segment.run(1);
  assert.equal(a.link('host-b'), 'two-way');
  assert.equal(b.link('host-a'), 'two-way');
  segment.run(10_000);
  assert.deepEqual([...a.of('down'), ...b.of('down')], []);
  // Nothing changes, nothing is reported.
  assert.ok(a.of('peer').length <= 3, `${a.of('peer').length} reports`);
});

test('a node that turns deaf is one-way to the others within two intervals, without being down', () => {
  const segment = new TestSegment();
  const a = segment.add(new TestNode('host-a', 0xa));
  const b = segment.add(new TestNode('host-b', 0xb));
  segment.run(1000);
  segment.passes = (_, to) => to !== b;
  segment.run(250);
  assert.equal(a.link('host-b'), 'one-way');
  assert.equal(b.link('host-a'), 'down');
  assert.deepEqual(a.of('down'), []);
  assert.deepEqual(
    b.of('down').map(({ cause, wasTwoWay }) => [cause, wasTwoWay]),
    [['silent', true]],
  );
  // One-way peers that fall silent say that they were not two-way: nothing may be taken over from them.
  segment.passes = () => false;
  segment.run(250);
  assert.deepEqual(
    a.of('down').map(({ wasTwoWay }) => wasTwoWay),
    [false],
  );
});

test('what a peer hears is counted without us', () => {
  const us = node();
  us.hear({ sequence: 1, heard: [hearsC] }, 0);
  assert.equal(us.heartbeater.peers(SLOT)[0]?.hears, 1);
  us.hear({ sequence: 2, heard: [hearsC, hearsUs] }, 0);
  assert.equal(us.heartbeater.peers(SLOT)[0]?.hears, 1);
  us.hear({ sequence: 3, heard: [] }, 0);
  assert.equal(us.heartbeater.peers(SLOT)[0]?.hears, 0);
});

test('a rotating list: two-way at the slice that names us, one-way once every slice lacks us', () => {
  const us = node();
  let sequence = 0;
  const slice = (number: number, slices: number, ...heard: (typeof hearsUs)[]) => {
    sequence += 1;
    us.hear({ sequence, slice: number, slices, heard, peerCount: 200 }, 0);
    return us.link('host-b');
  };
  assert.equal(slice(0, 3), 'one-way');
  assert.equal(slice(1, 3, hearsC, hearsUs), 'two-way');
  assert.equal(slice(2, 3), 'two-way');
  assert.equal(slice(0, 3), 'two-way');
  assert.equal(slice(1, 3, hearsUs), 'two-way', 'every slice but ours says nothing about us');
  assert.equal(slice(2, 3), 'two-way');
  assert.equal(slice(2, 3), 'two-way', 'the same slice again is no other one');
  assert.equal(slice(0, 3), 'two-way');
  assert.equal(slice(0, 2), 'two-way', 'a list of another length starts anew');
  assert.equal(slice(1, 2), 'one-way');
});

test('a node started anew: the old one is down at once, the new one is another peer', () => {
  const us = node();
  us.hear({ sequence: 900, heard: [hearsUs] }, 0);
  us.hear({ incarnation: incarnation(0xb2), sequence: 1 }, 10);
  assert.deepEqual(
    us.of('down').map(({ incarnation: of, cause, wasTwoWay, atMs }) => [of, cause, wasTwoWay, atMs]),
    [[incarnation(0xb1), 'restarted', true, 10]],
  );
  const reports = us.of('peer').map(({ peer }) => [peer.incarnation, peer.link]);
  assert.deepEqual(reports.slice(-2), [
    [incarnation(0xb1), 'down'],
    [incarnation(0xb2), 'one-way'],
  ]);
  assert.equal(us.heartbeater.peers(SLOT).length, 1);
});

test('a node that leaves is down at once, and back with its next heartbeat', () => {
  const us = node();
  us.hear({ sequence: 1, heard: [hearsUs] }, 0);
  us.hear({ sequence: 2, heard: [hearsUs], state: 'leaving' }, 10);
  us.hear({ sequence: 3, heard: [hearsUs], state: 'leaving' }, 15);
  assert.deepEqual(
    us.of('down').map(({ cause, wasTwoWay, atMs }) => [cause, wasTwoWay, atMs]),
    [['left', true, 10]],
  );
  us.hear({ sequence: 4, heard: [hearsUs] }, 20);
  assert.equal(us.link('host-b'), 'two-way');
});

test('own pauses are not the silence of others', () => {
  const us = node();
  us.hear({ heard: [hearsUs] }, 0);
  us.run(100);
  us.heartbeater.paused(800);
  us.run(949);
  assert.equal(us.link('host-b'), 'two-way');
  us.run(950);
  assert.equal(us.link('host-b'), 'down');
});

test('a port that cannot be used sends nothing; peers not heard then are down for another cause', () => {
  const us = node();
  us.heartbeater.advertise(SLOT, READY, 0);
  us.hear({ heard: [hearsUs] }, 0);
  us.run(50);
  us.heartbeater.shut(SLOT, 60);
  us.takeSent();
  us.run(1000);
  assert.deepEqual(us.takeSent(), []);
  assert.deepEqual(
    us.of('down').map(({ cause, wasTwoWay, atMs }) => [cause, wasTwoWay, atMs]),
    [['deaf', true, 150]],
  );
  us.open(1000);
  us.tick(1000);
  assert.equal(us.takeSent().length, 1);
});

test('a port that was away for a moment: its time does not count against the peers', () => {
  const us = node();
  us.hear({ heard: [hearsUs] }, 0);
  us.heartbeater.shut(SLOT, 20);
  us.run(120);
  us.open(120);
  us.run(249);
  assert.equal(us.link('host-b'), 'two-way');
  us.run(250);
  assert.deepEqual(
    us.of('down').map(({ cause }) => cause),
    ['silent'],
  );
});

test('a pause while the port is away counts once', () => {
  const us = node();
  us.hear({ heard: [hearsUs] }, 0);
  us.heartbeater.shut(SLOT, 20);
  us.heartbeater.paused(80);
  us.open(120);
  us.run(249);
  assert.equal(us.link('host-b'), 'two-way');
  us.run(250);
  assert.equal(us.link('host-b'), 'down');
});

test('a peer that is down is forgotten after ten minutes', () => {
  const us = node();
  us.hear({ sequence: 5 }, 0);
  us.run(600_149);
  assert.equal(us.link('host-b'), 'down');
  us.run(600_151);
  assert.deepEqual(us.heartbeater.peers(SLOT), []);
});

test('of 1,024 peers those that hear us are never pushed out; who is down goes first', () => {
  const us = node();
  const peer = (number: number, heard: (typeof hearsUs)[] = []) => ({
    node: `host-${number}`,
    incarnation: incarnation(1000 + number),
    heard,
    intervalMs: 1000,
  });
  us.hear({ ...peer(0), state: 'leaving' }, 0);
  for (let number = 1; number < 1024; number += 1) us.hear(peer(number, number === 1 ? [] : [hearsUs]), number / 1000);
  assert.equal(us.heartbeater.peers(SLOT).length, 1024);
  us.hear(peer(2000, [hearsUs]), 2);
  assert.equal(us.link('host-0'), undefined);
  us.hear(peer(2001, [hearsUs]), 2);
  assert.equal(us.link('host-1'), undefined);
  assert.deepEqual(
    us.of('down').map((down) => [down.node, down.cause, down.wasTwoWay]),
    [['host-1', 'forgotten', false]],
  );
  us.hear(peer(2002, [hearsUs]), 2);
  assert.equal(us.link('host-2002'), undefined);
  assert.equal(us.heartbeater.peers(SLOT).length, 1024);
});
