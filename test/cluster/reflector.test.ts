// Client and reflector on a real API server, with a proxy between them that does harm.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ApiClient } from '../../src/kubernetes/api_client.js';
import { ApiError, isAlreadyExists, isConflict, isNotFound } from '../../src/kubernetes/api_error.js';
import { EventRecorder } from '../../src/kubernetes/events.js';
import { inNamespace, PATHS, projectService } from '../../src/kubernetes/projections.js';
import { Reflector } from '../../src/kubernetes/reflector.js';
import type { Changes, Service } from '../../src/kubernetes/types.js';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import { pause, SILENT, status, until } from '../unit/kubernetes_server.js';
import { ApiProxy } from './api_proxy.js';
import { withControlPlane } from './harness/control_plane.js';

const SERVICES = inNamespace(PATHS.services, 'default');
const LABEL = 'test=reflector';

const service = (name: string, test = 'reflector') => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, labels: { test, color: 'red' } },
  spec: { ports: [{ port: 80 }], selector: { app: name } },
});

/** A reflector of the services with our label, as the proxy lets it see them. */
class Follower {
  readonly told: Changes<Service>[] = [];
  readonly reflector: Reflector<Service>;

  constructor(
    readonly client: ApiClient,
    watchMs = 300_000,
    idleTimeoutMs = 4000,
  ) {
    this.reflector = new Reflector<Service>({
      api: client,
      path: PATHS.services,
      query: { labelSelector: LABEL },
      project: projectService,
      onChange: (changes) => this.told.push(changes),
      log: SILENT,
      pageSize: 4,
      timings: { idleTimeoutMs, minBackoffMs: 50, maxBackoffMs: 500, minWatchMs: watchMs, maxWatchMs: watchMs },
    });
    this.reflector.start();
  }

  colors(): string {
    return [...this.reflector.objects.values()]
      .map(({ name, labels }) => `${name}=${labels.color}`)
      .sort()
      .join(' ');
  }

  async sees(colors: string, limitMs = 10_000): Promise<void> {
    await until(`${colors}, not ${this.colors()}`, () => this.colors() === colors, limitMs);
  }

  async watching(): Promise<void> {
    const { reflector } = this;
    await until('a watch', () => reflector.status.state === 'watching', 15_000).catch((error: Error) => {
      throw new Error(`${error.message}: ${reflector.status.reason}`);
    });
  }
}

const paint = (client: ApiClient, name: string, color: string) =>
  client.patch(`${SERVICES}/${name}`, { metadata: { labels: { color } } });

async function failure(work: Promise<unknown>): Promise<ApiError> {
  const error = await work.then(
    () => assert.fail('it should have failed'),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof ApiError);
  return error;
}

/** Closed, and stopped, when the test ends, however it ends: else the process would not. */
async function clientOf(t: TestContext, kubeconfig: string): Promise<ApiClient> {
  const client = await ApiClient.connect({ kubeconfig, log: SILENT });
  t.after(() => client.close());
  return client;
}

function follow(t: TestContext, client: ApiClient, watchMs?: number, idleTimeoutMs?: number): Follower {
  const follower = new Follower(client, watchMs, idleTimeoutMs);
  t.after(() => follower.reflector.stop());
  return follower;
}

