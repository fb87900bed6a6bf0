// The examples on a real API server: each applied alone, with the controller that assigns and the source that tells a speaker who
// may announce. What their comments promise has to come about.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { Controller } from '../../src/controller/controller.js';
import type { Announcement } from '../../src/eligibility/types.js';
import { ApiClient } from '../../src/kubernetes/api_client.js';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import type { ApiObject } from '../../src/lab/kubernetes/lab_api.js';
import { Manifests, NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { KubernetesSource } from '../../src/sources/kubernetes/kubernetes_source.js';
import { logOf } from '../unit/shell_sample.js';
import { withControlPlane } from './harness/control_plane.js';
import { DEFINITIONS, withoutRules } from './harness/definitions.js';

const EXAMPLES = new URL('../../../deploy/examples/', import.meta.url);

const NODES: Record<string, Record<string, string>> = {
  'node-1': { rack: 'a', 'topology.kubernetes.io/zone': 'a' },
  'node-2': { rack: 'a', 'topology.kubernetes.io/zone': 'a', 'node-role': 'edge' },
  'node-3': { rack: 'b', 'node-role': 'edge' },
  'node-4': { rack: 'b' },
  'node-5': {},
};
const ALL_NODES = Object.keys(NODES);

const service = (name: string, { metadata = {}, spec = {} }: ApiObject = {}): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', ...metadata },
  spec: { type: 'LoadBalancer', selector: { app: name }, ports: [{ port: 80 }], ...spec },
});

const fromPool = (pool: string, metadata: ApiObject = {}): ApiObject => ({
  metadata: { annotations: { 'metallb.io/address-pool': pool }, ...metadata },
});

class Cluster {
  private constructor(
    readonly control: ControlPlane,
    readonly source: KubernetesSource,
    private readonly controller: Controller,
    private readonly client: ApiClient,
  ) {}

  static async start(control: ControlPlane): Promise<Cluster> {
    const { log } = logOf();
    const client = await ApiClient.connect({ kubeconfig: control.kubeconfig('admin'), log });
    const common = { api: client, namespace: NAMESPACE, lbClass: null, log };
    const controller = new Controller({ ...common, election: null });
    const source = new KubernetesSource({
      ...common,
      ignoreExcludeLB: false,
      drainOnCordon: true,
      probing: 'fast',
      onUpdate: () => {},
      onProblems: () => {},
    });
    controller.start();
    source.start();
    return new Cluster(control, source, controller, client);
  }

  async stop(): Promise<void> {
    await Promise.all([this.controller.stop(), this.source.stop()]);
    this.client.close();
  }

  /** Applies objects and files for as long as `look` takes. */
  async with(files: readonly string[], objects: readonly ApiObject[], look: () => Promise<void>): Promise<void> {
    const { api } = this.control;
    const applied: ApiObject[] = [];
    for (const file of files) applied.push(...(await api.applyYaml(readFileSync(new URL(file, EXAMPLES), 'utf8'))));
    for (const object of objects) applied.push(await api.apply(object));
    for (const { kind, metadata } of applied)
      if (kind === 'Service') await this.endpoint(metadata, ['node-2', 'node-5']);
    try {
      await look();
    } finally {
      await this.remove(applied);
    }
  }

  private async remove(applied: readonly ApiObject[]): Promise<void> {
    const { api } = this.control;
    for (const object of [...applied].reverse())
      if (object.kind !== 'Namespace') await api.delete(await api.pathOf(object));
    await api.eventually('nothing is announced any more', async () => this.source.announcements.size === 0);
  }

