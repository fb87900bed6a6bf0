import { monotonicMs } from '../../clock.js';
import type { DesiredState } from '../../desired/desired.js';
import type { Announcement } from '../../eligibility/types.js';
import {
  inNamespace,
  PATHS,
  projectCustomResource,
  projectEndpointSlice,
  projectNamespace,
  projectNode,
  projectService,
} from '../../kubernetes/projections.js';
import { Reflector, type ReflectorOptions } from '../../kubernetes/reflector.js';
import type {
  Changes,
  Labels,
  Node,
  ObjectKey,
  Projected,
  ReflectorStatus,
  Service,
  ServicePort,
} from '../../kubernetes/types.js';
import type { Logger } from '../../log.js';
import type { Configuration, ConfigurationProblem } from '../../metallb/types.js';
import { ClusterState, type ClusterStateOptions } from './cluster_state.js';
import type { SourceStatus, SourceUpdate, WatchedKind } from './types.js';

/** The first update is told at once; changes that follow within this time make one update. */
export const DEFAULT_GATHER_MS = 5;

export interface KubernetesSourceOptions extends ClusterStateOptions {
  readonly api: ReflectorOptions<unknown>['api'];
  readonly log: Logger;
  /** The first one is `complete`, once all lists were complete and the configuration is valid. */
  readonly onUpdate: (update: SourceUpdate) => void;
  /** All there is to say about the configuration, whenever that changes; empty: it is fine again. */
  readonly onProblems: (problems: readonly ConfigurationProblem[]) => void;
  /** Default: {@link DEFAULT_GATHER_MS}. */
  readonly gatherMs?: number;
}

type AnyReflector = Pick<Reflector<never>, 'start' | 'stop' | 'status'>;

/** Slices of headless Services are left out: those have no service IP. kube-proxy does the same. */
const NOT_HEADLESS = '!service.kubernetes.io/headless';