async function verbs(t: TestContext, control: ControlPlane): Promise<void> {
  const client = await clientOf(t, control.kubeconfig('admin'));
  const made = projectService(await client.create(SERVICES, service('verbs', 'verbs')))!.value;
  assert.ok(made.uid !== '' && made.clusterIPs.length === 1);
  assert.ok(isAlreadyExists(await failure(client.create(SERVICES, service('verbs', 'verbs')))));

  // Decided on a version that is no longer the newest: refused.
  await paint(client, 'verbs', 'blue');
  const stale = { metadata: { resourceVersion: made.resourceVersion, labels: { color: 'green' } } };
  const conflict = await failure(client.patch(`${SERVICES}/verbs`, stale));
  assert.ok(isConflict(conflict) && !isAlreadyExists(conflict));
  const ingress = { status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } } };
  await client.patch(`${SERVICES}/verbs`, { spec: { type: 'LoadBalancer' } });
  assert.deepEqual(projectService(await client.patch(`${SERVICES}/verbs/status`, ingress))!.value.ingress, [
    '192.0.2.9',
  ]);
  const operations = [{ op: 'replace', path: '/metadata/labels/color', value: 'white' }];
  const patched = await client.patch(`${SERVICES}/verbs`, operations, { contentType: 'application/json-patch+json' });
  assert.equal(projectService(patched)!.value.labels.color, 'white');
  const applied = { apiVersion: 'v1', kind: 'Service', metadata: { labels: { color: 'black' } } };
  const force = {
    contentType: 'application/apply-patch+yaml',
    query: { fieldManager: 'test', force: 'true' },
  } as const;
  assert.equal(projectService(await client.patch(`${SERVICES}/verbs`, applied, force))!.value.labels.color, 'black');
  const invalid = await failure(client.patch(`${SERVICES}/verbs`, { spec: { type: 'Nonsense' } }));
  assert.deepEqual([invalid.status, invalid.reason], [422, 'Invalid']);

  const events = new EventRecorder({ api: client, component: 'arpeggio-test', node: 'node-a', log: SILENT });
  const about = { kind: 'Service', apiVersion: 'v1', namespace: 'default', name: 'verbs', uid: made.uid };
  events.event(about, 'Normal', 'nodeAssigned', 'announced from node-a');
  events.event({ kind: 'Node', apiVersion: 'v1', namespace: '', name: 'node-a', uid: '' }, 'Warning', 'r', 'of a Node');
  await events.flush();
  const ours = ['--field-selector', 'source=arpeggio-test'];
  const format = 'jsonpath={range .items[*]}{.reason}:{.message};{end}';
  const said = await control.kubectl('get', 'events', ...ours, '--output', format);
  assert.deepEqual(said.stdout.split(';').filter(Boolean).sort(), [
    'nodeAssigned:announced from node-a',
    'r:of a Node',
  ]);
  const described = await control.kubectl('describe', 'service', 'verbs');
  assert.match(described.stdout, /nodeAssigned.*announced from node-a/, 'kubectl describe shows it');

  await client.delete(`${SERVICES}/verbs`);
  assert.ok(isNotFound(await failure(client.get(`${SERVICES}/verbs`))));
}

async function harmed(t: TestContext, control: ControlPlane, proxy: ApiProxy): Promise<void> {
  const direct = await clientOf(t, control.kubeconfig('admin'));
  const client = await clientOf(t, proxy.kubeconfig);
  t.after(() => proxy.unhang());
  const names = Array.from({ length: 9 }, (_, index) => `s${index}`);
  for (const name of names) await direct.create(SERVICES, service(name));
  const all = (changed: Record<string, string> = {}) =>
    names.map((name) => `${name}=${changed[name] ?? 'red'}`).join(' ');

  // A list that is answered 429, then cut off; then three pages.
  proxy.answer('list', (response) => status(response, 429, 'TooManyRequests', { 'retry-after': '1' }));
  proxy.harm('list', (chunk, response) => {
    response.write(chunk.subarray(0, chunk.length / 2));
    setTimeout(() => response.socket?.destroy(), 20);
    return null;
  });
  const follower = follow(t, client);
  await follower.watching();
  assert.equal(follower.told.length, 1);
  assert.equal(follower.colors(), all());
  assert.equal(proxy.count('list'), 5);

  // Cut in the middle of a line.
  proxy.harm('watch', (chunk, response) => {
    response.write(chunk.subarray(0, 40));
    setTimeout(() => response.socket?.destroy(), 20);
    return null;
  });
  proxy.cutWatches();
  await until('a second watch', () => proxy.count('watch') >= 2 && proxy.openWatches === 1);
  await paint(direct, 's0', 'blue');
  await follower.sees(all({ s0: 'blue' }));

  // Half-open: nothing comes, nothing ends.
  await follower.watching();
  const watches = proxy.count('watch');
  proxy.hang();
  await paint(direct, 's1', 'blue');
  await until('the silence is noticed', () => proxy.count('watch') > watches, 8000);
  proxy.unhang();
  await follower.sees(all({ s0: 'blue', s1: 'blue' }));

  // 410 and 500 from whoever stands between.
  await follower.watching();
  const lists = proxy.count('list');
  proxy.answer('watch', (response) => status(response, 500, 'InternalError'));
  proxy.answer('watch', (response) => status(response, 410, 'Expired'));
  proxy.cutWatches();
  await until('a new list', () => proxy.count('list') === lists + 3);
  await follower.watching();
  const toldSoFar = follower.told.length;
  await paint(direct, 's2', 'blue');
  await follower.sees(all({ s0: 'blue', s1: 'blue', s2: 'blue' }));
  assert.deepEqual([...follower.told[toldSoFar]!.keys()], ['default/s2'], 'the list told nothing that was known');

  // The API server is killed; what is known stays; it goes on where it was, or lists anew.
  await control.stopApi();
  await until('it waits', () => follower.reflector.status.state === 'waiting');
  assert.equal(follower.colors(), all({ s0: 'blue', s1: 'blue', s2: 'blue' }));
  assert.equal(follower.reflector.status.synced, true);
  await control.startApi();
  await paint(direct, 's3', 'blue');
  await follower.sees(all({ s0: 'blue', s1: 'blue', s2: 'blue', s3: 'blue' }), 30_000);

  // Hidden from it: changes, compaction, a restart that empties the API server's own cache. So 410 is the real server's.
  await follower.watching();
  proxy.hang();
  await paint(direct, 's4', 'blue');
  await direct.delete(`${SERVICES}/s8`);
  for (let index = 0; index < 5; index += 1) await paint(direct, 's5', `blue${index}`);
  await control.compact();
  await control.stopApi('SIGTERM');
  await control.startApi();
  const before = { lists: proxy.count('list'), told: follower.told.length };
  proxy.unhang();
  const left = all({ s0: 'blue', s1: 'blue', s2: 'blue', s3: 'blue', s4: 'blue', s5: 'blue4' }).replace(' s8=red', '');
  await follower.sees(left, 30_000);
  const gone = proxy.passed.filter(({ kind, status, text }) => kind === 'watch' && /"code":410/.test(text + status));
  assert.ok(gone.length > 0 && proxy.count('list') > before.lists, 'the API server said 410');
  const differences = follower.told.slice(before.told).flatMap((changes) => [...changes.keys()]);
  assert.deepEqual(differences.sort(), ['default/s4', 'default/s5', 'default/s8'], 'only what differs is told');
}

