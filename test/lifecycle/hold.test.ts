// A node that was cut off answers nothing until its control plane says so: a peer may have taken over meanwhile.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import {
  INTERVAL_MS,
  MULTIPLIER,
  OTHER_SERVICE,
  onSegment,
  type PeerNode,
  type PeersBed,
  SERVICE,
} from './peers_bed.js';

const WATCHED = [SERVICE, OTHER_SERVICE];

async function flap(bed: PeersBed, node: PeerNode): Promise<void> {
  await bed.network.setCable(node.host.name, 'down');
  await node.event('port-closed');
  await bed.network.setCable(node.host.name, 'up');
  await node.event('port-opened');
}

onSegment('a link that returns is held where a peer was heard, until a table lifts the hold', async (bed) => {
  const { owner } = await bed.pair();
  await bed.answeredBy(owner, SERVICE, 500);
  await owner.event('port-opened');
  await flap(bed, owner);
  const held = await owner.event('held');
  assert.deepEqual(held, { type: 'held', number: 1, interfaceName: 'eth0', reason: 'link-returned' });
  await bed.isSilent(SERVICE);
  assert.ok((await owner.counters()).drops.held! > 0);
  await owner.publish({ watched: WATCHED, answered: [SERVICE] });
  await bed.isSilent(SERVICE);
  bed.wire.clear();
  await owner.publish({ watched: WATCHED, answered: [SERVICE], holdsLifted: { eth0: 1 } });
  await bed.wire.expect(({ hex }) => hex.startsWith('ffffffffffff') && hex.slice(24, 28) === '0806');
  await bed.answeredBy(owner, SERVICE, 500);
});

onSegment('a link that returns to a node without peers is answered and announced at once', async (bed) => {
  const owner = bed.start('alpha');
  await owner.publish({ watched: WATCHED, answered: [SERVICE] });
  await owner.advertise('ready');
  await owner.event('port-opened');
  await bed.answeredBy(owner, SERVICE, 500);
  bed.wire.clear();
  await flap(bed, owner);
  await bed.wire.expect(({ hex }) => hex.startsWith('ffffffffffff') && hex.slice(24, 28) === '0806');
  await bed.answeredBy(owner, SERVICE, 500);
  assert.deepEqual(owner.unread('held'), []);
});

onSegment('a node whose own cable is out takes nothing', async (bed) => {
  const { owner, heir } = await bed.pair();
  await heir.event('port-opened');
  await bed.network.setCable('beta', 'down');
  await heir.sees(owner, { link: 'down' });
  assert.deepEqual(heir.unread('took'), []);
  await bed.network.setCable('beta', 'up');
  await heir.event('held');
  await bed.answeredBy(owner, SERVICE, 500);
});

onSegment('a process that stood still is held, and the heir answers', async (bed) => {
  const { owner, heir } = await bed.pair();
  owner.process.signal('SIGSTOP');
  await heir.event('took');
  await delay(INTERVAL_MS * MULTIPLIER);
  owner.process.signal('SIGCONT');
  const held = await owner.event('held');
  assert.equal(held.reason, 'paused');
  // It was deaf: the heir was not silent.
  assert.deepEqual(
    owner.unread('peer').filter(({ peer }) => (peer as { link: string }).link === 'down'),
    [],
  );
  for (let count = 0; count < 10; ++count) await bed.answeredBy(heir, SERVICE, 500);
  const { drops } = await owner.counters();
  assert.ok(drops.held! >= 10);
});

onSegment('a short pause holds nothing', async (bed) => {
  const { owner, heir } = await bed.pair();
  owner.process.signal('SIGSTOP');
  await delay(INTERVAL_MS);
  owner.process.signal('SIGCONT');
  await delay(INTERVAL_MS * MULTIPLIER);
  assert.deepEqual([owner.unread('held'), heir.unread('took')], [[], []]);
});
