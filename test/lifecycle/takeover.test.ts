// What is armed against the loss of a peer happens on the packet thread, whatever JavaScript does meanwhile.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { arp, hexIpv4, hexMac } from '../net/harness/frames.js';
import {
  ASKER,
  CLIENT_MAC,
  INTERVAL_MS,
  MULTIPLIER,
  OTHER_SERVICE,
  onSegment,
  type PeerNode,
  SERVICE,
} from './peers_bed.js';

const LIMIT_MS = 200;

async function kill(node: PeerNode): Promise<bigint> {
  node.process.signal('SIGKILL');
  const at = process.hrtime.bigint();
  await node.process.exited;
  return at;
}

const msBetween = (from: bigint, to: bigint): number => Number(to - from) / 1e6;

onSegment(
  'the heir answers within 200 ms of the death of the owner, while its JavaScript stands still',
  async (bed) => {
    const { owner, heir } = await bed.pair();
    await bed.answeredBy(owner, SERVICE, 1000);
    await heir.block(1000);
    const killedAt = await kill(owner);
    const answeredAt = await bed.answeredBy(heir, SERVICE, 900);
    const afterMs = msBetween(killedAt, answeredAt);
    assert.equal(heir.unread('took').length, 0, 'JavaScript has heard of it: it was not blocked');
    assert.ok(afterMs < LIMIT_MS, `answered after ${afterMs} ms`);
    // The last heartbeat may have been just before.
    assert.ok(afterMs > INTERVAL_MS * (MULTIPLIER - 1) * 0.9, `answered after ${afterMs} ms: nobody was lost yet`);
    const took = await heir.event('took');
    assert.deepEqual(
      { ...took, afterMs: 0 },
      {
        type: 'took',
        number: 1,
        interfaceName: 'eth0',
        node: 'alpha',
        incarnation: owner.incarnation,
        addresses: [SERVICE],
        afterMs: 0,
      },
    );
    assert.ok(took.afterMs >= INTERVAL_MS * MULTIPLIER * 0.9 && took.afterMs < LIMIT_MS, `after ${took.afterMs} ms`);
    assert.equal((await heir.sees(owner, { link: 'down' })).state, 'ready');
    await bed.isSilent(OTHER_SERVICE);
  },
);

onSegment('what is taken over is announced by the link schedule, at once', async (bed) => {
  const { owner, heir } = await bed.pair();
  bed.wire.clear();
  await kill(owner);
  await heir.event('took');
  await delay(400);
  const announcements = bed.wire.captured(
    ({ hex }) => hex.startsWith(`ffffffffffff${hexMac(heir.mac)}0806`) && hex.slice(56, 64) === hexIpv4(SERVICE),
  );
  // Request and reply form at 0, 20, 100 and 300 ms.
  assert.equal(announcements.length, 8);
  const spread = announcements.map(({ ns }) => (ns - announcements[0]!.ns) / 1e6);
  assert.ok(spread[2]! >= 15 && spread[4]! >= 90 && spread[6]! >= 280, `announced at ${spread.join(', ')} ms`);
});

onSegment('clients that asked are asked to follow, and counted once they have', async (bed) => {
  const { owner, heir } = await bed.pair();
  await bed.answeredBy(owner, SERVICE, 1000);
  await heir.does('announceAll', [OTHER_SERVICE], 5);
  assert.deepEqual(await heir.event('confirmed'), {
    type: 'confirmed',
    interfaceName: 'eth0',
    cause: 'announce',
    number: 5,
    clients: 0,
    confirmed: 0,
    final: true,
  });
  await kill(owner);
  // Who has CLIENT, tell SERVICE.
  const { hex } = await bed.wire.expect(
    (frame) =>
      frame.type === 'host' && frame.hex.slice(40, 44) === '0001' && frame.hex.slice(12, 24) === hexMac(heir.mac),
    1000,
  );
  assert.deepEqual([hex.slice(56, 64), hex.slice(76, 84)], [hexIpv4(SERVICE), hexIpv4(ASKER)]);
  const answer = { sha: CLIENT_MAC, spa: ASKER, tha: heir.mac, tpa: SERVICE };
  await bed.wire.send(arp({ ...answer, op: 2, destination: heir.mac }));
  const { cause, number, clients, confirmed, final } = await heir.event('confirmed');
  assert.deepEqual(
    { cause, number, clients, confirmed, final },
    {
      cause: 'took',
      number: 1,
      clients: 1,
      confirmed: 1,
      final: true,
    },
  );
});

