// What of the bench is to be run.
import { EXTRA_NAMES, type ExtraName, GROUPS, type Group } from './cases.js';
import { SYSTEM_NAMES, type SystemName } from './system.js';

export interface Plan {
  readonly systems: readonly SystemName[];
  readonly groups: readonly Group[];
  readonly extras: readonly ExtraName[];
  readonly repetitions: number;
  readonly hogMinutes: number;
  /** Whether it is all that there is, so that the report may be written. */
  readonly full: boolean;
}

export interface PlanOptions {
  readonly quick: boolean;
  readonly repetitions?: string | undefined;
  readonly only?: string | undefined;
  readonly hogMinutes?: string | undefined;
}

const REPETITIONS = { full: 10, quick: 2 };
const HOG_MINUTES = { full: 10, quick: 1 };

function number(text: string | undefined, name: string, otherwise: number, least: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value >= least)) throw new Error(`${name} must be a number of at least ${least}, not "${text}"`);
  return value;
}

/**
 * `only` names systems and cases, separated by commas: systems alone mean all cases, cases alone all systems.
 * @throws Error with the names to choose from
 */
export function makePlan({ quick, repetitions, only, hogMinutes }: PlanOptions): Plan {
  const groups = GROUPS.map(({ name }) => name);
  const names = only?.split(',').map((name) => name.trim()) ?? [];
  const known: readonly string[] = [...SYSTEM_NAMES, ...groups, ...EXTRA_NAMES];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(
      `--only knows no "${unknown}"; systems: ${SYSTEM_NAMES.join(', ')}; cases: ${[...groups, ...EXTRA_NAMES].join(', ')}`,
    );
  const systems = SYSTEM_NAMES.filter((name) => names.includes(name));
  const cases = names.filter((name) => !systems.includes(name as SystemName));
  const length = quick ? 'quick' : 'full';
  const times = number(repetitions, '--repetitions', REPETITIONS[length], 1);
  const minutes = number(hogMinutes, '--hog-minutes', HOG_MINUTES[length], 0.05);
  const chosen = systems.length === 0 ? SYSTEM_NAMES : systems;
  return {
    systems: chosen,
    groups: GROUPS.filter(({ name }) => cases.length === 0 || cases.includes(name)),
    // Questions about Arpeggio.
    extras: chosen.includes('arpeggio') ? EXTRA_NAMES.filter((name) => cases.length === 0 || cases.includes(name)) : [],
    repetitions: Math.round(times),
    hogMinutes: minutes,
    full: only === undefined && !quick && times >= REPETITIONS.full && minutes >= HOG_MINUTES.full,
  };
}

/**
 * Systems in the order of a repetition, those that play side by side in one entry: Arpeggio has the machine for itself,
 * the others, whose outages are hundreds of milliseconds and more, share it. Who goes first changes.
 */
export function lanesOf(systems: readonly SystemName[], repetition: number): SystemName[][] {
  const own = systems.filter((name) => name === 'arpeggio');
  const lanes = [own, systems.filter((name) => name !== 'arpeggio')].filter((lane) => lane.length > 0);
  return lanes.map((_, index) => lanes[(index + repetition) % lanes.length]!);
}
