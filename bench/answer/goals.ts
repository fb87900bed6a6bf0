import { median } from '../statistics.js';
import type { Family } from './addresses.js';
import { ratioOf, repliesPerCore, valuesOf } from './query.js';
import type { Results } from './results.js';
import { MIDDLE_SIZE, type Sample } from './rounds.js';

/** One line of the comparison with what was aimed at. */
export interface GoalOutcome {
  readonly what: string;
  readonly wanted: string;
  readonly seen: string;
  readonly met: boolean;
}

/**
 * An answer later than this counts as late while tables are swapped, unless the same table left alone was as slow: the
 * machine may take the core away. A client asks again after a second.
 */
const LATE_US = 10_000;
/** "Unchanged" on a machine that is not quiet. */
const UNCHANGED = 1.1;

type Value = (sample: Sample) => number | undefined;

const idleP50: Value = (sample) => sample.idle.p50Us;
const idleP999: Value = (sample) => sample.idle.p999Us;
const cpu: Value = (sample) => sample.saturated.cpuPerReplyUs;

const FAMILY_NAMES: Record<Family, string> = { arp: 'ARP', ndp: 'NDP' };

function fixed(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

/** Only what was measured is compared: a responder that was missing gives no line. */
export function compareWithGoals(results: Results): GoalOutcome[] {
  const outcomes: GoalOutcome[] = [];
  const atLeast = (what: string, goal: number, seen: number | null, unit = 'x'): void => {
    if (seen === null || Number.isNaN(seen)) return;
    outcomes.push({ what, wanted: `>= ${goal}${unit}`, seen: `${fixed(seen)}${unit}`, met: seen >= goal });
  };
  const atMost = (what: string, goal: number, seen: number | null, unit = 'x'): void => {
    if (seen === null || Number.isNaN(seen)) return;
    outcomes.push({
      what,
      wanted: `<= ${Number(goal.toFixed(2))}${unit}`,
      seen: `${fixed(seen)}${unit}`,
      met: seen <= goal,
    });
  };

  for (const family of ['arp', 'ndp'] as const) {
    const name = FAMILY_NAMES[family];
    const against = (peer: 'kernel' | 'go', value: Value): number | null =>
      ratioOf(results, family, MIDDLE_SIZE, 'arpeggio', peer, value);
    const own = (addresses: number, value: Value): number =>
      median(valuesOf(results, 'arpeggio', family, addresses, value));

    atLeast(`${name}: replies per core against the kernel`, 0.5, against('kernel', repliesPerCore));
    atLeast(`${name}: replies per core against Go`, 3, against('go', repliesPerCore));
    atMost(`${name}: CPU per reply, 10,000 addresses against 1`, 1.2, own(10_000, cpu) / own(1, cpu));
    atMost(`${name}: p50 against Go's`, 0.65, against('go', idleP50));
    atMost(`${name}: p99.9 against Go's`, 1, against('go', idleP999));
    const calmP50 = (sample: Sample): number | undefined => sample.calm?.p50Us;
    const stormP50 = (sample: Sample): number | undefined => sample.storm?.p50Us;
    atMost(
      `${name}: p50 under the storm against calm`,
      UNCHANGED,
      own(MIDDLE_SIZE, stormP50) / own(MIDDLE_SIZE, calmP50),
    );
    const lost = valuesOf(results, 'arpeggio', family, MIDDLE_SIZE, (sample) => sample.storm?.lost);
    if (lost.length > 0) atMost(`${name}: owned requests lost under the storm`, 0, sum(lost), '');
    const announced = results.announcementsMs[family];
    if (announced.length > 0) atMost(`${name}: 10,000 announcements`, 40, median(announced), ' ms');
  }
  const wrong = results.samples
    .filter(({ peer }) => peer === 'arpeggio')
    .map(
      ({ saturated, idle, noisy, storm }) => saturated.wrong + idle.wrong + (noisy?.wrong ?? 0) + (storm?.wrong ?? 0),
    );
  if (wrong.length > 0) atMost('wrong answers in the whole run', 0, sum(wrong), '');
  if (results.swaps.length > 0) {
    const of = (value: (swap: Results['swaps'][number]) => number): number => sum(results.swaps.map(value));
    atMost(
      'lost answers while tables are swapped',
      0,
      of(({ swapping }) => swapping.lost),
      '',
    );
    atMost(
      'wrong answers while tables are swapped',
      0,
      of(({ swapping }) => swapping.wrong),
      '',
    );
    atMost(
      'slowest answer while tables are swapped',
      Math.max(LATE_US, ...results.swaps.map(({ still }) => still.maxUs)) / 1000,
      Math.max(...results.swaps.map(({ swapping }) => swapping.maxUs)) / 1000,
      ' ms',
    );
  }
  for (const { addresses, mb } of results.memoryMb) {
    atMost(`memory, ${addresses.toLocaleString('en')} addresses`, 70, mb, ' MB');
  }
  for (const protocol of ['ipv4', 'ipv6'] as const) {
    const of = (withArpeggio: boolean, value: (sample: Results['plain'][number]) => number): number =>
      median(
        results.plain
          .filter((sample) => sample.protocol === protocol && sample.withArpeggio === withArpeggio)
          .map(value),
      );
    const name = protocol === 'ipv4' ? 'IPv4' : 'IPv6';
    atLeast(
      `plain ${name}: packet rate with the responder against without`,
      0.98,
      of(true, (sample) => sample.receivedPerSecond) / of(false, (sample) => sample.receivedPerSecond),
    );
    atMost(
      `plain ${name}: CPU per packet with the responder against without`,
      1.02,
      of(true, (sample) => sample.cpuPerPacketUs) / of(false, (sample) => sample.cpuPerPacketUs),
    );
  }
  return outcomes;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
