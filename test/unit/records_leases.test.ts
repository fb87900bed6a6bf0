// Ownership and session Leases, written by two nodes into one storage.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseAddress } from '../../src/net/address.js';
import type { OwnershipRecord } from '../../src/ownership/records.js';
import { Records, type RecordsOptions } from '../../src/records/records.js';
import { ApiStore, failure, type Hook } from './api_double.js';
import { until } from './kubernetes_server.js';
import { logOf } from './shell_sample.js';

const A = parseAddress('192.0.2.10');
const B = parseAddress('2001:db8::10');
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases';
const LEASE_A = `${LEASES}/arpeggio-ip-192-0-2-10`;

let store: ApiStore;
let running: Node[];

class Node {
  readonly told: OwnershipRecord[] = [];
  live: readonly string[] = [];
  heard = new Set<string>();
  readonly records: Records;

  constructor(node: string, hook?: Hook) {
    const api = store.client(hook) as unknown as RecordsOptions['api'];
    this.records = new Records({
      ...{ api, namespace: 'metallb-system', node, log: logOf().log },
      isHeard: (name) => this.heard.has(name),
      takeover: 'fast',
      core: { isFree: () => true, isConfirmed: () => true },
      isSettled: () => true,
      onRenewed: () => {},
      onRecords: (records) => this.told.push(...records),
      onSessions: (live) => {
        this.live = live;
      },
      onResumed: () => {},
      onConnected: () => {},
    });
    this.records.start();
    running.push(this);
  }

  async synced(): Promise<this> {
    await until('the Leases are read', () => this.records.status.synced);
    return this;
  }
}

interface Spec {
  readonly holderIdentity?: string;
  readonly leaseTransitions?: number;
  readonly leaseDurationSeconds?: number;
}

const spec = (path: string) => store.objects.get(path)?.spec as Spec | undefined;
const ownerWrites = () => store.writes(/arpeggio-ip-/).length + store.writes(/leases$/).filter(isOwner).length;
const isOwner = ({ body }: { body: unknown }) => JSON.stringify(body).includes('arpeggio-ip-');

beforeEach(() => {
  store = new ApiStore();
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map(({ records }) => records.stop(1_000)));
});

