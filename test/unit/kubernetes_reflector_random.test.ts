// Whatever happens to the connection: in the end the copy is the truth, and what was told adds up to it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ApiClient } from '../../src/kubernetes/api_client.js';
import { Reflector } from '../../src/kubernetes/reflector.js';
import { pause, SILENT, status, TestServer, until } from './kubernetes_server.js';

const STEPS = 120;
const SEEDS = [1, 2, 3, 4, 5, 6];

/** mulberry32: the same numbers for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function harm(server: TestServer, next: (below: number) => number): void {
  const kind = next(2) === 0 ? 'list' : 'watch';
  const harms = [
    () => server.breakWatches(),
    () => server.endWatches(),
    () => server.bookmark(),
    () => server.compact(),
    () => server.elsewhere(),
    () => server.rawToWatches('{"type":"ADDED","object":{"meta'),
    () => server.rawToWatches('nonsense\n'),
    () => server.fault(kind, (response) => void status(response, 410, 'Expired')),
    () => server.fault(kind, (response) => void status(response, 500, 'InternalError')),
    () => server.fault(kind, (response) => void status(response, 429, 'TooManyRequests', { 'retry-after': '0' })),
    () => server.fault(kind, (response) => void response.socket?.destroy()),
    () => server.fault(kind, () => undefined),
    () => server.fault(kind, (response) => void response.writeHead(200).end('{"kind":"List","items":[{"meta')),
  ];
  harms[next(harms.length)]!();
}

async function course(t: TestContext, seed: number): Promise<void> {
  const server = await TestServer.start();
  const client = await ApiClient.connect({ kubeconfig: server.kubeconfig, log: SILENT });
  const next = numbers(seed);
  const sum = new Map<string, number>();
  const wrong: string[] = [];
  let calls = 0;
  let stopped = false;
  const reflector = new Reflector<{ size: number }>({
    api: client,
    path: '/api/v1/things',
    project: (raw) => {
      const { metadata, size } = raw as { metadata: { name: string }; size: number };
      return { key: metadata.name, value: { size } };
    },
    onChange: (changes) => {
      // What is thrown here ends nothing, so it is kept for the end.
      if (stopped) wrong.push('told after stop()');
      calls += 1;
      for (const [key, value] of changes) {
        if (value === null ? !sum.delete(key) : sum.get(key) === value.size) wrong.push(`${key} is no news`);
        if (value !== null) sum.set(key, value.size);
      }
      const held = [...reflector.objects].map(([key, { size }]) => [key, size]);
      if (JSON.stringify([...sum].sort()) !== JSON.stringify(held.sort()))
        wrong.push('what was told is not what is held');
    },
    log: SILENT,
    random: () => next(1000) / 1000,
    pageSize: 3,
    timings: { shortWatchMs: 30, minBackoffMs: 5, maxBackoffMs: 40, idleTimeoutMs: 200, pageTimeoutMs: 200 },
  });
  t.after(async () => {
    await reflector.stop();
    client.close();
    await server.close();
  });
  reflector.start();
  const truth = () => [...server.objects].map(([key, { size }]) => [key, size]).sort();
  const agrees = () => JSON.stringify([...sum].sort()) === JSON.stringify(truth());
  for (let step = 0; step < STEPS; step += 1) {
    const name = `t${next(12)}`;
    const what = next(9);
    if (what < 2) harm(server, next);
    else if (what < 4 && server.objects.has(name)) server.remove(name);
    else server.put(name, { size: step });
    if (next(2) === 0) await pause(next(25));
    // Else most would happen during one list.
    if (step % 10 === 9) await until('the copy is the truth', agrees, 20_000);
  }
  assert.ok(calls > 3, `${calls} calls`);
  await reflector.stop();
  stopped = true;
  server.put('late', { size: 0 });
  await pause(20);
  assert.deepEqual(wrong, []);
}

test('a random course of harm', { concurrency: SEEDS.length }, async (t) => {
  await Promise.all(SEEDS.map((seed) => t.test(`seed ${seed}`, (t) => course(t, seed))));
});
