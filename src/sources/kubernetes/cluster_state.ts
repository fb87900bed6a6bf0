import { isDeepStrictEqual } from 'node:util';
import type { DesiredService, DesiredState, Probing } from '../../desired/desired.js';
import { announcementOf } from '../../eligibility/announcement.js';
import { lastResort } from '../../eligibility/last_resort.js';
import type { Announcement, ClusterView, RefusalCode } from '../../eligibility/types.js';
import type {
  Changes,
  CustomResource,
  EndpointSlice,
  Namespace,
  Node,
  ObjectKey,
  Service,
} from '../../kubernetes/types.js';
import type { Configuration, ConfigurationProblem } from '../../metallb/types.js';
import { JudgedConfiguration } from './judged_configuration.js';
import type { SavedState } from './saved_state.js';
import { SlicesByService } from './slices_by_service.js';
import type { ConfigurationInForce, SourceUpdate } from './types.js';

export interface ClusterStateOptions {
  /** Where pools and advertisements count. */
  readonly namespace: string;
  /** spec.loadBalancerClass of the Services that are ours; null: those without one. */
  readonly lbClass: string | null;
  readonly ignoreExcludeLB: boolean;
  /** Cordoned nodes own something only where no other node may. */
  readonly drainOnCordon: boolean;
  readonly probing: Probing;
  /** As it was before the start: for what is wrong in the cluster by now, or seems to be. Default: nothing is known. */
  readonly saved?: SavedState | null;
}

export interface Outcome {
  /** In this order. */
  readonly updates: readonly SourceUpdate[];
  /** null: as before. */
  readonly problems: readonly ConfigurationProblem[] | null;
}

/**
 * Kubelets that were away, or were not heard, report one after the other, within 10 s of the API server's return, and the endpoints
 * of their pods after them. Until then the first node that is back is no better than the others.
 */
const RECOVERY_MS = 30_000;

/** An outage of the control plane looks like the loss of all endpoints, if that also took all nodes for lost. */
const OF_ENDPOINTS: ReadonlySet<RefusalCode | null> = new Set<RefusalCode>(['no-active-endpoint', 'no-local-endpoint']);

/**
 * What the lists hold, and what follows for the speaker. Changes are gathered by the `apply...` functions and worked off by
 * `settle`, which looks at the Services concerned only; at all of them after a change of the configuration, or of what counts
 * of a Node.
 */
export class ClusterState {
  readonly #options: Omit<ClusterStateOptions, 'saved'>;
  readonly #services = new Map<ObjectKey, Service>();
  readonly #announcements = new Map<ObjectKey, Announcement>();
  readonly #slices = new SlicesByService();
  readonly #nodes = new Map<ObjectKey, Node>();
  readonly #namespaces = new Map<ObjectKey, Namespace>();
  readonly #pools = new Map<ObjectKey, CustomResource>();
  readonly #advertisements = new Map<ObjectKey, CustomResource>();
  readonly #configuration: JudgedConfiguration;
  #view: ClusterView | null = null;
  #lastResort: readonly string[] = [];
  readonly #touched = new Set<ObjectKey>();
  /** Services whose announcement stays though their endpoints are gone. */
  readonly #held = new Set<ObjectKey>();
  #configurationTouched = true;
  #viewTouched = true;
  #readinessTouched = true;
  /** No node is Ready: rather the control plane has not heard from them than that none works. */
  #allLost = false;
  /** When nodes are judged by their readiness again, after all were lost. */
  #recoveredMs: number | null = null;

  constructor({ saved, ...options }: ClusterStateOptions) {
    this.#options = options;
    this.#configuration = new JudgedConfiguration(options.namespace, saved?.configuration ?? null);
    for (const service of saved?.desired.services ?? [])
      this.#announcements.set(service.name, announcementBefore(service));
  }

  /** Of type LoadBalancer, of our class, with an address. */
  get services(): ReadonlyMap<ObjectKey, Service> {
    return this.#services;
  }

