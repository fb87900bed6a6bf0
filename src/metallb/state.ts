// What a ConfigurationState says.
import type { ConfigurationProblem } from './types.js';

/** What one part of a component reports of the configuration. */
export interface StateCondition {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly message: string;
}

export interface ConfigurationStateResult {
  readonly result: 'Valid' | 'Invalid' | 'Unknown';
  /** Empty unless Invalid. */
  readonly errorSummary: string;
}

/** As many bytes as the message of a condition may have is more than anybody reads. */
const MAX_SUMMARY = 4096;

/** Puts reports together: one that is bad makes it Invalid; without any, or where one is not known, it is Unknown. */
export function stateOf(conditions: readonly StateCondition[]): ConfigurationStateResult {
  const bad = conditions.filter(({ status }) => status === 'False');
  if (bad.length > 0) return { result: 'Invalid', errorSummary: bad.map(({ message }) => message).join('; ') };
  const known = conditions.length > 0 && conditions.every(({ status }) => status === 'True');
  return { result: known ? 'Valid' : 'Unknown', errorSummary: '' };
}

/** The report on a verdict's problems: False with what has to be changed where there are errors. */
export function conditionOf(problems: readonly ConfigurationProblem[]): StateCondition {
  const errors = problems.filter(({ severity }) => severity === 'error').map(problemText);
  if (errors.length === 0) return { status: 'True', message: '' };
  const whole = errors.join('; ');
  return { status: 'False', message: whole.length <= MAX_SUMMARY ? whole : `${whole.slice(0, MAX_SUMMARY - 3)}...` };
}

/** One line for people: "IPAddressPool metallb-system/pool1: spec.addresses[0]: ...". */
export function problemText({ kind, namespace, name, path, message }: ConfigurationProblem): string {
  return `${kind} ${namespace}/${name}: ${path === '' ? '' : `${path}: `}${message}`;
}
