// From changes in the lists to what the speaker is told, and nothing more than that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterState } from '../../src/sources/kubernetes/cluster_state.js';
import {
  clusterState,
  gone,
  nodes,
  rawAdvertisement,
  rawNode,
  rawPool,
  rawService,
  rawSlice,
  resources,
  type ServiceSample,
  services,
  slices,
} from './source_sample.js';

const ALL = ['node-a', 'node-b', 'node-c'];

/** A settled state with the services named, each with an endpoint on node-a and node-b. */
function settled(names: readonly string[], sample: ServiceSample = {}, state: ClusterState = clusterState()) {
  state.applyServices(services(...names.map((name) => rawService(name, sample))));
  state.applyEndpointSlices(slices(...names.map((name) => rawSlice(name, ['node-a', 'node-b']))));
  state.settle(0);
  return state;
}

function updatesOf(state: ClusterState) {
  return state.settle(0).updates;
}

test('the first update is complete: services by name, probing, last resort', () => {
  const state = clusterState({ probing: 'rfc5227' });
  state.applyNodes(nodes(rawNode('node-c', { cordoned: true })));
  state.applyServices(services(rawService('web'), rawService('api', { ips: ['192.0.2.11', '2001:db8::11'] })));
  state.applyEndpointSlices(slices(rawSlice('web', ['node-a']), rawSlice('api', ['node-a'])));
  assert.deepEqual(updatesOf(state), [
    {
      type: 'complete',
      desired: {
        probing: 'rfc5227',
        lastResort: ['node-c'],
        services: [
          { name: 'default/api', addresses: ['192.0.2.11', '2001:db8::11'], interfaces: null, nodes: ALL },
          { name: 'default/web', addresses: ['192.0.2.10'], interfaces: null, nodes: ALL },
        ],
      },
    },
  ]);
  assert.deepEqual(updatesOf(state), []);
});

test('a cluster without services is complete too', () => {
  assert.deepEqual(updatesOf(clusterState()), [
    { type: 'complete', desired: { probing: 'fast', lastResort: [], services: [] } },
  ]);
});

test('only services of type LoadBalancer, of our class, with an address', () => {
  const state = clusterState({ lbClass: 'example.org/l2' });
  state.applyServices(
    services(
      rawService('ours', { lbClass: 'example.org/l2' }),
      rawService('other', { lbClass: 'example.org/bgp' }),
      rawService('none'),
      rawService('waiting', { lbClass: 'example.org/l2', ips: [] }),
      rawService('inner', { lbClass: 'example.org/l2', type: 'ClusterIP' }),
    ),
  );
  state.settle(0);
  assert.deepEqual([...state.services.keys()], ['default/ours']);
  const plain = settled(['web', 'api']);
  assert.deepEqual([...plain.services.keys()], ['default/web', 'default/api']);
  plain.applyServices(services(rawService('web', { lbClass: 'example.org/l2' }), rawService('api', { ips: [] })));
  assert.deepEqual(updatesOf(plain), [{ type: 'services', changed: [], removed: ['default/web', 'default/api'] }]);
});

test('what is no address, and what no host may have, is left out', () => {
  const state = settled(['web'], { ips: ['192.0.2.10', '127.0.0.1', 'host.example', '192.0.2.10', '2001:DB8::1'] });
  assert.deepEqual(state.announcements.get('default/web')?.desired?.addresses, ['192.0.2.10', '2001:db8::1']);
  const none = settled(['web'], { ips: ['127.0.0.1'] });
  assert.equal(none.announcements.get('default/web')?.desired, null);
});

test('an address that is in no pool is not announced', () => {
  const state = settled(['web'], { ips: ['203.0.113.1'] });
  assert.equal(state.announcements.get('default/web')?.reason, 'no-matching-advertisement');
  const half = settled(['web'], { ips: ['192.0.2.1', '203.0.113.1'] });
  assert.equal(half.announcements.get('default/web')?.reason, 'no-matching-advertisement');
});

test('endpoints that come and go without consequence tell nothing', () => {
  const state = settled(['web']);
  state.applyEndpointSlices(slices(rawSlice('web', ['node-b'])));
  assert.deepEqual(updatesOf(state), []);
  state.applyEndpointSlices(slices(rawSlice('web', ['node-b']), rawSlice('web', ['node-c'], { suffix: 'y' })));
  assert.deepEqual(updatesOf(state), []);
  state.applyEndpointSlices(gone('default/web-x'));
  assert.deepEqual(updatesOf(state), []);
});

