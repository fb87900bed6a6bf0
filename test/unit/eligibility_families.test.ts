// externalTrafficPolicy Local with two families, whose EndpointSlices change one after the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clusterState,
  nodes,
  rawAdvertisement,
  rawNode,
  rawService,
  rawSlice,
  resources,
  services,
  slices,
} from './source_sample.js';

const ADDRESSES = ['192.0.2.10', '2001:db8::10'];

/** Of a dual-stack service: where it may be announced, as each of its two slices is told. */
function web(ips: readonly string[] = ADDRESSES) {
  const state = clusterState();
  state.applyServices(services(rawService('web', { ips, policy: 'Local' })));
  const tell = (family: 'IPv4' | 'IPv6', on: readonly string[]): readonly string[] | null => {
    state.applyEndpointSlices(slices(rawSlice('web', on, { suffix: family.toLowerCase(), family })));
    state.settle(0);
    return state.announcements.get('default/web')?.desired?.nodes ?? null;
  };
  return { state, tell };
}

test('a node that has lost its endpoint of one family goes at once, where another has both', () => {
  const { tell } = web();
  tell('IPv4', ['node-a', 'node-b']);
  assert.deepEqual(tell('IPv6', ['node-a', 'node-b']), ['node-a', 'node-b']);
  assert.deepEqual(tell('IPv4', ['node-b']), ['node-b']);
  assert.deepEqual(tell('IPv6', ['node-b']), ['node-b']);
});

test('a node that has an endpoint of one family only waits for the other', () => {
  const { tell } = web();
  tell('IPv4', ['node-a']);
  assert.deepEqual(tell('IPv6', ['node-a']), ['node-a']);
  assert.deepEqual(tell('IPv4', ['node-a', 'node-b']), ['node-a']);
  assert.deepEqual(tell('IPv6', ['node-a', 'node-b']), ['node-a', 'node-b']);
});

test('where no node has both, or none that may announce, each with any may', () => {
  const { state, tell } = web();
  assert.deepEqual(tell('IPv4', ['node-a']), ['node-a'], 'the other family has no endpoints at all');
  assert.deepEqual(tell('IPv6', ['node-b']), ['node-a', 'node-b'], 'the endpoint moves');
  assert.deepEqual(tell('IPv6', ['node-b', 'node-a']), ['node-a']);
  state.applyNodes(
    nodes(rawNode('node-a', { labels: { zone: 'far' } }), rawNode('node-b', { labels: { zone: 'near' } })),
  );
  state.applyAdvertisements(resources(rawAdvertisement('all', { nodeSelectors: [{ matchLabels: { zone: 'near' } }] })));
  state.settle(0);
  assert.deepEqual(state.announcements.get('default/web')?.desired?.nodes, ['node-b'], 'node-a may not');
});

test('a family without an address does not count', () => {
  const { tell } = web(['192.0.2.10']);
  tell('IPv6', ['node-a']);
  assert.deepEqual(tell('IPv4', ['node-a', 'node-b']), ['node-a', 'node-b']);
});
