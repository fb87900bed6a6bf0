// The CustomResourceDefinitions on a real API server: it takes them, refuses what one object alone shows to be wrong, and takes
// everything that is valid for MetalLB.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ApiObject, type LabApi, LabApiError } from '../../src/lab/kubernetes/lab_api.js';
import { readJson } from '../native/vector_files.js';
import type { RawObject } from '../unit/metallb_sample.js';
import { withControlPlane } from './harness/control_plane.js';
import { applyDefinitions } from './harness/definitions.js';

const POLICY = new URL('../../../deploy/base/namespace_policy.yaml', import.meta.url);
const EXAMPLES = new URL('../../../deploy/examples/', import.meta.url);
const API = '/apis/metallb.io/v1beta1/namespaces';
const PLURALS: Record<string, string> = { IPAddressPool: 'ipaddresspools', L2Advertisement: 'l2advertisements' };

interface Case {
  readonly name: string;
  readonly resources: readonly RawObject[];
  readonly valid: boolean;
  readonly reason?: string;
}

/** What only a look at several objects, or at the namespace, can tell. */
const NOT_ALONE = new Set(['overlap', 'duplicate-name', 'wrong-namespace']);
/** The comparison costs more than the API server grants a rule; the controller and the speakers refuse it. */
const TOO_COSTLY = new Set([
  'two equal expressions in one node selector are refused though their values stand in another order',
]);

/** The server's answer to creating it, of which nothing stays; null: it is taken. */
async function refusal(api: LabApi, object: RawObject): Promise<string | null> {
  const path = `${API}/${object.metadata.namespace}/${PLURALS[object.kind]}`;
  const query = { dryRun: 'All', fieldValidation: 'Strict' };
  try {
    await api.request('POST', path, { query, body: object });
    return null;
  } catch (error) {
    assert.ok(error instanceof LabApiError && error.status === 422, String(error));
    return error.message;
  }
}

const pool = (addresses: readonly string[], spec: object = {}) => ({
  apiVersion: 'metallb.io/v1beta1',
  kind: 'IPAddressPool',
  metadata: { name: 'pool', namespace: 'metallb-system' },
  spec: { addresses, ...spec },
});

async function applyExamples(api: LabApi): Promise<ApiObject[]> {
  const applied: ApiObject[] = [];
  for (const name of readdirSync(EXAMPLES))
    applied.push(...(await api.applyYaml(readFileSync(new URL(name, EXAMPLES), 'utf8'))));
  return applied;
}

test('the API server takes the definitions and judges objects by them', async (t) => {
  await withControlPlane(t, {}, async ({ api }) => {
    await api.create('/api/v1/namespaces', { metadata: { name: 'metallb-system' } });
    assert.equal((await applyDefinitions(api)).length, 4);

    await t.test('the cases of MetalLB', async () => {
      let refused = 0;
      let taken = 0;
      const { cases } = readJson('metallb-configuration.json') as { cases: Case[] };
      for (const { name, resources, valid, reason } of cases) {
        if (TOO_COSTLY.has(name)) continue;
        const objects = resources.filter(({ kind }) => PLURALS[kind] !== undefined);
        const refusals = [];
        for (const object of objects) refusals.push(await refusal(api, object));
        const text = refusals.filter((message) => message !== null).join('\n');
        if (valid || NOT_ALONE.has(reason ?? '')) {
          assert.equal(text, '', name);
          taken += objects.length;
        } else {
          assert.notEqual(text, '', name);
          refused += 1;
        }
      }
      assert.deepEqual([taken > 70, refused], [true, 22]);
    });

    await t.test('ranges of addresses', async () => {
      for (const text of [
        '192.0.2.1-192.0.2.1',
        '10.0.0.9 - 10.0.1.0',
        '2001:db8::1-2001:db8::2',
        '192.0.2.7/24',
        '::1:0:0/96',
      ])
        assert.equal(await refusal(api, pool([text])), null, text);
      for (const [text, why] of [
        ['192.0.2.1', /must be a prefix/],
        ['192.0.2.1-', /must be a prefix/],
        ['192.0.2.1-192.0.2.2-192.0.2.3', /must be a prefix/],
        ['010.0.0.0/8', /must be a prefix/],
        ['192.0.2.1-2001:db8::1', /different address families/],
        ['10.0.1.0-10.0.0.255', /ends before it begins/],
      ] as const)
        assert.match(String(await refusal(api, pool([text]))), why, text);
    });

    await t.test('lists as long as people have them', async () => {
      const addresses = Array.from(
        { length: 1000 },
        (_, index) => `10.${index >> 8}.${index & 255}.1-10.${index >> 8}.${index & 255}.9`,
      );
      assert.equal(await refusal(api, pool(addresses)), null);
      const values = Array.from({ length: 1000 }, (_, index) => `node-${index}`);
      const serviceAllocation = {
        namespaceSelectors: Array.from({ length: 20 }, (_, index) => ({
          matchExpressions: [{ key: `key-${index}`, operator: 'In', values }],
        })),
      };
      assert.equal(await refusal(api, pool(['10.0.0.0/8'], { serviceAllocation })), null);
    });

    await t.test('defaults', async () => {
      const { spec } = await api.apply(pool(['192.0.2.0/24']));
      assert.deepEqual(spec, { addresses: ['192.0.2.0/24'], autoAssign: true, avoidBuggyIPs: false });
      await api.delete(`${API}/metallb-system/ipaddresspools/pool`);
    });

    await t.test('what is written into status', async () => {
      const state = { apiVersion: 'metallb.io/v1beta1', kind: 'ConfigurationState' };
      const metadata = { name: 'controller', namespace: 'metallb-system' };
      const path = `${API}/metallb-system/configurationstates/controller`;
      await api.apply({ ...state, metadata });
      const condition = {
        type: 'ConfigurationValid',
        reason: 'Invalid',
        message: 'x',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      };
      const status = { result: 'Invalid', errorSummary: 'x', conditions: [{ ...condition, status: 'False' }] };
      assert.deepEqual((await api.patch(`${path}/status`, { status })).status, status);
      await assert.rejects(api.patch(`${path}/status`, { status: { result: 'Perhaps' } }), /result/);

      const l2 = `${API}/metallb-system/servicel2statuses/l2-abcde`;
      await api.apply({
        apiVersion: 'metallb.io/v1beta1',
        kind: 'ServiceL2Status',
        metadata: { ...metadata, name: 'l2-abcde' },
      });
      const announced = {
        node: 'n1',
        serviceName: 'web',
        serviceNamespace: 'default',
        interfaces: [{ name: 'eth0' }],
      };
      assert.deepEqual((await api.patch(l2, { status: announced })).status, announced);
      await assert.rejects(api.patch(l2, { status: { node: 'n2' } }), /immutable/);
    });

    await t.test('a namespace where they have no effect', async () => {
      const astray = { ...pool(['192.0.2.0/24']), metadata: { name: 'pool', namespace: 'default' } };
      assert.equal(await refusal(api, astray), null);
      await api.applyYaml(readFileSync(POLICY, 'utf8'));
      // A policy counts a moment after it was written.
      const why = await api.eventually('the policy counts', () => refusal(api, astray));
      assert.match(why, /has no effect in namespace default; create it in metallb-system/);
      assert.equal(await refusal(api, pool(['192.0.2.0/24'])), null);
    });

    await t.test('the examples', async () => {
      const applied = await applyExamples(api);
      assert.ok(applied.length > 20);
      const pools = await api.list(`${API}/metallb-system/ipaddresspools`);
      assert.ok(pools.length >= 8);
    });
  });
});
