// An API server beside the segment: what ownership and session Leases decide where nodes do not hear each other, and that
// they change nothing where they do.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as faults from './faults.js';
import { Scene, serviceIps } from './scene.js';

/** Sees that each address has one owner, and that all records say so. */
function assertRecorded(scene: Scene): void {
  for (const address of scene.addresses) {
    const answerers = scene.world.answerersOf(scene.world.segments[0]!, address);
    assert.equal(answerers.size, 1, `${answerers.size} answer for ${address}`);
    assert.equal(scene.world.api!.records.get(address)?.record.node, scene.owner(address).name);
  }
}

describe('records of nodes that hear each other', () => {
  it('follow the claims, with one write for each owner that an address gets', () => {
    const scene = new Scene({ api: true });
    const { api } = scene.world;
    assertRecorded(scene);
    assert.equal(api!.writes, scene.addresses.length);
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    node.powerOff();
    scene.run(1_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.ok(scene.outageMs() <= 160, `${scene.outageMs()} ms`);
    assertRecorded(scene);
    assert.equal(api!.writes, scene.addresses.length + owned);
    node.start();
    scene.run(3_000);
    faults.drain(scene.world, scene.owner(scene.addresses[0]!));
    scene.settle(6_000);
    assertRecorded(scene);
  });

  it('leave claims firm on a segment that only some of the nodes are on', () => {
    const scene = new Scene({ api: true, nodes: [[0], [0], [0], [0], [0, 1], [0, 1]], segments: 2 });
    const { process } = scene.world.nodes.at(-1)!;
    for (const address of scene.addresses)
      assert.equal(process!.core.ownerOf(address, 'eth1')?.firm, true, `${address} on the smaller segment`);
  });

  it('wait while the API server is down, and nothing else does', () => {
    const scene = new Scene({ api: true });
    const up = faults.apiDown(scene.world);
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    scene.run(60_000);
    scene.assertNothingMoved();
    assert.equal(scene.outageMs(), 0);
    scene.watch();
    node.powerOff();
    scene.run(1_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.ok(scene.outageMs() <= 160, `${scene.outageMs()} ms`);
    up();
    scene.settle(5_000);
    assertRecorded(scene);
  });
});

describe('switches that pass no heartbeats', () => {
  it('from the start: each address has one owner, that of its record', () => {
    const scene = new Scene({ api: true }, false);
    const pass = faults.filterPeers(scene.world, scene.world.segments[0]!);
    for (const node of scene.world.nodes) node.start();
    scene.run(15_000);
    assertRecorded(scene);
    for (const node of scene.world.nodes) assert.ok(scene.owned(node).length > 0, `${node.name} has its share`);
    scene.watch();
    scene.run(60_000);
    scene.assertNothingMoved();
    pass();
    scene.settle(6_000);
    scene.assertNothingMoved();
    assert.equal(scene.log.longestTwoMs, 0);
  });

  it('an address goes to a node that may own it, though the one that is recorded lives', () => {
    const services = (...nodes: string[]) => [{ name: 'local', addresses: serviceIps(1), interfaces: null, nodes }];
    const scene = new Scene({ api: true, services: services('n0') }, false);
    faults.filterPeers(scene.world, scene.world.segments[0]!);
    for (const node of scene.world.nodes) node.start();
    scene.run(15_000);
    assert.equal(scene.owner(scene.addresses[0]!).name, 'n0');
    faults.configure(scene.world, { services: services('n1'), probing: 'fast' }, 100);
    scene.run(1_000);
    assert.equal(scene.owner(scene.addresses[0]!).name, 'n1');
    scene.run(5_000);
    assertRecorded(scene);
  });

  it('a node that dies is replaced when its session is over', () => {
    const scene = new Scene({ api: true }, false);
    faults.filterPeers(scene.world, scene.world.segments[0]!);
    for (const node of scene.world.nodes) node.start();
    scene.run(15_000);
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    scene.watch([]);
    node.powerOff();
    scene.run(29_000);
    scene.assertNothingMoved();
    scene.run(25_000);
    scene.assertOnlyMovedFrom(node, owned);
    assertRecorded(scene);
  });

  it('from some moment on: whoever took over what lives is told so by the record', () => {
    const scene = new Scene({ api: true });
    scene.watch([]);
    const pass = faults.filterPeers(scene.world, scene.world.segments[0]!);
    scene.run(5_000);
    assertRecorded(scene);
    assert.ok(scene.log.longestTwoMs <= 2_000, `two answered for ${scene.log.longestTwoMs} ms`);
    scene.watch([]);
    scene.run(60_000);
    scene.assertNothingMoved();
    pass();
    scene.settle(6_000);
    scene.assertNothingMoved();
    assertRecorded(scene);
  });
});
