// The source on a real API server: what users and the cluster do arrives as what the speaker is to be told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../../src/kubernetes/api_client.js';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import type { ApiObject, LabApi } from '../../src/lab/kubernetes/lab_api.js';
import type { ConfigurationProblem } from '../../src/metallb/types.js';
import { KubernetesSource } from '../../src/sources/kubernetes/kubernetes_source.js';
import type { SourceUpdate } from '../../src/sources/kubernetes/types.js';
import { logOf } from '../unit/shell_sample.js';
import { withControlPlane } from './harness/control_plane.js';
import { applyDefinitions, configurationOf, POOL_NAMESPACE } from './harness/definitions.js';

const SERVICES = '/api/v1/namespaces/default/services';
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

async function prepare(api: LabApi): Promise<void> {
  await applyDefinitions(api);
  await api.applyYaml(configurationOf('192.0.2.0/24'));
  for (const name of ['node-a', 'node-b']) await api.create('/api/v1/nodes', { metadata: { name } });
  for (const name of ['node-a', 'node-b']) await setReady(api, name, true);
}

function setReady(api: LabApi, name: string, ready: boolean): Promise<ApiObject> {
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'Unknown', lastTransitionTime: null }];
  return api.patch(`/api/v1/nodes/${name}/status`, { status: { conditions } });
}

async function addService(api: LabApi, name: string, ip: string): Promise<void> {
  const ports = [{ port: 80, protocol: 'TCP' }];
  await api.create(SERVICES, {
    metadata: { name },
    spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports },
  });
  await api.patch(`${SERVICES}/${name}/status`, { status: { loadBalancer: { ingress: [{ ip }] } } });
}

/** The only slice of the service, with an endpoint on each node. */
function slice(service: string, nodes: readonly string[]): ApiObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [],
    endpoints: nodes.map((nodeName, index) => ({
      nodeName,
      addresses: [`10.0.0.${index + 1}`],
      conditions: { ready: true },
    })),
  };
}

/** A source that runs while `body` does, and what it told. */
async function withSource(
  control: ControlPlane,
  body: (told: {
    source: KubernetesSource;
    updates: SourceUpdate[];
    problems: (readonly ConfigurationProblem[])[];
    until: (what: string, holds: () => boolean, timeoutMs?: number) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const { log, lines } = logOf();
  const api = await ApiClient.connect({ kubeconfig: control.kubeconfig('admin'), log });
  const updates: SourceUpdate[] = [];
  const problems: (readonly ConfigurationProblem[])[] = [];
  const source = new KubernetesSource({
    api,
    log,
    namespace: POOL_NAMESPACE,
    lbClass: null,
    ignoreExcludeLB: false,
    drainOnCordon: true,
    probing: 'fast',
    onUpdate: (update) => updates.push(update),
    onProblems: (found) => problems.push(found),
  });
  const until = async (what: string, holds: () => boolean, timeoutMs = 10_000) => {
    const deadlineMs = performance.now() + timeoutMs;
    while (!holds()) {
      if (performance.now() > deadlineMs)
        assert.fail(`not so after ${timeoutMs} ms: ${what}\n${JSON.stringify(updates)}\n${lines.join('\n')}`);
      await sleep(5);
    }
  };
  try {
    source.start();
    await body({ source, updates, problems, until });
  } finally {
    await source.stop();
    const count = updates.length;
    await setReady(control.api, 'node-a', false);
    await sleep(200);
    api.close();
    assert.equal(updates.length, count, 'nothing is told after stop()');
  }
}

test('a cluster as the speaker is told of it', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    const { api } = control;
    await prepare(api);
    await addService(api, 'web', '192.0.2.10');
    await api.create(SLICES, slice('web', ['node-a']));
    await withSource(control, async ({ source, updates, problems, until }) => {
      assert.equal(source.status.synced, false);
      await until('complete', () => updates.length === 1);
      assert.equal(source.status.synced, true);
      const web = { name: 'default/web', addresses: ['192.0.2.10'], interfaces: null, nodes: ['node-a'] };
      assert.deepEqual(updates.shift(), {
        type: 'complete',
        desired: { probing: 'fast', lastResort: [], services: [web] },
      });

      // An endpoint moves.
      const startedMs = performance.now();
      await api.apply(slice('web', ['node-b']));
      await until('node-b', () => updates.length === 1);
      t.diagnostic(
        `from the write of an EndpointSlice to the update: ${(performance.now() - startedMs).toFixed(0)} ms`,
      );
      assert.deepEqual(updates.shift(), {
        type: 'services',
        changed: [{ ...web, nodes: ['node-b'] }],
        removed: [],
      });

      // A node is cordoned, another is not ready.
      await api.patch('/api/v1/nodes/node-a', { spec: { unschedulable: true } });
      await until('cordon', () => updates.length === 1);
      assert.deepEqual(updates.shift(), { type: 'last-resort', nodes: ['node-a'] });
      await api.patch('/api/v1/nodes/node-a', { spec: { unschedulable: null } });
      await setReady(api, 'node-b', false);
      await until('not ready', () => source.desired().lastResort?.join() === 'node-b');
      await setReady(api, 'node-b', true);
      await until('ready', () => source.desired().lastResort?.length === 0);
      updates.length = 0;

      // A wrong pool is told, and changes nothing.
      const other = { metadata: { name: 'other' }, spec: { addresses: ['192.0.2.7-192.0.2.9'] } };
      const pools = `/apis/metallb.io/v1beta1/namespaces/${POOL_NAMESPACE}/ipaddresspools`;
      await api.create(pools, { apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', ...other });
      await until('the overlap', () => problems.some((found) => found.some(({ reason }) => reason === 'overlap')));
      assert.equal(source.status.configuration, 'last-good');
      await api.delete(`${pools}/other`);
      await until('no problem', () => problems.at(-1)?.length === 0);
      assert.equal(source.status.configuration, 'current');
      assert.deepEqual(updates, []);

      // The API server is gone, and comes back with something new.
      await control.stopApi();
      await until('waiting', () => source.status.reflectors.services.state === 'waiting');
      assert.deepEqual(updates, []);
      assert.equal(source.announcements.get('default/web')?.desired?.nodes?.[0], 'node-b');
      await control.startApi();
      await api.apply(slice('web', ['node-a', 'node-b']));
      await until('news', () => updates.length === 1, 40_000);
      assert.deepEqual(updates.shift(), {
        type: 'services',
        changed: [{ ...web, nodes: ['node-a', 'node-b'] }],
        removed: [],
      });
      await api.delete(`${SERVICES}/web`);
      await until('gone', () => updates.length === 1, 40_000);
      assert.deepEqual(updates.shift(), { type: 'services', changed: [], removed: ['default/web'] });
    });
  });
});
