import { wallMs } from '../clock.js';
import { isConflict, isNotFound } from '../kubernetes/api_error.js';
import { inNamespace, PATHS } from '../kubernetes/projections.js';
import type { Logger } from '../log.js';
import { conditionOf, problemText, stateOf } from '../metallb/state.js';
import type { ConfigurationVerdict } from '../metallb/types.js';
import { KeyedQueue } from './keyed_queue.js';
import type { ControllerApi } from './types.js';

/** Name of our ConfigurationState object, as MetalLB's controller names its own. */
export const STATE_NAME = 'controller';

/** As MetalLB's controller calls it, so that alerts on it go on working. */
const CONDITION = 'poolReconcilerValid';
const MAX_WARNINGS = 4_000;

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export interface StateStatus {
  readonly result: 'Valid' | 'Invalid' | 'Unknown';
  readonly errorSummary: string;
  readonly conditions: readonly Condition[];
}

/**
 * What the ConfigurationState is to say. `lastGood`: whether an earlier configuration is in force while this one is not. A
 * condition keeps the time of `before` while its status is the same.
 */
export function stateStatus(
  { configuration, problems }: ConfigurationVerdict,
  lastGood: boolean,
  before: StateStatus | null,
  now: string,
): StateStatus {
  const condition = (type: string, status: Condition['status'], reason: string, message: string): Condition => {
    const old = before?.conditions.find((entry) => entry.type === type);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : now;
    return { type, status, reason, message, lastTransitionTime };
  };
  const report = conditionOf(problems);
  const inForce = lastGood
    ? 'the last valid configuration stays in force'
    : 'no addresses are assigned until it is valid';
  const message = configuration === null ? `${report.message} (${inForce})` : report.message;
  const warnings = problems.filter(({ severity }) => severity === 'warning').map(problemText);
  return {
    ...stateOf([report]),
    conditions: [
      condition(CONDITION, report.status, report.status === 'True' ? 'Reconciled' : 'ConfigError', message),
      // True whatever it says: a condition that is False makes the whole Invalid.
      condition('warningsReported', 'True', warnings.length > 0 ? 'Warnings' : 'NoWarnings', cut(warnings.join('; '))),
    ],
  };
}

function cut(text: string): string {
  return text.length <= MAX_WARNINGS ? text : `${text.slice(0, MAX_WARNINGS)}...`;
}

/** Keeps the ConfigurationState object true; written only where it says something else. */
export class ConfigurationReport {
  readonly #api: ControllerApi;
  readonly #namespace: string;
  readonly #mayWrite: () => boolean;
  readonly #log: Logger;
  readonly #queue: KeyedQueue;
  #missing = false;
  #verdict: ConfigurationVerdict | null = null;
  #lastGood = false;

  constructor(options: { api: ControllerApi; namespace: string; mayWrite: () => boolean; log: Logger }) {
    this.#api = options.api;
    this.#namespace = options.namespace;
    this.#mayWrite = options.mayWrite;
    this.#log = options.log;
    this.#queue = new KeyedQueue({
      work: () => this.#writeOrDoWithout(),
      concurrency: 1,
      delayMs: () => 500,
      log: options.log,
      name: 'writing the ConfigurationState',
    });
  }

  set(verdict: ConfigurationVerdict, lastGood: boolean): void {
    this.#verdict = verdict;
    this.#lastGood = lastGood;
    this.#queue.add(STATE_NAME);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  /** Definitions of MetalLB before 0.15.3 do not have the kind; events and the log tell it all the same. */
  async #writeOrDoWithout(): Promise<void> {
    try {
      await this.#write();
      this.#missing = false;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (!this.#missing)
        this.#log.warn({ err: error }, 'there is no kind ConfigurationState; apply deploy/base/crds to have it');
      this.#missing = true;
    }
  }

  async #write(): Promise<void> {
    if (!this.#mayWrite() || this.#verdict === null) return;
    const folder = inNamespace(PATHS.configurationStates, this.#namespace);
    const before = await this.#read(`${folder}/${STATE_NAME}`, folder);
    const status = stateStatus(this.#verdict, this.#lastGood, before, wholeSeconds());
    if (before !== null && JSON.stringify(relevant(before)) === JSON.stringify(relevant(status))) return;
    await this.#api.patch(`${folder}/${STATE_NAME}/status`, { status });
  }

  async #read(path: string, folder: string): Promise<StateStatus | null> {
    try {
      return statusOf(await this.#api.get(path));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    try {
      await this.#api.create(folder, {
        apiVersion: 'metallb.io/v1beta1',
        kind: 'ConfigurationState',
        metadata: {
          name: STATE_NAME,
          namespace: this.#namespace,
          labels: { 'metallb.io/component-type': 'controller' },
        },
      });
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    return null;
  }
}

/** metav1.Time has no fractions. */
function wholeSeconds(): string {
  return new Date(wallMs()).toISOString().replace(/\.\d+Z$/, 'Z');
}

function statusOf(raw: unknown): StateStatus {
  const status = (raw as { status?: Partial<StateStatus> }).status ?? {};
  return {
    result: status.result ?? 'Unknown',
    errorSummary: status.errorSummary ?? '',
    conditions: status.conditions ?? [],
  };
}

function relevant({ result, errorSummary, conditions }: StateStatus): unknown {
  const shown = conditions.map(({ type, status, reason, message }) => [type, status, reason, message]);
  return [result, errorSummary, shown.sort()];
}
