// A sample of MetalLB's allocation cases (test/vectors/metallb-allocation.json) with the real API server and the real controller.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parseRange, rangeContains } from '../../src/metallb/ranges.js';
import { type Address, familyOf } from '../../src/net/address.js';
import { readJson } from '../native/vector_files.js';
import type { Background } from './harness/background.js';
import { type ControlPlane, withControlPlane } from './harness/control_plane.js';
import { install, shownBy, startController } from './harness/controller_process.js';
import { NAMESPACE } from './harness/manifests.js';
import type { ApiObject } from './harness/test_api.js';

const SAMPLE: readonly string[] = [
  'a requested v4 address belongs to one service until it lets go',
  'a pool that avoids .0 and .255 refuses them on request and grants their neighbour',
  'v4 sharing needs the same key, the same backends and free ports',
  'a requested dual-stack pair must come from one pool',
  'a pool for one namespace serves a request from that namespace',
  'a pool for one namespace refuses a request from another',
  'a pool for labelled services refuses a service labelled otherwise',
  'growing a pool moves nothing',
  'a pool shrunk past a v4 address takes it away',
  'a renamed pool keeps its addresses and the services carry the new name',
  'a pool that starts to avoid .0 takes such an address away',
  'a huge v6 range counts as the largest 64-bit integer',
  'a service of type ClusterIP gets nothing',
  'spec.loadBalancerIP is granted',
  'the address annotation is granted',
  'asking in the spec and in the annotation at once is refused',
  'an asked address outside the asked pool is refused',
  'two asked addresses of one family are refused',
  'changing the pool annotation moves the service there',
  'asking for a pool that does not exist is refused',
  'a recorded address of no pool is replaced',
  'a service that requires two families gets one of each',
  'a service that prefers two families gets both',
  'a dual-stack service may ask for one address of each family',
  'a service takes the pool of its namespace with the lowest number',
  'namespace and label together pick the lowest number among all that match',
  'a service waits for a pool, gets an address, and loses it with the pool',
  'deleting a service hands its address to one that waits',
  'a new pool moves nothing; a removed pool moves its services to the remaining one',
  'class: with a class on the service alone it is not ours',
  'a restart keeps addresses that the order of allocation would not repeat',
  'after a restart the services that hold addresses go before those that wait',
  'after a restart shared addresses stay shared',
  'the old annotation prefix is understood',
  'sharing keys under the old and the new prefix are the same key',
  'a service that prefers two families gets the second one when its pool grows it',
];

