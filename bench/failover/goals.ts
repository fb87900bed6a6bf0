import { percentile } from '../statistics.js';
import { CASE_NAMES, CASES, type CaseName } from './cases.js';
import type { FailoverResults } from './results.js';
import { answersOf, eventsOf, summaryOf } from './summary.js';

/** One line of the comparison with what was aimed at. */
export interface GoalOutcome {
  readonly what: string;
  readonly wanted: string;
  readonly seen: string;
  readonly met: boolean;
}

/** Cases after which a node cannot be reached, whatever it does. */
const NODE_GONE: readonly CaseName[] = ['link-down', 'port-disabled'];
const OWN = 'arpeggio';
const TAKEOVER_MS = 250;
const UNANSWERED_MS = 60;
/** Heartbeats of 50 ms, judged after three of them. */
const DETECTION_MS = 150;

/** The most owner changes that an event of the case may bring. */
function allowedChanges(name: CaseName): number {
  // After a heal the clients of one side follow to the other one's owner.
  return CASES[name].kind === 'quiet' && name !== 'heal' ? 0 : 1;
}

/** Only what was measured is compared. */
export function compareWithGoals(results: FailoverResults): GoalOutcome[] {
  const outcomes: GoalOutcome[] = [];
  const atMost = (what: string, goal: number, seen: number, unit = ''): void => {
    if (!Number.isFinite(seen)) return;
    const shown = `${Number.isInteger(seen) ? seen : seen.toFixed(1)}${unit}`;
    outcomes.push({ what, wanted: `<= ${goal}${unit}`, seen: shown, met: seen <= goal });
  };
  const outages = (names: readonly CaseName[]) =>
    names.flatMap((name) => eventsOf(results.samples, OWN, name)).map(({ outageMs }) => outageMs);

  atMost('node gone: outage, median', 150, percentile(outages(NODE_GONE), 0.5), ' ms');
  atMost('node gone: outage, p99', 200, percentile(outages(NODE_GONE), 0.99), ' ms');
  for (const name of ['kill', 'partition'] as const)
    atMost(`${CASES[name].title}: outage, p99`, 200, percentile(outages([name]), 0.99), ' ms');
  for (const name of CASE_NAMES) {
    const summary = summaryOf(results.samples, OWN, name);
    if (summary === null) continue;
    if (CASES[name].kind !== 'loss') atMost(`${CASES[name].title}: packets lost, worst event`, 0, summary.lost.max);
    atMost(`${CASES[name].title}: owner changes, worst event`, allowedChanges(name), summary.ownerChanges.max);
  }
  for (const name of CASE_NAMES.filter((each) => CASES[each].kind === 'planned')) {
    const answers = answersOf(results.answers, OWN, name);
    if (answers !== null)
      atMost(`${CASES[name].title}: requests unanswered, worst event`, UNANSWERED_MS, answers.longestWaitMs.max, ' ms');
  }
  if (results.many.length > 0) {
    const worst = (value: (sample: FailoverResults['many'][number]) => number) =>
      Math.max(...results.many.map((sample) => value(sample)));
    const count = worst(({ addresses }) => addresses).toLocaleString('en');
    atMost(
      `${count} addresses: not announced`,
      0,
      worst(({ addresses, announced }) => addresses - announced),
    );
    atMost(
      `${count} addresses: from the first announcement to the last`,
      TAKEOVER_MS,
      worst((sample) => sample.takeoverMs),
      ' ms',
    );
    atMost(
      `${count} addresses: another address unanswered meanwhile`,
      UNANSWERED_MS,
      worst((sample) => sample.answerGapMs),
      ' ms',
    );
    atMost(
      `${count} addresses: between two heartbeats meanwhile`,
      DETECTION_MS,
      worst((sample) => sample.heartbeatGapMs),
      ' ms',
    );
  }
  for (const { system, load, seconds, falseTakeovers } of results.calm)
    if (system === OWN) atMost(`false takeovers in ${(seconds / 60).toFixed(1)} min with ${load}`, 0, falseTakeovers);
  return outcomes;
}
