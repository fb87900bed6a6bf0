// The controller against a storage with the API server's versions and conflicts: what is written, when, and when not.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { Controller } from '../../src/controller/controller.js';
import { PATHS } from '../../src/kubernetes/projections.js';
import { ApiStore, failure, type Hook, type Stored } from './api_double.js';

const log = pino({ level: process.env.TEST_LOG ?? 'silent' });
const POOL = 'metallb.io/ip-allocated-from-pool';
const STATUS = /\/services\/[^/]+\/status$/;

let store: ApiStore;
let controllers: Controller[];

beforeEach(() => {
  store = new ApiStore();
  controllers = [];
  store.put(PATHS.namespaces, { metadata: { name: 'default' } });
});

afterEach(() => Promise.all(controllers.map((controller) => controller.stop())));

function start(
  hook: Hook = () => {},
  election: { identity: string; leaseDurationMs?: number } | null = null,
): Controller {
  const options = { api: store.client(hook), namespace: 'metallb-system', lbClass: null, election, log };
  const controller = new Controller(options);
  controllers.push(controller);
  controller.start();
  return controller;
}

function pool(name: string, addresses: string[], spec: object = {}): void {
  store.put(PATHS.ipAddressPools, { metadata: { name, namespace: 'metallb-system' }, spec: { addresses, ...spec } });
}

function advertisement(name = 'all'): void {
  store.put(PATHS.l2Advertisements, { metadata: { name, namespace: 'metallb-system' }, spec: {} });
}

function service(
  name: string,
  fields: { annotations?: object; spec?: object; status?: object; uid?: string } = {},
): void {
  store.put(PATHS.services, {
    metadata: { name, namespace: 'default', annotations: fields.annotations ?? {} },
    spec: {
      type: 'LoadBalancer',
      clusterIPs: ['10.96.0.10'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ protocol: 'TCP', port: 80 }],
      ...fields.spec,
    },
    ...(fields.status && { status: fields.status }),
  });
}

const has = (...ips: string[]) => ({ loadBalancer: { ingress: ips.map((ip) => ({ ip })) } });
const object = (name: string): Stored => store.objects.get(`/api/v1/namespaces/default/services/${name}`)!;

