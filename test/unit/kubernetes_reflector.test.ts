// The reflector against a server that behaves as the API server does, until it is told not to.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { type Logger, pino } from 'pino';
import { ApiClient } from '../../src/kubernetes/api_client.js';
import { Reflector, type ReflectorOptions } from '../../src/kubernetes/reflector.js';
import type { Changes } from '../../src/kubernetes/types.js';
import { pause, SILENT, status, TestServer, until } from './kubernetes_server.js';

interface Thing {
  readonly size: number;
}

interface Raw {
  metadata: { name: string };
  size?: number;
}

const TIMINGS = { shortWatchMs: 150, minBackoffMs: 40, maxBackoffMs: 200, idleTimeoutMs: 400, pageTimeoutMs: 1000 };

let server: TestServer;
let client: ApiClient;
let reflector: Reflector<Thing>;
let told: Changes<Thing>[];

function follow(options: Partial<ReflectorOptions<Thing>> = {}): Reflector<Thing> {
  told = [];
  reflector = new Reflector<Thing>({
    api: client,
    path: '/api/v1/things',
    project: (raw) => {
      const { metadata, size = 0 } = raw as Raw;
      if (size === 13) throw new Error('unlucky');
      return size < 0 ? null : { key: metadata.name, value: { size } };
    },
    onChange: (changes) => told.push(changes),
    log: SILENT,
    pageSize: 3,
    timings: TIMINGS,
    ...options,
  });
  reflector.start();
  return reflector;
}

const sizes = () => Object.fromEntries([...reflector.objects].map(([key, { size }]) => [key, size]).sort());
const truth = () =>
  Object.fromEntries([...server.objects].map(([key, object]) => [key, (object.size as number) ?? 0]).sort());
const agrees = () => until('copy and truth agree', () => JSON.stringify(sizes()) === JSON.stringify(truth()));
const watching = () => until('watching', () => reflector.status.state === 'watching' && server.openWatches === 1);
const lastTold = () => Object.fromEntries([...(told.at(-1) ?? [])].map(([key, value]) => [key, value?.size ?? null]));

before(async () => {
  server = await TestServer.start();
});
after(() => server.close());
beforeEach(async () => {
  server.reset();
  for (let index = 1; index <= 7; index += 1) server.put(`t${index}`, { size: index });
  client = await ApiClient.connect({ kubeconfig: server.kubeconfig, log: SILENT });
});
afterEach(async () => {
  await reflector.stop();
  client.close();
});

test('first everything at once, in pages; then changes, in order, as they come', async () => {
  follow();
  assert.deepEqual(reflector.status, { synced: false, state: 'listing', reason: null, heardMs: null });
  await watching();
  assert.equal(told.length, 1);
  assert.deepEqual(lastTold(), truth());
  assert.deepEqual(
    server.seen.map(({ kind, query }) => [kind, query.get('limit'), query.get('continue') !== null]),
    [
      ['list', '3', false],
      ['list', '3', true],
      ['list', '3', true],
      ['watch', null, false],
    ],
  );
  assert.equal(server.seen[0]!.query.get('resourceVersion'), null, 'an unset version means the newest');
  const { query } = server.seen[3]!;
  assert.equal(query.get('allowWatchBookmarks'), 'true');
  const seconds = Number(query.get('timeoutSeconds'));
  assert.ok(seconds >= 300 && seconds <= 600, `${seconds}`);
  server.put('t8', { size: 8 });
  server.put('t1', { size: 11 });
  server.remove('t2');
  await agrees();
  assert.deepEqual(Object.assign({}, ...told.slice(1).map((changes) => Object.fromEntries(changes))), {
    t8: { size: 8 },
    t1: { size: 11 },
    t2: null,
  });
  assert.ok(reflector.status.heardMs! > 0);
});