  /** An EndpointSlice with a pod on each of the nodes. */
  async endpoint({ name, namespace }: ApiObject, nodes: readonly string[]): Promise<void> {
    await this.control.api.apply({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ port: 80, protocol: 'TCP', name: '' }],
      endpoints: nodes.map((nodeName, index) => ({
        addresses: [`10.244.0.${index + 1}`],
        nodeName,
        conditions: { ready: true },
      })),
    });
  }

  addresses(name: string, namespace = 'default'): Promise<string[]> {
    const path = `/api/v1/namespaces/${namespace}/services/${name}`;
    return this.control.api.eventually(`${name} has an address`, async () => {
      const { status } = await this.control.api.get(path);
      const found = status.loadBalancer?.ingress?.map(({ ip }: ApiObject) => ip);
      return found?.length > 0 && found;
    });
  }

  /** Why a service has none, as an event says. */
  refusal(name: string): Promise<string> {
    return this.control.api.eventually(`${name} is refused`, async () => {
      const events = await this.control.api.list('/api/v1/namespaces/default/events');
      const { message } = events.find(
        ({ involvedObject, reason }: ApiObject) => involvedObject.name === name && reason === 'AllocationFailed',
      );
      return message;
    });
  }

  /** What comes of a service in the end: objects arrive one by one. */
  async announced(name: string, expected: Partial<Announced>, namespace = 'default'): Promise<void> {
    const key = `${namespace}/${name}`;
    const deadline = performance.now() + 10_000;
    for (;;) {
      const actual = describe(this.source.announcements.get(key), expected);
      if (isDeepStrictEqual(actual, expected)) return;
      if (performance.now() > deadline) assert.deepEqual(actual, expected, key);
      await delay(20);
    }
  }
}

/** What the speakers are told of a service, as far as a test looks at it. */
interface Announced {
  readonly reason: string | null;
  readonly eligible: readonly string[];
  readonly addresses: readonly string[];
  readonly interfaces: readonly string[] | null;
  readonly prefer: Readonly<Record<string, number>>;
}

function describe(announcement: Announcement | undefined, expected: Partial<Announced>): Partial<Announced> | null {
  if (announcement === undefined) return null;
  const { reason, eligible, desired } = announcement;
  const interfaces = desired?.interfaces;
  const all: Announced = {
    reason,
    eligible,
    addresses: desired?.addresses ?? [],
    interfaces: interfaces ? [...interfaces].sort() : null,
    prefer: Object.fromEntries((desired?.prefer ?? []).map(({ node, weight }) => [node, weight])),
  };
  return Object.fromEntries(Object.keys(expected).map((key) => [key, all[key as keyof Announced]]));
}

