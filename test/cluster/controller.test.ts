// Two controllers on a real API server: whatever happens to the leader, no address is given twice and none changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditEvent } from '../../src/lab/kubernetes/audit.js';
import type { Background } from '../../src/lab/kubernetes/background.js';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import type { ApiObject } from '../../src/lab/kubernetes/lab_api.js';
import { NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { advertisement, pool } from '../../src/lab/kubernetes/workloads.js';
import { withControlPlane } from './harness/control_plane.js';
import { CONTROLLER_USER, install, leaderOf, shownBy, startController } from './harness/controller_process.js';

const SERVICES = '/api/v1/namespaces/default/services';
const COUNT = 200;
/** Half of them are there when the leader dies. */
const KILL_AT = 100;
const POOL = 'metallb.io/ip-allocated-from-pool';

const service = (name: string, spec: object = {}, annotations: object = {}): ApiObject => ({
  metadata: { name, annotations },
  spec: {
    type: 'LoadBalancer',
    allocateLoadBalancerNodePorts: false,
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    ...spec,
  },
});

/** Looks at all services again and again; fails once one shows another address than before, or two show the same. */
class Watcher {
  readonly given = new Map<string, string>();
  looks = 0;
  private ended = false;
  private readonly running: Promise<void>;

  constructor(private readonly control: ControlPlane) {
    this.running = this.run();
    this.running.catch(() => {});
  }

  async stop(): Promise<void> {
    this.ended = true;
    await this.running;
    await this.look();
  }

  private async run(): Promise<void> {
    while (!this.ended) {
      await this.look();
      await delay(50);
    }
  }

  private async look(): Promise<void> {
    this.looks += 1;
    const holders = new Map<string, string>();
    for (const object of await this.control.api.list(SERVICES)) {
      const { name } = object.metadata;
      const text = shownBy(object).join(',');
      const before = this.given.get(name);
      assert.ok(before === undefined || before === text, `${name} changed from ${before} to ${text || 'nothing'}`);
      if (text === '') continue;
      this.given.set(name, text);
      assert.equal(holders.get(text), undefined, `${name} and ${holders.get(text)} both have ${text}`);
      holders.set(text, name);
    }
  }
}

const ours = (control: ControlPlane): AuditEvent[] => control.audit().filter(({ user }) => user === CONTROLLER_USER);

async function waitForLeader(control: ControlPlane, timeoutMs: number, not = ''): Promise<string> {
  return control.api.eventually(
    'somebody leads',
    async () => {
      const leader = await leaderOf(control);
      // Nobody does while the Lease is given back.
      return leader !== '' && leader !== not && leader;
    },
    timeoutMs,
  );
}

const hasAddress = (control: ControlPlane, name: string, timeoutMs: number) =>
  control.api.eventually(
    `${name} has an address`,
    async () => shownBy(await control.api.get(`${SERVICES}/${name}`)).length > 0,
    timeoutMs,
  );

test('200 services in a row, the leader killed in the middle: no address twice, none changes', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    await install(control, [pool('lan', ['198.51.100.0/24', '203.0.113.0/24']), advertisement('lan')]);
    const replicas = new Map<string, Background>();
    for (const name of ['one', 'two']) replicas.set(name, await startController(control, name));
    const watcher = new Watcher(control);
    try {
      const first = await waitForLeader(control, 20_000);
      let killedMs = 0;
      let startedMs = performance.now();
      for (let index = 0; index < COUNT; index += 1) {
        if (index === KILL_AT) {
          killedMs = performance.now();
          replicas.get(first)!.signal('SIGKILL');
          await delay(100);
          startedMs = performance.now();
        }
        await control.api.create(SERVICES, service(`web-${index}`));
        if (index === 0) await hasAddress(control, 'web-0', 10_000);
      }
      const createdMs = performance.now();
      const second = await waitForLeader(control, 15_000, first);
      const followedMs = performance.now() - killedMs;
      assert.ok(followedMs < 15_000, `followed after ${followedMs} ms`);
      for (let index = 0; index < COUNT; index += 1) await hasAddress(control, `web-${index}`, 15_000);
      const doneMs = performance.now();
      await delay(1_500);

      const requests = ours(control);
      const perService = requests.filter(({ resource }) => resource !== 'leases').length / COUNT;
      t.diagnostic(
        `followed after ${Math.round(followedMs)} ms; ${COUNT - KILL_AT} services created in ${Math.round(createdMs - startedMs)} ms; all have addresses ${Math.round(doneMs - killedMs)} ms after the kill; ${perService.toFixed(2)} requests per service`,
      );
      assert.ok(perService <= 5, `${perService} requests per service`);
      assert.deepEqual(
        requests.filter(({ status }) => status === 403 || status === 401),
        [],
      );

      // Who stops in order is followed at once.
      const third = await startController(control, 'three');
      replicas.set('three', third);
      await control.api.eventually('three follows', async () => third.lastOutput.includes('controller started'));
      await delay(1_000);
      await replicas.get(second)!.stop('SIGTERM');
      const stoppedMs = performance.now();
      assert.equal(await waitForLeader(control, 5_000, second), 'three');
      await control.api.create(SERVICES, service('late'));
      await hasAddress(control, 'late', 5_000);
      const lateMs = performance.now() - stoppedMs;
      t.diagnostic(`after a stop a new service had its address within ${Math.round(lateMs)} ms`);
      assert.ok(lateMs < 2_000, `${lateMs} ms after the stop`);

      await watcher.stop();
      assert.equal(watcher.given.size, COUNT + 1);
      assert.ok(watcher.looks > 10);
      const { status } = await control.api.get(`/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools/lan`);
      assert.equal(status.assignedIPv4 + status.availableIPv4, 512);
    } finally {
      await Promise.all([...replicas.values()].map((replica) => replica.stop('SIGKILL')));
      await watcher.stop();
    }
  });
});