test('an empty list is told too; what changes nothing that is kept is not told', async () => {
  server.objects.clear();
  follow();
  await watching();
  assert.deepEqual(told, [new Map()]);
  server.put('a', { size: 1 });
  server.put('a', { size: 1, other: 'changed' });
  server.put('b', { size: -1 });
  server.put('c', { size: 2 });
  await until('c', () => reflector.objects.has('c'));
  assert.deepEqual(sizes(), { a: 1, c: 2 });
  assert.deepEqual(
    told.slice(1).flatMap((changes) => [...changes.keys()]),
    ['a', 'c'],
  );
  server.put('a', { size: -5 });
  await until('a is no longer wanted', () => !reflector.objects.has('a'));
  assert.deepEqual(lastTold(), { a: null });
});

test('a watch that ends goes on where it was, also where only a bookmark said how far', async () => {
  follow();
  await watching();
  server.elsewhere();
  server.bookmark();
  await pause(50);
  server.compact();
  server.endWatches();
  await until('a second watch', () => server.count('watch') === 2);
  server.put('t1', { size: 100 });
  await until('t1', () => reflector.objects.get('t1')?.size === 100);
  assert.equal(server.count('list'), 3, 'nothing was listed again');
});

test('the server ends watches at their timeout, and that is no failure', async () => {
  follow({ timings: { ...TIMINGS, minWatchMs: 1000, maxWatchMs: 1000, idleTimeoutMs: 5000 } });
  await until('three watches', () => server.count('watch') === 3);
  const [first, second, third] = server.seen.filter(({ kind }) => kind === 'watch').map(({ atMs }) => atMs);
  assert.ok(second! - first! < 1200 && third! - second! < 1200, 'without a pause between them');
  assert.equal(server.count('list'), 3);
});

test('a half-open watch is found by its silence, and nothing is lost', async () => {
  follow();
  await watching();
  for (const spoken of ['', '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}\n']) {
    const watches = server.count('watch');
    server.fault('watch', (response, { query }) => {
      const version = query.get('resourceVersion')!;
      response.writeHead(200).flushHeaders();
      if (spoken) response.write(spoken.replace('"1"', `"${version}"`));
      return undefined;
    });
    server.endWatches();
    await until('the silent watch', () => server.count('watch') === watches + 1);
    const before = reflector.objects.get('t1')?.size;
    server.put('t1', { size: 50 + watches });
    await pause(TIMINGS.idleTimeoutMs / 2);
    assert.equal(reflector.objects.get('t1')?.size, before);
    await agrees();
    await watching();
  }
  assert.equal(server.count('list'), 3);
});

test('410 on HTTP and in the stream: a new list, of which only differences are told', async () => {
  follow();
  await watching();
  for (const inStream of [false, true]) {
    server.fault('watch', (response) => {
      if (!inStream) return void status(response, 410, 'Gone');
      response.writeHead(200);
      response.end('{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n');
      return undefined;
    });
    server.breakWatches();
    await until('no watch', () => server.openWatches === 0);
    server.put('t3', { size: inStream ? 31 : 30 });
    server.remove(inStream ? 't5' : 't4');
    await watching();
    assert.deepEqual(lastTold(), inStream ? { t3: 31, t5: null } : { t3: 30, t4: null });
    assert.deepEqual(sizes(), truth());
  }
});

test('410 for ever: lists again ever less often, not in a tight loop', async () => {
  server.fault('watch', (response) => void status(response, 410, 'Gone'), 1000);
  follow();
  await pause(1000);
  const lists = () => server.seen.filter(({ kind, query }) => kind === 'list' && !query.get('continue')).length;
  assert.ok(lists() <= 14, `${lists()} lists`);
  await until('it goes on', () => lists() >= 4);
  assert.equal(told.length, 1, 'told once, for nothing changes');
});

