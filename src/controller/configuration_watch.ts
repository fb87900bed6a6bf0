import type { EventRecorder } from '../kubernetes/events.js';
import { inNamespace, PATHS, projectCustomResource, projectNamespace, projectNode } from '../kubernetes/projections.js';
import { Reflector } from '../kubernetes/reflector.js';
import type { CustomResource, Namespace, Node, ObjectKey } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import { judgeConfiguration, unadvertisedPools } from '../metallb/configuration.js';
import { problemText } from '../metallb/state.js';
import type { ConfigurationProblem, ConfigurationVerdict } from '../metallb/types.js';
import type { ControllerApi } from './types.js';

export interface ConfigurationWatchOptions {
  readonly api: ControllerApi;
  readonly namespace: string;
  /** A verdict that differs from the last one. The first comes once all lists are complete. */
  readonly onVerdict: (verdict: ConfigurationVerdict) => void;
  /** An IPAddressPool is new, or is another than before: its status may not be true any more. */
  readonly onPools: () => void;
  readonly events: EventRecorder;
  readonly log: Logger;
}

/** Objects that are applied together are judged together. */
const GATHER_MS = 50;

/** Pools and advertisements, with what they refer to; judged on each change. Mistakes are told on the objects, as events. */
export class ConfigurationWatch {
  /** Names of the pools that an L2Advertisement is for. */
  advertised: ReadonlySet<string> = new Set();
  readonly #options: ConfigurationWatchOptions;
  readonly #pools: Reflector<CustomResource>;
  readonly #advertisements: Reflector<CustomResource>;
  readonly #namespaces: Reflector<Namespace>;
  readonly #nodes: Reflector<Node>;
  #timer: NodeJS.Timeout | null = null;
  #last = '';
  #told: ReadonlySet<string> = new Set();

  constructor(options: ConfigurationWatchOptions) {
    const { api, namespace, log } = options;
    const onChange = () => this.#changed();
    this.#options = options;
    this.#pools = new Reflector<CustomResource>({
      api,
      path: inNamespace(PATHS.ipAddressPools, namespace),
      project: projectCustomResource,
      onChange: () => {
        options.onPools();
        onChange();
      },
      log,
    });
    this.#advertisements = new Reflector<CustomResource>({
      api,
      path: inNamespace(PATHS.l2Advertisements, namespace),
      project: projectCustomResource,
      onChange,
      log,
    });
    this.#namespaces = new Reflector<Namespace>({
      api,
      path: PATHS.namespaces,
      project: projectNamespace,
      onChange,
      log,
    });
    this.#nodes = new Reflector<Node>({ api, path: PATHS.nodes, project: projectNode, onChange, log });
  }

  get pools(): ReadonlyMap<ObjectKey, CustomResource> {
    return this.#pools.objects;
  }

  start(): void {
    for (const reflector of this.#all) reflector.start();
  }

  async stop(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    await Promise.all(this.#all.map((reflector) => reflector.stop()));
  }

  get #all() {
    return [this.#pools, this.#advertisements, this.#namespaces, this.#nodes] as const;
  }

  #changed(): void {
    if (this.#timer || !this.#all.every((reflector) => reflector.status.synced)) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#judge();
    }, GATHER_MS);
  }

  #judge(): void {
    const verdict = judgeConfiguration({
      pools: [...this.#pools.objects.values()],
      advertisements: [...this.#advertisements.objects.values()],
      namespaces: [...this.#namespaces.objects.values()],
      nodes: [...this.#nodes.objects.values()],
      namespace: this.#options.namespace,
    });
    const text = textOf(verdict);
    // Heartbeats of nodes and our own writes to the status of pools change nothing here.
    if (text === this.#last) return;
    this.#last = text;
    if (verdict.configuration) {
      this.advertised = new Set(verdict.configuration.advertisements.flatMap(({ pools }) => pools));
    }
    this.#tell(verdict);
    this.#options.onVerdict(verdict);
  }

  /** What is new among the problems: as events on the objects, and in the log. */
  #tell({ configuration, problems }: ConfigurationVerdict): void {
    const told = new Set<string>();
    for (const problem of problems) {
      const text = problemText(problem);
      told.add(text);
      if (this.#told.has(text)) continue;
      const spoils = configuration === null && problem.severity === 'error';
      this.#options.log[spoils ? 'error' : 'warn']({ reason: problem.reason }, text);
      const reason = problem.severity === 'error' ? 'InvalidConfiguration' : 'QuestionableConfiguration';
      this.#event(problem, reason, `${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`);
    }
    for (const name of configuration ? unadvertisedPools(configuration) : []) {
      const text = `no advertisement: ${name}`;
      told.add(text);
      if (this.#told.has(text)) continue;
      const message =
        'No L2Advertisement is for this pool: its addresses are given to services, but nobody announces them; create an L2Advertisement that names it, or one without ipAddressPools';
      this.#event(
        { kind: 'IPAddressPool', namespace: this.#options.namespace, name } as ConfigurationProblem,
        'NotAdvertised',
        message,
      );
    }
    this.#told = told;
  }

  #event({ kind, namespace, name }: ConfigurationProblem, reason: string, message: string): void {
    const objects = kind === 'IPAddressPool' ? this.#pools.objects : this.#advertisements.objects;
    const uid = objects.get(`${namespace}/${name}`)?.uid ?? '';
    const object = { kind, apiVersion: 'metallb.io/v1beta1', namespace, name, uid };
    this.#options.events.event(object, 'Warning', reason, message);
  }
}

function textOf(verdict: ConfigurationVerdict): string {
  return JSON.stringify(verdict, (_key, value) => {
    if (typeof value === 'bigint') return value.toString();
    return value === Number.POSITIVE_INFINITY ? 'Infinity' : value;
  });
}