test('a leader that is held still and wakes up again writes nothing that its successor does not know', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    await install(control, [pool('lan', ['198.51.100.0/24']), advertisement('lan')]);
    const replicas = new Map<string, Background>();
    for (const name of ['one', 'two']) replicas.set(name, await startController(control, name));
    const watcher = new Watcher(control);
    try {
      const first = await waitForLeader(control, 20_000);
      await control.api.create(SERVICES, service('before'));
      await hasAddress(control, 'before', 5_000);
      for (let index = 0; index < 20; index += 1) await control.api.create(SERVICES, service(`held-${index}`));
      replicas.get(first)!.signal('SIGSTOP');
      for (let index = 20; index < 40; index += 1) await control.api.create(SERVICES, service(`held-${index}`));
      await waitForLeader(control, 15_000, first);
      // It wakes while the other one is writing.
      replicas.get(first)!.signal('SIGCONT');
      for (let index = 40; index < 60; index += 1) await control.api.create(SERVICES, service(`held-${index}`));
      for (let index = 0; index < 60; index += 1) await hasAddress(control, `held-${index}`, 10_000);
      await delay(1_000);
      assert.notEqual(await leaderOf(control), first);
      await watcher.stop();
      assert.equal(watcher.given.size, 61);
      const left = (await control.api.list(SERVICES)).flatMap(({ metadata }) =>
        Object.keys(metadata.annotations ?? {}),
      );
      assert.deepEqual([...new Set(left)], [POOL]);
    } finally {
      for (const replica of replicas.values()) replica.signal('SIGCONT');
      await Promise.all([...replicas.values()].map((replica) => replica.stop('SIGKILL')));
      await watcher.stop();
    }
  });
});

test('the API server away for longer than the Lease: nothing changes, and work goes on when it is back', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    await install(control, [pool('lan', ['198.51.100.0/24']), advertisement('lan')]);
    const replicas: Background[] = [];
    for (const name of ['one', 'two']) replicas.push(await startController(control, name));
    try {
      await waitForLeader(control, 20_000);
      for (let index = 0; index < 10; index += 1) await control.api.create(SERVICES, service(`web-${index}`));
      await hasAddress(control, 'web-9', 10_000);
      await delay(1_500);
      const shown = async () =>
        (await control.api.list(SERVICES)).filter((each) => each.spec.type === 'LoadBalancer').map(shownBy);
      const before = await shown();
      await control.stopApi();
      await delay(15_000);
      assert.ok(
        replicas.every(({ isRunning }) => isRunning),
        'a controller has ended',
      );
      await control.startApi();
      const backMs = performance.now();
      const writesBefore = ours(control).filter(({ resource }) => resource === 'services/status').length;
      await control.api.create(SERVICES, service('web-new'));
      await hasAddress(control, 'web-new', 30_000);
      t.diagnostic(
        `${Math.round(performance.now() - backMs)} ms after the server is back a new service has its address`,
      );
      await delay(2_000);
      assert.deepEqual((await shown()).slice(0, 10), before);
      const writes = ours(control).filter(({ resource }) => resource === 'services/status').length - writesBefore;
      // One address; where the last leader is not known to be done, it is fenced first.
      assert.ok(writes >= 1 && writes <= 2, `${writes} writes`);
    } finally {
      await Promise.all(replicas.map((replica) => replica.stop('SIGKILL')));
    }
  });
});