test('410 after an outage: the list comes soon, not after the long pause that the outage ended with', async () => {
  follow({ timings: { ...TIMINGS, maxBackoffMs: 5_000 } });
  await watching();
  let expiredMs = 0;
  server.fault('watch', (response) => void status(response, 503, 'Unavailable'), 5);
  server.fault('watch', (response) => {
    expiredMs = performance.now();
    return void status(response, 410, 'Gone');
  });
  server.breakWatches();
  await until('the version is too old', () => expiredMs > 0);
  await watching();
  const pausedMs = performance.now() - expiredMs;
  assert.ok(pausedMs < 500, `${pausedMs} ms`);
});

test('a server that ends every watch at once is not asked without a pause', async () => {
  server.fault('watch', (response) => void response.writeHead(200).end(), 1000);
  follow();
  await pause(1000);
  assert.ok(server.count('watch') <= 14, `${server.count('watch')} watches`);
  await until('it goes on', () => server.count('watch') >= 4);
  assert.match(reflector.status.reason ?? 'watching', /ends the watch at once|watching/);
});

test('a continuation that expires: the next list comes in one piece', async () => {
  server.fault('list', () => false);
  server.fault('list', (response) => void status(response, 410, 'Expired'));
  follow();
  await watching();
  assert.deepEqual(
    server.seen.filter(({ kind }) => kind === 'list').map(({ query }) => query.get('limit')),
    ['3', '3', null],
  );
  assert.deepEqual(sizes(), truth());
});

test('429 with Retry-After is obeyed, on the list and on the watch', async () => {
  const later = { 'retry-after': '1' };
  server.fault('list', (response) => void status(response, 429, 'TooManyRequests', later));
  server.fault('watch', (response) => void status(response, 429, 'TooManyRequests', later));
  follow();
  await until('the first refusal', () => reflector.status.state === 'waiting');
  assert.match(reflector.status.reason ?? '', /GET \/api\/v1\/things\?limit=3: HTTP status 429/);
  await watching();
  const at = (kind: string) => server.seen.filter((seen) => seen.kind === kind).map(({ atMs }) => atMs);
  assert.ok(at('list')[1]! - at('list')[0]! >= 990);
  assert.ok(at('watch')[1]! - at('watch')[0]! >= 990);
  assert.equal(server.count('list'), 4);
});

test('5xx, and no server at all: pauses that double, then it goes on', async () => {
  follow();
  await watching();
  server.fault('watch', (response) => void status(response, 500, 'InternalError'), 3);
  server.endWatches();
  await until('the fifth watch', () => server.count('watch') === 5);
  await server.down();
  await until('waiting', () => reflector.status.state === 'waiting');
  await until('it says why', () => /ECONNREFUSED/.test(reflector.status.reason ?? ''));
  assert.equal(reflector.status.synced, true, 'what it holds may be used on');
  server.put('t9', { size: 9 });
  await server.listen(0);
  await agrees();
  assert.equal(server.count('list'), 3, 'it was all in the watch');
  assert.equal(reflector.status.reason, null);
});

test('a reset in the middle of a line: the watch goes on behind the last whole one', async () => {
  follow();
  await watching();
  server.put('t1', { size: 70 });
  server.rawToWatches('{"type":"ADDED","object":{"metadata":{"name":"half","resour');
  await until('t1', () => reflector.objects.get('t1')?.size === 70);
  server.breakWatches();
  server.put('t2', { size: 71 });
  await agrees();
  assert.equal(reflector.objects.has('half'), false);
  assert.equal(server.count('list'), 3);
});

test('a line that is not JSON: the watch begins anew; where it stays so, the list does', async () => {
  follow();
  await watching();
  server.rawToWatches('{"type":"MODIFIED","object":\n');
  await until('the second watch', () => server.count('watch') === 2);
  await watching();
  assert.equal(server.count('list'), 3);
  server.fault('watch', (response) => void response.writeHead(200).end('no event\n'), 2);
  server.breakWatches();
  await until('a new list', () => server.count('list') === 6);
  await agrees();
});

