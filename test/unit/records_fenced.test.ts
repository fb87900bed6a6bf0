// Ownership Leases where they come before the answer: what is written, what never is, and what the core is told of it.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseAddress } from '../../src/net/address.js';
import type { OwnershipRecord } from '../../src/ownership/records.js';
import { Records, type RecordsOptions } from '../../src/records/records.js';
import { ApiStore, type Hook } from './api_double.js';
import { until } from './kubernetes_server.js';
import { logOf } from './shell_sample.js';

const A = parseAddress('192.0.2.10');
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases';
const LEASE_A = `${LEASES}/arpeggio-ip-192-0-2-10`;

let store: ApiStore;
let running: Node[];

class Node {
  readonly told: OwnershipRecord[] = [];
  live: readonly string[] = [];
  renewed = 0;
  /** As the core judges it. */
  free = false;
  confirmed = false;
  readonly records: Records;

  constructor(node: string, hook?: Hook) {
    this.records = new Records({
      ...{ api: store.client(hook) as unknown as RecordsOptions['api'], namespace: 'metallb-system', node },
      log: logOf().log,
      takeover: 'fenced',
      isHeard: () => true,
      core: { isFree: () => this.free, isConfirmed: () => this.confirmed },
      isSettled: () => true,
      onRecords: (records) => {
        this.told.push(...records);
        this.confirmed = records.at(-1)?.node === node;
      },
      onSessions: (live) => {
        this.live = live;
      },
      onRenewed: () => {
        this.renewed += 1;
      },
      onResumed: () => {},
      onConnected: () => {},
    });
    this.records.start();
    running.push(this);
  }

  async synced(): Promise<this> {
    await until('the Leases are read', () => this.records.status.synced && this.renewed > 0);
    return this;
  }
}

const holder = (): string | undefined =>
  (store.objects.get(LEASE_A) as { spec?: { holderIdentity: string } } | undefined)?.spec?.holderIdentity;

beforeEach(() => {
  store = new ApiStore();
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map(({ records }) => records.stop(1_000)));
});

describe('the record of an address that is answered only then', () => {
  it('is told as written by this process, with the time when that was begun', async () => {
    const a = await new Node('host-a').synced();
    a.records.own(A, 1);
    await until('it is told', () => a.told.some(({ begunMs }) => begunMs !== undefined));
    assert.equal(holder(), 'host-a');
  });

  it('is not written over while its holder may answer; released, it is the next one’s', async () => {
    const [a, b] = [await new Node('host-a').synced(), await new Node('host-b').synced()];
    a.records.own(A, 1);
    await until('it is recorded', () => b.told.length === 1);
    b.records.own(A, 2);
    await until('nothing waits', () => b.records.pending === 0);
    assert.equal(holder(), 'host-a');
    b.free = true;
    a.records.disown(A);
    await until('it is the other’s', () => holder() === 'host-b');
    await until('that is told', () => b.told.some(({ begunMs, node }) => node === 'host-b' && begunMs !== undefined));
  });

  it('is not written over while the API server says that its holder’s session lasts, whatever the core thinks', async () => {
    const [a, b] = [await new Node('host-a').synced(), await new Node('host-b').synced()];
    a.records.own(A, 1);
    await until('it is recorded', () => b.told.length === 1);
    b.free = true;
    b.records.own(A, 2);
    await until('it asked', () =>
      store.calls.some(({ method, path }) => method === 'GET' && /node-host-a$/.test(path)),
    );
    await until('nothing waits', () => b.records.pending === 0);
    assert.equal(holder(), 'host-a');
  });

  it('says who wrote it last: what names this node from before is written anew', async () => {
    const a = await new Node('host-a').synced();
    a.records.own(A, 1);
    await until('it is written', () => a.confirmed);
    await a.records.stop(1_000);
    const again = await new Node('host-a').synced();
    again.confirmed = false;
    again.records.own(A, 2);
    await until('it is written again', () => again.told.some(({ begunMs }) => begunMs !== undefined));
    assert.equal(again.told.at(-1)?.term, 2);
  });

  it('is let go where this node does not own what it says', async () => {
    const metadata = { name: 'arpeggio-ip-192-0-2-10', namespace: 'metallb-system' };
    store.put(LEASES.replace('/namespaces/metallb-system', ''), {
      metadata: {
        ...metadata,
        labels: { 'arpeggio.io/record': 'owner' },
        annotations: { 'arpeggio.io/address': A },
      },
      spec: { holderIdentity: 'host-a', leaseTransitions: 3 },
    });
    await new Node('host-a').synced();
    await until('it is released', () => holder() === '', 15_000);
  });

  it('is written by nodes of one mode: others are named', async () => {
    const a = await new Node('host-a').synced();
    store.put(LEASES.replace('/namespaces/metallb-system', ''), {
      metadata: {
        ...{ name: 'arpeggio-node-host-z', namespace: 'metallb-system' },
        labels: { 'arpeggio.io/record': 'session' },
        annotations: { 'arpeggio.io/node': 'host-z' },
      },
      spec: { holderIdentity: 'host-z', leaseDurationSeconds: 40, renewTime: 'now' },
    });
    await until('it is seen', () => a.live.includes('host-z'));
    assert.deepEqual(a.records.otherMode, ['host-z']);
  });
});
