import { type Figure, figure, median } from '../statistics.js';
import type { Family } from './addresses.js';
import type { PeerName } from './peers.js';
import type { Results } from './results.js';
import type { Sample } from './rounds.js';

/** The figures of one responder in one case, one per round; rounds without it are left out. */
export function valuesOf(
  results: Results,
  peer: PeerName,
  family: Family,
  addresses: number,
  value: (sample: Sample) => number | undefined,
): number[] {
  return results.samples
    .filter((sample) => sample.peer === peer && sample.family === family && sample.addresses === addresses)
    .map(value)
    .filter((number): number is number => number !== undefined);
}

export function figureOf(...query: Parameters<typeof valuesOf>): Figure | null {
  const values = valuesOf(...query);
  return values.length === 0 ? null : figure(values);
}

/** Replies per second of responder's CPU time: what one core can do, also where the generator was the limit. */
export function repliesPerCore(sample: Sample): number {
  return 1e6 / sample.saturated.cpuPerReplyUs;
}

/** Median of the ratios within each round, so that a slow minute of the machine counts for both sides. */
export function ratioOf(
  results: Results,
  family: Family,
  addresses: number,
  above: PeerName,
  below: PeerName,
  value: (sample: Sample) => number | undefined,
): number | null {
  const ratios: number[] = [];
  const inRound = (peer: PeerName, round: number) =>
    results.samples.find(
      (sample) =>
        sample.peer === peer && sample.round === round && sample.family === family && sample.addresses === addresses,
    );
  for (let round = 0; round < results.rounds; round += 1) {
    const numerator = inRound(above, round);
    const denominator = inRound(below, round);
    const top = numerator && value(numerator);
    const bottom = denominator && value(denominator);
    if (top !== undefined && bottom !== undefined) ratios.push(top / bottom);
  }
  return ratios.length === 0 ? null : median(ratios);
}