test('the last endpoint goes, and one comes back', () => {
  const state = settled(['web', 'api'], { ips: ['192.0.2.10'] });
  state.applyEndpointSlices(slices(rawSlice('web', ['node-a', 'node-b'], { ready: false })));
  assert.deepEqual(updatesOf(state), [{ type: 'services', changed: [], removed: ['default/web'] }]);
  assert.equal(state.announcements.get('default/web')?.reason, 'no-active-endpoint');
  state.applyEndpointSlices(slices(rawSlice('web', ['node-b'])));
  assert.deepEqual(
    updatesOf(state).map((update) => update.type === 'services' && update.changed.map(({ name }) => name)),
    [['default/web']],
  );
});

test('externalTrafficPolicy Local follows the endpoints', () => {
  const state = settled(['web'], { policy: 'Local' });
  assert.deepEqual(state.announcements.get('default/web')?.eligible, ['node-a', 'node-b']);
  state.applyEndpointSlices(slices(rawSlice('web', ['node-c'], { suffix: 'y' })));
  assert.deepEqual(updatesOf(state), [
    {
      type: 'services',
      changed: [{ name: 'default/web', addresses: ['192.0.2.10'], interfaces: null, nodes: ALL }],
      removed: [],
    },
  ]);
  state.applyEndpointSlices(gone('default/web-x'));
  updatesOf(state);
  const { eligible, refused } = state.announcements.get('default/web')!;
  assert.deepEqual(eligible, ['node-c']);
  assert.deepEqual(Object.fromEntries(refused), { 'node-a': 'no-local-endpoint', 'node-b': 'no-local-endpoint' });
});

test('a slice that goes over to another service counts there', () => {
  const state = settled(['web', 'api']);
  const moved = rawSlice('web', ['node-a']) as { metadata: { labels: Record<string, string> } };
  moved.metadata.labels['kubernetes.io/service-name'] = 'api';
  state.applyEndpointSlices(slices(moved));
  assert.deepEqual(updatesOf(state), [{ type: 'services', changed: [], removed: ['default/web'] }]);
  state.applyEndpointSlices(gone('default/api-x'));
  assert.deepEqual(updatesOf(state), []);
  state.applyEndpointSlices(gone('default/web-x'));
  assert.deepEqual(updatesOf(state), [{ type: 'services', changed: [], removed: ['default/api'] }]);
});

test('a service that is deleted, and its slices before or after it', () => {
  const state = settled(['web', 'api']);
  state.applyServices(gone('default/web'));
  assert.deepEqual(updatesOf(state), [{ type: 'services', changed: [], removed: ['default/web'] }]);
  state.applyEndpointSlices(gone('default/web-x', 'default/api-x'));
  state.applyServices(gone('default/api'));
  assert.deepEqual(updatesOf(state), [{ type: 'services', changed: [], removed: ['default/api'] }]);
  assert.equal(state.announcements.size, 0);
});

test('nodes that are not ready or cordoned are of last resort, and stay eligible', () => {
  const state = settled(['web']);
  state.applyNodes(nodes(rawNode('node-b', { cordoned: true }), rawNode('node-a', { ready: false })));
  assert.deepEqual(updatesOf(state), [{ type: 'last-resort', nodes: ['node-a', 'node-b'] }]);
  assert.deepEqual(state.desired().lastResort, ['node-a', 'node-b']);
  state.applyNodes(nodes(rawNode('node-b', { cordoned: true }), rawNode('node-a')));
  assert.deepEqual(updatesOf(state), [{ type: 'last-resort', nodes: ['node-b'] }]);
  // Written again with nothing new.
  state.applyNodes(nodes(rawNode('node-b', { cordoned: true })));
  assert.deepEqual(updatesOf(state), []);
  const careless = settled(['web'], {}, clusterState({ drainOnCordon: false }));
  careless.applyNodes(nodes(rawNode('node-b', { cordoned: true })));
  assert.deepEqual(updatesOf(careless), []);
});

