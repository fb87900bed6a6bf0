// What is written to a service, and what is said about it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Allocation, PoolUsage } from '../../src/allocation/types.js';
import { stateStatus } from '../../src/controller/configuration_report.js';
import { PoolStatusWriter, poolCounts } from '../../src/controller/pool_status.js';
import { decisionNotices, writeNotices } from '../../src/controller/service_events.js';
import { FENCE_ANNOTATION, fencePatch, servicePatch, statusPath } from '../../src/controller/service_patch.js';
import type { ControllerApi } from '../../src/controller/types.js';
import { projectCustomResource, projectService } from '../../src/kubernetes/projections.js';
import type { ConfigurationProblem } from '../../src/metallb/types.js';
import type { Address } from '../../src/net/address.js';
import { SILENT } from './kubernetes_server.js';

const POOL = 'metallb.io/ip-allocated-from-pool';

function service({ annotations = {}, type = 'LoadBalancer', ips = [] as string[], resourceVersion = '7' } = {}) {
  return projectService({
    metadata: { namespace: 'default', name: 'web', uid: 'u', resourceVersion, annotations },
    spec: { type },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  })!.value;
}

function allocation(addresses: string[], fields: Partial<Allocation> = {}): Allocation {
  const pool = addresses.length > 0 ? 'lan' : null;
  return { addresses: addresses as Address[], pool, error: null, message: null, warnings: [], ...fields };
}

test('an address is written with its pool, on the version that was decided on', () => {
  assert.equal(statusPath(service()), '/api/v1/namespaces/default/services/web/status');
  assert.deepEqual(servicePatch(service(), allocation(['192.0.2.1', '2001:db8::1'])), {
    metadata: { resourceVersion: '7', annotations: { [POOL]: 'lan' } },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }] } },
  });
});

test('an object that says what was decided is left alone, however it spells the address', () => {
  const annotations = { [POOL]: 'lan' };
  assert.equal(servicePatch(service({ annotations, ips: ['192.0.2.1'] }), allocation(['192.0.2.1'])), null);
  assert.equal(servicePatch(service({ annotations, ips: ['2001:DB8::0:1'] }), allocation(['2001:db8::1'])), null);
  assert.equal(servicePatch(service(), allocation([])), null);
  assert.notEqual(servicePatch(service({ annotations, ips: ['192.0.2.2'] }), allocation(['192.0.2.1'])), null);
  assert.notEqual(servicePatch(service({ ips: ['192.0.2.1'] }), allocation(['192.0.2.1'])), null);
});

test('what is lost is taken off the object together with the annotation', () => {
  const had = service({ annotations: { [POOL]: 'lan' }, ips: ['192.0.2.1'] });
  assert.deepEqual(servicePatch(had, allocation([])), {
    metadata: { resourceVersion: '7', annotations: { [POOL]: null } },
    status: { loadBalancer: { ingress: null } },
  });
});

test('a service that is not ours is touched only to take away our annotation from what is no load balancer', () => {
  const annotations = { [POOL]: 'theirs' };
  assert.equal(servicePatch(service({ annotations, ips: ['192.0.2.1'] }), null), null);
  assert.equal(servicePatch(service({ type: 'ClusterIP' }), null), null);
  const turned = servicePatch(service({ annotations, type: 'ClusterIP' }), null);
  assert.deepEqual(turned?.metadata.annotations, { [POOL]: null });
});

test('a fence changes the version only, and goes with the next write', () => {
  assert.deepEqual(fencePatch(service(), 3), {
    metadata: { resourceVersion: '7', annotations: { [FENCE_ANNOTATION]: '3' } },
  });
  const fenced = service({ annotations: { [FENCE_ANNOTATION]: '3' } });
  assert.deepEqual(servicePatch(fenced, allocation([]))?.metadata.annotations, { [FENCE_ANNOTATION]: null });
});

