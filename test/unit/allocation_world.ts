// A cluster around the allocator: objects as the API server holds them, and a shell that writes what was decided.
import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocation/allocator.js';
import { isSilent } from '../../src/allocation/refusals.js';
import type { Allocation, AllocationChange } from '../../src/allocation/types.js';
import { projectCustomResource, projectNamespace, projectService } from '../../src/kubernetes/projections.js';
import type { ObjectKey, Service } from '../../src/kubernetes/types.js';
import { ALLOCATED_FROM_POOL } from '../../src/metallb/annotations.js';
import { judgeConfiguration } from '../../src/metallb/configuration.js';
import type { Configuration } from '../../src/metallb/types.js';
import { keyOf, type RawNamespace, type RawPool, type RawService } from './allocation_case.js';

const SYSTEM = 'metallb-system';
const MAX_ROUNDS = 20;

export function configurationOf(pools: readonly RawPool[], namespaces: readonly RawNamespace[] = []): Configuration {
  const { configuration, problems } = judgeConfiguration({
    pools: pools.map(
      ({ name, labels = {}, spec }) =>
        projectCustomResource({ metadata: { name, namespace: SYSTEM, labels }, spec })!.value,
    ),
    advertisements: [],
    namespaces: [{ name: 'default', labels: {} }, ...namespaces].map(
      (metadata) => projectNamespace({ metadata })!.value,
    ),
    nodes: [],
    namespace: SYSTEM,
  });
  assert.ok(configuration !== null, JSON.stringify(problems));
  return configuration;
}

export function serviceOf(raw: RawService): Service {
  const { spec, status, ...metadata } = raw;
  return projectService({ metadata, spec, status })!.value;
}

/** Which of some changes to write next: 0 to `count` - 1. */
export type Choose = (count: number) => number;

export class World {
  allocator: Allocator;
  readonly lbClass: string | null;
  readonly services = new Map<ObjectKey, RawService>();
  /** Decisions of the present step. */
  changes: AllocationChange[] = [];
  #configuration: Configuration | null = null;

  constructor(lbClass: string | null = null) {
    this.lbClass = lbClass;
    this.allocator = new Allocator({ lbClass });
  }

  setPools(pools: readonly RawPool[], namespaces: readonly RawNamespace[] = []): void {
    this.setConfiguration(configurationOf(pools, namespaces));
  }

  setConfiguration(configuration: Configuration): void {
    this.#configuration = configuration;
    this.allocator.setConfiguration(configuration);
  }

  /** Creates or replaces the object; without a status it keeps the one it has, with what the controller wrote. */
  apply(raw: RawService): void {
    const key = keyOf(raw);
    const before = this.services.get(key);
    const pool = before?.annotations?.[ALLOCATED_FROM_POOL];
    const annotations = { ...raw.annotations, ...(pool === undefined ? {} : { [ALLOCATED_FROM_POOL]: pool }) };
    const status = raw.status ?? before?.status;
    this.#put({ ...raw, annotations, ...(status === undefined ? {} : { status }) });
  }

  delete(key: ObjectKey): void {
    this.services.delete(key);
    this.allocator.deleteService(key);
  }

  /** Memory is lost, objects are kept. */
  restart(keys: readonly ObjectKey[] = [...this.services.keys()]): void {
    this.allocator = new Allocator({ lbClass: this.lbClass });
    if (this.#configuration !== null) this.allocator.setConfiguration(this.#configuration);
    for (const key of keys) this.allocator.setService(serviceOf(this.services.get(key)!));
  }

  /**
   * Decides and writes until there is nothing left to do; `choose` picks what to write next. No write may give an address to a
   * service beside another that shows it and does not share it; at the end no two objects contradict each other.
   */
  settle(choose: Choose = () => 0): void {
    this.changes = [];
    const open = new Map<ObjectKey, AllocationChange>();
    for (let round = 0; round < MAX_ROUNDS * (this.services.size + 1); round += 1) {
      for (const change of this.allocator.decide()) {
        this.changes.push(change);
        open.set(change.service.key, change);
      }
      if (open.size === 0) {
        for (const key of this.services.keys()) this.#checkSharing(key, this.shown(key).addresses);
        return;
      }
      const change = [...open.values()][choose(open.size)]!;
      const { key } = change.service;
      const before = this.shown(key).addresses;
      open.delete(key);
      this.write(change);
      this.#checkSharing(
        key,
        this.shown(key).addresses.filter((address) => !before.includes(address)),
      );
    }
    assert.fail('it never comes to rest');
  }

  write({ service, allocation }: AllocationChange): void {
    const raw = this.services.get(service.key);
    if (raw === undefined) return;
    const { [ALLOCATED_FROM_POOL]: _pool, ...others } = raw.annotations ?? {};
    const annotations = allocation?.pool == null ? others : { ...others, [ALLOCATED_FROM_POOL]: allocation.pool };
    const ingress = (allocation?.addresses ?? []).map((ip) => ({ ip }));
    this.#put({ ...raw, annotations, status: { loadBalancer: { ingress } } });
  }

  /** What the object says. */
  shown(key: ObjectKey): { readonly addresses: readonly string[]; readonly pool: string | null } {
    const raw = this.services.get(key)!;
    const { ingress } = serviceOf(raw);
    return { addresses: ingress, pool: raw.annotations?.[ALLOCATED_FROM_POOL] ?? null };
  }

  decided(key: ObjectKey): Allocation {
    const allocation = this.allocator.allocationOf(key);
    assert.ok(allocation !== null, `${key} was not decided on`);
    return allocation;
  }

  /** Whether anything was said that is worth a Warning event. */
  get warned(): boolean {
    return this.changes.some(
      ({ allocation }) =>
        allocation !== null &&
        (allocation.warnings.length > 0 || (allocation.error !== null && !isSilent(allocation.error))),
    );
  }

  /** Others show these addresses of the service only where both share them. */
  #checkSharing(key: ObjectKey, addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    const raw = this.services.get(key)!;
    for (const [other, theirs] of this.services) {
      if (other === key) continue;
      const common = this.shown(other).addresses.find((address) => addresses.includes(address));
      if (common !== undefined) assertMayShare(common, raw, theirs);
    }
  }

  #put(raw: RawService): void {
    this.services.set(keyOf(raw), raw);
    this.allocator.setService(serviceOf(raw));
  }
}

const SHARING = ['metallb.io/allow-shared-ip', 'metallb.universe.tf/allow-shared-ip'];

/** The rules in words of their own. */
export function assertMayShare(address: string, a: RawService, b: RawService): void {
  const say = (why: string) => `${keyOf(a)} and ${keyOf(b)} both have ${address}: ${why}`;
  const [first, second] = [a, b].map(({ annotations = {} }) => SHARING.map((name) => annotations[name]).find(Boolean));
  assert.ok(first !== undefined && first === second, say('different sharing keys'));
  const ports = ({ spec }: RawService) =>
    (spec.ports as { protocol: string; port: number }[]).map(({ protocol, port }) => `${protocol} ${port}`);
  assert.ok(!ports(a).some((port) => ports(b).includes(port)), say('a port in common'));
  const backend = ({ spec }: RawService) =>
    spec.externalTrafficPolicy === 'Local' ? JSON.stringify(Object.entries(spec.selector ?? {}).sort()) : '';
  assert.equal(backend(a), backend(b), say('different backends'));
}