/** The Kubernetes API as a source: watches what decides about service IPs, and tells what that means for the speaker. */
export class KubernetesSource {
  readonly #options: Omit<KubernetesSourceOptions, 'saved'>;
  readonly #state: ClusterState;
  readonly #reflectors: Readonly<Record<WatchedKind, AnyReflector>>;
  /** Kinds whose list is not complete yet. */
  readonly #missing: Set<WatchedKind>;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  /** When an update was told last. */
  #toldMs = Number.NEGATIVE_INFINITY;
  /** When there is something to do though nothing changes. */
  #due: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor({ saved = null, ...options }: KubernetesSourceOptions) {
    this.#options = options;
    const state = new ClusterState({ ...options, saved });
    this.#state = state;
    const { namespace } = options;
    this.#reflectors = {
      services: this.#reflector('services', PATHS.services, loadBalancer, (changes) => state.applyServices(changes)),
      endpointSlices: this.#reflector(
        'endpointSlices',
        PATHS.endpointSlices,
        projectEndpointSlice,
        (changes) => state.applyEndpointSlices(changes),
        NOT_HEADLESS,
      ),
      nodes: this.#reflector('nodes', PATHS.nodes, node, (changes) => state.applyNodes(changes)),
      namespaces: this.#reflector('namespaces', PATHS.namespaces, projectNamespace, (changes) =>
        state.applyNamespaces(changes),
      ),
      // Elsewhere they have no effect, and are not ours to read.
      pools: this.#reflector('pools', inNamespace(PATHS.ipAddressPools, namespace), projectCustomResource, (changes) =>
        state.applyPools(changes),
      ),
      advertisements: this.#reflector(
        'advertisements',
        inNamespace(PATHS.l2Advertisements, namespace),
        projectCustomResource,
        (changes) => state.applyAdvertisements(changes),
      ),
    };
    this.#missing = new Set(Object.keys(this.#reflectors) as WatchedKind[]);
  }

  get status(): SourceStatus {
    const { configurationInForce } = this.#state;
    const entries = Object.entries(this.#reflectors).map(([kind, { status }]) => [kind, status]);
    return {
      synced: this.#missing.size === 0 && configurationInForce !== 'none',
      configuration: configurationInForce,
      reflectors: Object.fromEntries(entries) as Record<WatchedKind, ReflectorStatus>,
    };
  }

  /** Of type LoadBalancer, of our class, with an address; without what a speaker does not need, such as ports. */
  get services(): ReadonlyMap<ObjectKey, Service> {
    return this.#state.services;
  }

  /** What follows for each of `services`; what was saved, before the first update. */
  get announcements(): ReadonlyMap<ObjectKey, Announcement> {
    return this.#state.announcements;
  }

  get nodes(): ReadonlyMap<string, Node> {
    return this.#state.nodes;
  }

  /** The one in force, to be saved with `desired`; null: there was no valid one yet. */
  get configuration(): Configuration | null {
    return this.#state.configuration;
  }

  /** All that `onUpdate` has told so far, put together; what was saved, before the first update. */
  desired(): DesiredState {
    return this.#state.desired();
  }

  start(): void {
    for (const reflector of Object.values(this.#reflectors)) reflector.start();
  }

  /** No callback is called any more from now on; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#due);
    this.#unschedule();
    await Promise.all(Object.values(this.#reflectors).map((reflector) => reflector.stop()));
  }

  #reflector<T>(
    kind: WatchedKind,
    path: string,
    project: (raw: unknown) => { key: ObjectKey; value: T } | null,
    apply: (changes: Changes<T>) => void,
    labelSelector?: string,
  ): AnyReflector {
    return new Reflector<T>({
      api: this.#options.api,
      path,
      ...(labelSelector !== undefined && { query: { labelSelector } }),
      project,
      onChange: (changes) => {
        if (this.#stopped) return;
        this.#missing.delete(kind);
        apply(changes);
        this.#schedule();
      },
      log: this.#options.log,
    });
  }

  /** What several watches have told by now is taken together; a change that stands alone waits for nothing. */
  #schedule(): void {
    if (this.#missing.size > 0 || this.#timer !== null || this.#immediate !== null) return;
    const waitMs = this.#toldMs + (this.#options.gatherMs ?? DEFAULT_GATHER_MS) - monotonicMs();
    if (waitMs > 0) this.#timer = setTimeout(() => this.#settle(), waitMs);
    else this.#immediate = setImmediate(() => this.#settle());
  }

  #unschedule(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#timer = null;
    this.#immediate = null;
  }

  #settle(): void {
    this.#unschedule();
    const { updates, problems } = this.#state.settle(monotonicMs());
    clearTimeout(this.#due);
    const { dueMs } = this.#state;
    if (dueMs !== null) this.#due = setTimeout(() => this.#settle(), Math.ceil(dueMs - monotonicMs()));
    if (problems !== null) this.#options.onProblems(problems);
    if (updates.length > 0) this.#toldMs = monotonicMs();
    for (const update of updates) {
      // A callback may have called stop.
      if (!this.#stopped) this.#options.onUpdate(update);
    }
  }
}

const NO_LABELS: Labels = Object.freeze({});
const NO_TEXTS: readonly string[] = Object.freeze([]);
const NO_PORTS: readonly ServicePort[] = Object.freeze([]);

/**
 * Most Services have no service IP: they are not kept. Nor is what only matters to whoever assigns addresses, nor the version, so
 * that a Service that was written with nothing new in it is no change.
 */
function loadBalancer(raw: unknown): Projected<Service> | null {
  const projected = projectService(raw);
  if (projected?.value.type !== 'LoadBalancer') return null;
  const { key, value } = projected;
  const lean: Service = {
    ...value,
    resourceVersion: '',
    clusterIPs: NO_TEXTS,
    ipFamilies: NO_TEXTS,
    selector: NO_LABELS,
    ports: NO_PORTS,
  };
  return { key, value: lean };
}

/** A Node is written every few minutes at least, and hardly ever says anything new. */
function node(raw: unknown): Projected<Node> | null {
  const projected = projectNode(raw);
  return projected && { key: projected.key, value: { ...projected.value, resourceVersion: '' } };
}
