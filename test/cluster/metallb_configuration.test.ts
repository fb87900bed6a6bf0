// MetalLB's cases of configurations (test/vectors/metallb-configuration.json) on a real API server that has MetalLB's definitions,
// which take almost everything: the controller tells what is wrong, and with which object, and goes on with what was right.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import { type ApiObject, LabApiError } from '../../src/lab/kubernetes/lab_api.js';
import { Manifests, NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { advertisement, pool } from '../../src/lab/kubernetes/workloads.js';
import { readJson } from '../native/vector_files.js';
import type { RawObject } from '../unit/metallb_sample.js';
import { withControlPlane } from './harness/control_plane.js';
import { shownBy, startController } from './harness/controller_process.js';
import { withoutRules } from './harness/definitions.js';

const API = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}`;
const TOLD_MS = 15_000;
/** An API server has no two objects of one name, none without a name, and the controller sees one namespace. */
const CANNOT = new Set(['duplicate-name', 'missing-name', 'wrong-namespace']);
const MARKER = pool('marker', ['nonsense']);

interface Case {
  readonly name: string;
  readonly resources: readonly RawObject[];
  readonly valid: boolean;
  readonly reason?: string;
}

/** False where the server itself refuses it. */
async function taken({ api }: ControlPlane, resources: readonly RawObject[]): Promise<boolean> {
  try {
    for (const object of resources) {
      const apiVersion = object.kind === 'Node' || object.kind === 'Namespace' ? 'v1' : 'metallb.io/v1beta1';
      await api.apply({ apiVersion, ...object });
    }
    return true;
  } catch (error) {
    assert.ok(error instanceof LabApiError && error.status === 422, String(error));
    return false;
  }
}

async function clear({ api }: ControlPlane): Promise<void> {
  for (const plural of ['l2advertisements', 'ipaddresspools'])
    for (const { metadata } of await api.list(`${API}/${plural}`))
      if (metadata.name !== 'kept') await api.delete(`${API}/${plural}/${metadata.name}`);
}

/** Waits until the state of the configuration is so, and stays so. */
async function state(control: ControlPlane, what: string, holds: (status: ApiObject) => boolean): Promise<void> {
  const isSo = async () => {
    const { status } = await control.api.get(`${API}/configurationstates/controller`);
    return holds(status) && status;
  };
  await control.api.eventually(what, isSo, TOLD_MS);
  await delay(100);
  await control.api.eventually(what, isSo, TOLD_MS);
}

test('MetalLB’s cases of configurations, told by the controller', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    const { api } = control;
    const { objects } = await Manifests.render(control);
    for (const object of objects) {
      const mine = object.kind === 'CustomResourceDefinition' ? withoutRules(object) : object;
      await api.eventually(`${object.kind} ${object.metadata.name}`, () => api.apply(mine));
    }
    for (const object of [pool('kept', ['203.0.113.0/24']), advertisement('kept', { ipAddressPools: ['kept'] })])
      await api.eventually('pools can be made', () => api.apply(object));
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kept', namespace: 'default', annotations: { 'metallb.io/address-pool': 'kept' } },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    };
    await api.apply(service);
    const controller = await startController(control, 'controller', '--leader-elect=false');
    const address = async () => shownBy(await api.get('/api/v1/namespaces/default/services/kept')).join();
    try {
      const given = await api.eventually('the service has an address', async () => (await address()) || null);
      const counts = { valid: 0, told: 0, refused: 0 };
      const { cases } = readJson('metallb-configuration.json') as { cases: Case[] };
      for (const { name, resources, valid, reason } of cases) {
        if (CANNOT.has(reason ?? '')) continue;
        // What is wrong with the marker shows that all that came before it has been seen.
        await api.apply(MARKER);
        await state(control, `${name}: the marker is seen`, ({ errorSummary = '' }) =>
          errorSummary.includes('/marker:'),
        );
        if (await taken(control, resources)) {
          await api.delete(`${API}/ipaddresspools/marker`);
          counts[valid ? 'valid' : 'told'] += 1;
          const ours = resources.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}:`);
          await state(control, name, ({ result, errorSummary = '' }) =>
            valid
              ? result === 'Valid' && errorSummary === ''
              : result === 'Invalid' && ours.some((object) => errorSummary.includes(object)),
          );
        } else {
          assert.ok(!valid, name);
          counts.refused += 1;
        }
        assert.equal(await address(), given, name);
        await clear(control);
      }
      t.diagnostic(JSON.stringify(counts));
      assert.ok(counts.valid >= 35 && counts.told >= 15, JSON.stringify(counts));
    } finally {
      await controller.stop('SIGKILL');
    }
  });
});