describe('the record of an address', () => {
  it('is one write for each owner, and counts them', async () => {
    const [a, b] = [await new Node('host-a').synced(), await new Node('host-b').synced()];
    a.heard.add('host-b');
    b.heard.add('host-a');
    a.records.own(A, 1);
    await until('it is written', () => spec(LEASE_A)?.holderIdentity === 'host-a');
    await until('the other knows it', () => b.told.length === 1);
    assert.deepEqual(b.told, [{ address: A, node: 'host-a', term: 1 }]);
    a.records.own(A, 1);
    a.records.disown(A);
    b.records.own(A, 2);
    await until('its new owner has written it', () => spec(LEASE_A)?.holderIdentity === 'host-b');
    assert.equal(spec(LEASE_A)?.leaseTransitions, 2);
    assert.equal(ownerWrites(), 2);
    assert.deepEqual([a.records.pending, b.records.pending], [0, 0]);
  });

  it('goes to one of two that write it at once, and the other hears of that', async () => {
    const [a, b] = [await new Node('host-a').synced(), await new Node('host-b').synced()];
    await until('they know of each other', () => a.live.length + b.live.length === 2);
    a.records.own(A, 1);
    b.records.own(A, 1);
    await until('both are done', () => a.records.pending + b.records.pending === 0 && spec(LEASE_A) !== undefined);
    const holder = spec(LEASE_A)?.holderIdentity;
    const loser = holder === 'host-a' ? b : a;
    await until('the loser knows', () => loser.told.some(({ node }) => node === holder));
    assert.equal(spec(LEASE_A)?.leaseTransitions, 1);
  });

  it('comes back as long as somebody owns the address, and goes with the service', async () => {
    const a = await new Node('host-a').synced();
    a.records.own(A, 1);
    a.records.own(B, 1);
    await until('both are written', () => spec(LEASE_A) !== undefined && a.records.records.size === 2);
    store.remove(LEASE_A);
    await until('it is back', () => spec(LEASE_A)?.holderIdentity === 'host-a');
    a.records.forget(A);
    await until('it is gone', () => spec(LEASE_A) === undefined);
    assert.deepEqual([...a.records.records.keys()], [B]);
    // Or an address that comes back would be its former owner's, as far as that knows.
    await until('this node goes by it', () => a.told.at(-1)?.address === A && a.told.at(-1)?.node === null);
  });

  it('waits while nothing can be written', async () => {
    let away = false;
    const a = await new Node('host-a', ({ method }) => {
      if (away && method !== 'GET') throw failure(503, 'ServiceUnavailable', '/');
    }).synced();
    away = true;
    a.records.own(A, 1);
    a.records.own(A, 2);
    await until('it was tried', () => a.records.pending === 1);
    away = false;
    await until('it is written', () => spec(LEASE_A)?.leaseTransitions === 2);
    await until('nothing waits', () => a.records.pending === 0);
  });

  it('is left to others where it says nothing of us', async () => {
    const a = await new Node('host-a').synced();
    const labels = { 'arpeggio.io/record': 'owner' };
    for (const [name, annotations] of [
      ['odd', {}],
      ['worse', { 'arpeggio.io/address': '300.0.0.1' }],
    ] as const)
      store.put(LEASES.replace('/namespaces/metallb-system', ''), {
        metadata: { name, namespace: 'metallb-system', labels, annotations },
        spec: { holderIdentity: 'host-z' },
      });
    a.records.own(A, 1);
    await until('it is written', () => spec(LEASE_A) !== undefined);
    assert.deepEqual([...a.records.records.keys()], [A]);
  });
});

describe('the session of a node', () => {
  it('is there from the start to a clean stop', async () => {
    const [a, b] = [await new Node('host-a').synced(), await new Node('host-b').synced()];
    await until('they know of each other', () => a.live.join() === 'host-b' && b.live.join() === 'host-a');
    assert.equal(spec(`${LEASES}/arpeggio-node-host-b`)?.leaseDurationSeconds, 40);
    await b.records.stop(1_000);
    await until('it has ended', () => a.live.length === 0);
    assert.equal(spec(`${LEASES}/arpeggio-node-host-b`)?.holderIdentity, '');
  });

  it('ends after a renewal that was under way', async () => {
    const path = `${LEASES}/arpeggio-node-host-b`;
    // The server is slow with that one, and carries it out in any case.
    const b = await new Node('host-b', ({ method, body }) =>
      method === 'POST' && !isOwner({ body }) ? sleep(50) : undefined,
    ).synced();
    await b.records.stop(1_000);
    await sleep(60);
    assert.equal(spec(path)?.holderIdentity, '');
  });

  it('is found again where somebody has taken its marks away', async () => {
    const metadata = { name: 'arpeggio-node-host-b', namespace: 'metallb-system' };
    store.put('/apis/coordination.k8s.io/v1/leases', { metadata, spec: { holderIdentity: 'host-b' } });
    const [a] = [await new Node('host-a').synced(), await new Node('host-b').synced()];
    await until('it is known', () => a.live.join() === 'host-b');
  });

  it('goes with its node, and records of no service IP go with their owner', async () => {
    const [a, b] = [await new Node('host-a').synced(), await new Node('host-b').synced()];
    b.records.own(A, 1);
    await until('it is written', () => a.told.length === 1);
    await b.records.stop(1_000);
    await until('it has ended', () => a.live.length === 0);
    a.records.tidy(
      () => true,
      () => true,
    );
    a.records.tidy(
      () => false,
      (name) => name !== 'host-b',
    );
    await until('they are gone', () => !spec(LEASE_A) && !spec(`${LEASES}/arpeggio-node-host-b`));
    assert.ok(spec(`${LEASES}/arpeggio-node-host-a`));
  });
});
