import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceReports } from '../../src/cli/service_reports.js';
import type { ClaimView } from '../../src/cli/status_report.js';
import type { DesiredAddress } from '../../src/desired/desired.js';
import type { Announcement, RefusalCode } from '../../src/eligibility/types.js';
import type { Service } from '../../src/kubernetes/types.js';
import { type Address, parseAddress } from '../../src/net/address.js';

const V4 = parseAddress('192.0.2.10');
const V6 = parseAddress('2001:db8::10');
const KEY = 'default/web';
const GATHERED_MS = 160;

function service(): Service {
  return {
    ...{ key: KEY, namespace: 'default', name: 'web', uid: 'u', resourceVersion: '1', labels: {}, annotations: {} },
    ...{ deleting: false, type: 'LoadBalancer', loadBalancerClass: null, loadBalancerIP: null, clusterIPs: [] },
    ...{ ipFamilies: [], ipFamilyPolicy: null, externalTrafficPolicy: 'Cluster', selector: {}, ports: [] },
    ingress: [V4, V6],
  };
}

function claim(interfaceName: string, overrides: Partial<ClaimView> = {}): ClaimView {
  return {
    ...{ interfaceName, state: 'owned', answered: true, sinceMs: 5, reason: 'nobody else used it' },
    ...{ rivalMac: null, retryMs: null },
    ...overrides,
  };
}

function bed() {
  const state = {
    claims: new Map<Address, ClaimView[]>(),
    services: new Map([[KEY, service()]]),
    announcements: new Map<string, Announcement>(),
    usable: new Set(['eth0', 'eth1']),
    recorded: false,
    isRead: true,
    spokesman: true,
    alive: new Set(['host-a']) as ReadonlySet<string> | null,
  };
  const told: (readonly string[] | null)[] = [];
  const details: unknown[] = [];
  const events: string[] = [];
  const desired = new Map([V4, V6].map((address) => [address, { services: [KEY] } as unknown as DesiredAddress]));
  const reports = new ServiceReports({
    node: 'host-a',
    speaker: { claims: state.claims, desired, ownerOf: () => null },
    usable: () => state.usable,
    services: () => state.services,
    announcements: () => state.announcements,
    alive: () => state.alive,
    statuses: {
      get isRead() {
        return state.isRead;
      },
      isRecorded: () => state.recorded,
      announced: (_key, interfaces, about) => {
        told.push(interfaces);
        details.push(about);
      },
    },
    event: (_service, type, reason, message) => events.push(`${type} ${reason}: ${message}`),
    iso: (ms) => `at ${ms}`,
    isSpokesman: () => state.spokesman,
  });
  return { state, told, details, events, reports };
}

const changed = (to: ClaimView['state'], rivalMac: string | null = null) =>
  ({ type: 'changed', address: V4, interfaceName: 'eth0', from: 'probing', to, reason: '', rivalMac }) as const;

const refused = (reason: RefusalCode | null): Announcement => ({
  ...{ addresses: [V4], eligible: [], refused: new Map(), advertisements: [], desired: null },
  reason,
});

