// Heartbeats and the judgement of peers go on under whatever else the packet thread has to do.
import assert from 'node:assert/strict';
import { hexMac } from '../net/harness/frames.js';
import { INTERVAL_MS, onSegment, SERVICE } from './peers_bed.js';

const ROUNDS = 30;
// The machine has other things to do as well; the peers judge after three intervals.
const MAX_GAP_MS = INTERVAL_MS * 1.5;

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

onSegment('a flood of forged frames starves neither answers nor detection', async (bed) => {
  const { owner, heir } = await bed.pair({ keys: ['key'] });
  const flood = await bed.flood('gamma');
  for (let count = 0; count < 20; ++count) await bed.answeredBy(owner, SERVICE, 1000);
  assert.deepEqual(heir.unread('took'), []);
  owner.process.signal('SIGKILL');
  const killedAt = process.hrtime.bigint();
  const answeredAt = await bed.answeredBy(heir, SERVICE, 1000);
  const sent = await flood.stop();
  // The flood and who asks share the processors with the nodes; what the thread itself knows is not late.
  assert.ok(Number(answeredAt - killedAt) / 1e6 < 1000);
  const { afterMs } = await heir.event('took');
  assert.ok(afterMs < 200, `taken over after ${afterMs} ms`);
  const { counters, drops } = await heir.counters();
  assert.ok(sent > 3000, `only ${sent} forged frames a second`);
  assert.ok(drops['heartbeat-forged']! > 1000, `${JSON.stringify(drops)} ${JSON.stringify(counters)}`);
  const [refused] = heir.unread('heartbeat-refused');
  assert.equal(refused?.refusal, 'heartbeat-forged');
  assert.ok(heir.unread('heartbeat-refused').length <= 2);
});
