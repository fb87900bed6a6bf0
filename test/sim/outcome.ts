import { Violation } from './checker.js';
import { runRandom, type ScenarioOptions } from './random_scenario.js';

export interface Outcome {
  readonly seed: number;
  /** What was found; null: nothing. */
  readonly failure: string | null;
  /** One line for each event up to the failure; empty without one. */
  readonly trace: readonly string[];
}

/** Runs a seed. One that fails is run again, the same, with its trace. */
export function outcomeOf(options: ScenarioOptions): Outcome {
  const { seed } = options;
  const failure = failureOf(options);
  if (failure === null) return { seed, failure, trace: [] };
  const trace: string[] = [];
  const again = failureOf({ ...options, trace: (line) => trace.push(line) });
  if (again !== failure) trace.push(`the second run was another: ${again}`);
  return { seed, failure, trace };
}

function failureOf(options: ScenarioOptions): string | null {
  try {
    runRandom(options);
    return null;
  } catch (error) {
    // What the core throws is a finding as well.
    return error instanceof Violation ? error.message : ((error as Error).stack ?? String(error));
  }
}
