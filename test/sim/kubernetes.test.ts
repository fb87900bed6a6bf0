// What Kubernetes brings, in virtual time: endpoints move, nodes are cordoned, and each node hears of it when its watch
// tells it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DesiredService, DesiredState } from '../../src/desired/desired.js';
import { Scene, serviceIp, serviceIps } from './scene.js';

const [ADDRESS] = serviceIps(1);

/** A service with `externalTrafficPolicy: Local` whose endpoints are on these nodes. */
function local(...nodes: string[]): DesiredState {
  const services = [{ name: 'default/local', addresses: [ADDRESS!], interfaces: null, nodes }];
  return { services, probing: 'fast' };
}

/** Each node hears of the change after so long. */
function tell(scene: Scene, desired: DesiredState, delaysMs: readonly number[]): void {
  scene.world.nodes.forEach((node, index) => {
    scene.world.queue.after(delaysMs[index]!, () => {
      for (const other of scene.world.nodes) other.commandedMs = scene.world.nowMs;
      node.configure(desired);
    });
  });
}

describe('endpoints of a service with externalTrafficPolicy: Local', () => {
  for (const [what, delaysMs] of [
    ['both nodes hear of it at once', [0, 0, 0]],
    ['the new owner hears of it 2 s later', [0, 2_000, 500]],
    ['the old owner hears of it 2 s later', [2_000, 0, 500]],
    ['they hear of it half a second apart', [500, 1_000, 0]],
  ] as const) {
    it(`move: ${what}`, () => {
      const scene = new Scene({ services: local('n0').services });
      assert.equal(scene.owner(ADDRESS!).name, 'n0');
      tell(scene, local('n1'), delaysMs);
      scene.run(Math.max(delaysMs[0], delaysMs[1]) + 10);
      assert.equal(scene.owner(ADDRESS!).name, 'n1', 'within 10 ms of the later of the two');
      assert.equal(scene.log.longestNoneMs, 0);
      assert.ok(scene.log.longestTwoMs <= 25, `two answered for ${scene.log.longestTwoMs} ms`);
      scene.settle(6_000);
      assert.equal(scene.log.changes.length, 1);
    });
  }

  it('move to two nodes: who was told takes it, though placement names the other', () => {
    for (const late of [1, 2]) {
      const scene = new Scene({ services: local('n0').services });
      tell(scene, local('n1', 'n2'), late === 1 ? [0, 2_000, 0] : [0, 0, 2_000]);
      scene.run(20);
      assert.equal(scene.owner(ADDRESS!).name, late === 1 ? 'n2' : 'n1');
      scene.settle(8_000);
      assert.equal(scene.log.changes.length, 1);
    }
  });

  it('go and come back: its owner is there again as soon as it hears', () => {
    const scene = new Scene({ services: local('n0').services });
    tell(scene, local(), [0, 100, 300]);
    scene.run(1_000);
    assert.equal(scene.world.answerersOf(scene.world.segments[0]!, ADDRESS!).size, 0);
    tell(scene, local('n2'), [0, 100, 300]);
    scene.run(300 + 20);
    assert.equal(scene.owner(ADDRESS!).name, 'n2');
    scene.settle(6_000);
  });

  it('wander from node to node while the watches lag: one owner, and nobody without cause', () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const scene = new Scene({ seed, services: local('n0').services });
      for (let move = 1; move <= 6; move += 1) {
        const { random } = scene.world;
        const delays = [0, 1, 2].map(() => random.between(0, 2_000));
        // Each watch tells in order.
        tell(scene, local(`n${move % 3}`), delays);
        scene.run(Math.max(...delays) + 50);
        assert.equal(scene.owner(ADDRESS!).name, `n${move % 3}`, `seed ${seed}`);
      }
      scene.settle(6_000);
      assert.equal(scene.log.longestNoneMs, 0, `seed ${seed}`);
      assert.ok(scene.log.longestTwoMs <= 25, `seed ${seed}: two answered for ${scene.log.longestTwoMs} ms`);
    }
  });
});

describe('nodes of last resort', () => {
  const services: DesiredService[] = Array.from({ length: 9 }, (_, index) => ({
    name: `s${index}`,
    addresses: [serviceIp(index)],
    interfaces: null,
  }));
  const cordoned = (...lastResort: string[]): DesiredState => ({ services, probing: 'fast', lastResort });

  it('cordon: everything moves in order, nothing is lost, and nothing moves back', () => {
    const scene = new Scene({ services });
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    tell(scene, cordoned(node.name), [0, 200, 100]);
    scene.settle(3_000);
    assert.equal(scene.owned(node).length, 0);
    scene.assertOnlyMovedFrom(node, owned);
    assert.equal(scene.outageMs(), 0);
    scene.watch();
    tell(scene, cordoned(), [100, 0, 200]);
    scene.settle(6_000);
    scene.assertNothingMoved();
  });

  it('all nodes are NotReady, told one after the other: nothing moves', () => {
    const scene = new Scene({ services });
    const names = scene.world.nodes.map(({ name }) => name);
    for (let count = 1; count <= 3; count += 1) {
      tell(scene, cordoned(...names.slice(0, count)), [0, 30, 60]);
      scene.run(100);
    }
    scene.settle(6_000);
    scene.assertNothingMoved();
    assert.equal(scene.outageMs(), 0);
  });

  it('the last one left takes over, and gives it back to a node that is Ready', () => {
    const scene = new Scene({ services });
    tell(scene, cordoned('n0'), [0, 0, 0]);
    scene.run(2_000);
    scene.world.nodes[1]!.powerOff();
    scene.world.nodes[2]!.powerOff();
    scene.run(1_500);
    assert.equal(scene.owned(scene.world.nodes[0]!).length, 9);
    scene.watch();
    scene.world.nodes[2]!.start();
    scene.settle(8_000);
    assert.equal(scene.owned(scene.world.nodes[2]!).length, 9);
    assert.equal(scene.outageMs(), 0);
  });
});