describe('what the cluster is told of a service', () => {
  it('is where this node answers for it, and an event when it begins to', async () => {
    const { state, told, details, events, reports } = bed();
    state.claims.set(V4, [claim('eth0'), claim('eth1', { answered: false })]).set(V6, [claim('eth1', { sinceMs: 7 })]);
    reports.onEffects([changed('newcomer'), changed('owned')]);
    assert.equal(told.length, 0, 'gathered');
    await sleep(GATHERED_MS);
    assert.deepEqual(told, [['eth0', 'eth1']]);
    const [about] = details as [{ addresses: string[]; since: string; reason: string }];
    assert.deepEqual(about.addresses, [V4, V6]);
    assert.deepEqual([about.since, about.reason], ['at 7', 'nobody else used it']);
    assert.deepEqual(events, ['Normal nodeAssigned: announcing from node "host-a" with protocol "layer2"']);
    state.usable = new Set(['eth1']);
    reports.markAll();
    await sleep(GATHERED_MS);
    assert.deepEqual(told.slice(1), [['eth1']]);
    state.services.clear();
    reports.mark([KEY]);
    await sleep(GATHERED_MS);
    assert.equal(told.at(-1), null);
    assert.equal(events.length, 1);
  });

  it('has no event after a restart, once it is known what was there', async () => {
    const { state, told, events, reports } = bed();
    state.isRead = false;
    state.claims.set(V4, [claim('eth0')]);
    reports.markAll();
    await sleep(GATHERED_MS);
    assert.equal(told.length, 0);
    Object.assign(state, { isRead: true, recorded: true });
    await sleep(GATHERED_MS);
    assert.deepEqual([told.length, events.length], [1, 0]);
    reports.end();
  });

  it('is a conflict with its MAC', () => {
    const { events, reports } = bed();
    reports.onEffects([changed('conflict', '02:00:00:00:00:99')]);
    assert.match(
      events.join(),
      /^Warning announceFailed: 192.0.2.10 is used by another host, 02:00:00:00:00:99, on eth0/,
    );
    reports.end();
  });

  it('is that nobody can announce it, from one node, as long as users can mend it', async () => {
    const { state, events, reports } = bed();
    state.announcements.set(KEY, refused('no-active-endpoint'));
    reports.lookForFailures(0);
    await sleep(GATHERED_MS);
    assert.deepEqual(events, []);
    state.announcements.set(KEY, refused('no-matching-advertisement'));
    for (let i = 0; i < 3; i += 1) {
      reports.lookForFailures(0);
      await sleep(GATHERED_MS);
    }
    assert.equal(events.length, 1);
    assert.match(events[0]!, /^Warning announceFailed: not announced: no L2Advertisement/);
    for (const reason of [null, 'no-matching-advertisement'] as const) {
      state.spokesman = false;
      state.announcements.set(KEY, refused(reason));
      reports.lookForFailures(0);
      await sleep(GATHERED_MS);
    }
    assert.equal(events.length, 1);
  });

  it('is why no node may announce it', async () => {
    const { state, events, reports } = bed();
    const codes = new Map<string, RefusalCode>([
      ...['a', 'b', 'c', 'd'].map((name) => [`control-${name}`, 'node-excluded'] as const),
      ['worker', 'no-local-endpoint'],
    ]);
    for (const [reason, text] of [
      ['node-excluded', /every node carries the label node\.kubernetes\.io\/exclude-.*--ignore-exclude-lb$/],
      ['no-local-endpoint', /externalTrafficPolicy is Local, and its endpoints name no node/],
      ['no-eligible-node', /: node-excluded control-a, control-b, control-c and 1 more; no-local-endpoint worker$/],
    ] as const) {
      state.announcements.set(KEY, { ...refused(reason), refused: codes });
      reports.lookForFailures(0);
      await sleep(GATHERED_MS);
      assert.match(events.at(-1) ?? '', text);
      assert.match(reports.failures.get(KEY) ?? '', text);
    }
    assert.equal(events.length, 3);
    state.announcements.set(KEY, refused(null));
    reports.lookForFailures(0);
    await sleep(GATHERED_MS);
    assert.equal(reports.failures.size, 0);
  });

  it('is that no speaker runs where it may be announced, once that has lasted longer than a restart', async () => {
    const { state, events, reports } = bed();
    const look = async (nowMs: number) => {
      reports.lookForFailures(nowMs);
      await sleep(GATHERED_MS);
      return events.length;
    };
    state.announcements.set(KEY, { ...refused(null), eligible: ['host-b', 'host-c'] });
    assert.equal(await look(0), 0);
    state.alive = new Set(['host-a', 'host-c']);
    assert.equal(await look(9_000), 0);
    state.alive = new Set(['host-a']);
    assert.equal(await look(10_000), 0, 'it has been gone for a moment');
    state.alive = null;
    assert.equal(await look(30_000), 0, 'nobody knows');
    state.alive = new Set(['host-a']);
    assert.equal(await look(30_001), 0);
    assert.equal(await look(41_000), 1);
    assert.equal(await look(42_000), 1);
    assert.match(events[0]!, /^Warning announceFailed: not announced: no speaker runs on .*: host-b, host-c$/);
    assert.match(reports.failures.get(KEY) ?? '', /no speaker runs/);
    state.alive = new Set(['host-a', 'host-b']);
    assert.equal(await look(43_000), 1);
    assert.equal(reports.failures.size, 0);
    reports.end();
  });
});