test('a node that comes, is labelled, loses its network, and goes', () => {
  const state = settled(['web']);
  const eligible = () => state.announcements.get('default/web')?.eligible;
  state.applyNodes(nodes(rawNode('node-d', { ready: false })));
  assert.deepEqual(
    updatesOf(state).map(({ type }) => type),
    ['last-resort', 'services'],
  );
  assert.deepEqual(eligible(), [...ALL, 'node-d']);
  state.applyNodes(
    nodes(rawNode('node-a', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } })),
  );
  updatesOf(state);
  assert.deepEqual(eligible(), ['node-b', 'node-c', 'node-d']);
  state.applyNodes(nodes(rawNode('node-b', { networkUnavailable: true })));
  updatesOf(state);
  assert.deepEqual(eligible(), ['node-c', 'node-d']);
  state.applyNodes(gone('node-d'));
  assert.equal(updatesOf(state).length, 2);
  assert.deepEqual(eligible(), ['node-c']);
});

test('advertisements that give nodes different interfaces make scopes', () => {
  const state = clusterState();
  state.applyNodes(nodes(rawNode('node-a', { labels: { rack: '1' } }), rawNode('node-b', { labels: { rack: '2' } })));
  state.applyAdvertisements(gone('metallb-system/all'));
  const rack = (value: string) => [{ matchLabels: { rack: value } }];
  state.applyAdvertisements(
    resources(
      rawAdvertisement('one', { nodeSelectors: rack('1'), interfaces: ['eth1', 'eth0'] }),
      rawAdvertisement('two', { nodeSelectors: rack('2'), interfaces: ['eth2'] }),
    ),
  );
  settled(['web'], {}, state);
  assert.deepEqual(state.announcements.get('default/web')?.desired, {
    name: 'default/web',
    addresses: ['192.0.2.10'],
    interfaces: ['eth0', 'eth1', 'eth2'],
    nodes: ['node-a', 'node-b'],
    scopes: [
      { nodes: ['node-a'], interfaces: ['eth0', 'eth1'] },
      { nodes: ['node-b'], interfaces: ['eth2'] },
    ],
  });
});

test('a wrong configuration is told, and the last good one stays in force', () => {
  const state = settled(['web']);
  assert.equal(state.configurationInForce, 'current');
  state.applyPools(resources(rawPool('other', ['192.0.2.128-192.0.2.130'])));
  const { updates, problems } = state.settle(0);
  assert.deepEqual(updates, []);
  assert.ok(problems?.some(({ reason, severity }) => reason === 'overlap' && severity === 'error'));
  assert.equal(state.configurationInForce, 'last-good');
  // Services are followed all the same.
  state.applyServices(services(rawService('api', { ips: ['192.0.2.11'] })));
  state.applyEndpointSlices(slices(rawSlice('api', ['node-a'])));
  assert.equal(updatesOf(state).length, 1);
  assert.equal(state.settle(0).problems, null);
  state.applyPools(gone('metallb-system/other'));
  assert.deepEqual(state.settle(0), { updates: [], problems: [] });
  assert.equal(state.configurationInForce, 'current');
});

test('a changed configuration tells everything again, if it makes a difference', () => {
  const state = settled(['web', 'api']);
  state.applyPools(resources(rawPool('lab', ['192.0.2.0/24'], { assignedIPv4: 2 })));
  assert.deepEqual(updatesOf(state), [], 'the range that nobody used is gone');
  state.applyAdvertisements(resources(rawAdvertisement('all', { interfaces: ['eth7'] })));
  const [update, ...more] = updatesOf(state);
  assert.deepEqual(more, []);
  assert.ok(update?.type === 'complete');
  assert.deepEqual(
    update.desired.services.map(({ interfaces }) => interfaces),
    [['eth7'], ['eth7']],
  );
});

test('without any valid configuration nothing is decided, but what is wrong is told', () => {
  const state = clusterState();
  state.applyPools(resources(rawPool('other', ['not an address'])));
  const { updates, problems } = state.settle(0);
  assert.deepEqual(updates, []);
  assert.notDeepEqual(problems, []);
  assert.equal(state.configurationInForce, 'none');
  state.applyServices(services(rawService('web')));
  assert.deepEqual(updatesOf(state), []);
  state.applyPools(gone('metallb-system/other'));
  assert.deepEqual(
    updatesOf(state).map(({ type }) => type),
    ['complete'],
  );
});