test('the examples do what they say', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    const { api } = control;
    const crds = (await Manifests.render(control)).objects.filter(({ kind }) => kind === 'CustomResourceDefinition');
    await api.create('/api/v1/namespaces', { metadata: { name: NAMESPACE } });
    // Where MetalLB was before, its definitions are there; ours replace them while everything runs.
    const before = join(control.directory, 'before.json');
    writeFileSync(before, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: crds.map(withoutRules) }));
    await control.kubectl('apply', '--filename', before);
    await control.kubectl('wait', '--for=condition=Established', '--filename', before);
    for (const [name, labels] of Object.entries(NODES))
      await api.apply({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
      });
    const cluster = await Cluster.start(control);
    try {
      await t.test('pool-and-advertisement, under the definitions of MetalLB', () =>
        cluster.with(['pool-and-advertisement.yaml'], [], async () => {
          assert.deepEqual(await cluster.addresses('web'), ['192.0.2.64']);
          await cluster.announced('web', { eligible: ALL_NODES, interfaces: null, addresses: ['192.0.2.64'] });
        }),
      );

      await t.test('pool-and-advertisement, under our definitions', () =>
        cluster.with(['pool-and-advertisement.yaml'], [], async () => {
          assert.deepEqual(await cluster.addresses('web'), ['192.0.2.64']);
          await control.kubectl(
            'apply',
            '--server-side',
            '--force-conflicts',
            '--filename',
            fileURLToPath(DEFINITIONS),
          );
          const path = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools/main`;
          // A definition counts a moment after it was replaced.
          await api.eventually('the rules count', () =>
            api.patch(path, { spec: { addresses: ['nonsense'] } }).then(
              () => false,
              (error: Error) => /must be a prefix/.test(error.message),
            ),
          );
          await api.patch(path, { spec: { addresses: ['192.0.2.64-192.0.2.95', '2001:db8::2:0/120'] } });
          assert.deepEqual(await cluster.addresses('web'), ['192.0.2.64']);
          await cluster.announced('web', { reason: null, addresses: ['192.0.2.64'] });
        }),
      );

      await t.test('requested-address', () =>
        cluster.with(['requested-address.yaml'], [service('asks-nothing')], async () => {
          assert.deepEqual(await cluster.addresses('dns'), ['192.0.2.100']);
          assert.match((await cluster.addresses('mail')).join(), /^192\.0\.2\.(9[6-9]|10\d|11[01])$/);
          assert.match(await cluster.refusal('asks-nothing'), /no IPAddressPool that gives addresses/);
        }),
      );

      await t.test('namespaces', async () => {
        const exposed = { labels: { exposed: 'internet' } };
        await api.apply({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: 'bank', labels: { stage: 'production' } },
        });
        await api.apply({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: 'shop', labels: { stage: 'production' } },
        });
        const services = [
          service('in-shop', { metadata: { namespace: 'shop', ...exposed } }),
          service('in-bank', { metadata: { namespace: 'bank', ...exposed } }),
          service('elsewhere', { metadata: exposed }),
        ];
        await cluster.with(['namespaces.yaml'], services, async () => {
          assert.deepEqual(await cluster.addresses('in-shop', 'shop'), ['192.0.2.112']);
          assert.deepEqual(await cluster.addresses('in-bank', 'bank'), ['192.0.2.128']);
          await cluster.refusal('elsewhere');
        });
      });

      await t.test('dual-stack', () =>
        cluster.with(['dual-stack.yaml'], [], async () => {
          const [four, six] = await cluster.addresses('both');
          assert.match(String(four), /^192\.0\.2\./);
          assert.match(String(six), /^2001:db8::3:/);
          assert.deepEqual(await cluster.addresses('both-requested'), ['192.0.2.200', '2001:db8::3:8']);
        }),
      );

      await t.test('sharing', () =>
        cluster.with(['pool-and-advertisement.yaml', 'sharing.yaml'], [], async () => {
          assert.deepEqual(await cluster.addresses('dns-udp'), ['192.0.2.70']);
          assert.deepEqual(await cluster.addresses('dns-tcp'), ['192.0.2.70']);
          await cluster.announced('dns-tcp', { eligible: ALL_NODES });
        }),
      );

      await t.test('node-selectors', () =>
        cluster.with(
          ['node-selectors.yaml'],
          [service('a', fromPool('rack-a')), service('b', fromPool('rack-b'))],
          async () => {
            assert.deepEqual(await cluster.addresses('a'), ['198.51.100.0']);
            assert.deepEqual(await cluster.addresses('b'), ['198.51.100.64']);
            await cluster.announced('a', { eligible: ['node-1', 'node-2'] });
            await cluster.announced('b', { eligible: ['node-4', 'node-5'] });
          },
        ),
      );

      await t.test('interfaces', () =>
        cluster.with(['interfaces.yaml'], [service('disk')], async () => {
          await cluster.addresses('disk');
          await cluster.announced('disk', { interfaces: ['bond0', 'eth1'] });
        }),
      );

      await t.test('preferred-nodes', () =>
        cluster.with(['preferred-nodes.yaml'], [service('gate')], async () => {
          await cluster.addresses('gate');
          await cluster.announced('gate', {
            eligible: ALL_NODES,
            prefer: { 'node-1': 20, 'node-2': 120, 'node-3': 100 },
          });
        }),
      );

      await t.test('service-selectors', () =>
        cluster.with(
          ['service-selectors.yaml'],
          [service('open', { metadata: { labels: { exposed: 'internet' } } }), service('closed')],
          async () => {
            await cluster.addresses('open');
            await cluster.addresses('closed');
            await cluster.announced('open', { eligible: ALL_NODES, interfaces: ['eth0'] });
            await cluster.announced('closed', { reason: 'no-matching-advertisement' });
          },
        ),
      );

      await t.test('local-traffic-policy', () =>
        cluster.with(['pool-and-advertisement.yaml', 'local-traffic-policy.yaml'], [], async () => {
          await cluster.addresses('web-local');
          await cluster.announced('web-local', { eligible: ['node-2', 'node-5'] });
          await cluster.announced('web', { eligible: ALL_NODES });
        }),
      );
    } finally {
      await cluster.stop();
    }
  });
});