  /** Of each of `services`, as of the last `settle`; what was saved, before the first. */
  get announcements(): ReadonlyMap<ObjectKey, Announcement> {
    return this.#announcements;
  }

  get nodes(): ReadonlyMap<string, Node> {
    return this.#nodes;
  }

  /** null: there was no valid one yet. */
  get configuration(): Configuration | null {
    return this.#configuration.configuration;
  }

  get configurationInForce(): ConfigurationInForce {
    return this.#configuration.inForce;
  }

  /** When `settle` is due though nothing changes, monotonic; null: it is not. */
  get dueMs(): number | null {
    return this.#recoveredMs;
  }

  /** What the speaker is to be told, as of the last `settle`. */
  desired(): DesiredState {
    const services: DesiredService[] = [];
    for (const key of [...this.#announcements.keys()].sort()) {
      const desired = this.#announcements.get(key)?.desired;
      if (desired) services.push(desired);
    }
    return { services, probing: this.#options.probing, lastResort: this.#lastResort };
  }

  applyServices(changes: Changes<Service>): void {
    for (const [key, service] of changes) {
      if (service !== null && this.#isOurs(service)) this.#services.set(key, service);
      else if (!this.#services.delete(key)) continue;
      this.#touched.add(key);
    }
  }

  applyEndpointSlices(changes: Changes<EndpointSlice>): void {
    for (const key of this.#slices.apply(changes)) if (this.#services.has(key)) this.#touched.add(key);
  }

  applyNodes(changes: Changes<Node>): void {
    for (const [key, node] of changes) {
      const before = this.#nodes.get(key);
      if (node === null) this.#nodes.delete(key);
      else this.#nodes.set(key, node);
      // A Node is written every few minutes at least; hardly ever does it say anything new.
      const isSame = (read: (node: Node) => unknown) => before && node && isDeepStrictEqual(read(before), read(node));
      if (!isSame(({ addresses }) => addresses)) this.#configurationTouched = true;
      if (!isSame(({ labels, networkUnavailable }) => [labels, networkUnavailable])) this.#viewTouched = true;
      if (!isSame(({ ready, unschedulable }) => [ready, unschedulable])) this.#readinessTouched = true;
    }
  }

  applyNamespaces(changes: Changes<Namespace>): void {
    this.#applyToConfiguration(this.#namespaces, changes, ({ labels }) => labels);
  }

  applyPools(changes: Changes<CustomResource>): void {
    this.#applyToConfiguration(this.#pools, changes, withoutStatus);
  }

  applyAdvertisements(changes: Changes<CustomResource>): void {
    this.#applyToConfiguration(this.#advertisements, changes, withoutStatus);
  }

  /** Works off what was gathered. Not before all lists were complete once. */
  settle(nowMs: number): Outcome {
    const { configurationChanged, problems } = this.#settleConfiguration();
    const { configuration } = this.#configuration;
    // The last good state may still be in force from before: it is not to be replaced by nothing.
    if (configuration === null) return { updates: [], problems };
    const isFirst = this.#view === null;
    if (this.#view === null || configurationChanged || this.#viewTouched) {
      this.#view = { configuration, nodes: new Map(this.#nodes), ignoreExcludeLB: this.#options.ignoreExcludeLB };
      this.#viewTouched = false;
      for (const key of this.#services.keys()) this.#touched.add(key);
      if (isFirst) for (const key of this.#announcements.keys()) this.#touched.add(key);
    }
    const lastResortChanged = this.#settleReadiness(nowMs);
    const { changed, removed } = this.#settleServices(this.#view);
    const isAny = changed.length + removed.length > 0;
    if (isFirst || (configurationChanged && isAny))
      return { updates: [{ type: 'complete', desired: this.desired() }], problems };
    const updates: SourceUpdate[] = [];
    // First: a node that comes and is not ready is not to be given anything by what follows.
    if (lastResortChanged) updates.push({ type: 'last-resort', nodes: this.#lastResort });
    if (isAny) updates.push({ type: 'services', changed, removed });
    return { updates, problems };
  }

  #isOurs({ type, loadBalancerClass, ingress }: Service): boolean {
    return type === 'LoadBalancer' && loadBalancerClass === this.#options.lbClass && ingress.length > 0;
  }

  #applyToConfiguration<T>(objects: Map<ObjectKey, T>, changes: Changes<T>, counting: (object: T) => unknown): void {
    for (const [key, object] of changes) {
      const before = objects.get(key);
      if (object === null) objects.delete(key);
      else objects.set(key, object);
      if (before && object && isDeepStrictEqual(counting(before), counting(object))) continue;
      this.#configurationTouched = true;
    }
  }

  #settleConfiguration(): { configurationChanged: boolean; problems: Outcome['problems'] } {
    if (!this.#configurationTouched) return { configurationChanged: false, problems: null };
    this.#configurationTouched = false;
    const { configurationChanged, problemsChanged } = this.#configuration.judge({
      pools: this.#pools.values(),
      advertisements: this.#advertisements.values(),
      namespaces: this.#namespaces.values(),
      nodes: this.#nodes.values(),
    });
    return { configurationChanged, problems: problemsChanged ? this.#configuration.problems : null };
  }

  /** @returns whether the nodes of last resort are others now */
  #settleReadiness(nowMs: number): boolean {
    if (this.#recoveredMs !== null && nowMs >= this.#recoveredMs) {
      this.#recoveredMs = null;
      this.#readinessTouched = true;
    }
    if (!this.#readinessTouched) return false;
    this.#readinessTouched = false;
    const wereAllLost = this.#allLost;
    this.#allLost = ![...this.#nodes.values()].some(({ ready }) => ready);
    if (this.#allLost) this.#recoveredMs = null;
    else if (wereAllLost) this.#recoveredMs = nowMs + RECOVERY_MS;
    if (!this.#isOutage) for (const key of this.#held) this.#touched.add(key);
    const readyCounts = this.#recoveredMs === null;
    const nodes = lastResort(this.#nodes.values(), { ...this.#options, readyCounts });
    if (isDeepStrictEqual(nodes, this.#lastResort)) return false;
    this.#lastResort = nodes;
    return true;
  }

  /** What Kubernetes says of nodes and endpoints does not tell which of them work. */
  get #isOutage(): boolean {
    return this.#allLost || this.#recoveredMs !== null;
  }

  #settleServices(view: ClusterView): { changed: DesiredService[]; removed: string[] } {
    const changed: DesiredService[] = [];
    const removed: string[] = [];
    for (const key of this.#touched) {
      const service = this.#services.get(key);
      const before = this.#announcements.get(key);
      const now = service ? announcementOf(service, this.#slices.of(key), view) : null;
      const hold = this.#isOutage && isToBeHeld(before, now);
      if (hold) this.#held.add(key);
      else this.#held.delete(key);
      if (hold) continue;
      if (now === null) this.#announcements.delete(key);
      else this.#announcements.set(key, now);
      if (isDeepStrictEqual(before?.desired ?? null, now?.desired ?? null)) continue;
      if (now?.desired) changed.push(now.desired);
      else removed.push(key);
    }
    this.#touched.clear();
    return { changed, removed };
  }
}

/** What was announced before the start; who was refused and why is not known any more. */
function announcementBefore(desired: DesiredService): Announcement {
  const { addresses, nodes } = desired;
  return { addresses, eligible: nodes ?? [], refused: new Map(), reason: null, advertisements: [], desired };
}

function isToBeHeld(before: Announcement | undefined, now: Announcement | null): boolean {
  return (
    before?.desired != null &&
    now !== null &&
    now.desired === null &&
    (OF_ENDPOINTS.has(now.reason) || [...now.refused.values()].includes('no-local-endpoint')) &&
    isDeepStrictEqual(before.addresses, now.addresses)
  );
}

/** The controller counts addresses in the status of a pool. */
function withoutStatus({ labels, spec }: CustomResource): unknown {
  return [labels, spec];
}
