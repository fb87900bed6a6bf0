// What is kept of the API's objects, and what becomes of fields that are missing or odd.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  inNamespace,
  PATHS,
  projectCustomResource,
  projectEndpointSlice,
  projectLease,
  projectNamespace,
  projectNode,
  projectService,
} from '../../src/kubernetes/projections.js';

const metadata = { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '42', labels: { app: 'web' } };
const meta = { key: 'shop/web', ...metadata };

test('a Service with everything', () => {
  const { key, value } = projectService({
    metadata: {
      ...metadata,
      deletionTimestamp: '2026-01-01T00:00:00Z',
      managedFields: [{}],
      annotations: { 'metallb.io/address-pool': 'p', 'metallb.universe.tf/x': 'y', 'arpeggio.io/z': '1', other: 'no' },
    },
    spec: {
      type: 'LoadBalancer',
      loadBalancerClass: 'example.com/lb',
      loadBalancerIP: '192.0.2.7',
      clusterIP: '10.0.0.1',
      clusterIPs: ['10.0.0.1', 'fd00::1'],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'PreferDualStack',
      externalTrafficPolicy: 'Local',
      selector: { app: 'web' },
      ports: [{ name: 'dns', protocol: 'UDP', port: 53, targetPort: 'dns', nodePort: 30053 }, { port: 80 }],
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.7', ipMode: 'VIP' }, { hostname: 'x' }] } },
  })!;
  assert.equal(key, 'shop/web');
  assert.deepEqual(value, {
    ...meta,
    annotations: { 'metallb.io/address-pool': 'p', 'metallb.universe.tf/x': 'y', 'arpeggio.io/z': '1' },
    deleting: true,
    type: 'LoadBalancer',
    loadBalancerClass: 'example.com/lb',
    loadBalancerIP: '192.0.2.7',
    clusterIPs: ['10.0.0.1', 'fd00::1'],
    ipFamilies: ['IPv4', 'IPv6'],
    ipFamilyPolicy: 'PreferDualStack',
    externalTrafficPolicy: 'Local',
    selector: { app: 'web' },
    ports: [
      { protocol: 'UDP', port: 53 },
      { protocol: 'TCP', port: 80 },
    ],
    ingress: ['192.0.2.7'],
  });
});

test('a Service with nothing, a headless one, and one of an old API server', () => {
  assert.deepEqual(projectService({ metadata: { name: 'web' } })?.value, {
    ...{ key: 'web', namespace: '', name: 'web', uid: '', resourceVersion: '', labels: {}, annotations: {} },
    ...{ deleting: false, type: 'ClusterIP', loadBalancerClass: null, loadBalancerIP: null, clusterIPs: [] },
    ...{ ipFamilies: [], ipFamilyPolicy: null, externalTrafficPolicy: 'Cluster', selector: {}, ports: [], ingress: [] },
  });
  const ips = (spec: object) => projectService({ metadata, spec })?.value.clusterIPs;
  assert.deepEqual(ips({ clusterIP: 'None', clusterIPs: ['None'] }), []);
  assert.deepEqual(ips({ clusterIP: '10.0.0.1' }), ['10.0.0.1']);
  assert.deepEqual(ips({ clusterIP: '' }), []);
});

test('an EndpointSlice: who serves, and where', () => {
  const slice = (endpoints: unknown, labels: object = { 'kubernetes.io/service-name': 'web' }) =>
    projectEndpointSlice({ metadata: { name: 'web-abc', namespace: 'shop', labels }, addressType: 'IPv6', endpoints });
  const on = (nodeName: string, conditions?: object) => ({ addresses: ['10.1.0.1'], nodeName, conditions });
  const { key, value } = slice([
    on('n3', { ready: true }),
    on('n1'),
    on('n1', {}),
    on('n2', { ready: false, serving: true, terminating: true }),
    on('n4', { ready: false, serving: false }),
    on('n5', { ready: false }),
    on('n6', { ready: null }),
  ])!;
  assert.equal(key, 'shop/web-abc');
  assert.deepEqual(value, { key, service: 'shop/web', family: 'ipv6', active: true, nodes: ['n1', 'n2', 'n3', 'n6'] });
  assert.deepEqual([slice(null)?.value.active, slice([on('n1', { ready: false })])?.value.active], [false, false]);
  const nowhere = slice([{ addresses: ['10.1.0.1'] }])?.value;
  assert.deepEqual([nowhere?.active, nowhere?.nodes], [true, []], 'it serves, though nobody knows where');
  assert.equal(slice([on('n1')], {}), null, 'it belongs to no Service');
});

test('a Node: conditions, cordon, addresses', () => {
  const node = (status: object, spec: object = {}) =>
    projectNode({ metadata: { name: 'n1', labels: { zone: 'a' } }, spec, status })!.value;
  const { key, name, ready, networkUnavailable, unschedulable, labels, addresses } = node({
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'NetworkUnavailable', status: 'False' },
    ],
    addresses: [
      { type: 'InternalIP', address: '192.0.2.1' },
      { type: 'Hostname', address: 'n1' },
      { type: 'InternalIP', address: '2001:db8::1' },
    ],
  });
  assert.deepEqual([key, name, ready, networkUnavailable, unschedulable], ['n1', 'n1', true, false, false]);
  assert.deepEqual([labels, addresses], [{ zone: 'a' }, ['192.0.2.1', '2001:db8::1']]);
  assert.equal(node({}).ready, true, 'without a condition');
  assert.equal(node({ conditions: [{ type: 'Ready', status: 'Unknown' }] }).ready, false);
  assert.equal(node({ conditions: [{ type: 'NetworkUnavailable', status: 'True' }] }).networkUnavailable, true);
  assert.equal(node({}, { unschedulable: true }).unschedulable, true);
});

