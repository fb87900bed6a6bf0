// From MetalLB to Arpeggio by the commands of docs/migrate-from-metallb.md, as they stand there: every service keeps its address and
// is reachable, what MetalLB wrote is taken over, and the way back is open.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/lab/command.js';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import type { ApiObject } from '../../src/lab/kubernetes/lab_api.js';
import { Manifests, NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { assigned, loadBalancer, type ServiceOptions } from '../../src/lab/kubernetes/objects.js';
import { CLIENT_NAMES } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio, advertisement, pool } from '../../src/lab/kubernetes/workloads.js';
import { withBed } from './harness/bed.js';
import { withoutRules } from './harness/definitions.js';

const PAGE = new URL('../../../docs/migrate-from-metallb.md', import.meta.url);
const BASE = fileURLToPath(new URL('../../../deploy/base', import.meta.url));
const SERVICES = '/api/v1/namespaces/default/services';
const API = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}`;
const FROM_POOL = 'metallb.io/ip-allocated-from-pool';

const IPV4_ONLY = { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] };
const port = (name: string, number: number, targetPort: number) => ({
  name,
  port: number,
  targetPort,
  protocol: 'TCP',
});

/** As MetalLB left them: not the first addresses of the pool, some with annotations of years ago. */
const ASSIGNED: Readonly<Record<string, { readonly addresses: readonly string[]; readonly options: ServiceOptions }>> =
  {
    both: { addresses: ['192.0.2.40', '2001:db8::1:40'], options: { annotations: { [FROM_POOL]: 'lan' } } },
    old: {
      addresses: ['192.0.2.55'],
      options: {
        annotations: {
          'metallb.universe.tf/address-pool': 'lan',
          'metallb.universe.tf/ip-allocated-from-pool': 'lan',
        },
        spec: IPV4_ONLY,
      },
    },
    asked: { addresses: ['192.0.2.61'], options: { spec: { ...IPV4_ONLY, loadBalancerIP: '192.0.2.61' } } },
    local: {
      addresses: ['192.0.2.62'],
      options: { annotations: { [FROM_POOL]: 'lan' }, spec: { ...IPV4_ONLY, externalTrafficPolicy: 'Local' } },
    },
    first: {
      addresses: ['192.0.2.70'],
      options: {
        annotations: { 'metallb.io/allow-shared-ip': 'one', [FROM_POOL]: 'lan' },
        spec: { ...IPV4_ONLY, ports: [port('http', 80, 8080)] },
      },
    },
    second: {
      addresses: ['192.0.2.70'],
      options: {
        annotations: { 'metallb.io/allow-shared-ip': 'one', [FROM_POOL]: 'lan' },
        spec: { ...IPV4_ONLY, ports: [port('other', 81, 8080)] },
      },
    },
  };

/** Lines of the page that begin with kubectl, below a heading. */
function commands(heading: string): string[] {
  const section = readFileSync(PAGE, 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith(`${heading}\n`));
  assert.ok(section, heading);
  return [...section.matchAll(/^ {4,}(kubectl .*)$/gm)].map(([, command]) => command as string);
}

/** Runs them in a shell, where deploy/base is what its comment asks for; resolves with what they printed. */
async function run(control: ControlPlane, lines: readonly string[]): Promise<string> {
  const clone = join(control.directory, 'clone');
  const kubectl = join(clone, 'kubectl');
  mkdirSync(join(clone, 'deploy'), { recursive: true });
  cpSync(BASE, join(clone, 'deploy/base'), { recursive: true });
  cpSync(join(control.directory, 'deploy/heartbeat.key'), join(clone, 'deploy/base/heartbeat.key'));
  const argv = `'${control.program}' kubectl --kubeconfig '${control.kubeconfig('admin')}'`;
  writeFileSync(kubectl, `#!/bin/sh\nexec ${argv} "$@"\n`, { mode: 0o755 });
  const script = ['set -e', `cd '${clone}'`, `PATH='${clone}':$PATH`, ...lines].join('\n');
  return (await runCommand(['sh', '-c', script], { timeoutMs: 60_000 })).stdout;
}

