// Of several replicas at most one leads at any moment, and a dead leader is replaced.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { type Leadership, LeaderElection } from '../../src/kubernetes/leader.js';
import { ApiStore, failure, type Hook } from './api_double.js';

const LEASE_MS = 1_500;
const PATH = '/apis/coordination.k8s.io/v1/namespaces/here/leases';
const log = pino({ level: 'silent' });

let store: ApiStore;
let replicas: Replica[];

class Replica {
  readonly changes: (Leadership | null)[] = [];
  readonly election: LeaderElection;

  constructor(identity: string, hook: Hook = () => {}) {
    this.election = new LeaderElection({
      api: store.client(hook),
      namespace: 'here',
      name: 'test-leader',
      identity,
      leaseDurationMs: LEASE_MS,
      log,
      onChange: (leadership) => {
        this.changes.push(leadership);
        if (leadership) {
          const others = replicas.filter((other) => other !== this && other.leads);
          assert.deepEqual(others, [], 'two lead at the same time');
        }
      },
    });
    replicas.push(this);
    this.election.start();
  }

  get leads(): boolean {
    return this.changes.at(-1) != null && this.election.remainingMs > 0;
  }
}

beforeEach(() => {
  store = new ApiStore();
  replicas = [];
});

afterEach(() => Promise.all(replicas.map(({ election }) => election.stop(false))));

async function until(what: string, holds: () => boolean, limitMs = 5_000): Promise<number> {
  const startMs = performance.now();
  while (!holds()) {
    if (performance.now() - startMs > limitMs) assert.fail(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - startMs;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const lease = () => store.objects.get(`${PATH}/test-leader`)! as unknown as { spec: Record<string, unknown> };

test('replicas that start together: one leads, and goes on leading', async () => {
  const all = ['a', 'b', 'c'].map((name) => new Replica(name));
  await until('one leads', () => all.some(({ leads }) => leads));
  await pause(2 * LEASE_MS);
  assert.equal(all.filter(({ leads }) => leads).length, 1);
  const changes = all.flatMap((replica) => replica.changes);
  assert.deepEqual(changes, [{ term: 0, afterCrash: false }]);
});

test('a leader that stops is followed at once, and has nothing to be fenced', async () => {
  const first = new Replica('first');
  await until('the first leads', () => first.leads);
  const second = new Replica('second');
  await pause(100);
  assert.equal(second.election.holder, first.election.identity);
  await first.election.stop(true);
  assert.equal(first.changes.at(-1), null);
  const afterMs = await until('the second leads', () => second.leads);
  assert.ok(afterMs < LEASE_MS / 2, `led after ${afterMs} ms`);
  assert.deepEqual(second.changes, [{ term: 1, afterCrash: false }]);
});

test('a leader that hangs steps down by itself before another one leads, whose term says so', async () => {
  let hangs = false;
  const first = new Replica('first', () => (hangs ? new Promise(() => {}) : undefined));
  await until('the first leads', () => first.leads);
  const second = new Replica('second');
  await pause(100);
  hangs = true;
  const steppedDown = await until('the first does not lead', () => first.changes.at(-1) === null);
  assert.ok(steppedDown < LEASE_MS, `stepped down after ${steppedDown} ms`);
  const followed = await until('the second leads', () => second.leads);
  assert.ok(steppedDown + followed < 2 * LEASE_MS);
  assert.deepEqual(second.changes, [{ term: 1, afterCrash: true }]);
});

test('renewals that fail for a moment end nothing', async () => {
  let fails = false;
  const first = new Replica('first', ({ path }) => {
    if (fails) throw failure(503, 'ServiceUnavailable', path);
  });
  await until('the first leads', () => first.leads);
  const second = new Replica('second');
  fails = true;
  await pause(LEASE_MS * 0.5);
  fails = false;
  await pause(LEASE_MS * 1.5);
  assert.ok(first.leads);
  assert.deepEqual([first.changes.length, second.changes.length], [1, 0]);
});

test('whoever finds its Lease in other hands leads no more; a label on it changes nothing', async () => {
  const first = new Replica('first');
  await until('the first leads', () => first.leads);
  const held = structuredClone(lease()) as never as { metadata: { name: string }; spec: object };
  store.put(PATH, { ...held, metadata: { name: 'test-leader', labels: { team: 'net' } } });
  await pause(LEASE_MS);
  assert.ok(first.leads);
  assert.deepEqual(first.changes, [{ term: 0, afterCrash: false }]);
  store.put(PATH, { metadata: { name: 'test-leader' }, spec: { ...lease().spec, holderIdentity: 'robber' } });
  await until('the first gives up', () => !first.leads);
  assert.equal(first.changes.at(-1), null);
  assert.equal(lease().spec.holderIdentity, 'robber');
});

for (const [what, act] of [
  ['is deleted', () => store.remove(`${PATH}/test-leader`)],
  [
    'is emptied',
    () => {
      const { holderIdentity: _, ...spec } = lease().spec;
      store.put(PATH, { metadata: { name: 'test-leader' }, spec });
    },
  ],
] as const) {
  test(`a Lease that ${what} by somebody else is no leader’s word that it is done`, async () => {
    const first = new Replica('first');
    await until('the first leads', () => first.leads);
    const second = new Replica('second');
    await until('the second follows', () => second.election.holder === first.election.identity);
    act();
    // Whoever is next: until then the first believes that it leads, and what it sent may still arrive.
    const leads = () => replicas.find((replica) => replica.leads && replica.changes.at(-1)!.term > 0);
    await until('one leads again', () => leads() !== undefined);
    assert.deepEqual(leads()!.changes.at(-1), { term: 1, afterCrash: true });
  });
}

test('the clock of the holder means nothing, and two processes of one name are two', async () => {
  const spec = {
    holderIdentity: 'me_old',
    leaseDurationSeconds: 1,
    leaseTransitions: 4,
    renewTime: '2099-01-01T00:00:00.000000Z',
  };
  store.put(PATH, { metadata: { name: 'test-leader' }, spec });
  const replica = new Replica('me');
  await pause(500);
  assert.ok(!replica.leads, 'took a Lease that it had seen for half of its time');
  await until('the replica leads', () => replica.leads);
  assert.deepEqual(replica.changes, [{ term: 5, afterCrash: true }]);
  assert.match(String(lease().spec.renewTime), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});