test('a wrong configuration at the start: the one that was saved is in force', () => {
  const { configuration } = settled(['web']);
  const state = clusterState({ saved: { desired: { services: [], probing: 'fast' }, configuration } });
  state.applyPools(resources(rawPool('other', ['not an address'])));
  state.applyServices(services(rawService('web')));
  state.applyEndpointSlices(slices(rawSlice('web', ['node-a'])));
  const [update] = updatesOf(state);
  assert.ok(update?.type === 'complete');
  assert.equal(update.desired.services.length, 1);
  assert.equal(state.configurationInForce, 'last-good');
});

test('when all nodes are lost at once, so are the endpoints: nothing is withdrawn until the nodes had time to come back', () => {
  const state = settled(['web', 'api']);
  const lost = (ready: boolean) => nodes(...ALL.map((name) => rawNode(name, { ready })));
  state.applyNodes(lost(false));
  state.applyEndpointSlices(slices(rawSlice('web', ['node-a'], { ready: false }), rawSlice('api', [])));
  assert.deepEqual(state.settle(1_000).updates, [{ type: 'last-resort', nodes: ALL }]);
  assert.equal(state.dueMs, null);
  assert.ok(state.announcements.get('default/web')?.desired);
  state.applyNodes(lost(true));
  assert.deepEqual(state.settle(2_000).updates, [{ type: 'last-resort', nodes: [] }]);
  assert.equal(state.dueMs, 32_000);
  // The pods of one are back; one has really gone.
  state.applyEndpointSlices(slices(rawSlice('web', ['node-a'])));
  assert.deepEqual(state.settle(31_999).updates, []);
  assert.deepEqual(state.settle(32_000).updates, [{ type: 'services', changed: [], removed: ['default/api'] }]);
  assert.equal(state.dueMs, null);
});

test('when nodes come back one after the other the first is no better than the others, for a while', () => {
  const state = settled(['web']);
  const ready = (...names: string[]) => nodes(...ALL.map((name) => rawNode(name, { ready: names.includes(name) })));
  state.applyNodes(ready());
  assert.deepEqual(state.settle(1_000).updates, [{ type: 'last-resort', nodes: ALL }]);
  state.applyNodes(ready('node-b'));
  assert.deepEqual(state.settle(2_000).updates, [{ type: 'last-resort', nodes: [] }]);
  state.applyNodes(ready('node-b', 'node-c'));
  assert.deepEqual(state.settle(9_000).updates, []);
  assert.deepEqual(state.settle(32_000).updates, [{ type: 'last-resort', nodes: ['node-a'] }]);
  // As ever, where others are Ready.
  state.applyNodes(ready('node-c'));
  assert.deepEqual(state.settle(33_000).updates, [{ type: 'last-resort', nodes: ['node-a', 'node-b'] }]);
  state.applyNodes(ready());
  assert.deepEqual(state.settle(34_000).updates, [{ type: 'last-resort', nodes: ALL }]);
  state.applyNodes(ready('node-a'));
  assert.deepEqual(state.settle(35_000).updates, [{ type: 'last-resort', nodes: [] }]);
  state.applyNodes(ready());
  assert.deepEqual(state.settle(36_000).updates, [{ type: 'last-resort', nodes: ALL }]);
  assert.equal(state.dueMs, null);
});

test('so it is after a restart, by what was saved', () => {
  const earlier = settled(['web', 'api', 'old']);
  const saved = { desired: earlier.desired(), configuration: earlier.configuration };
  const start = (ready: boolean) => {
    const state = clusterState({ saved });
    state.applyNodes(nodes(...ALL.map((name) => rawNode(name, { ready }))));
    state.applyServices(services(rawService('web'), rawService('api', { ips: ['192.0.2.99'] })));
    state.applyEndpointSlices(slices(rawSlice('web', ['node-a'], { ready: false }), rawSlice('api', [])));
    const [update] = updatesOf(state);
    assert.ok(update?.type === 'complete');
    return update.desired.services.map(({ name }) => name);
  };
  assert.deepEqual(start(false), ['default/web']);
  assert.deepEqual(start(true), []);
});

test('a service deleted while all nodes are lost is withdrawn', () => {
  const state = settled(['web', 'api']);
  state.applyNodes(nodes(...ALL.map((name) => rawNode(name, { ready: false }))));
  state.applyServices(gone('default/web'));
  state.applyEndpointSlices(gone('default/web-x'));
  state.applyServices(services(rawService('api', { ips: [] })));
  assert.deepEqual(
    updatesOf(state).map((update) => update.type === 'services' && update.removed),
    [false, ['default/web', 'default/api']],
  );
});
