import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterPeers } from '../../src/cli/cluster_peers.js';
import type { PeerReport } from '../../src/responder/types.js';
import { peer } from './shell_sample.js';

function bed(node = 'host-b') {
  const state = { peers: [] as PeerReport[] };
  return { state, peers: new ClusterPeers({ node, peers: () => state.peers }) };
}

test('the first by name of those that hear each other speaks for all', () => {
  const { state, peers } = bed();
  assert.equal(peers.isSpokesman, true);
  state.peers = [peer({ node: 'host-c' })];
  assert.equal(peers.isSpokesman, true);
  state.peers = [peer({ node: 'host-a', link: 'one-way' }), peer({ node: 'host-a', state: 'draining' })];
  assert.equal(peers.isSpokesman, true);
  state.peers.push(peer({ node: 'host-a' }));
  assert.equal(peers.isSpokesman, false);
  assert.deepEqual([peers.isHeard('host-a'), peers.isHeard('host-c')], [true, false]);
});

test('a node that was heard and is not for 5 s is gone, once', () => {
  const { state, peers } = bed();
  state.peers = [peer({ node: 'host-a' }), peer({ node: 'host-c', link: 'one-way' })];
  peers.look([], [], 0);
  state.peers = [peer({ node: 'host-a', link: 'down' })];
  peers.look([], [], 4_999);
  assert.deepEqual(peers.takeGone(), []);
  peers.look([], [], 5_000);
  assert.deepEqual(peers.takeGone(), ['host-a']);
  peers.look([], [], 60_000);
  assert.deepEqual(peers.takeGone(), []);
  state.peers = [peer({ node: 'host-a' })];
  peers.look([], [], 61_000);
  state.peers = [];
  peers.look(['host-a'], [], 70_000);
  assert.deepEqual(peers.takeGone(), [], 'it is there, only its heartbeats are not');
  assert.equal(peers.isSpokesman, false, 'it speaks for all');
  peers.look([], [], 75_000);
  assert.deepEqual(peers.takeGone(), ['host-a'], 'its session has ended');
  assert.equal(peers.isSpokesman, true);
});

test('a node that takes part without heartbeats is told of after a while, and until they are heard', () => {
  const { peers } = bed();
  peers.look(['host-c'], [], 0);
  peers.look(['host-c'], [], 14_999);
  assert.deepEqual([peers.takeUnheard(), peers.unheard], [[], []]);
  peers.look(['host-c'], [], 15_000);
  assert.deepEqual([peers.takeUnheard(), peers.unheard], [['host-c'], ['host-c']]);
  peers.look(['host-c'], [], 16_000);
  assert.deepEqual([peers.takeUnheard(), peers.unheard], [[], ['host-c']]);
  assert.match(peers.unheardText('host-c'), /host-c runs, but node host-b does not hear/);
  peers.look([], [], 17_000);
  assert.deepEqual(peers.unheard, []);
});

test('what the spokesman did not live to do is done by the next one', () => {
  const { state, peers } = bed('host-c');
  state.peers = [peer({ node: 'host-a' }), peer({ node: 'host-b' })];
  peers.look([], [], 0);
  state.peers = [peer({ node: 'host-b' })];
  peers.look([], [], 6_000);
  assert.deepEqual(peers.takeGone(), [], 'that is for host-b');
  state.peers = [];
  assert.deepEqual(peers.takeGone(), ['host-a']);
  peers.look([], [], 12_000);
  assert.deepEqual(peers.takeGone(), ['host-b']);
});

test('a node that left before it was looked at, or before this process, is gone once', () => {
  const { state, peers } = bed();
  state.peers = [peer({ node: 'host-a', link: 'down' })];
  peers.look([], ['host-a', 'host-c'], 0);
  peers.look([], ['host-a', 'host-c'], 5_000);
  assert.deepEqual(peers.takeGone(), ['host-a', 'host-c']);
  peers.look([], ['host-a', 'host-c'], 60_000);
  assert.deepEqual(peers.takeGone(), []);
});