/** What `kubectl apply` of MetalLB's manifest leaves that matters here, and what it has written since. */
async function metallb(control: ControlPlane): Promise<void> {
  const { api, directory } = control;
  const { objects } = await Manifests.render(control);
  const definitions = objects.filter(({ kind }) => kind === 'CustomResourceDefinition').map(withoutRules);
  for (const definition of definitions)
    for (const version of definition.spec.versions) version.subresources = { status: {} };
  const template = (app: string) => ({
    selector: { matchLabels: { app } },
    template: { metadata: { labels: { app } }, spec: { containers: [{ name: app, image: 'metallb' }] } },
  });
  const workload = (kind: string, name: string) => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: NAMESPACE },
    spec: template(name),
  });
  const webhook = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'metallb-webhook-configuration' },
    webhooks: [
      {
        name: 'ipaddresspoolvalidationwebhook.metallb.io',
        admissionReviewVersions: ['v1'],
        clientConfig: {
          service: {
            name: 'metallb-webhook-service',
            namespace: NAMESPACE,
            path: '/validate-metallb-io-v1beta1-ipaddresspool',
          },
        },
        failurePolicy: 'Fail',
        rules: [
          {
            apiGroups: ['metallb.io'],
            apiVersions: ['v1beta1'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['ipaddresspools'],
          },
        ],
        sideEffects: 'None',
      },
    ],
  };
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    ...definitions,
    workload('DaemonSet', 'speaker'),
    workload('Deployment', 'controller'),
  ];
  const file = join(directory, 'metallb.json');
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await control.kubectl('apply', '--filename', file);
  for (const object of [pool('lan'), advertisement('lan')])
    await api.eventually(`${object.kind} can be made`, () => api.apply(object));
  await api.apply(webhook);
  for (const [name, { addresses, options }] of Object.entries(ASSIGNED)) {
    await api.create(SERVICES, loadBalancer(name, options));
    await api.patch(`${SERVICES}/${name}/status`, assigned(...addresses));
    const metadata = {
      name: `l2-${name}`,
      namespace: NAMESPACE,
      labels: {
        'metallb.io/node': 'node-a',
        'metallb.io/service-name': name,
        'metallb.io/service-namespace': 'default',
      },
    };
    await api.create(`${API}/servicel2statuses`, {
      apiVersion: 'metallb.io/v1beta1',
      kind: 'ServiceL2Status',
      metadata,
    });
    await api.patch(`${API}/servicel2statuses/l2-${name}/status`, {
      status: { node: 'node-a', serviceName: name, serviceNamespace: 'default', interfaces: [{ name: 'eth0' }] },
    });
  }
}

test('a cluster with MetalLB becomes one with Arpeggio, and no address changes', async (t) => {
  await withBed(t, {}, async (bed) => {
    const { api, control } = bed;
    await metallb(control);
    await run(control, commands('Before'));
    const [unchanged, shown] = [commands('After').slice(0, 1), commands('After').slice(1)];
    const added = { spec: { addresses: [...pool('lan').spec.addresses, '203.0.113.0/24'] } };
    await assert.rejects(api.patch(`${API}/ipaddresspools/lan`, added), /webhook/, 'nobody answers the webhook');

    const said = await run(control, commands('The change'));
    for (const { kind, metadata } of (await Manifests.render(control)).objects)
      assert.match(said, new RegExp(`/${metadata.name} serverside-applied`), `${kind} ${metadata.name}`);
    const arpeggio = await Arpeggio.install(bed, { configuration: [] });
    const addresses = [...new Set(Object.values(ASSIGNED).flatMap((service) => service.addresses))];
    const owners = await arpeggio.settled(addresses, 40_000);
    for (const client of CLIENT_NAMES)
      for (const address of addresses)
        await api.eventually(`${client} reaches ${address}`, () => bed.curl(client, address));
    await api.eventually('the controller has looked at everything', async () => {
      const services = await api.list(SERVICES);
      const loadBalancers = services.filter(({ spec }) => spec.type === 'LoadBalancer');
      return loadBalancers.every(({ metadata }) => metadata.annotations[FROM_POOL] === 'lan');
    });
    assert.match(await run(control, unchanged), /^unchanged$/m);
    const events = await api.list('/api/v1/namespaces/default/events');
    const warned = events.filter(({ type, reason }) => type === 'Warning' && reason !== 'Deprecated');
    assert.deepEqual(
      warned.map(({ reason, message }) => `${reason}: ${message}`),
      [],
    );

    // Who announces what is told by objects of both makers, each true.
    await api.eventually('the statuses are true', async () => {
      const statuses = await api.list(`${API}/servicel2statuses`);
      const found = statuses.map(({ status }: ApiObject) => `${status?.serviceName} ${status?.node}`).sort();
      const so = Object.entries(ASSIGNED).flatMap(([name, { addresses: own }]) =>
        [...new Set(own.map((address) => owners[address]))].map((node) => `${name} ${node}`),
      );
      return JSON.stringify(found) === JSON.stringify(so.sort());
    });
    await api.eventually('the configuration is valid', async () => {
      const states = await api.list(`${API}/configurationstates`);
      return states.length > 0 && states.every(({ status }) => status.result === 'Valid');
    });
    assert.ok((await run(control, shown)).includes('controller'));
    await api.patch(`${API}/ipaddresspools/lan`, added);
    const requests = control
      .audit()
      .filter(({ user }) => user.startsWith(`system:serviceaccount:${NAMESPACE}:arpeggio-`));
    assert.deepEqual(
      requests.filter(({ status }) => status === 403 || status === 401),
      [],
      'deploy/base grants all that is needed beside the definitions of MetalLB',
    );

    // The way back: the addresses stay again.
    await arpeggio.stop();
    assert.match(await run(control, unchanged), /^unchanged$/m);
  });
});
