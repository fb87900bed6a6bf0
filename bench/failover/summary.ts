// From what single clients saw to one figure for each event.
import { type Figure, figure } from '../statistics.js';
import { CASES, type CaseName } from './cases.js';
import type { AnswerSample, FailoverResults, Sample } from './results.js';
import type { AddressFamily } from './services.js';
import type { SystemName } from './system.js';

/** One happening of a case, for one family: as it was for the client that was worst off among those that count. */
export interface Event {
  readonly repetition: number;
  readonly family: AddressFamily;
  readonly outageMs: number;
  readonly lost: number;
  readonly ownerChanges: number;
}

export function eventsOf(samples: readonly Sample[], system: SystemName, name: CaseName): Event[] {
  const counted = samples.filter(
    (sample) =>
      sample.system === system && sample.case === name && (CASES[name].clients === 'all' || sample.client === 'far'),
  );
  const groups = new Map<string, Sample[]>();
  for (const sample of counted) {
    const key = `${sample.repetition} ${sample.family}`;
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  return [...groups.values()].map((group) => ({
    repetition: group[0]!.repetition,
    family: group[0]!.family,
    outageMs: Math.max(...group.map(({ outageMs }) => outageMs)),
    lost: Math.max(...group.map(({ lost }) => lost)),
    ownerChanges: Math.max(...group.map(({ ownerChanges }) => ownerChanges)),
  }));
}

export interface CaseSummary {
  readonly events: number;
  readonly outageMs: Figure;
  readonly lost: Figure;
  /** Events in which anything was lost. */
  readonly lossy: number;
  readonly ownerChanges: Figure;
}

/** null when the case was not played with that system. */
export function summaryOf(samples: readonly Sample[], system: SystemName, name: CaseName): CaseSummary | null {
  const events = eventsOf(samples, system, name);
  if (events.length === 0) return null;
  return {
    events: events.length,
    outageMs: figure(events.map(({ outageMs }) => outageMs)),
    lost: figure(events.map(({ lost }) => lost)),
    lossy: events.filter(({ lost }) => lost > 0).length,
    ownerChanges: figure(events.map(({ ownerChanges }) => ownerChanges)),
  };
}

export interface AnswerSummary {
  readonly longestWaitMs: Figure;
  readonly overlapMs: Figure;
  /** Left out because the asking host was held up itself. */
  readonly heldUp: number;
}

/** A gap says nothing about the answerer when the asker asked nothing for most of the time that is allowed. */
const HELD_UP_MS = 30;

export function answersOf(answers: readonly AnswerSample[], system: SystemName, name: CaseName): AnswerSummary | null {
  const all = answers.filter((sample) => sample.system === system && sample.case === name);
  const counted = all.filter(({ askerPauseMs }) => askerPauseMs < HELD_UP_MS);
  if (counted.length === 0) return null;
  return {
    longestWaitMs: figure(counted.map(({ longestWaitMs }) => longestWaitMs)),
    overlapMs: figure(counted.map(({ overlapMs }) => overlapMs)),
    heldUp: all.length - counted.length,
  };
}

/** Longest time in which a client sent nothing, in the whole run: what was the machine's fault. */
export function longestPauseMs({ samples }: FailoverResults): number {
  return Math.max(0, ...samples.map(({ clientPauseMs }) => clientPauseMs));
}