test('Namespace, custom resource, Lease', () => {
  assert.deepEqual(projectNamespace({ metadata: { name: 'shop', labels: { team: 'a' } } })?.value, {
    key: 'shop',
    name: 'shop',
    labels: { team: 'a' },
  });
  const pool = { metadata: { ...metadata, generation: 3 }, spec: { addresses: ['192.0.2.0/24'] } };
  assert.deepEqual(projectCustomResource(pool)?.value, { ...meta, generation: 3, spec: pool.spec, status: {} });
  const spec = { holderIdentity: 'n1', leaseTransitions: 4, leaseDurationSeconds: 40, renewTime: 'now' };
  assert.deepEqual(
    projectLease({ metadata: { ...metadata, annotations: { 'arpeggio.io/address': '192.0.2.1', x: 'y' } }, spec })
      ?.value,
    {
      ...meta,
      annotations: { 'arpeggio.io/address': '192.0.2.1' },
      ...{ holder: 'n1', transitions: 4, durationMs: 40_000, renewTime: 'now' },
    },
  );
  const empty = projectLease({ metadata, spec: { holderIdentity: '' } })!.value;
  assert.deepEqual([empty.holder, empty.transitions, empty.durationMs, empty.renewTime], [null, 0, 0, null]);
});

test('no projection throws, whatever it is given', () => {
  const all = [
    projectService,
    projectEndpointSlice,
    projectNode,
    projectNamespace,
    projectCustomResource,
    projectLease,
  ];
  const field = fc.constantFrom('metadata', 'spec', 'status', 'endpoints', 'name', 'labels', 'conditions', 'ports');
  const odd = fc.letrec((tie) => ({
    value: fc.oneof(fc.jsonValue(), fc.dictionary(field, tie('value')), fc.array(tie('value'))),
  })).value;
  fc.assert(
    fc.property(odd, odd, odd, (spec, status, endpoints) => {
      for (const project of all) {
        project(spec);
        const whole = { metadata: { name: 'x', labels: spec, annotations: status }, spec, status, endpoints };
        assert.ok(project(whole) === null || project(whole)!.key === 'x');
      }
    }),
    { numRuns: 40 },
  );
});

test('paths in a namespace', () => {
  assert.equal(inNamespace(PATHS.services, 'shop'), '/api/v1/namespaces/shop/services');
  assert.equal(inNamespace(PATHS.leases, 'a'), '/apis/coordination.k8s.io/v1/namespaces/a/leases');
});
