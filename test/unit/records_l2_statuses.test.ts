// ServiceL2Status objects of a node.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { l2StatusName } from '../../src/records/names.js';
import { ServiceL2Statuses, type ServiceL2StatusesOptions } from '../../src/records/service_l2_statuses.js';
import { ApiStore, failure, type Hook } from './api_double.js';
import { pause, until } from './kubernetes_server.js';
import { logOf } from './shell_sample.js';

const NAMESPACE = 'metallb-system';
const COLLECTION = '/apis/metallb.io/v1beta1/servicel2statuses';
const PATH = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/servicel2statuses`;
const WEB = 'default/web';
const NAME = l2StatusName(WEB, 'host-a');

let store: ApiStore;
let statuses: ServiceL2Statuses;

function start(hook?: Hook): void {
  const api = store.client(hook) as unknown as ServiceL2StatusesOptions['api'];
  statuses = new ServiceL2Statuses({ api, namespace: NAMESPACE, node: 'host-a', log: logOf().log });
  statuses.start();
}

const names = () => [...store.objects.keys()].map((path) => path.split('/').at(-1)!).sort();

interface Shown {
  readonly status?: { readonly interfaces: readonly { readonly name: string }[] };
}
const interfaces = (name = NAME) =>
  ((store.objects.get(`${PATH}/${name}`) as Shown | undefined)?.status?.interfaces ?? []).map((entry) => entry.name);

function left(name: string, on: readonly string[], service = 'web'): void {
  const labels = { 'metallb.io/node': 'host-a', 'metallb.io/service-name': service };
  const status = {
    ...{ node: 'host-a', serviceName: service, serviceNamespace: 'default' },
    interfaces: on.map((each) => ({ name: each })),
  };
  store.put(COLLECTION, { metadata: { name, namespace: NAMESPACE, labels }, status });
}

beforeEach(() => {
  store = new ApiStore();
});
afterEach(() => statuses.stop(1_000));

describe('ServiceL2Status', () => {
  it('follows what this node announces', async () => {
    start();
    statuses.announced(WEB, ['eth0']);
    await until('it is written', () => interfaces().join() === 'eth0');
    const { metadata } = store.objects.get(`${PATH}/${NAME}`)!;
    assert.deepEqual(metadata.labels, {
      'metallb.io/node': 'host-a',
      'metallb.io/service-name': 'web',
      'metallb.io/service-namespace': 'default',
    });
    statuses.announced(WEB, ['eth0']);
    await pause(20);
    assert.equal(store.writes().length, 1);
    statuses.announced(WEB, ['eth0', 'eth1']);
    await until('it has changed', () => interfaces().join() === 'eth0,eth1');
    statuses.announced(WEB, null);
    statuses.complete();
    await until('it is gone', () => names().length === 0);
    assert.equal(store.writes().length, 3);
  });

  it('is written where its status is a subresource too', async () => {
    start((call) => {
      const isStatus = call.path.endsWith('/status');
      if (call.method !== 'GET' && !isStatus) delete (call.body as { status?: unknown }).status;
    });
    statuses.announced(WEB, ['eth0']);
    await until('it is written', () => interfaces().join() === 'eth0');
    statuses.announced(WEB, ['eth1']);
    await until('it has changed', () => interfaces().join() === 'eth1');
    assert.deepEqual(
      store.writes().map(({ path }) => path.split('/').at(-1)),
      ['servicel2statuses', 'status', 'status'],
    );
  });

  it('says for which addresses, since when and why, and is written anew only for other addresses', async () => {
    const details = (addresses: string[], second: number) => {
      return { addresses, since: `2026-01-01T00:00:0${second}.000Z`, reason: `reason ${second}` };
    };
    const annotations = () => store.objects.get(`${PATH}/${NAME}`)?.metadata.annotations as Record<string, string>;
    for (const isSubresource of [false, true]) {
      store = new ApiStore();
      start((call) => {
        if (!isSubresource || call.method === 'GET' || call.path.endsWith('/status')) return;
        delete (call.body as { status?: unknown }).status;
      });
      statuses.announced(WEB, ['eth0'], details(['192.0.2.10'], 1));
      await until('it is written', () => interfaces().join() === 'eth0');
      assert.deepEqual(annotations(), {
        'arpeggio.io/addresses': '192.0.2.10',
        'arpeggio.io/since': '2026-01-01T00:00:01.000Z',
        'arpeggio.io/reason': 'reason 1',
      });
      statuses.announced(WEB, ['eth0'], details(['192.0.2.10'], 2));
      await pause(20);
      assert.equal(annotations()['arpeggio.io/reason'], 'reason 1', 'a restarted speaker writes nothing');
      statuses.announced(WEB, ['eth0'], details(['192.0.2.10', '2001:db8::10'], 3));
      await until('it has changed', () => annotations()['arpeggio.io/reason'] === 'reason 3');
      assert.equal(annotations()['arpeggio.io/addresses'], '192.0.2.10,2001:db8::10');
      await pause(20);
      assert.equal(store.writes().length, isSubresource ? 3 : 2);
      statuses.announced(WEB, ['eth1'], details(['2001:db8::10'], 4));
      await until('both have changed', () => interfaces().join() === 'eth1');
      await until('both have changed', () => annotations()['arpeggio.io/addresses'] === '2001:db8::10');
      await statuses.stop(1_000);
    }
  });

  it('is taken over from an earlier process of the node, and from MetalLB', async () => {
    left(NAME, ['eth0']);
    left('l2-xyz12', ['eth0'], 'shop');
    left('l2-old', ['eth0'], 'gone');
    start();
    await until('it is read', () => statuses.isRecorded(WEB) && statuses.isRead);
    statuses.announced(WEB, ['eth0']);
    statuses.announced('default/shop', ['eth1']);
    await until('what differs is written', () => interfaces('l2-xyz12').join() === 'eth1');
    assert.equal(store.writes().length, 1, 'what is true already is left as it is');
    assert.deepEqual(names(), [NAME, 'l2-old', 'l2-xyz12'].sort(), 'what it will announce is not known yet');
    statuses.complete();
    await until('the rest is gone', () => names().length === 2);
    assert.ok(!statuses.isRecorded('default/gone'));
  });

  it('is one for each service', async () => {
    for (const name of [NAME, 'l2-twin']) left(name, ['eth0']);
    start();
    statuses.announced(WEB, ['eth0']);
    await until('the twin is gone', () => names().join() === NAME);
  });

  it('comes back when somebody deletes or changes it', async () => {
    start();
    statuses.announced(WEB, ['eth0']);
    await until('it is written', () => interfaces().join() === 'eth0');
    store.remove(`${PATH}/${NAME}`);
    await until('it is back', () => interfaces().join() === 'eth0');
    left(NAME, ['eth7']);
    await until('it is true again', () => interfaces().join() === 'eth0');
  });

  it('comes back ever less often where somebody deletes it each time', async () => {
    start();
    const attempts = () => store.writes().length;
    let turn = 0;
    const undo = () => {
      // News of the service make no difference.
      turn += 1;
      statuses.announced(WEB, [`eth${turn % 2}`]);
      if (store.objects.has(`${PATH}/${NAME}`)) store.remove(`${PATH}/${NAME}`);
    };
    await until('it was written ten times', () => {
      undo();
      return attempts() >= 10;
    });
    const endMs = performance.now() + 500;
    while (performance.now() < endMs) {
      undo();
      await pause(1);
    }
    // Some of them hit on nothing, and are followed by another at once.
    assert.ok(attempts() <= 20, `${attempts()} writes`);
  });

  it('goes with its node, and at a stop', async () => {
    start();
    statuses.announced(WEB, ['eth0']);
    await until('it is written', () => interfaces().join() === 'eth0');
    const deletes = () => store.calls.filter(({ method }) => method === 'DELETE').length;
    statuses.clear('host-b');
    await until('those of the other node are gone', () => deletes() === 1);
    // The double takes every object for the other node's.
    await until('ours are back', () => interfaces().join() === 'eth0');
    await statuses.stop(1_000);
    assert.deepEqual([names(), deletes()], [[], 2]);
  });

  it('is written when the API server can be reached again', async () => {
    let away = true;
    start(({ method }) => {
      if (away && method !== 'GET') throw failure(0, 'Unreachable', '/');
    });
    statuses.announced(WEB, ['eth0']);
    await until('it is read', () => statuses.isRead);
    await pause(50);
    away = false;
    statuses.retryNow();
    await until('it is written', () => interfaces().join() === 'eth0', 300);
  });
});