async function bookmarked(t: TestContext, control: ControlPlane, proxy: ApiProxy): Promise<void> {
  const admin = await clientOf(t, control.kubeconfig('admin'));
  const client = await clientOf(t, proxy.kubeconfig);
  const watches = proxy.count('watch');
  const lists = proxy.count('list');
  const follower = follow(t, client, 5000, 20_000);
  await follower.watching();
  // Not ours; but the API server has something to say only when its services have changed.
  await admin.create(SERVICES, service('other', 'other'));
  await until('three watches', () => proxy.count('watch') >= watches + 3, 30_000);
  assert.match(proxy.text('watch'), /"type":"BOOKMARK"/);
  assert.equal(follower.told.length, 1, 'a watch that ends in order is nothing to tell');
  assert.equal(proxy.count('list'), lists + 2, 'eight services in pages of four');
  const versions = proxy.passed.slice(-3).map(({ url }) => Number(url.searchParams.get('resourceVersion')));
  assert.ok(versions[1]! > versions[0]!, 'the second began where the bookmark said');
}

async function revoked(t: TestContext, control: ControlPlane, proxy: ApiProxy): Promise<void> {
  const admin = await clientOf(t, control.kubeconfig('admin'));
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  const bind = async (name: string) => {
    await admin.create(accounts, { metadata: { name } });
    await admin.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'services' },
      subjects: [{ kind: 'ServiceAccount', name, namespace: 'default' }],
    });
    return control.token('default', name);
  };
  await admin.create('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: 'services' },
    rules: [{ apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] }],
  });
  proxy.writeKubeconfig(await bind('first'));
  const client = await clientOf(t, proxy.kubeconfig);
  const follower = follow(t, client);
  await follower.watching();
  const lists = proxy.count('list');
  // A token dies with its account. The API server remembers good tokens for some seconds.
  await admin.delete(`${accounts}/first`);
  const refused = () => /HTTP status 401/.test(follower.reflector.status.reason ?? '');
  for (let tries = 0; !refused(); tries += 1) {
    assert.ok(tries < 40, `the token is still good: ${JSON.stringify(follower.reflector.status)}`);
    // Only what is open: a request under way shall have its answer.
    if (proxy.openWatches > 0) proxy.cutWatches();
    await pause(1000);
  }
  proxy.writeKubeconfig(await bind('second'));
  await follower.watching();
  await paint(admin, 's7', 'green');
  await until('the change', () => follower.reflector.objects.get('default/s7')?.labels.color === 'green');
  assert.equal(proxy.count('list'), lists, 'without a new list');
}

test('client and reflector on a real API server that is harmed in every way', { timeout: 300_000 }, async (t) => {
  await withControlPlane(t, {}, async (control) => {
    const proxy = await ApiProxy.start(control);
    proxy.writeKubeconfig();
    try {
      await t.test('requests, conflicts, patches, events', (t) => verbs(t, control));
      await t.test('a harmed stream, a killed server, compaction', (t) => harmed(t, control, proxy));
      await t.test('bookmarks keep the place of a quiet watch', (t) => bookmarked(t, control, proxy));
      await t.test('a revoked token is replaced', (t) => revoked(t, control, proxy));
    } finally {
      await proxy.close();
    }
  });
});