test('what MetalLB has assigned stays as it is, and events and states tell the rest', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    await install(control, [
      pool('lan', ['198.51.100.0/24']),
      pool('unseen', ['203.0.113.0/28']),
      advertisement('lan', { ipAddressPools: ['lan'] }),
    ]);
    const assigned = new Map<string, string>();
    for (const index of [200, 7, 31, 99]) {
      const name = `kept-${index}`;
      // Some were assigned before MetalLB knew the annotation.
      await control.api.create(SERVICES, service(name, {}, index > 50 ? { [POOL]: 'lan' } : {}));
      await control.api.patch(`${SERVICES}/${name}/status`, {
        status: { loadBalancer: { ingress: [{ ip: `198.51.100.${index}`, ipMode: 'VIP' }] } },
      });
      assigned.set(name, `198.51.100.${index}`);
    }
    await control.api.create(SERVICES, service('old', {}, { 'metallb.universe.tf/loadBalancerIPs': '198.51.100.150' }));
    await control.api.create(SERVICES, service('refused', { loadBalancerIP: '198.51.100.7' }));
    await control.api.create(SERVICES, service('hidden', {}, { 'metallb.io/address-pool': 'unseen' }));
    await control.api.create(SERVICES, service('theirs', { loadBalancerClass: 'example.org/other' }));
    const controller = await startController(control, 'one', '--leader-elect', 'false');
    try {
      for (const name of ['old', 'hidden']) await hasAddress(control, name, 15_000);
      await delay(1_500);
      for (const [name, address] of assigned) {
        const { metadata, status } = await control.api.get(`${SERVICES}/${name}`);
        assert.deepEqual(shownBy({ status }), [address]);
        assert.equal(metadata.annotations[POOL], 'lan');
      }
      for (const name of ['refused', 'theirs'])
        assert.deepEqual(shownBy(await control.api.get(`${SERVICES}/${name}`)), []);
      const reasons = async (name: string) => {
        const events = await control.api.list('/api/v1/namespaces/default/events', {
          fieldSelector: `involvedObject.name=${name}`,
        });
        return events.map(({ reason }) => reason).sort();
      };
      // Events are written a moment later.
      await control.api.eventually('events tell it', async () => (await reasons('hidden')).length === 2);
      await control.api.eventually('events tell it', async () => (await reasons('old')).length === 2);
      assert.deepEqual(await reasons('old'), ['Deprecated', 'IPAllocated']);
      assert.deepEqual(await reasons('refused'), ['AllocationFailed']);
      assert.deepEqual(await reasons('hidden'), ['IPAllocated', 'NotAdvertised']);
      assert.deepEqual(await reasons('theirs'), []);
      assert.deepEqual(await reasons('kept-7'), []);
      const writes = ours(control).filter(({ verb, resource }) => verb === 'patch' && resource === 'services/status');
      assert.deepEqual(writes.map(({ name }) => name).sort(), ['hidden', 'kept-31', 'kept-7', 'old']);

      const base = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}`;
      const state = await control.api.eventually('the state of the configuration is told', () =>
        control.api.get(`${base}/configurationstates/controller`),
      );
      assert.deepEqual(
        [state.status.result, state.metadata.labels],
        ['Valid', { 'metallb.io/component-type': 'controller' }],
      );
      await control.api.eventually('the pool tells what is assigned', async () => {
        return (await control.api.get(`${base}/ipaddresspools/lan`)).status?.assignedIPv4 === 5;
      });

      // A change to ClusterIP gives the address back; another service takes it.
      await control.api.patch(`${SERVICES}/kept-7`, { spec: { type: 'ClusterIP' } });
      await hasAddress(control, 'refused', 10_000);
      assert.deepEqual(shownBy(await control.api.get(`${SERVICES}/refused`)), ['198.51.100.7']);
      await control.api.eventually('the annotation is gone', async () => {
        const { metadata } = await control.api.get(`${SERVICES}/kept-7`);
        return metadata.annotations?.[POOL] === undefined;
      });
    } finally {
      await controller.stop('SIGKILL');
    }
  });
});
