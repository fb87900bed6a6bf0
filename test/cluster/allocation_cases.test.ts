// MetalLB's cases of allocation (test/vectors/metallb-allocation.json) on a real API server, by the controller as it is shipped.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSilent } from '../../src/allocation/refusals.js';
import type { ObjectKey } from '../../src/kubernetes/types.js';
import type { Background } from '../../src/lab/kubernetes/background.js';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import type { ApiObject } from '../../src/lab/kubernetes/lab_api.js';
import { NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { pool } from '../../src/lab/kubernetes/workloads.js';
import {
  type Case,
  cases,
  checkOutcome,
  type Expectation,
  keyOf,
  type RawPool,
  type RawService,
  type Shown,
  type Step,
} from '../unit/allocation_case.js';
import { withControlPlane } from './harness/control_plane.js';
import { install, shownBy, startController } from './harness/controller_process.js';

const SERVICES = '/api/v1/services';
const POOLS = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools`;
const TIMEOUT_MS = 15_000;
/** What holds at two looks so far apart is taken for the end of it. */
const QUIET_MS = 250;

/** Every fourth case runs here, and those that only here show what they are about; unit tests run them all. */
const EVERY = 4;
const ALWAYS = /restart|class|waits for a pool|old annotation|removed pool|record/;

/** The API server sees to it that this does not happen: it gives cluster IPs, and clears the status of what is no load balancer. */
const CANNOT = /one cluster IP|without a cluster IP|with a v[46] cluster IP|turned NodePort/;

/** As a user writes it; the cluster IPs are up to the API server. */
function objectOf({ spec, ...raw }: RawService): ApiObject {
  const { clusterIPs, clusterIP: _, ...rest } = spec as { clusterIPs?: string[]; clusterIP?: string };
  const families = (clusterIPs ?? []).map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'));
  const { namespace, name, labels, annotations } = raw;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name, labels, annotations },
    spec: { ipFamilyPolicy: 'SingleStack', ...(families.length > 0 ? { ipFamilies: families } : {}), ...rest },
  };
}

/** Names of MetalLB's tests that are none for Kubernetes. */
const poolName = (name: string) => name.replaceAll('_', '-');

class Cluster {
  #controller: Background | null = null;
  #lbClass = '';
  #starts = 0;

  constructor(readonly control: ControlPlane) {}

  async startController(lbClass = this.#lbClass): Promise<void> {
    this.#lbClass = lbClass;
    this.#starts += 1;
    const args = ['--leader-elect=false', ...(lbClass === '' ? [] : ['--lb-class', lbClass])];
    this.#controller = await startController(this.control, `controller-${this.#starts}`, ...args);
  }

  async stopController(): Promise<void> {
    await this.#controller?.stop('SIGTERM');
    this.#controller = null;
  }

  async begin({ pools, namespaces = [], options }: Case): Promise<void> {
    const { api } = this.control;
    for (const { metadata } of await api.list(SERVICES))
      if (metadata.name !== 'kubernetes')
        await api.delete(`/api/v1/namespaces/${metadata.namespace}/services/${metadata.name}`);
    for (const { name, labels } of namespaces)
      await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    await this.replacePools([]);
    await this.replacePools(pools);
    const lbClass = options?.lbClass ?? '';
    if (this.#controller === null || lbClass !== this.#lbClass) {
      await this.stopController();
      await this.startController(lbClass);
    }
    await this.poolsAreKnown();
  }

  /** The controller has seen all pools: it has written their status. A service that came before might get another address. */
  async poolsAreKnown(): Promise<void> {
    const { api } = this.control;
    const known = async () => (await api.list(POOLS)).every(({ status }) => status?.availableIPv4 !== undefined);
    await api.eventually('the controller knows all pools', known, TIMEOUT_MS);
  }

  /** New pools come before old ones go: they overlap for a moment, so that the old configuration stays until all is there. */
  async replacePools(pools: readonly RawPool[]): Promise<void> {
    const { api } = this.control;
    for (const { name, spec } of pools)
      await api.apply(pool(poolName(name), (spec as { addresses: string[] }).addresses, spec as object));
    const wanted = new Set(pools.map(({ name }) => poolName(name)));
    for (const { metadata } of await api.list(POOLS))
      if (!wanted.has(metadata.name)) await api.delete(`${POOLS}/${metadata.name}`);
  }

  async take({ action, service, pools }: Step): Promise<void> {
    const { api } = this.control;
    if (action === 'replace-pools') {
      await this.replacePools(pools!);
      return await this.poolsAreKnown();
    }
    if (action === 'delete-service')
      return await api.delete(`/api/v1/namespaces/${service!.namespace}/services/${service!.name}`).catch(() => {});
    if (action === 'apply-service' && service!.status === undefined) return void (await api.apply(objectOf(service!)));
    await this.stopController();
    if (action === 'apply-service') {
      const object = await api.apply(objectOf(service!));
      await api.patch(`${await api.pathOf(object)}/status`, { status: service!.status });
    }
    await this.startController();
  }

  async shown(): Promise<Map<ObjectKey, Shown>> {
    const objects = await this.control.api.list(SERVICES);
    return new Map(
      objects
        .filter(({ metadata }) => metadata.name !== 'kubernetes')
        .map(({ metadata, status }): [ObjectKey, Shown] => [
          keyOf(metadata),
          {
            addresses: shownBy({ status }),
            pool: metadata.annotations?.['metallb.io/ip-allocated-from-pool'] ?? null,
          },
        ]),
    );
  }

  /** Waits until all that is expected holds, and goes on holding. */
  async check(each: Case, pools: readonly RawPool[], step: Step, before: ReadonlyMap<ObjectKey, Shown>): Promise<void> {
    const { expect, service } = step;
    const own = service === undefined ? null : keyOf(service);
    let heldMs: number | null = null;
    let last: unknown = null;
    for (const endMs = performance.now() + TIMEOUT_MS; performance.now() < endMs; ) {
      try {
        const shown = await this.shown();
        const shownOf = (key: ObjectKey) => shown.get(key) ?? assert.fail(`${key} is gone`);
        if (step.action === 'apply-service') checkOutcome(own!, shownOf(own!), expect, pools, shownOf);
        for (const other of expect.others ?? [])
          checkOutcome(other.service, shownOf(other.service), other, pools, shownOf);
        const named = new Set([own, ...(expect.others ?? []).map((other) => other.service)]);
        for (const key of [...before.keys()].filter((key) => !named.has(key)).concat(expect.unchanged ?? []))
          assert.deepEqual(shownOf(key), before.get(key), `${key} must stay as it was`);
        await this.#checkPoolStatus(expect);
        await this.#checkEvent(step);
        heldMs ??= performance.now();
        if (performance.now() - heldMs >= QUIET_MS) return;
      } catch (error) {
        heldMs = null;
        last = error;
      }
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    throw new Error(`${each.name}, ${step.action} ${own ?? ''}: ${last instanceof Error ? last.message : last}`);
  }

  async #checkPoolStatus({ poolStatus = [] }: Expectation): Promise<void> {
    for (const { pool: name, ...counts } of poolStatus) {
      const { status } = await this.control.api.get(`${POOLS}/${poolName(name)}`);
      // JSON numbers above 2^53 are rounded.
      const rounded = (count: unknown) =>
        Number(count) > Number.MAX_SAFE_INTEGER ? Number(count).toPrecision(12) : Number(count);
      const wanted = Object.fromEntries(Object.entries(counts).map(([field, count]) => [field, rounded(count)]));
      const found = Object.fromEntries(Object.keys(counts).map((field) => [field, rounded(status?.[field])]));
      assert.deepEqual(found, wanted, name);
    }
  }

  async #checkEvent({ action, service, expect }: Step): Promise<void> {
    if (action !== 'apply-service' || expect.error === undefined || isSilent(expect.error)) return;
    const { namespace, name } = service!;
    const { metadata } = await this.control.api.get(`/api/v1/namespaces/${namespace}/services/${name}`);
    const events = await this.control.api.list(`/api/v1/namespaces/${namespace}/events`, {
      fieldSelector: `involvedObject.uid=${metadata.uid},reason=AllocationFailed,type=Warning`,
    });
    assert.ok(events.length > 0, `${name}: no event tells of ${expect.error}`);
  }
}

test('MetalLB’s cases of allocation hold on a real API server', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    await install(control, []);
    await control.api.eventually('pools can be made', () => control.api.list(POOLS));
    const cluster = new Cluster(control);
    const sample = cases.filter(({ name }, index) => (index % EVERY === 0 || ALWAYS.test(name)) && !CANNOT.test(name));
    let steps = 0;
    try {
      for (const each of sample) {
        await cluster.begin(each);
        let { pools } = each;
        for (const step of each.steps) {
          const before = await cluster.shown();
          await cluster.take(step);
          pools = step.pools ?? pools;
          await cluster.check(each, pools, step, before);
          steps += 1;
        }
      }
    } finally {
      await cluster.stopController();
    }
    assert.ok(sample.length >= 30);
    t.diagnostic(`${sample.length} cases, ${steps} steps`);
  });
});