test('a slow and a truncated list: nothing is told before one is complete', async () => {
  server.fault('list', (response) => {
    response.writeHead(200).write('{"kind":"List","items":[');
    return undefined;
  });
  server.fault('list', () => false);
  server.fault('list', (response) => {
    response.writeHead(200).write('{"kind":"List","metadata":{"resourceVersion":"5"},"items":[{"metadata":{"na');
    setTimeout(() => response.socket?.destroy(), 20);
    return undefined;
  });
  follow();
  await pause(TIMINGS.pageTimeoutMs - 200);
  assert.equal(told.length, 0);
  await watching();
  assert.deepEqual(
    told.map((changes) => changes.size),
    [7],
  );
});

test('a handler that throws, and an object that cannot be read, end nothing', async () => {
  const errors: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void errors.push(JSON.parse(line).msg) }) as Logger;
  follow({
    log,
    onChange: (changes) => {
      told.push(changes);
      throw new Error('handler');
    },
  });
  await watching();
  server.put('t1', { size: 13 });
  server.put('t2', { size: 20 });
  await until('t2', () => reflector.objects.get('t2')?.size === 20);
  assert.equal(reflector.objects.get('t1')?.size, 1, 'what could be read last stays');
  server.compact();
  server.breakWatches();
  server.fault('watch', (response) => void status(response, 410, 'Gone'));
  await until('listed again', () => server.count('list') === 6);
  await watching();
  assert.equal(reflector.objects.get('t1')?.size, 1);
  assert.equal(errors.filter((message) => message === 'a change could not be handled').length, 2);
  assert.equal(errors.filter((message) => message.startsWith('an object cannot be read')).length, 2);
});

test('stop() in the middle of a list, of a watch, of a pause, and in a callback: silence at once', async () => {
  server.fault('list', () => undefined);
  follow();
  await until('the list', () => server.count('list') === 1);
  await reflector.stop();
  assert.deepEqual([told.length, reflector.status.state], [0, 'stopped']);
  reflector.start();
  await pause(50);
  assert.equal(server.count('list'), 1, 'it does not start again');

  follow();
  await watching();
  server.put('t1', { size: 99 });
  const stopping = reflector.stop();
  const before = told.length;
  await stopping;
  await until('the connection ends', () => server.openWatches === 0);
  assert.equal(told.length, before);

  await server.down();
  follow();
  await until('waiting', () => reflector.status.state === 'waiting');
  await reflector.stop();
  await server.listen(0);
  await pause(100);
  assert.equal(told.length, 0);

  const calls: number[] = [];
  follow({
    onChange: (changes) => {
      calls.push(changes.size);
      void reflector.stop();
    },
  });
  await until('the callback', () => calls.length === 1);
  await reflector.stop();
  server.put('t1', { size: 98 });
  await pause(100);
  assert.deepEqual(calls, [7]);
});

test('an expired token: the watch goes on with the new one, without a new list', async () => {
  follow();
  await watching();
  server.token = 'renewed';
  server.writeKubeconfig();
  server.breakWatches();
  await until('the second watch', () => server.count('watch') === 2);
  server.put('t1', { size: 60 });
  await agrees();
  server.token = 'unknown to us';
  server.breakWatches();
  await until('it says why', () => /401.*credentials/.test(reflector.status.reason ?? ''));
  server.writeKubeconfig();
  server.put('t1', { size: 61 });
  await agrees();
  assert.equal(server.count('list'), 3);
});

test('a certificate of another authority: it waits for the new authority, and says so', async () => {
  follow();
  await watching();
  await server.down();
  await server.listen(1);
  await until('it says why', () => /no trusted connection/.test(reflector.status.reason ?? ''));
  server.put('t1', { size: 62 });
  assert.equal(reflector.objects.get('t1')?.size, 1);
  server.writeKubeconfig({ ca: server.caFile(1) });
  await agrees();
  await server.down();
  await server.listen(0);
});
