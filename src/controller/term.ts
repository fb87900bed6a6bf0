// One term of leadership: everything that is known is read anew, and forgotten at its end.
import { Allocator } from '../allocation/allocator.js';
import type { Allocation, AllocationChange } from '../allocation/types.js';
import type { EventRecorder } from '../kubernetes/events.js';
import type { Leadership } from '../kubernetes/leader.js';
import { PATHS, projectService } from '../kubernetes/projections.js';
import { Reflector } from '../kubernetes/reflector.js';
import type { Changes, ObjectKey, Service } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import type { Configuration, ConfigurationVerdict } from '../metallb/types.js';
import { ConfigurationReport } from './configuration_report.js';
import { ConfigurationWatch } from './configuration_watch.js';
import { PoolStatusWriter } from './pool_status.js';
import { decisionNotices, type Notice, writeNotices } from './service_events.js';
import { servicePatch } from './service_patch.js';
import { ServiceView } from './service_view.js';
import { ServiceWriter } from './service_writer.js';
import type { ControllerApi } from './types.js';

export interface TermOptions {
  readonly api: ControllerApi;
  /** Where the pools are. */
  readonly namespace: string;
  readonly lbClass: string | null;
  readonly leadership: Leadership;
  /** How long something that is sent now may take, in milliseconds; 0: nothing may be written any more. */
  readonly allowedMs: () => number;
  readonly events: EventRecorder;
  readonly log: Logger;
}

export interface TermStatus {
  /** Addresses are given. */
  readonly running: boolean;
  readonly services: number;
  /** Services whose objects do not say yet what was decided. */
  readonly pending: number;
}

const FENCES_AT_ONCE = 8;

export class Term {
  readonly #options: TermOptions;
  readonly #log: Logger;
  readonly #services: Reflector<Service>;
  readonly #configurationWatch: ConfigurationWatch;
  readonly #view: ServiceView;
  readonly #writer: ServiceWriter;
  readonly #poolStatus: PoolStatusWriter;
  readonly #report: ConfigurationReport;
  /** The configuration in force; null: there was no valid one yet. */
  #configuration: Configuration | null = null;
  #allocator: Allocator | null = null;
  #starting: Promise<void> | null = null;
  #stopped = false;
  /** Services that have changed since the last decision. */
  readonly #touched = new Set<ObjectKey>();
  #scheduled: NodeJS.Immediate | null = null;