function addresses(name: string): string[] {
  const { status } = object(name) as { status?: { loadBalancer?: { ingress?: { ip: string }[] } } };
  return (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
}

function events(name: string): string[] {
  const all = [...store.objects].filter(([path]) => path.includes('/events/')).map(([, event]) => event);
  const about = all.filter(({ involvedObject }) => (involvedObject as { name: string }).name === name);
  return about.map(({ reason }) => String(reason)).sort();
}

async function until(what: string, holds: () => boolean, limitMs = 10_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > endMs) assert.fail(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const settled = (controller: Controller) =>
  until('all is written', () => controller.status.term?.running === true && controller.status.term.pending === 0);

test('a service gets an address, its pool and one event; pool and configuration tell their state', async () => {
  pool('lan', ['192.0.2.0/24']);
  advertisement();
  service('web');
  start();
  await until('it has an address', () => addresses('web').length === 1);
  assert.deepEqual(addresses('web'), ['192.0.2.0']);
  assert.equal((object('web').metadata.annotations as Record<string, string>)[POOL], 'lan');
  await until('the pool tells it', () => {
    const { status } = store.objects.get('/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/lan') as {
      status?: { assignedIPv4: number };
    };
    return status?.assignedIPv4 === 1;
  });
  const path = '/apis/metallb.io/v1beta1/namespaces/metallb-system/configurationstates/controller';
  const state = store.objects.get(path) as { status?: { result?: string } } | undefined;
  assert.equal(state?.status?.result, 'Valid');
  assert.deepEqual(events('web'), ['IPAllocated']);
  assert.equal(store.writes(STATUS).length, 1);
});

test('what has an address keeps it, and nothing is written for it', async () => {
  pool('lan', ['192.0.2.0/28']);
  advertisement();
  const annotations = { [POOL]: 'lan' };
  for (const index of [9, 3, 5]) service(`old-${index}`, { annotations, status: has(`192.0.2.${index}`) });
  // As a version of MetalLB wrote it that had no such annotation.
  service('older', { status: has('192.0.2.7') });
  service('new');
  await settled(start());
  for (const index of [9, 3, 5]) assert.deepEqual(addresses(`old-${index}`), [`192.0.2.${index}`]);
  assert.deepEqual([addresses('older'), addresses('new')], [['192.0.2.7'], ['192.0.2.0']]);
  const written = store.writes(STATUS).map(({ path }) => path.split('/').at(-2));
  assert.deepEqual(written.sort(), ['new', 'older']);
});

test('services of other classes and types are not touched', async () => {
  pool('lan', ['192.0.2.0/28']);
  const annotations = { [POOL]: 'theirs' };
  service('theirs', { annotations, spec: { loadBalancerClass: 'other.example/lb' }, status: has('198.51.100.1') });
  service('inner', { spec: { type: 'ClusterIP' } });
  service('turned', { annotations, spec: { type: 'ClusterIP' } });
  service('ours');
  await settled(start());
  const written = new Set(store.writes(STATUS).map(({ path }) => path.split('/').at(-2)));
  assert.deepEqual([...written].sort(), ['ours', 'turned']);
  assert.deepEqual(addresses('theirs'), ['198.51.100.1']);
  assert.equal((object('turned').metadata.annotations as Record<string, string>)[POOL], undefined);
});

test('an invalid configuration changes nothing, also when the controller starts with it', async () => {
  pool('lan', ['192.0.2.0/28']);
  pool('overlapping', ['192.0.2.8/29']);
  service('old', { annotations: { [POOL]: 'lan' }, status: has('192.0.2.3') });
  service('new');
  start();
  const path = '/apis/metallb.io/v1beta1/namespaces/metallb-system/configurationstates/controller';
  const result = () => (store.objects.get(path) as { status?: { result?: string } } | undefined)?.status?.result;
  await until('it is told', () => result() === 'Invalid');
  await pause(100);
  assert.deepEqual([addresses('old'), addresses('new')], [['192.0.2.3'], []]);
  await until('there is an event', () => events('overlapping').includes('InvalidConfiguration'));
  store.remove('/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/overlapping');
  await until('the new one has an address', () => addresses('new').length === 1);
  pool('overlapping', ['192.0.2.0/29']);
  await until('it is told', () => result() === 'Invalid');
  service('late');
  await until('the last valid configuration serves', () => addresses('late').length === 1);
  assert.deepEqual(addresses('old'), ['192.0.2.3']);
  assert.equal(new Set(['old', 'new', 'late'].flatMap(addresses)).size, 3);
});

test('a service that somebody writes at the same time is decided on anew, and gets its address', async () => {
  pool('lan', ['192.0.2.0/28']);
  service('web');
  let raced = false;
  start(({ method, path }) => {
    if (raced || method !== 'PATCH' || !STATUS.test(path)) return;
    raced = true;
    const web = structuredClone(object('web'));
    web.metadata.labels = { team: 'net' };
    store.put(PATHS.services, web);
  });
  await until('it has an address', () => addresses('web').length === 1);
  assert.deepEqual(object('web').metadata.labels, { team: 'net' });
  assert.equal(store.writes(STATUS).length, 2);
});

test('a pool that is made anew gets its status, though nothing about it has changed', async () => {
  pool('lan', ['192.0.2.0/28']);
  start();
  const path = '/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/lan';
  const told = () => (store.objects.get(path) as { status?: { availableIPv4?: number } }).status?.availableIPv4 === 16;
  await until('it tells its status', told);
  store.remove(path);
  pool('lan', ['192.0.2.0/28']);
  assert.ok(!told());
  await until('the new one tells it too', told);
});

test('definitions that are older than ConfigurationState are enough', async () => {
  pool('lan', ['192.0.2.0/28']);
  service('web');
  let asked = 0;
  start(({ method, path }) => {
    if (!path.includes('/configurationstates')) return;
    if (method === 'GET') asked += 1;
    throw failure(404, 'NotFound', path);
  });
  await until('it has an address', () => addresses('web').length === 1);
  await pause(1_500);
  assert.equal(asked, 1);
});

test('errors of the API server are outlasted', async () => {
  pool('lan', ['192.0.2.0/28']);
  service('web');
  let failures = 3;
  start(({ method, path }) => {
    if (method === 'PATCH' && failures > 0) {
      failures -= 1;
      throw failure(500, 'InternalError', path);
    }
  });
  await until('it has an address', () => addresses('web').length === 1);
});

test('two services that swap their addresses never show one address at the same time', async () => {
  pool('lan', ['192.0.2.0/28']);
  const wants = 'metallb.io/loadBalancerIPs';
  service('a', { annotations: { [wants]: '192.0.2.1' } });
  service('b', { annotations: { [wants]: '192.0.2.2' } });
  let watching = false;
  const controller = start(async ({ method, path }) => {
    // What is written for a is slow, for b fast.
    if (watching && method === 'PATCH' && path.includes('/services/a/')) await pause(50);
    if (watching)
      assert.ok(addresses('a').concat(addresses('b')).length === new Set(addresses('a').concat(addresses('b'))).size);
  });
  await until('both have theirs', () => addresses('a')[0] === '192.0.2.1' && addresses('b')[0] === '192.0.2.2');
  await settled(controller);
  watching = true;
  service('a', { annotations: { [wants]: '192.0.2.2', [POOL]: 'lan' }, status: has('192.0.2.1') });
  service('b', { annotations: { [wants]: '192.0.2.1', [POOL]: 'lan' }, status: has('192.0.2.2') });
  let both = 0;
  await until('they have swapped', () => {
    if (addresses('a')[0] !== undefined && addresses('a')[0] === addresses('b')[0]) both += 1;
    return addresses('a')[0] === '192.0.2.2' && addresses('b')[0] === '192.0.2.1';
  });
  assert.equal(both, 0);
});

test('a crashed leader’s write that arrives late gives no address twice', async () => {
  pool('lan', ['192.0.2.0/30']);
  const election = { leaseDurationMs: 1_000 };
  let release: (() => void) | null = null;
  let late: Promise<unknown> | null = null;
  // The first leader decides that x gets 192.0.2.0; what it sends stays on its way while it is dead.
  let dead = false;
  const first = start(
    (call) => {
      if (dead) return new Promise(() => {});
      if (call.method !== 'PATCH' || !STATUS.test(call.path)) return;
      dead = true;
      late = new Promise<void>((resolve) => {
        release = resolve;
      }).then(() => store.run(call));
      return new Promise(() => {});
    },
    { identity: 'first', ...election },
  );
  service('x');
  await until('it has sent its write', () => late !== null);
  // The second one comes to another decision: a asks for what x was to get.
  service('a', { annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.0' } });
  let written = 0;
  start(
    async ({ method, path, body }) => {
      const final = method === 'PATCH' && STATUS.test(path) && 'status' in (body as object);
      // Between its own writes the late one arrives.
      if (final && path.includes('/a/')) written += 1;
      if (final && path.includes('/x/') && written === 0) await pause(50);
      if (final && written === 1 && release) {
        release();
        release = null;
        await late!.then(
          () => assert.fail('the late write was accepted'),
          (error) => assert.equal(error.status, 409),
        );
      }
    },
    { identity: 'second', ...election },
  );
  await until('both have an address', () => addresses('x').length === 1 && addresses('a').length === 1);
  assert.deepEqual(addresses('a'), ['192.0.2.0']);
  assert.notDeepEqual(addresses('x'), addresses('a'));
  const left = ['x', 'a'].flatMap((name) => Object.keys(object(name).metadata.annotations as object));
  assert.ok(!left.includes('arpeggio.io/allocation-fence'));
  assert.equal(first.status.leading, false);
});

test('only the leader writes; when it stops the other goes on at once and changes no address', async () => {
  pool('lan', ['192.0.2.0/24']);
  const [first, second] = ['one', 'two'].map((identity) => start(() => {}, { identity }));
  const leader = () => [first!, second!].find(({ status }) => status.leading);
  await until('one leads', () => leader() !== undefined);
  const before = leader()!;
  for (let index = 0; index < 20; index += 1) service(`web-${index}`);
  await until('all have an address', () => addresses('web-19').length === 1);
  await settled(before);
  const given = Array.from({ length: 20 }, (_, index) => addresses(`web-${index}`)[0]);
  await before.stop();
  const startMs = performance.now();
  await until('the other one leads', () => leader() !== undefined && leader() !== before);
  assert.ok(performance.now() - startMs < 2_000);
  service('more');
  await until('it has an address', () => addresses('more').length === 1);
  assert.deepEqual(
    Array.from({ length: 20 }, (_, index) => addresses(`web-${index}`)[0]),
    given,
  );
  assert.equal(new Set([...given, addresses('more')[0]]).size, 21);
  assert.equal(store.writes(STATUS).length, 21);
});
