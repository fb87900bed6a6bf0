// What is wrong between this node and the cluster, in sentences.
import type { ReflectorStatus } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import type { ConfigurationProblem } from '../metallb/types.js';
import type { Takeover } from '../ownership/fence.js';
import type { SourceStatus } from '../sources/kubernetes/types.js';

const MAX_SHOWN = 20;
const MAX_SERVICES = 5;

export interface WarningsInput {
  /** Where what is in force comes from. */
  readonly wish: 'none' | 'saved' | 'cluster';
  readonly source: SourceStatus;
  readonly problems: readonly ConfigurationProblem[];
  readonly records: ReflectorStatus;
  readonly pendingRecords: number;
  readonly takeover: Takeover;
  /** Nodes whose speakers take over in the other way. */
  readonly otherMode: readonly string[];
  /** Sentences on nodes whose heartbeats do not arrive. */
  readonly unheard: readonly string[];
  /** Services that nobody announces until users mend something, and why. */
  readonly failures: ReadonlyMap<string, string>;
  /** This node, if there is no Node of that name. */
  readonly unknownNode: string | null;
  /** A sentence on service IPs outside the subnets of this node; null: there are none. */
  readonly offLink: string | null;
}

export function clusterWarnings(input: WarningsInput): string[] {
  const { wish, source, problems, records, pendingRecords, unheard, failures, unknownNode, otherMode } = input;
  const warnings: string[] = [];
  if (wish === 'saved')
    warnings.push('what is announced comes from the state on disk; the API server has told nothing yet');
  const waiting = new Map<string, string[]>();
  for (const [kind, { state, reason }] of [...Object.entries(source.reflectors), ['leases', records] as const]) {
    if (state !== 'waiting') continue;
    const cause = causeOf(reason ?? 'the reason is not known');
    waiting.set(cause, [...(waiting.get(cause) ?? []), kind]);
  }
  for (const [reason, kinds] of waiting) {
    warnings.push(`${kinds.join(', ')} cannot be read from the API server, so what is known stays in force: ${reason}`);
  }
  if (pendingRecords > 0) warnings.push(`${pendingRecords} ownership records are not written yet`);
  if (otherMode.length > 0) warnings.push(otherModeText(input.takeover, otherMode));
  if (source.configuration === 'last-good')
    warnings.push('the pools and advertisements in the cluster have mistakes; the last good ones are in force');
  if (unknownNode !== null)
    warnings.push(
      `there is no Node ${unknownNode} in the cluster, so this speaker announces nothing; --node-name is to be the name that kubectl get nodes shows`,
    );
  warnings.push(...problems.slice(0, MAX_SHOWN).map(problemText), ...unheard);
  if (input.offLink !== null) warnings.push(input.offLink);
  const services = [...failures].slice(0, MAX_SERVICES);
  warnings.push(...services.map(([service, why]) => `${service} is announced by nobody: ${why}`));
  const more = failures.size - services.length;
  if (more > 0) warnings.push(`${more} more services are announced by nobody`);
  return warnings;
}

/** Fenced keeps its promise only where all do. */
export function otherModeText(takeover: Takeover, others: readonly string[]): string {
  const other = takeover === 'fast' ? 'fenced' : 'fast';
  return `this speaker runs with --takeover ${takeover}, those of ${others.join(', ')} with ${other}: two nodes may announce one address; give all the same`;
}

export function logProblems(log: Logger, problems: readonly ConfigurationProblem[]): void {
  if (problems.length === 0) log.info('the pools and advertisements are valid again');
  for (const problem of problems.slice(0, MAX_SHOWN)) {
    log[problem.severity === 'error' ? 'error' : 'warn']({ reason: problem.reason }, problemText(problem));
  }
}

/** Without the request, which differs where the trouble is the same. */
function causeOf(reason: string): string {
  return reason.replace(/^[A-Z]+ \/\S*: /, '');
}

function problemText({ kind, namespace, name, path, message }: ConfigurationProblem): string {
  return `${kind} ${namespace}/${name}${path && `: ${path}`}: ${message}`;
}
