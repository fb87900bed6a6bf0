// Events: what they say, and how few of them there are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventRecorder } from '../../src/kubernetes/events.js';
import { SILENT } from './kubernetes_server.js';

interface Sent {
  path: string;
  body: Record<string, unknown> & { metadata: { name: string; namespace: string }; message: string };
}

function recorder(node?: string) {
  const sent: Sent[] = [];
  const clock = { nowMs: 0, fail: false };
  const create = async (path: string, body: unknown) => {
    sent.push({ path, body: body as Sent['body'] });
    if (clock.fail) throw new Error('away');
  };
  const events = new EventRecorder({
    api: { create },
    component: 'arpeggio-speaker',
    ...(node !== undefined && { node }),
    log: SILENT,
    now: () => clock.nowMs,
  });
  return { sent, clock, events };
}

const web = { kind: 'Service', apiVersion: 'v1', namespace: 'shop', name: 'web', uid: 'u1' };

test('an event of core/v1, about its object, from its node', async () => {
  const { sent, events } = recorder('n1');
  events.event(web, 'Normal', 'nodeAssigned', 'x'.repeat(2000));
  await events.flush();
  const { path, body } = sent[0]!;
  assert.equal(path, '/api/v1/namespaces/shop/events');
  const { metadata, message, firstTimestamp, lastTimestamp, ...rest } = body;
  assert.match(metadata.name, /^web\.[0-9a-f]+$/);
  assert.equal(metadata.namespace, 'shop');
  assert.equal(message.length, 1024);
  assert.equal(firstTimestamp, lastTimestamp);
  assert.deepEqual(rest, {
    ...{ apiVersion: 'v1', kind: 'Event', involvedObject: web, type: 'Normal', reason: 'nodeAssigned', count: 1 },
    source: { component: 'arpeggio-speaker', host: 'n1' },
    ...{ reportingComponent: 'arpeggio-speaker', reportingInstance: 'n1' },
  });
});

test('what has no namespace is told in "default"', async () => {
  const { sent, events } = recorder();
  events.event({ kind: 'Node', apiVersion: 'v1', namespace: '', name: 'n1', uid: '' }, 'Warning', 'r', 'm');
  await events.flush();
  assert.equal(sent[0]!.path, '/api/v1/namespaces/default/events');
  assert.deepEqual(sent[0]!.body.involvedObject, { kind: 'Node', apiVersion: 'v1', name: 'n1' });
});

test('equal events once in ten minutes; another message, object or uid is another event', async () => {
  const { sent, clock, events } = recorder();
  for (let count = 0; count < 5; count += 1) events.event(web, 'Normal', 'r', 'm');
  events.event(web, 'Normal', 'r', 'other');
  events.event({ ...web, uid: 'u2' }, 'Normal', 'r', 'm');
  await events.flush();
  assert.equal(sent.length, 3);
  clock.nowMs = 599_999;
  events.event(web, 'Normal', 'r', 'm');
  await events.flush();
  assert.equal(sent.length, 3);
  clock.nowMs = 600_000;
  events.event(web, 'Normal', 'r', 'm');
  await events.flush();
  assert.equal(sent.length, 4);
  assert.equal(new Set(sent.map(({ body }) => body.metadata.name)).size, 4, 'no two of one name');
  assert.equal(events.dropped, 0);
});

test('25 at once, then 2 a second, of warnings 50 and 5; the rest is counted', async () => {
  for (const [type, burst, perSecond] of [
    ['Normal', 25, 2],
    ['Warning', 50, 5],
  ] as const) {
    const { sent, clock, events } = recorder();
    const say = async (count: number) => {
      for (let index = 0; index < count; index += 1) events.event(web, type, 'r', `${clock.nowMs} ${index}`);
      await events.flush();
    };
    await say(60);
    assert.deepEqual([sent.length, events.dropped], [burst, 60 - burst]);
    clock.nowMs = 2000;
    await say(20);
    assert.deepEqual([sent.length, events.dropped], [burst + 2 * perSecond, 80 - burst - 2 * perSecond]);
    clock.nowMs = 1_000_000;
    await say(60);
    assert.equal(sent.length, 2 * burst + 2 * perSecond);
    events.event(web, type === 'Normal' ? 'Warning' : 'Normal', 'r', 'of the other type');
    await events.flush();
    assert.equal(sent.length, 2 * burst + 2 * perSecond + 1);
  }
});

test('an event waits a moment for what it is about, and does not keep the process; one at a time', async () => {
  let under = 0;
  let most = 0;
  const sentMs: number[] = [];
  const create = async () => {
    sentMs.push(performance.now());
    under += 1;
    most = Math.max(most, under);
    await sleep(5);
    under -= 1;
  };
  const events = new EventRecorder({ api: { create }, component: 'c', log: SILENT });
  const from = performance.now();
  for (const message of ['a', 'b', 'c']) events.event(web, 'Normal', 'r', message);
  for (let tries = 0; sentMs.length < 3 && tries < 400; tries += 1) await sleep(10);
  assert.equal(sentMs.length, 3);
  assert.ok((sentMs[0] ?? 0) - from >= 240, `sent after ${(sentMs[0] ?? 0) - from} ms`);
  await events.flush();
  assert.equal(most, 1);
});

test('while the API server does not answer, no more than 200 wait', () => {
  let nowMs = 0;
  const create = () => new Promise<never>(() => {});
  const events = new EventRecorder({ api: { create }, component: 'c', log: SILENT, now: () => nowMs });
  for (let index = 0; index < 1000; index += 1) {
    nowMs += 1000;
    events.event(web, 'Normal', 'r', String(index));
  }
  assert.equal(events.dropped, 800);
});

test('an event that nobody took is said again, and harms nobody', async () => {
  const { sent, clock, events } = recorder();
  clock.fail = true;
  events.event(web, 'Normal', 'r', 'm');
  await events.flush();
  clock.fail = false;
  events.event(web, 'Normal', 'r', 'm');
  await events.flush();
  assert.equal(sent.length, 2);
});