  constructor(options: TermOptions) {
    const { api, namespace, allowedMs, log } = options;
    const mayWrite = () => allowedMs() > 0 && !this.#stopped;
    this.#options = options;
    this.#log = log;
    this.#view = new ServiceView((key, service) => this.#serviceChanged(key, service));
    this.#writer = new ServiceWriter({
      api,
      view: this.#view,
      allocationOf: (key) => this.#allocationOf(key),
      isPending: (key) => this.#allocator?.isPending(key) ?? false,
      allowedMs: () => (this.#stopped ? 0 : allowedMs()),
      onSettled: ({ key }) => this.#settled(key),
      onWritten: (before, after) => this.#written(before, after),
      log,
    });
    this.#services = new Reflector<Service>({
      api,
      path: PATHS.services,
      project: projectService,
      onChange: (changes) => this.#servicesTold(changes),
      log,
    });
    this.#configurationWatch = new ConfigurationWatch({
      api,
      namespace,
      onVerdict: (verdict) => this.#judged(verdict),
      onPools: () => this.#poolStatus.changed(),
      events: options.events,
      log,
    });
    this.#poolStatus = new PoolStatusWriter({
      api,
      namespace,
      pools: () => this.#configurationWatch.pools,
      usage: () => this.#allocator?.usage() ?? [],
      mayWrite,
      log,
    });
    this.#report = new ConfigurationReport({ api, namespace, mayWrite, log });
  }

  get status(): TermStatus {
    return { running: this.#allocator !== null, services: this.#view.size, pending: this.#writer.pending };
  }

  start(): void {
    this.#services.start();
    this.#configurationWatch.start();
  }

  /** Ends; what was sent is waited for, or given up where `abort`. */
  async stop(abort: boolean): Promise<void> {
    this.#stopped = true;
    if (this.#scheduled) clearImmediate(this.#scheduled);
    await Promise.all([
      this.#writer.stop(abort),
      this.#services.stop(),
      this.#configurationWatch.stop(),
      this.#poolStatus.stop(),
      this.#report.stop(),
    ]);
    await this.#starting;
  }

  /** null: nothing is decided yet, or the service is not ours. */
  #allocationOf(key: ObjectKey): Allocation | null {
    return ours(this.#allocator?.allocationOf(key) ?? null);
  }

  #servicesTold(changes: Changes<Service>): void {
    for (const [key, service] of changes) this.#view.told(key, service);
    this.#begin();
  }

  #serviceChanged(key: ObjectKey, service: Service | null): void {
    if (this.#allocator === null || this.#stopped) return;
    if (service === null) {
      this.#allocator.deleteService(key);
      this.#writer.remove(key);
    } else this.#allocator.setService(service);
    this.#touched.add(key);
    this.#schedule();
  }

  /** Whatever the allocator believed to be on its way to the object is not. */
  #settled(key: ObjectKey): void {
    const service = this.#view.get(key);
    if (!service || this.#allocator === null || this.#stopped) return;
    this.#allocator.setService(service);
    this.#schedule();
  }

  #judged(verdict: ConfigurationVerdict): void {
    if (this.#stopped) return;
    this.#report.set(verdict, this.#configuration !== null);
    if (verdict.configuration === null) return;
    this.#configuration = verdict.configuration;
    if (this.#allocator === null) {
      this.#begin();
      return;
    }
    this.#allocator.setConfiguration(verdict.configuration);
    this.#poolStatus.changed();
    this.#schedule();
  }

  /** Nothing is decided before everything is known. */
  #begin(): void {
    if (this.#starting || this.#stopped || this.#configuration === null || !this.#services.status.synced) return;
    this.#starting = this.#prepare().catch((error) => {
      if (!this.#stopped) this.#log.error({ err: error }, 'the controller could not begin its term');
    });
  }

  async #prepare(): Promise<void> {
    const { leadership } = this.#options;
    if (leadership.afterCrash) await this.#fence(leadership.term);
    if (this.#stopped) return;
    const allocator = this.#newAllocator();
    this.#allocator = allocator;
    for (const { key } of this.#view.all()) this.#touched.add(key);
    this.#poolStatus.changed();
    this.#log.info({ services: this.#view.size }, 'addresses are given from now on');
    this.#decide();
  }

  #newAllocator(): Allocator {
    const allocator = new Allocator({ lbClass: this.#options.lbClass });
    allocator.setConfiguration(this.#configuration!);
    for (const service of this.#view.all()) allocator.setService(service);
    return allocator;
  }

  /**
   * The last leader is gone, but what it sent may still arrive, and give an address that we are about to give to another
   * service. It can only be about services whose objects are not final: those get a new version first.
   */
  async #fence(term: number): Promise<void> {
    const trial = this.#newAllocator();
    trial.decide();
    const doubtful = [...this.#view.all()].filter((service) => {
      const allocation = ours(trial.allocationOf(service.key));
      if (allocation === null) return false;
      return allocation.addresses.length === 0 || servicePatch(service, allocation) !== null;
    });
    if (doubtful.length > 0)
      this.#log.info({ services: doubtful.length }, 'the last leader crashed: fencing its writes');
    const one = async (): Promise<void> => {
      for (let service = doubtful.pop(); service && !this.#stopped; service = doubtful.pop()) {
        await this.#writer.fence(service, term);
      }
    };
    await Promise.all(Array.from({ length: FENCES_AT_ONCE }, one));
  }

  /** Changes that arrive together are decided together. */
  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = null;
      this.#decide();
    });
  }

  #decide(): void {
    if (this.#allocator === null || this.#stopped) return;
    const changes = this.#allocator.decide();
    const toWrite = new Set(changes.map(({ service }) => service.key));
    for (const change of changes) this.#say(change);
    for (const key of this.#touched) {
      const service = this.#view.get(key);
      if (service && servicePatch(service, this.#allocationOf(key)) !== null) toWrite.add(key);
    }
    for (const key of toWrite) this.#writer.add(key);
    if (changes.length > 0 || this.#touched.size > 0) this.#poolStatus.changed();
    this.#touched.clear();
  }

  #say({ service, allocation, before }: AllocationChange): void {
    this.#notify(service, decisionNotices(before, allocation));
  }

  #written(before: Service, after: Service): void {
    const allocation = this.#allocationOf(after.key);
    const pools = this.#configurationWatch.advertised;
    this.#notify(
      after,
      writeNotices(before, after, allocation, (pool) => pools.has(pool)),
    );
    this.#log.info({ service: after.key, addresses: after.ingress, pool: allocation?.pool ?? null }, 'service written');
  }

  #notify(service: Service, notices: readonly Notice[]): void {
    const { namespace, name, uid } = service;
    for (const { type, reason, message } of notices) {
      this.#options.events.event({ kind: 'Service', apiVersion: 'v1', namespace, name, uid }, type, reason, message);
    }
  }
}

function ours(allocation: Allocation | null): Allocation | null {
  return allocation?.error === 'not-load-balancer' || allocation?.error === 'other-class' ? null : allocation;
}
