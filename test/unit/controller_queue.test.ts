import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { KeyedQueue } from '../../src/controller/keyed_queue.js';
import { ServiceView } from '../../src/controller/service_view.js';
import { projectService } from '../../src/kubernetes/projections.js';

const log = pino({ level: 'silent' });

test('work for one key never overlaps, and is done once more when it was asked for meanwhile', async (t) => {
  let running = 0;
  let runs = 0;
  const ends: (() => void)[] = [];
  const queue = new KeyedQueue({
    concurrency: 4,
    log,
    name: 'test',
    work: async () => {
      running += 1;
      runs += 1;
      assert.equal(running, 1);
      await new Promise<void>((resolve) => ends.push(resolve));
      running -= 1;
    },
  });
  t.after(() => queue.stop());
  for (let count = 0; count < 10; count += 1) queue.add('a');
  assert.equal(runs, 1);
  ends.shift()!();
  await pause(2);
  assert.equal(runs, 2);
  ends.shift()!();
  await pause(2);
  assert.deepEqual([runs, queue.size], [2, 0]);
});

test('errors are tried again with growing pauses; stop ends that, and waits for what runs', async (t) => {
  const pauses: number[] = [];
  const recording = pino({ level: 'warn' }, { write: (line) => void pauses.push(JSON.parse(line).againInMs) });
  let runs = 0;
  const queue = new KeyedQueue({
    concurrency: 1,
    log: recording,
    name: 'test',
    delayMs: () => 10,
    work: async () => {
      runs += 1;
      await pause(5);
      throw new Error('no');
    },
  });
  queue.add('a');
  t.after(() => queue.stop());
  while (pauses.length < 4) await pause(5);
  assert.ok(pauses[3]! > pauses[0]!, pauses.join());
  queue.add('a');
  await queue.stop();
  const before = runs;
  queue.add('a');
  await pause(50);
  assert.equal(runs, before);
});

test('no more than so many keys at the same time', async () => {
  let running = 0;
  let most = 0;
  const queue = new KeyedQueue({
    concurrency: 3,
    log,
    name: 'test',
    work: async () => {
      running += 1;
      most = Math.max(most, running);
      await pause(2);
      running -= 1;
    },
  });
  for (let index = 0; index < 20; index += 1) queue.add(String(index));
  while (queue.size > 0) await pause(2);
  assert.equal(most, 3);
});

function service(resourceVersion: string, ips: string[]) {
  return projectService({
    metadata: { namespace: 'default', name: 'web', uid: 'u', resourceVersion },
    spec: { type: 'LoadBalancer' },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  })!.value;
}

test('the view knows what we wrote before the watch tells it, and does not go back', () => {
  const changed: (string | null)[] = [];
  const view = new ServiceView((_key, now) => changed.push(now?.resourceVersion ?? null));
  const first = service('1', []);
  view.told('default/web', first);
  view.answered(first, service('2', ['192.0.2.1']));
  view.answered(service('2', []), service('3', ['192.0.2.2']));
  // The watch is late: it tells what our writes have replaced.
  view.told('default/web', service('1', []));
  view.told('default/web', service('2', ['192.0.2.1']));
  assert.equal(view.get('default/web')?.resourceVersion, '3');
  view.told('default/web', service('3', ['192.0.2.2']));
  view.told('default/web', service('4', ['192.0.2.2']));
  // An answer that the watch has overtaken.
  view.answered(service('3', []), service('5', []));
  assert.equal(view.get('default/web')?.resourceVersion, '4');
  view.told('default/web', null);
  assert.deepEqual(changed, ['1', '2', '3', '4', null]);
  assert.equal(view.size, 0);
});