onSegment('a table made before its maker heard of the takeover does not undo it; a later one does', async (bed) => {
  const { owner, heir } = await bed.pair();
  await kill(owner);
  const { number } = await heir.event('took');
  const watched = [SERVICE, OTHER_SERVICE];
  await heir.publish({ watched, answered: [OTHER_SERVICE] });
  await heir.publish({ watched: [OTHER_SERVICE, SERVICE], answered: [OTHER_SERVICE], tookSeen: number - 1 });
  await bed.answeredBy(heir, SERVICE, 500);
  await heir.publish({ watched, answered: [OTHER_SERVICE], tookSeen: number });
  await bed.isSilent(SERVICE);
  await bed.answeredBy(heir, OTHER_SERVICE, 500);
});

onSegment('an address that the table watches no more is not kept by a takeover', async (bed) => {
  const { owner, heir } = await bed.pair();
  await kill(owner);
  await heir.event('took');
  await heir.publish({ watched: [OTHER_SERVICE], answered: [] });
  await bed.isSilent(SERVICE);
});

onSegment('a node that joins takes nothing', async (bed) => {
  const { owner, heir } = await bed.pair();
  await heir.advertise('joining');
  await owner.sees(heir, { state: 'joining' });
  await kill(owner);
  await heir.sees(owner, { link: 'down' });
  await bed.isSilent(SERVICE);
  assert.deepEqual(heir.unread('took'), []);
});

onSegment('a peer that leaves, and one that comes back as another, are taken over at once', async (bed) => {
  const { owner, heir } = await bed.pair();
  bed.wire.clear();
  await owner.advertise('leaving');
  const first = await heir.event('took');
  assert.ok(first.afterMs < INTERVAL_MS, `after ${first.afterMs} ms`);
  // A second owner, that is killed and started anew before it can be missed.
  const next = bed.start('gamma');
  await next.publish({ watched: [SERVICE, OTHER_SERVICE], answered: [OTHER_SERVICE] });
  await heir.publish({
    watched: [SERVICE, OTHER_SERVICE],
    answered: [SERVICE],
    plans: { [next.incarnation]: [OTHER_SERVICE] },
    tookSeen: first.number,
  });
  await heir.sees(next, { link: 'two-way' });
  // From the same MAC: from another it would be a second host of the name.
  const again = bed.start('gamma');
  await again.publish({ watched: [SERVICE], answered: [] });
  const second = await heir.event('took');
  assert.deepEqual([second.number, second.addresses], [2, [OTHER_SERVICE]]);
  assert.equal(second.incarnation, next.incarnation);
});

onSegment('announcements of the owner are no news to the heir; to a node that answers too they are', async (bed) => {
  const { owner, heir } = await bed.pair();
  // What the owner announced when its port opened may have come before its first heartbeat.
  await delay(700);
  const before = heir.unread('rival').length;
  await owner.does('announceAll', [SERVICE]);
  await delay(200);
  assert.equal(heir.unread('rival').length, before);
  await heir.publish({ watched: [SERVICE, OTHER_SERVICE], answered: [SERVICE] });
  await owner.does('announceAll', [SERVICE]);
  for (let skipped = 0; skipped < before; ++skipped) await heir.event('rival');
  const rival = await heir.event('rival');
  assert.deepEqual([rival.address, rival.mac, rival.kind], [SERVICE, owner.mac, 'arp']);
});
