// Heartbeats and the judgement of peers go on under whatever else the packet thread has to do.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { hexMac } from '../net/harness/frames.js';
import { INTERVAL_MS, onSegment, SERVICE } from './peers_bed.js';

const ROUNDS = 30;
// The machine has other things to do as well; the peers judge after three intervals.
const MAX_GAP_MS = INTERVAL_MS * 1.5;
// A tenth more than asked for, as a machine that does other things as well falls behind now and then.
const FLOOD_PER_SECOND = 110_000;
const FLOODED_MS = 3000;

onSegment('tables of 10,000 addresses, 10 a second and announced again and again, delay no heartbeat', async (bed) => {
  const { owner, heir } = await bed.pair();
  // The client would be told of announcements by the 100,000.
  await bed.wire.close();
  const wire = await bed.watch('gamma', [0x88b5]);
  await owner.does('storm', 10_000, ROUNDS);
  const frames = wire.captured(({ hex }) => hex.slice(12, 24) === hexMac(owner.mac));
  const gaps = frames.slice(1).map(({ kernelNs }, index) => (kernelNs - frames[index]!.kernelNs) / 1e6);
  assert.ok(gaps.length > (ROUNDS * 100) / INTERVAL_MS / 1.5, `only ${gaps.length + 1} heartbeats`);
  assert.ok(Math.max(...gaps) < MAX_GAP_MS, `a gap of ${Math.max(...gaps)} ms`);
  const { counters } = await owner.counters();
  assert.ok(counters.announcements! > 50_000, `only ${counters.announcements} announcements`);
  const downs = heir.unread('peer').filter(({ peer }) => (peer as { link: string }).link === 'down');
  assert.deepEqual(downs, []);
});

onSegment('100,000 forged frames a second make nobody seem lost, and delay no detection', async (bed, context) => {
  const { owner, heir } = await bed.pair({ keys: ['key'] });
  // Nothing of the flood is seen there: it leaves beside the queues of its host.
  const wire = await bed.watch('gamma', [0x88b5]);
  const flood = await bed.flood('gamma', FLOOD_PER_SECOND);
  wire.clear();
  const before = await heir.counters();
  const floodedMs = performance.now();
  for (let count = 0; count < 20; ++count) {
    await bed.answeredBy(owner, SERVICE, 1000);
    await delay(FLOODED_MS / 20);
  }
  for (const node of [owner, heir]) {
    const downs = node.unread('peer').filter(({ peer }) => (peer as { link: string }).link === 'down');
    assert.deepEqual([downs, node.unread('took'), node.unread('held')], [[], [], []]);
  }
  const after = await heir.counters();
  const seconds = (performance.now() - floodedMs) / 1000;

  owner.process.signal('SIGKILL');
  const killedAt = process.hrtime.bigint();
  const answeredAt = await bed.answeredBy(heir, SERVICE, 1000);
  const rates = await flood.stop();
  const { afterMs } = await heir.event('took');
  const refusedPerSecond = (after.drops['heartbeat-forged']! - before.drops['heartbeat-forged']!) / seconds;
  const lostPerSecond = (after.counters['ring-drops']! - before.counters['ring-drops']!) / seconds;
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  context.diagnostic(
    `${Math.round(mean)} forged frames a second (at least ${Math.min(...rates)}), ${Math.round(refusedPerSecond)} of ` +
      `them refused and ${Math.round(lostPerSecond)} lost before; taken over after ${afterMs.toFixed(1)} ms`,
  );
  for (const node of [owner, heir]) {
    const times = wire.captured(({ hex }) => hex.slice(12, 24) === hexMac(node.mac)).map(({ kernelNs }) => kernelNs);
    const gaps = times.slice(1).map((ns, index) => (ns - times[index]!) / 1e6);
    assert.ok(gaps.length >= FLOODED_MS / INTERVAL_MS, `only ${times.length} heartbeats of ${node.name}`);
    assert.ok(Math.max(...gaps) < MAX_GAP_MS, `a gap of ${Math.max(...gaps)} ms between heartbeats of ${node.name}`);
  }
  // The flood and who asks share the processors with the nodes; what the thread itself knows is not late.
  assert.ok(Number(answeredAt - killedAt) / 1e6 < 1000);
  assert.ok(afterMs < 200, `taken over after ${afterMs} ms`);
  assert.ok(mean > 10_000, `only ${mean} forged frames a second`);
  assert.ok(refusedPerSecond > 5_000, JSON.stringify(after));
  const [refused] = heir.unread('heartbeat-refused');
  assert.equal(refused?.refusal, 'heartbeat-forged');
  assert.ok(heir.unread('heartbeat-refused').length <= 2);
});
