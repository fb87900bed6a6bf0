// Writes to services that others do not let stand, or do not permit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { ServiceView } from '../../src/controller/service_view.js';
import { ServiceWriter } from '../../src/controller/service_writer.js';
import { PATHS, projectService } from '../../src/kubernetes/projections.js';
import type { Service } from '../../src/kubernetes/types.js';
import { WritePace } from '../../src/kubernetes/write_pace.js';
import { parseAddress } from '../../src/net/address.js';
import { ApiStore, failure, type Hook } from './api_double.js';

const PATH = '/api/v1/namespaces/default/services/web';

function serviceOf(store: ApiStore, addresses: string[] = []): Service {
  store.put(PATHS.services, {
    metadata: { name: 'web', namespace: 'default', annotations: {} },
    spec: { type: 'LoadBalancer' },
    status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } },
  });
  return projectService(store.objects.get(PATH))!.value;
}

function writerOf(store: ApiStore, hook: Hook = () => {}) {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line).msg) });
  const view = new ServiceView(() => {});
  const allocation = { addresses: [parseAddress('192.0.2.1')], pool: 'lan', error: null, message: null, warnings: [] };
  const writer = new ServiceWriter({
    api: store.client(hook),
    view,
    allocationOf: () => allocation,
    isPending: () => false,
    allowedMs: () => 5_000,
    onSettled: () => {},
    onWritten: () => {},
    fencedByTimeMs: 300,
    log,
  });
  return { writer, view, lines };
}

test('a service whose status somebody else takes back each time is written some times, and then now and then', async (t) => {
  const store = new ApiStore();
  const { writer, view, lines } = writerOf(store);
  t.after(() => writer.stop(true));
  const endMs = performance.now() + 1_000;
  while (performance.now() < endMs) {
    const { status } = (store.objects.get(PATH) ?? {}) as { status?: { loadBalancer?: { ingress?: unknown[] } } };
    if (status?.loadBalancer?.ingress?.length !== 0) view.told('default/web', serviceOf(store));
    writer.add('default/web');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const writes = store.writes().length;
  assert.ok(writes >= 10 && writes <= 12, `${writes} writes`);
  assert.match(lines[0] ?? '', /if another controller serves it as well, give one of them a loadBalancerClass/);
});

test('the pace of one service: ten at once, then one in five seconds', () => {
  const pace = new WritePace();
  for (let count = 0; count < 10; count += 1) {
    assert.equal(pace.waitMs('default/web', 1_000), 0);
    pace.wrote('default/web', 1_000);
  }
  assert.deepEqual([pace.waitMs('default/web', 1_000), pace.waitMs('default/web', 3_500)], [5_000, 2_500]);
  assert.deepEqual([pace.waitMs('default/web', 6_000), pace.waitMs('default/other', 1_000)], [0, 0]);
  pace.wrote('default/web', 6_000);
  assert.equal(pace.waitMs('default/web', 6_000), 5_000);
  pace.forget('default/web');
  assert.equal(pace.waitMs('default/web', 6_000), 0);
});

test('a service that may not be written holds up a new leader only until the old one’s requests are over', async (t) => {
  const store = new ApiStore();
  const { writer, view, lines } = writerOf(store, ({ method, path }) => {
    if (method === 'PATCH') throw failure(403, 'Forbidden', path);
  });
  t.after(() => writer.stop(true));
  const service = serviceOf(store);
  view.told(service.key, service);
  const startMs = performance.now();
  await Promise.race([writer.fence(service, 2), new Promise((_, reject) => setTimeout(reject, 10_000).unref())]);
  assert.ok(performance.now() - startMs >= 300, 'not before that');
  assert.match(lines[0] ?? '', /a service cannot be fenced/);
});