test('events tell what was given and taken, and each failure once', () => {
  const before = service();
  const after = service({ ips: ['192.0.2.1'] });
  const given = writeNotices(before, after, allocation(['192.0.2.1']), () => true);
  assert.deepEqual(given, [
    { type: 'Normal', reason: 'IPAllocated', message: 'Assigned IP ["192.0.2.1"] from pool "lan"' },
  ]);
  const unseen = writeNotices(before, after, allocation(['192.0.2.1']), () => false);
  assert.deepEqual(
    unseen.map(({ reason }) => reason),
    ['IPAllocated', 'NotAdvertised'],
  );
  const failed = allocation([], { error: 'address-in-use', message: 'it is in use' });
  const taken = writeNotices(after, before, failed, () => true);
  assert.deepEqual(taken, [
    { type: 'Normal', reason: 'ClearAssignment', message: 'Took back ["192.0.2.1"]: it is in use' },
  ]);

  assert.deepEqual(decisionNotices(null, failed), [
    { type: 'Warning', reason: 'AllocationFailed', message: 'No address for this service: it is in use' },
  ]);
  assert.deepEqual(decisionNotices(failed, failed), []);
  assert.deepEqual(decisionNotices(null, allocation([], { error: 'no-pools', message: 'none' })), []);
  const warned = allocation(['192.0.2.1'], { warnings: ['old'] });
  assert.deepEqual(decisionNotices(null, warned), [{ type: 'Warning', reason: 'Deprecated', message: 'old' }]);
  assert.deepEqual(decisionNotices(warned, warned), []);
});

test('counts of a pool fit into int64', () => {
  const counts = poolCounts({
    name: 'lan',
    assignedIPv4: 1n,
    assignedIPv6: 0n,
    availableIPv4: 255n,
    availableIPv6: 2n ** 64n,
  });
  assert.deepEqual([counts.assignedIPv4, counts.availableIPv4], [1, 255]);
  assert.ok(BigInt(JSON.stringify(counts.availableIPv6)) < 2n ** 63n);
});

test('ConfigurationState: the mistakes that count, what is in force, and when a condition changed', () => {
  const problem = (severity: 'error' | 'warning', reason: ConfigurationProblem['reason']): ConfigurationProblem => {
    return {
      kind: 'IPAddressPool',
      namespace: 'here',
      name: 'lan',
      path: 'spec.addresses[0]',
      reason,
      message: `bad ${reason}`,
      severity,
    };
  };
  const good = stateStatus(
    { configuration: { pools: [], advertisements: [] } as never, problems: [] },
    false,
    null,
    'T1',
  );
  assert.deepEqual([good.result, good.errorSummary], ['Valid', '']);
  assert.deepEqual(good.conditions[0], {
    type: 'poolReconcilerValid',
    status: 'True',
    reason: 'Reconciled',
    message: '',
    lastTransitionTime: 'T1',
  });
  const bad = stateStatus({ configuration: null, problems: [problem('error', 'overlap')] }, true, good, 'T2');
  assert.equal(bad.result, 'Invalid');
  assert.equal(bad.errorSummary, 'IPAddressPool here/lan: spec.addresses[0]: bad overlap');
  assert.match(bad.conditions[0]!.message, /the last valid configuration stays in force/);
  assert.deepEqual(
    bad.conditions.map(({ lastTransitionTime }) => lastTransitionTime),
    ['T2', 'T1'],
  );
  const warned = stateStatus(
    { configuration: { pools: [], advertisements: [] } as never, problems: [problem('warning', 'unknown-pool')] },
    true,
    bad,
    'T3',
  );
  assert.equal(warned.result, 'Valid');
  assert.match(warned.conditions[1]!.message, /bad unknown-pool/);
});

test('while services go on to come, the status of a pool is written every five seconds at most', async () => {
  const raw = { metadata: { namespace: 'metallb-system', name: 'lan', uid: 'u', resourceVersion: '1' }, spec: {} };
  const lan = projectCustomResource(raw)!.value;
  const written: unknown[] = [];
  let assignedIPv4 = 0n;
  const usage = (): PoolUsage => ({
    name: 'lan',
    assignedIPv4,
    assignedIPv6: 0n,
    availableIPv4: 256n,
    availableIPv6: 0n,
  });
  const writer = new PoolStatusWriter({
    api: { patch: async (_path: string, body: unknown) => written.push(body) } as unknown as ControllerApi,
    namespace: 'metallb-system',
    pools: () => new Map([['metallb-system/lan', lan]]),
    usage: () => [usage()],
    mayWrite: () => true,
    log: SILENT,
  });
  const begun = performance.now();
  for (let passedMs = 0; passedMs < 4_000; passedMs = performance.now() - begun) {
    assignedIPv4 += 1n;
    writer.changed();
    await sleep(50);
  }
  assert.equal(written.length, 1);
  await writer.stop();
});