const POOLS = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools`;
const ANNOTATION = 'metallb.io/ip-allocated-from-pool';
/** How long nothing must happen before it counts as quiet. */
const QUIET_MS = 150;
const SETTLE_MS = 10_000;

interface RawPool {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec: { readonly addresses: readonly string[] };
}

interface Outcome {
  readonly addresses?: readonly string[];
  readonly anyFrom?: readonly string[];
  readonly families?: readonly string[];
  readonly none?: true;
  readonly pool?: string;
  readonly sameAs?: string;
}

interface Step {
  readonly action: 'apply-service' | 'delete-service' | 'replace-pools' | 'restart-controller';
  readonly service?: ApiObject;
  readonly pools?: readonly RawPool[];
  readonly expect: Outcome & {
    readonly warning?: boolean;
    readonly others?: readonly (Outcome & { readonly service: string })[];
    readonly unchanged?: readonly string[];
    readonly poolStatus?: readonly (Record<string, number | string> & { readonly pool: string })[];
  };
}

interface Case {
  readonly name: string;
  readonly pools: readonly RawPool[];
  readonly namespaces?: readonly { readonly name: string; readonly labels?: Readonly<Record<string, string>> }[];
  readonly steps: readonly Step[];
}

interface Shown {
  readonly addresses: readonly string[];
  readonly pool: string | null;
}

/** One API server and one controller, for one case after the other. */
class Stage {
  private controller: Background | null = null;
  private starts = 0;
  private pools: readonly RawPool[] = [];

  constructor(private readonly control: ControlPlane) {}

  async start(): Promise<void> {
    this.starts += 1;
    this.controller = await startController(this.control, `controller-${this.starts}`, '--leader-elect', 'false');
  }

  async stop(): Promise<void> {
    await this.controller?.stop('SIGKILL');
  }

  async run({ name, pools, namespaces = [], steps }: Case): Promise<void> {
    const { api } = this.control;
    await this.clear();
    for (const { name: namespace, labels = {} } of namespaces)
      await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
    await this.replacePools(pools);
    for (const [index, step] of steps.entries()) {
      const before = await this.shown();
      try {
        await this.act(step);
        await this.settled(step, before);
      } catch (error) {
        if (error instanceof Error) error.message = `${name}, step ${index + 1} (${step.action}): ${error.message}`;
        throw error;
      }
    }
  }

  private async act({ action, service, pools }: Step): Promise<void> {
    if (action === 'replace-pools') await this.replacePools(pools ?? []);
    else if (action === 'delete-service') {
      await this.control.api.delete(`/api/v1/namespaces/${service.namespace}/services/${service.name}`);
    } else if (action === 'restart-controller') {
      await this.stop();
      await this.start();
    } else await this.applyService(service);
  }

  /** An object that brings a status along was there before the controller. */
  private async applyService({
    namespace,
    name,
    labels = {},
    annotations = {},
    spec,
    status,
  }: ApiObject): Promise<void> {
    const { api } = this.control;
    if (status) await this.stop();
    // The API server gives cluster IPs of the families by itself.
    const { clusterIPs: _, ...wanted } = spec;
    const lean = spec.type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: false } : {};
    await api.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name, labels, annotations },
      spec: { ...wanted, ...lean },
    });
    if (!status) return;
    await api.patch(`/api/v1/namespaces/${namespace}/services/${name}/status`, { status });
    await this.start();
  }

  private async replacePools(pools: readonly RawPool[]): Promise<void> {
    const { api } = this.control;
    for (const { name } of this.pools.filter((old) => !pools.some((pool) => pool.name === old.name)))
      await api.delete(`${POOLS}/${name}`);
    for (const { name, labels = {}, spec } of pools) {
      const metadata = { name, namespace: NAMESPACE, labels };
      await api.apply({ apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata, spec });
    }
    this.pools = pools;
    // Its status shows that the controller has seen a pool that is new.
    await api.eventually('the pools are in use', async () =>
      (await api.list(POOLS)).every(({ status }) => status?.availableIPv4 !== undefined),
    );
  }

  private async clear(): Promise<void> {
    const { api } = this.control;
    for (const key of (await this.shown()).keys()) {
      const [namespace, name] = key.split('/');
      await api.delete(`/api/v1/namespaces/${namespace}/services/${name}`);
    }
    await this.replacePools([]);
  }

  private async shown(): Promise<Map<string, Shown>> {
    const all = await this.control.api.list('/api/v1/services');
    const ours = all.filter(({ metadata }) => metadata.name !== 'kubernetes');
    return new Map(
      ours.map((service) => {
        const { namespace, name, annotations = {} } = service.metadata;
        return [`${namespace}/${name}`, { addresses: shownBy(service), pool: annotations[ANNOTATION] ?? null }];
      }),
    );
  }

  /** Waits until everything is as the step demands, and looks again when it has been quiet. */
  private async settled(step: Step, before: ReadonlyMap<string, Shown>): Promise<void> {
    const deadline = performance.now() + SETTLE_MS;
    for (;;) {
      const problem = await this.problem(step, before);
      if (problem === null) {
        await delay(QUIET_MS);
        assert.equal(await this.problem(step, before), null);
        return;
      }
      if (performance.now() > deadline) assert.fail(problem);
      await delay(25);
    }
  }

  private async problem({ action, service, expect }: Step, before: ReadonlyMap<string, Shown>): Promise<string | null> {
    const now = await this.shown();
    try {
      const own = service ? `${service.namespace}/${service.name}` : null;
      if (action === 'apply-service') this.checkOutcome(now, own!, expect);
      for (const other of expect.others ?? []) this.checkOutcome(now, other.service, other);
      const named = new Set([own, ...(expect.others ?? []).map((other) => other.service)]);
      const unchanged = [...before.keys()].filter((key) => !named.has(key)).concat(expect.unchanged ?? []);
      for (const key of unchanged) assert.deepEqual(now.get(key), before.get(key), `${key} must stay as it was`);
      for (const { pool, ...counts } of expect.poolStatus ?? []) await this.checkStatus(pool, counts);
      if (own !== null && expect.warning === true) await this.checkWarned(service);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  private checkOutcome(now: ReadonlyMap<string, Shown>, key: string, expect: Outcome): void {
    const shown = now.get(key);
    if (expect.none) assert.deepEqual(shown, { addresses: [], pool: null }, key);
    if (expect.addresses !== undefined) assert.deepEqual(shown?.addresses, expect.addresses, key);
    if (expect.pool !== undefined) assert.equal(shown?.pool, expect.pool, key);
    if (expect.sameAs !== undefined) assert.deepEqual(shown?.addresses, now.get(expect.sameAs)?.addresses, key);
    if (expect.anyFrom === undefined) return;
    const ranges = expect.anyFrom
      .flatMap((from) => this.pools.find(({ name }) => name === from)?.spec.addresses ?? [from])
      .map(parseRange);
    const addresses = (shown?.addresses ?? []) as readonly Address[];
    for (const address of addresses)
      assert.ok(
        ranges.some((range) => rangeContains(range, address)),
        `${key}: ${address}`,
      );
    const families = addresses.map((address) => (familyOf(address) === 'ipv4' ? 'IPv4' : 'IPv6'));
    assert.deepEqual(families, expect.families, key);
  }

  private async checkStatus(pool: string, counts: Readonly<Record<string, number | string>>): Promise<void> {
    const { status } = await this.control.api.get(`${POOLS}/${pool}`);
    // As doubles: what JSON can say of 2^63-1.
    for (const [name, count] of Object.entries(counts))
      assert.ok(Math.abs(status[name] - Number(count)) <= 1024, `${pool}: ${name} is ${status[name]}, not ${count}`);
  }

  private async checkWarned({ namespace, name }: ApiObject): Promise<void> {
    const { api } = this.control;
    const { metadata } = await api.get(`/api/v1/namespaces/${namespace}/services/${name}`);
    const selector = { fieldSelector: `involvedObject.uid=${metadata.uid},type=Warning` };
    const events = await api.list(`/api/v1/namespaces/${namespace}/events`, selector);
    assert.ok(events.length > 0, `no Warning event about ${name}`);
  }
}

test('MetalLB’s cases of allocation, end to end', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    const { cases } = readJson('metallb-allocation.json') as { cases: readonly Case[] };
    const sample = cases.filter(({ name }) => SAMPLE.includes(name));
    assert.equal(sample.length, SAMPLE.length);
    await install(control, []);
    const stage = new Stage(control);
    await stage.start();
    try {
      for (const each of sample) await t.test(each.name, () => stage.run(each));
    } finally {
      await stage.stop();
    }
  });
});
