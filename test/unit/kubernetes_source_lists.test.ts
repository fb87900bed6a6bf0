// The source on lists and watches: what it waits for, what it gathers, and that it ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReflectorOptions } from '../../src/kubernetes/reflector.js';
import type { ConfigurationProblem } from '../../src/metallb/types.js';
import { KubernetesSource } from '../../src/sources/kubernetes/kubernetes_source.js';
import type { SourceUpdate } from '../../src/sources/kubernetes/types.js';
import { logOf } from './shell_sample.js';
import { NAMESPACE, rawAdvertisement, rawNamespace, rawNode, rawPool, rawService, rawSlice } from './source_sample.js';

type Api = ReflectorOptions<unknown>['api'];

/** Lists by the last part of their path; a list that is not there never comes. */
class Lists {
  readonly asked: string[] = [];
  readonly #lists = new Map<string, readonly object[]>();
  readonly #waiting = new Map<string, () => void>();
  readonly #watches = new Map<string, (lines: string[]) => void>();

  set(kind: string, ...items: readonly object[]): void {
    this.#lists.set(kind, items);
    this.#waiting.get(kind)?.();
  }

  send(kind: string, type: 'ADDED' | 'MODIFIED' | 'DELETED', ...objects: readonly object[]): void {
    this.#watches.get(kind)!(objects.map((object) => JSON.stringify({ type, object })));
  }

  isWatched(kind: string): boolean {
    return this.#watches.has(kind);
  }

  readonly api: Api = {
    list: async (path, request, onItem) => {
      const kind = path.split('/').at(-1)!;
      this.asked.push(`${path}?${request.query?.labelSelector ?? ''}`);
      while (!this.#lists.has(kind)) {
        await new Promise<void>((resolve, reject) => {
          this.#waiting.set(kind, resolve);
          request.signal?.addEventListener('abort', () => reject(new Error('aborted')));
        });
      }
      for (const item of this.#lists.get(kind) ?? []) onItem(item);
      return { metadata: { resourceVersion: '1' }, items: [] };
    },
    watch: (path, _query, { signal, onOpen, onLines }) => {
      const kind = path.split('/').at(-1)!;
      onOpen?.();
      this.#watches.set(kind, onLines as (lines: string[]) => void);
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
      });
    },
  };
}

function sourceOn(lists: Lists, gatherMs?: number) {
  const { log } = logOf();
  const updates: SourceUpdate[] = [];
  const problems: (readonly ConfigurationProblem[])[] = [];
  const source = new KubernetesSource({
    api: lists.api,
    log,
    namespace: NAMESPACE,
    lbClass: null,
    ignoreExcludeLB: false,
    drainOnCordon: true,
    probing: 'fast',
    onUpdate: (update) => updates.push(update),
    onProblems: (found) => problems.push(found),
    ...(gatherMs !== undefined && { gatherMs }),
  });
  return { source, updates, problems };
}

function fill(lists: Lists, except: string): void {
  const all: Record<string, readonly object[]> = {
    services: [rawService('web'), rawService('inner', { type: 'ClusterIP', ips: [] })],
    endpointslices: [rawSlice('web', ['node-a'])],
    nodes: [rawNode('node-a')],
    namespaces: [rawNamespace('default')],
    ipaddresspools: [rawPool('lab', ['192.0.2.0/24'])],
    l2advertisements: [rawAdvertisement('all')],
  };
  for (const [kind, items] of Object.entries(all)) if (kind !== except) lists.set(kind, ...items);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    assert.ok(tries < 1000, `waited for 5 s in vain: ${what}`);
    await sleep(5);
  }
}

for (const missing of ['services', 'endpointslices', 'nodes', 'namespaces', 'ipaddresspools', 'l2advertisements']) {
  test(`nothing is told before the list of ${missing} is complete`, async () => {
    const lists = new Lists();
    fill(lists, missing);
    const { source, updates } = sourceOn(lists);
    source.start();
    await sleep(50);
    assert.deepEqual(updates, []);
    assert.equal(source.status.synced, false);
    lists.set(missing);
    await until('complete', () => updates.length > 0);
    assert.equal(source.status.synced, true);
    assert.deepEqual(
      updates.map(({ type }) => type),
      ['complete'],
    );
    await source.stop();
  });
}

test('the first update waits for nothing, nor does a change that stands alone', async () => {
  const lists = new Lists();
  fill(lists, '');
  const gatherMs = 2000;
  const { source, updates } = sourceOn(lists, gatherMs);
  const from = performance.now();
  source.start();
  await until('complete', () => updates.length === 1 && lists.isWatched('services'));
  assert.ok(performance.now() - from < gatherMs);
  await sleep(gatherMs);
  // Nothing to tell: it has no address yet.
  lists.send('services', 'ADDED', rawService('api', { ips: [] }));
  await sleep(20);
  const sent = performance.now();
  lists.send('services', 'MODIFIED', rawService('web', { ips: ['192.0.2.12'] }));
  await until('the update', () => updates.length === 2);
  assert.ok(performance.now() - sent < gatherMs / 2);
  await source.stop();
});

test('changes that come together make one update, and a source that is stopped tells nothing', async () => {
  const lists = new Lists();
  fill(lists, '');
  const { source, updates, problems } = sourceOn(lists, 300);
  source.start();
  await until(
    'complete',
    () => updates.length === 1 && lists.isWatched('services') && lists.isWatched('endpointslices'),
  );
  lists.send('services', 'ADDED', rawService('api', { ips: ['192.0.2.11'] }));
  await sleep(5);
  lists.send('endpointslices', 'ADDED', rawSlice('api', ['node-a']));
  lists.send('services', 'DELETED', rawService('web'));
  await until('the update', () => updates.length === 2);
  const update = updates[1];
  assert.ok(update?.type === 'services');
  assert.deepEqual(
    update.changed.map(({ name }) => name),
    ['default/api'],
  );
  assert.deepEqual(update.removed, ['default/web']);
  assert.deepEqual(
    source.desired().services.map(({ name }) => name),
    ['default/api'],
  );
  assert.deepEqual(problems, []);
  lists.send('services', 'DELETED', rawService('api'));
  await source.stop();
  await sleep(60);
  assert.equal(updates.length, 2);
});

test('pools and advertisements of our namespace, slices but those of headless services; only services of type LoadBalancer are kept', async () => {
  const lists = new Lists();
  fill(lists, '');
  const { source, updates } = sourceOn(lists);
  source.start();
  await until('complete', () => updates.length === 1);
  assert.deepEqual(lists.asked.toSorted(), [
    '/api/v1/namespaces?',
    '/api/v1/nodes?',
    '/api/v1/services?',
    '/apis/discovery.k8s.io/v1/endpointslices?!service.kubernetes.io/headless',
    '/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools?',
    '/apis/metallb.io/v1beta1/namespaces/metallb-system/l2advertisements?',
  ]);
  assert.deepEqual([...source.services.keys()], ['default/web']);
  assert.deepEqual([...source.nodes.keys()], ['node-a']);
  // A service that changes its type goes, and comes again.
  await until('a watch', () => lists.isWatched('services'));
  lists.send('services', 'MODIFIED', rawService('web', { type: 'ClusterIP' }));
  await until('gone', () => updates.length === 2);
  lists.send('services', 'MODIFIED', rawService('web'));
  await until('back', () => updates.length === 3);
  await source.stop();
});
