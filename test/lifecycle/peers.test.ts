// Nodes hear each other, know when that ends, and tell each other messages.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { INTERVAL_MS, MULTIPLIER, OTHER_SERVICE, onSegment, SERVICE, stateIn } from './peers_bed.js';

onSegment('two nodes see each other two-way, and what the other says of itself', async (bed) => {
  const { owner, heir } = await bed.pair();
  await owner.advertise('draining', { claimsVersion: 7, claimsDigest: 0xfeedbeef, held: [[heir.incarnation, 3]] });
  const seen = await heir.sees(owner, { state: 'draining', claimsVersion: 7 });
  assert.deepEqual(seen, {
    node: 'alpha',
    interfaceName: 'eth0',
    incarnation: owner.incarnation,
    mac: owner.mac,
    state: 'draining',
    link: 'two-way',
    intervalMs: INTERVAL_MS,
    multiplier: MULTIPLIER,
    hears: 0,
    claimsVersion: 7,
    claimsDigest: 0xfeedbeef,
    heldVersion: 3,
  });
  const counters = await heir.counters();
  assert.ok(counters.counters['heartbeats-received']! > 0);
  assert.ok(counters.counters['heartbeats-sent']! > 0);
});

onSegment('messages arrive in order and whole; a burst too', async (bed) => {
  const { owner, heir } = await bed.pair();
  await owner.does('send', 'claims');
  const message = await heir.event('message');
  assert.deepEqual(message, {
    type: 'message',
    interfaceName: 'eth0',
    node: 'alpha',
    incarnation: owner.incarnation,
    body: 'claims',
  });
  await owner.does('sendMany', 300);
  for (let index = 0; index < 300; ++index) assert.equal((await heir.event('message')).body, `number ${index}`);
  await owner.does('send', 'x'.repeat(1200));
  assert.equal((await heir.event('message')).body.length, 1200);
});

onSegment('a third node is heard by both; a restarted one is another', async (bed) => {
  const { owner, heir } = await bed.pair();
  const third = bed.start('gamma');
  await third.publish({ watched: [SERVICE], answered: [] });
  await Promise.all([owner, heir].map((node) => node.sees(third, { link: 'two-way', state: 'joining', hears: 1 })));
  third.process.signal('SIGKILL');
  await third.process.exited;
  const next = bed.start('gamma');
  await next.publish({ watched: [SERVICE], answered: [] });
  await owner.sees(next, { link: 'two-way' });
  await owner.sees(third, { link: 'down' });
});

onSegment('only nodes with the right key are heard; a new key can be brought in while they run', async (bed) => {
  const { owner, heir } = await bed.pair({ keys: ['old key'] });
  const stranger = bed.start('gamma', { keys: ['another key'] });
  await stranger.publish({ watched: [SERVICE], answered: [] });
  const refused = await owner.event('heartbeat-refused');
  assert.deepEqual([refused.refusal, refused.mac, refused.interfaceName], ['heartbeat-forged', stranger.mac, 'eth0']);
  for (const node of [owner, heir]) await node.does('setKeys', ['old key', 'new key']);
  for (const node of [owner, heir]) await node.does('setKeys', ['new key', 'old key']);
  for (const node of [owner, heir]) await node.does('setKeys', ['new key']);
  await delay(INTERVAL_MS * MULTIPLIER * 2);
  const down = (await Promise.all([owner, heir].map((node) => node.unread('peer')))).flat();
  assert.deepEqual(
    down.filter(({ peer }) => (peer as { link: string }).link === 'down'),
    [],
  );
  await stranger.does('setKeys', ['new key']);
  await owner.sees(stranger, { link: 'two-way' });
  assert.ok((await heir.counters()).drops['heartbeat-forged']! > 0);
});

onSegment('a node whose control plane hangs leaves, and is back once it is renewed', async (bed) => {
  const { owner, heir } = await bed.pair();
  bed.wire.clear();
  await owner.publish({ watched: [SERVICE, OTHER_SERVICE], answered: [SERVICE], lifetimeMs: 300 });
  await heir.sees(owner, { link: 'down', state: 'leaving' });
  await heir.event('took');
  await delay(100);
  const leaving = bed.framesOf(owner).filter((frame) => stateIn(frame) === 3);
  assert.equal(leaving.length, 3);
  assert.equal(bed.framesOf(owner).at(-1), leaving.at(-1), 'nothing is said after the last word');
  await owner.does('renew', 60_000);
  assert.equal((await owner.event('held')).reason, 'table-expired');
  await heir.sees(owner, { link: 'two-way', state: 'ready' });
  // Only the one who took over answers.
  await bed.answeredBy(heir, SERVICE, 500);
  assert.ok((await owner.counters()).drops.held! > 0);
});

onSegment('a stranger with our name is refused and reported', async (bed) => {
  const owner = bed.start('alpha');
  await owner.publish({ watched: [SERVICE], answered: [SERVICE] });
  const double = bed.start('beta', { node: 'alpha' });
  await double.publish({ watched: [SERVICE], answered: [] });
  assert.equal((await owner.event('name-in-use')).mac, double.mac);
});

onSegment(
  'when a peer was heard last is known while it lives, after its end, and not of a process that was followed',
  async (bed) => {
    const { owner, heir } = await bed.pair();
    for (let round = 0; round < 10; round += 1) {
      const agoMs = await heir.heardAgoMs(owner);
      assert.ok(agoMs !== undefined && agoMs < INTERVAL_MS * MULTIPLIER, `${agoMs} ms ago`);
      await delay(20);
    }
    owner.process.signal('SIGKILL');
    await owner.process.exited;
    await heir.sees(owner, { link: 'down' });
    await delay(300);
    const agoMs = await heir.heardAgoMs(owner);
    assert.ok(agoMs !== undefined && agoMs > INTERVAL_MS * MULTIPLIER + 250, `${agoMs} ms ago`);
    const next = bed.start('alpha');
    await next.publish({ watched: [SERVICE], answered: [] });
    await heir.sees(next, { link: 'two-way' });
    assert.ok((await heir.heardAgoMs(next))! < INTERVAL_MS * MULTIPLIER);
    assert.equal(await heir.heardAgoMs(owner), undefined);
  },
);
