// What 10,000 services among 100 nodes cost a speaker: memory, a start, and a flap of one service's endpoints.
import { setTimeout as delay } from 'node:timers/promises';
import {
  CLUSTER_SERVICE,
  FOREIGN_SERVICE,
  type LoneSpeaker,
  OWN_SERVICE,
  ScaleBed,
} from '../../test/cluster/scale_bed.js';
import { median } from '../statistics.js';
import type { Note } from './failures.js';

const FEW = 10;
const MANY = 10_000;
const FLAPS = 100;
const ROUNDS = 5;
const LOOK_MS = 1_000;
/** By then its share is claimed, its Leases and statuses are written. */
const SETTLE_MS = 8_000;

type Flap = 'unchanged' | 'told' | 'vanished';

/** CPU in a millisecond of rest: the least of some looks, since the state may be written to disk in one of them. */
async function restingShare(speaker: LoneSpeaker): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < 3; look += 1) {
    const from = { ms: performance.now(), cpuMs: speaker.cpuMs };
    await delay(LOOK_MS);
    looks.push((speaker.cpuMs - from.cpuMs) / (performance.now() - from.ms));
  }
  return Math.min(...looks);
}

/** Milliseconds of CPU for one change of endpoints, what the speaker does anyway taken off; the median of some rounds. */
async function flapMs(speaker: LoneSpeaker, flap: (count: number) => Promise<void>): Promise<number> {
  const rounds: number[] = [];
  const share = await restingShare(speaker);
  await flap(FLAPS / 2);
  await delay(LOOK_MS);
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = { ms: performance.now(), cpuMs: speaker.cpuMs };
    await flap(FLAPS);
    // What follows belongs to it.
    await delay(LOOK_MS);
    const ms = performance.now() - from.ms;
    rounds.push(Math.max(0, speaker.cpuMs - from.cpuMs - share * ms) / FLAPS);
  }
  return median(rounds);
}

async function flaps(bed: ScaleBed, speaker: LoneSpeaker): Promise<Record<Flap, number>> {
  return {
    unchanged: await flapMs(speaker, (count) => bed.flap(CLUSTER_SERVICE, count)),
    told: await flapMs(speaker, (count) => bed.flap(FOREIGN_SERVICE, count)),
    vanished: await flapMs(speaker, (count) => bed.vanish(OWN_SERVICE, count)),
  };
}

/** @param program the control plane */
export async function scale(program: string, note: Note): Promise<void> {
  const bed = await ScaleBed.create(program);
  const seen: Record<Flap, number>[] = [];
  try {
    for (const count of [FEW, MANY]) {
      await bed.fill(count);
      const speaker = bed.start();
      try {
        const readyMs = await speaker.ready(count);
        await delay(SETTLE_MS);
        if (count === MANY) {
          note('scaleReady', readyMs);
          note('scaleMemory', speaker.rssMb);
        }
        seen.push(await flaps(bed, speaker));
      } finally {
        await speaker.stop();
      }
    }
  } finally {
    await bed.close();
  }
  const [few, many] = seen as [Record<Flap, number>, Record<Flap, number>];
  const text = (flap: Flap) =>
    `${flap}: ${few[flap].toFixed(2)} ms with 10 services, ${many[flap].toFixed(2)} with 10,000`;
  process.stdout.write(`    CPU of a flap, ${(['unchanged', 'told', 'vanished'] as const).map(text).join('; ')}\n`);
  note('flapUnchanged', many.unchanged / few.unchanged);
  note('flapTold', many.told / few.told);
  note('flapVanished', many.vanished / few.vanished);
}
