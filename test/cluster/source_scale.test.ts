// A speaker in a cluster of 100 nodes with 10,000 services knows them all, owns its share and no more, and follows single changes.
// What that costs in time is judged by the bench (bench/kubernetes/scale.ts), not here: tests share their machine.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { requireCluster } from './harness/requirements.js';
import { FOREIGN_SERVICE, isOwn, type LoneSpeaker, OWN_SERVICE, ScaleBed, serviceIp } from './scale_bed.js';

const FEW = 10;
const MORE = 1_000;
const MANY = 10_000;
/** The goal of the bench, at rest, is 120; here the speaker has just told its whole status several times. */
const MAX_RSS_MB = 250;
const FOLLOWED_MS = 60_000;

interface Told {
  readonly known: number;
  readonly answered: readonly string[];
}

async function told(speaker: LoneSpeaker): Promise<Told> {
  const { addresses } = await speaker.status();
  return {
    known: addresses.length,
    answered: addresses.flatMap(({ address, answering }) => (answering ? [address] : [])).sort(),
  };
}

/** Waits until the speaker knows so many services and answers for exactly these addresses. */
async function follows(speaker: LoneSpeaker, known: number, answered: readonly string[]): Promise<void> {
  const deadlineMs = performance.now() + FOLLOWED_MS;
  const expected: Told = { known, answered: answered.toSorted() };
  for (;;) {
    // Its socket may not be there yet, or it is busy with thousands.
    const now = await told(speaker).catch(() => null);
    if (isDeepStrictEqual(now, expected)) return;
    if (performance.now() > deadlineMs) {
      const missing = expected.answered.filter((address) => !now?.answered.includes(address));
      const surplus = now?.answered.filter((address) => !expected.answered.includes(address));
      assert.deepEqual({ known: now?.known, missing, surplus }, { known, missing: [], surplus: [] });
    }
    await sleep(100);
  }
}

const ownAmong = (count: number) =>
  Array.from({ length: count }, (_, index) => index)
    .filter(isOwn)
    .map(serviceIp);

async function changes(bed: ScaleBed, speaker: LoneSpeaker): Promise<void> {
  const own = ownAmong(bed.services);
  const gone = own.filter((address) => address !== serviceIp(OWN_SERVICE));
  await bed.endpoints(OWN_SERVICE, { own: false });
  await follows(speaker, bed.services - 1, gone);
  await bed.endpoints(OWN_SERVICE, {});
  await follows(speaker, bed.services, own);
  // 96 nodes on is the speaker's: node-101 would be node-1.
  await bed.endpoints(FOREIGN_SERVICE, { others: 96 });
  await follows(speaker, bed.services, [...own, serviceIp(FOREIGN_SERVICE)]);
  await bed.endpoints(FOREIGN_SERVICE, {});
  await follows(speaker, bed.services, own);
}

async function play(t: TestContext, bed: ScaleBed): Promise<void> {
  await bed.fill(FEW);
  const first = bed.start();
  try {
    await first.ready(FEW);
    await follows(first, FEW, ownAmong(FEW));
    await bed.fill(MORE, true);
    await follows(first, MORE, ownAmong(MORE));
  } finally {
    await first.stop('SIGTERM');
  }
  await bed.fill(MANY);
  const speaker = bed.start();
  try {
    const readyMs = await speaker.ready(MANY);
    await follows(speaker, MANY, ownAmong(MANY));
    await changes(bed, speaker);
    t.diagnostic(`ready after ${readyMs.toFixed(0)} ms, RSS ${speaker.rssMb.toFixed(0)} MB`);
    assert.ok(speaker.rssMb <= MAX_RSS_MB, `RSS ${speaker.rssMb} MB`);
  } finally {
    await speaker.stop();
  }
}

test('a speaker among 10,000 services', async (t) => {
  const program = requireCluster(t);
  if (program === null) return;
  const bed = await ScaleBed.create(program);
  try {
    await play(t, bed);
  } finally {
    await bed.close();
  }
});
