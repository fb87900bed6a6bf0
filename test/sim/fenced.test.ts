// `--takeover fenced` in virtual time: records come first. Never two nodes answer, at the price of what each scene says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress } from '../../src/net/address.js';
import * as faults from './faults.js';
import { Scene } from './scene.js';
import type { SimNode } from './sim_node.js';

const scene = (): Scene => new Scene({ takeover: 'fenced' });

function assertRecorded(scene: Scene): void {
  for (const address of scene.addresses)
    assert.equal(scene.world.api!.records.get(address)?.record.node, scene.owner(address).name, address);
}

/** How many of the scene's addresses somebody answers for. */
const answered = (scene: Scene): number =>
  scene.addresses.filter((address) => scene.world.answerersOf(scene.world.segments[0]!, address).size > 0).length;

const partition = (scene: Scene, ...away: string[]): faults.End =>
  faults.partition(scene.world, scene.world.segments[0]!, new Set(away));

const others = (scene: Scene, node: SimNode): SimNode[] => scene.world.nodes.filter((other) => other !== node);

describe('fenced', () => {
  it('new addresses are spread, each recorded before it is answered', () => {
    const at = scene();
    assertRecorded(at);
    assert.equal(at.world.api!.writes, at.addresses.length);
    for (const node of at.world.nodes) assert.ok(at.owned(node).length > 0, `${node.name} has its share`);
  });

  it('the segment is cut in two and the API server is reached from both halves: owners go on, nothing moves', () => {
    const at = scene();
    const end = partition(at, at.someOwner().node.name, 'h00-linux');
    at.run(40_000);
    at.assertNothingMoved();
    assert.equal(at.log.longestNoneMs, 0);
    end();
    at.settle(6_000);
    at.assertNothingMoved();
    assertRecorded(at);
  });

  it('a claim that waits for its record is given up at once where its node may not own the address any more', () => {
    const at = scene();
    const address = parseAddress('10.9.0.1');
    const wish = (nodes?: readonly string[]) => {
      for (const node of at.world.nodes) {
        const services = node.desired.services.filter(({ name }) => name !== 'new');
        const added = { name: 'new', addresses: [address], interfaces: null, ...(nodes && { nodes }) };
        node.configure({ ...node.desired, services: [...services, added] });
      }
    };
    const claimer = () => at.world.nodes.find(({ process }) => process!.core.ownerOf(address, 'eth0'));
    wish();
    for (let ms = 0; ms < 1_000 && !claimer(); ms += 1) at.run(1);
    const { node } = claimer()!.process!.core.ownerOf(address, 'eth0')!;
    assert.equal(at.world.answerersOf(at.world.segments[0]!, address).size, 0, 'not recorded yet');
    // Nobody could take it over in order.
    const rest = at.world.nodes.filter(({ name }) => name !== node);
    for (const other of rest) other.stall(200);
    wish(rest.map(({ name }) => name));
    at.settle(6_000);
    assert.notEqual(at.owner(address).name, node);
  });

  it('a node crashes: replaced when its session is over', () => {
    const at = scene();
    const { node } = at.someOwner();
    const owned = at.owned(node).length;
    node.powerOff();
    at.run(6_500);
    at.assertNothingMoved();
    at.run(6_000);
    at.assertOnlyMovedFrom(node, owned);
    assert.ok(at.log.longestNoneMs <= 11_500, `${at.log.longestNoneMs} ms`);
    assertRecorded(at);
    node.start();
    at.settle(20_000);
  });

  it('a node is killed and comes back: it has what is recorded of it, within seconds', () => {
    const at = scene();
    const { node } = at.someOwner();
    node.kill();
    at.run(300);
    node.start();
    at.run(3_000);
    at.assertNothingMoved();
    assert.ok(at.log.longestNoneMs <= 2_500, `${at.log.longestNoneMs} ms`);
    at.settle(20_000);
    assertRecorded(at);
  });

  it('a node loses its link: it lets go at once', () => {
    const at = scene();
    const { node } = at.someOwner();
    const owned = at.owned(node).length;
    faults.linkDown(at.world, node.nics[0]!);
    at.run(1_500);
    at.assertOnlyMovedFrom(node, owned);
    assert.ok(at.log.longestNoneMs <= 500, `${at.log.longestNoneMs} ms`);
  });

  it('SIGTERM, drain: in order, with a gap as long as two writes take', () => {
    for (const how of ['terminate', 'drain'] as const) {
      const at = scene();
      const { node } = at.someOwner();
      const owned = at.owned(node).length;
      if (how === 'terminate') node.terminate();
      else faults.drain(at.world, node);
      at.run(2_000);
      at.assertOnlyMovedFrom(node, owned);
      assert.ok(at.log.longestNoneMs <= 200, `${how}: ${at.log.longestNoneMs} ms`);
      assertRecorded(at);
    }
  });

  it('the API server is down: all go on, as long as all hear each other', () => {
    const at = scene();
    const up = faults.apiDown(at.world);
    at.run(60_000);
    at.assertNothingMoved();
    assert.equal(at.log.longestNoneMs, 0);
    up();
    at.settle(10_000);
    at.assertNothingMoved();
  });

  it('the API server is down, and a node dies: the others stop, and go on when it is back', () => {
    const at = scene();
    const up = faults.apiDown(at.world);
    at.run(20_000);
    at.someOwner().node.powerOff();
    at.run(6_000);
    assert.equal(answered(at), 0);
    up();
    at.settle(25_000);
    assert.equal(answered(at), at.addresses.length);
    assertRecorded(at);
  });

  it('a node is cut off from the API server, and then from the others: it stops before they take over', () => {
    const at = scene();
    const { node } = at.someOwner();
    const owned = at.owned(node).length;
    const reach = faults.apiCut(node);
    at.run(30_000);
    at.assertNothingMoved();
    const heal = partition(at, node.name);
    at.run(20_000);
    at.assertOnlyMovedFrom(node, owned);
    assert.equal(answered(at), at.addresses.length);
    heal();
    reach();
    at.settle(25_000);
    assertRecorded(at);
  });

  it('the control plane of a node hangs for 12 s: replaced after its session, and nothing is answered when it goes on', () => {
    const at = scene();
    const { node } = at.someOwner();
    const owned = at.owned(node).length;
    node.stall(12_000);
    at.run(15_000);
    at.assertOnlyMovedFrom(node, owned);
    at.settle(20_000);
    assertRecorded(at);
  });

  it('a node stands still for 12 s, cut off from the others or not', () => {
    for (const cut of [false, true]) {
      const at = scene();
      const { node } = at.someOwner();
      const heal = cut ? partition(at, node.name) : null;
      at.run(1_000);
      const thaw = faults.freeze(node, false);
      at.run(12_000);
      thaw();
      at.run(1_000);
      heal?.();
      at.settle(25_000);
      assertRecorded(at);
    }
  });

  it('no switch passes heartbeats: each address has one owner, replaced when it dies', () => {
    const at = scene();
    const pass = faults.filterPeers(at.world, at.world.segments[0]!);
    at.run(30_000);
    at.assertNothingMoved();
    const { node } = at.someOwner();
    const owned = at.owned(node).length;
    node.powerOff();
    at.run(25_000);
    at.assertOnlyMovedFrom(node, owned);
    pass();
    node.start();
    at.settle(20_000);
  });

  it('a watch that lags by 15 s takes nothing from who lives', () => {
    const at = scene();
    const { node } = at.someOwner();
    const end = partition(at, node.name);
    for (const other of others(at, node)) other.watchStalledUntilMs = other.machine.nowMs + 15_000;
    at.run(30_000);
    at.assertNothingMoved();
    end();
    at.settle(10_000);
  });
});
