// Every row of what others do badly (keepalived, ucarp, memberlist, MetalLB) as a scenario in virtual time: who owns
// what afterwards, how often owners change, and for how long packets are lost.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as faults from './faults.js';
import { Scene } from './scene.js';
import { followsAnnouncements } from './sim_host.js';

/** Detection takes 100 to 150 ms at the default; then announcements are on their way. */
const NODE_GONE_MS = 160;

describe('a node is gone', () => {
  it('power loss: its addresses are taken over within the detection time, each once', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    node.powerOff();
    scene.run(1_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.ok(scene.outageMs() <= NODE_GONE_MS, `${scene.outageMs()} ms`);
    scene.settle();
  });

  it('it comes back: no owner changes, nothing is lost', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    node.powerOff();
    scene.run(3_000);
    scene.watch();
    node.start();
    scene.run(15_000);
    scene.assertNothingMoved();
    assert.equal(scene.outageMs(), 0);
    scene.settle();
    assert.equal(scene.owned(node).length, 0);
  });

  it('kill -9: the kernel serves on until the successor answers; on return nothing flaps back', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    node.kill();
    scene.run(1_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.equal(scene.outageMs(), 0);
    assert.ok(scene.log.longestNoneMs <= NODE_GONE_MS, `${scene.log.longestNoneMs} ms`);
    scene.watch();
    node.start();
    scene.settle(15_000);
    scene.assertNothingMoved();
    assert.equal(scene.outageMs(), 0);
  });

  it('JavaScript of the successor stands still for a second: the outage is the same', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    for (const other of scene.world.nodes) if (other !== node) other.stall(1_000);
    const owned = scene.owned(node).length;
    node.powerOff();
    scene.run(900);
    assert.equal(scene.log.changes.length, owned);
    assert.ok(scene.outageMs() <= NODE_GONE_MS, `${scene.outageMs()} ms`);
    scene.run(3_000);
    scene.assertOnlyMovedFrom(node, owned);
    scene.settle();
  });

  it('one after the other, until one is left: it has everything', () => {
    const scene = new Scene({ nodes: 4, addresses: 12 });
    for (const node of scene.world.nodes.slice(1)) {
      node.powerOff();
      scene.run(2_000);
    }
    assert.equal(scene.owned(scene.world.nodes[0]!).length, 12);
    scene.settle();
  });

  it('two at once', () => {
    const scene = new Scene({ nodes: 4, addresses: 12 });
    scene.world.nodes[0]!.powerOff();
    scene.world.nodes[1]!.powerOff();
    scene.settle();
    // What was armed for the one by the other goes the long way, through JavaScript.
    assert.ok(scene.outageMs() <= NODE_GONE_MS + 100, `${scene.outageMs()} ms`);
  });
});

describe('planned moves lose nothing', () => {
  it('SIGTERM: handed over before it ends', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    node.terminate();
    scene.run(2_000);
    assert.equal(node.running, false);
    scene.assertOnlyMovedFrom(node, owned);
    assert.equal(scene.outageMs(), 0);
    assert.ok(scene.log.longestNoneMs <= 60, `unanswered for ${scene.log.longestNoneMs} ms`);
    assert.ok(scene.log.longestTwoMs <= 50, `two answered for ${scene.log.longestTwoMs} ms`);
    scene.settle();
  });

  it('SIGTERM, and it starts again: its addresses stay where they are', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    node.terminate();
    scene.run(1_000);
    node.start();
    scene.settle(12_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.equal(scene.outageMs(), 0);
  });

  it('SIGTERM of the last node ends it within its deadline', () => {
    const scene = new Scene({ nodes: 1 });
    scene.world.nodes[0]!.terminate();
    scene.run(3_500);
    assert.equal(scene.world.nodes[0]!.running, false);
  });

  it('drain gives everything away, undrain takes nothing back', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    const undrain = faults.drain(scene.world, node);
    scene.run(2_000);
    assert.equal(scene.owned(node).length, 0);
    scene.assertOnlyMovedFrom(node, owned);
    assert.equal(scene.outageMs(), 0);
    assert.ok(scene.log.longestNoneMs <= 60, `unanswered for ${scene.log.longestNoneMs} ms`);
    scene.watch();
    undrain();
    scene.settle(10_000);
    scene.assertNothingMoved();
  });

  it('all nodes are drained: who has an address keeps it', () => {
    const scene = new Scene();
    for (const node of scene.world.nodes) faults.drain(scene.world, node);
    scene.settle(6_000);
    assert.equal(scene.outageMs(), 0);
  });

  it('move, asked of a third node', () => {
    const scene = new Scene();
    const { node, address } = scene.someOwner();
    const [to, third] = scene.world.nodes.filter((other) => other !== node);
    faults.move(scene.world, third!, address, to!);
    scene.run(1_000);
    assert.equal(scene.owner(address), to);
    scene.assertOnlyMovedFrom(node, 1);
    assert.equal(scene.outageMs(), 0);
    scene.settle();
  });

  it('a configuration that forbids the owner moves its address', () => {
    const scene = new Scene({ addresses: 1 });
    const { node, address } = scene.someOwner();
    const nodes = scene.world.nodes.filter((other) => other !== node).map(({ name }) => name);
    const services = [{ name: 's', addresses: [address], interfaces: null, nodes }];
    faults.configure(scene.world, { services, probing: 'fast' }, 300);
    scene.run(3_000);
    assert.notEqual(scene.owner(address), node);
    scene.assertOnlyMovedFrom(node, 1);
    assert.equal(scene.outageMs(), 0);
    scene.settle();
  });
});

describe('links', () => {
  it('the link of the owner fails, and returns: taken over once, and stays', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    const up = faults.linkDown(scene.world, node.nics[0]!);
    scene.run(3_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.ok(scene.outageMs() <= NODE_GONE_MS, `${scene.outageMs()} ms`);
    scene.watch();
    up();
    scene.settle(12_000);
    scene.assertNothingMoved();
    assert.equal(scene.outageMs(), 0);
    assert.equal(scene.log.longestTwoMs, 0);
  });

  it('the switch stops forwarding for the owner, carrier stays; then its port is back', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    const back = faults.cut(scene.world, node.nics[0]!, 'both');
    scene.run(3_000);
    assert.ok(scene.outageMs() <= NODE_GONE_MS, `${scene.outageMs()} ms`);
    scene.watch();
    back();
    scene.run(1_000);
    assert.ok(scene.log.longestTwoMs <= 3_300, `${scene.log.longestTwoMs} ms`);
    assert.equal(scene.outageMs(), 0);
    scene.settle();
    assert.equal(scene.owned(node).length, 0, `${owned} were taken over`);
  });

  it('an isolated node that owns nothing returns: no owner changes', () => {
    for (const direction of ['both', 'mute', 'deaf'] as const) {
      for (const awayMs of [300, 2_000, 20_000]) {
        const scene = new Scene();
        const idle = scene.world.nodes[2]!;
        idle.powerOff();
        scene.run(1_000);
        idle.start();
        scene.run(4_000);
        assert.equal(scene.owned(idle).length, 0);
        scene.watch(scene.world.hosts.filter(({ kind }) => kind !== 'router' || direction !== 'deaf'));
        const back = faults.cut(scene.world, idle.nics[0]!, direction);
        scene.run(awayMs);
        back();
        scene.settle(5_000);
        scene.assertNothingMoved();
        if (direction !== 'deaf') assert.equal(scene.outageMs(), 0, `${direction} for ${awayMs} ms`);
      }
    }
  });

  it('a flapping link of an owner: at most one change in ten flaps', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    for (let flap = 0; flap < 10; flap += 1) {
      const up = faults.linkDown(scene.world, node.nics[0]!);
      scene.run(400);
      up();
      scene.run(1_600);
    }
    scene.settle();
    assert.ok(scene.log.changes.length <= owned, scene.log.changes.join('\n'));
  });

  it('flaps shorter than the detection time move nothing', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    for (let flap = 0; flap < 10; flap += 1) {
      const up = faults.linkDown(scene.world, node.nics[0]!);
      scene.run(40);
      up();
      scene.run(1_960);
    }
    scene.assertNothingMoved();
    scene.settle();
  });

  it('an owner that nobody hears gives way', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const back = faults.cut(scene.world, node.nics[0]!, 'mute');
    scene.run(1_000);
    assert.equal(scene.owned(node).length, 0);
    assert.ok(scene.log.longestTwoMs <= 150, `${scene.log.longestTwoMs} ms`);
    back();
    scene.settle(6_000);
    assert.equal(scene.owned(node).length, 0);
  });

  it('one of two interfaces fails: only what is on that segment moves', () => {
    const scene = new Scene({
      nodes: [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
      segments: 2,
      addresses: 9,
    });
    const node = scene.owner(scene.addresses[0]!, 0);
    const owned = scene.owned(node, 0).length;
    const up = faults.linkDown(scene.world, node.nics[0]!);
    scene.run(2_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.ok(scene.log.changes.every((change) => change.includes('segment0')));
    up();
    scene.settle(5_000);
    scene.assertOnlyMovedFrom(node, owned);
  });
});

describe('partitions', () => {
  it('each side is served; after the heal one owner is left, and the far clients follow at once', () => {
    for (const awayMs of [1_000, 10_000]) {
      const scene = new Scene({ addresses: 9 });
      const [near, far] = [scene.host('linux'), scene.host('router')];
      const lonely = scene.owner(scene.addresses[0]!);
      const owned = scene.owned(lonely).length;
      const heal = faults.partition(scene.world, scene.world.segments[0]!, new Set([lonely.name, far.name]));
      scene.run(awayMs);
      scene.watch([near, far]);
      heal();
      scene.settle(5_000);
      assert.equal(scene.outageMs(), 0);
      assert.equal(scene.owned(lonely).length, 0, `${owned} were taken over by the majority`);
      for (const address of scene.addresses) {
        for (const host of [near, far]) {
          assert.equal(host.macOf(address), scene.owner(address).nics[0]!.mac);
          assert.ok(followsAnnouncements(host.kind));
        }
      }
    }
  });

  it('two against two: one owner is left for each address, none is silent', () => {
    const scene = new Scene({ nodes: 4, addresses: 12 });
    const heal = faults.partition(
      scene.world,
      scene.world.segments[0]!,
      new Set(['n0', 'n1', scene.host('linux').name]),
    );
    scene.run(5_000);
    heal();
    scene.settle(5_000);
  });

  it('two nodes: the owner keeps what it has', () => {
    const scene = new Scene({ nodes: 2 });
    const before = scene.addresses.map((address) => scene.owner(address).name);
    const heal = faults.partition(scene.world, scene.world.segments[0]!, new Set(['n0']));
    scene.run(5_000);
    heal();
    scene.settle(5_000);
    assert.deepEqual(
      scene.addresses.map((address) => scene.owner(address).name),
      before,
    );
  });
});

describe('nodes that stand still', () => {
  it('VM stop: taken over; when it goes on it answers nothing', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    const goOn = faults.freeze(node, false);
    scene.run(2_000);
    scene.assertOnlyMovedFrom(node, owned);
    goOn();
    scene.settle(5_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.equal(scene.log.longestTwoMs, 0);
  });

  it('VM stop that its clock does not notice: two answer only until it hears of it', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const goOn = faults.freeze(node, true);
    scene.run(2_000);
    scene.watch();
    goOn();
    scene.settle(5_000);
    assert.ok(scene.log.longestTwoMs <= 250, `${scene.log.longestTwoMs} ms`);
    assert.equal(scene.owned(node).length, 0);
  });

  it('JavaScript of the owner hangs: it leaves the segment after the life of its table', () => {
    const scene = new Scene();
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    node.stall(9_000);
    scene.run(4_000);
    scene.assertNothingMoved();
    scene.run(4_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.equal(scene.log.longestTwoMs, 0);
    assert.equal(scene.outageMs(), 0);
    scene.settle(8_000);
    scene.assertOnlyMovedFrom(node, owned);
  });

  it('JavaScript stands still for 4 s: nothing happens', () => {
    const scene = new Scene();
    scene.someOwner().node.stall(4_000);
    scene.settle(8_000);
    scene.assertNothingMoved();
    assert.equal(scene.outageMs(), 0);
  });
});

describe('start', () => {
  it('a node joins: no owner changes', () => {
    const scene = new Scene({ nodes: 4 }, false);
    for (const node of scene.world.nodes.slice(0, 3)) node.start();
    scene.run(8_000);
    scene.watch([]);
    scene.world.nodes[3]!.start();
    scene.settle(12_000);
    scene.assertNothingMoved();
  });

  it('new addresses are spread evenly: loads differ by at most one', () => {
    const scene = new Scene({ addresses: 60 });
    const loads = scene.world.nodes.map((node) => scene.owned(node).length);
    assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, loads.join(' '));
  });

  it('a restart of a node with 20 addresses changes nothing but the owners of its own', () => {
    const scene = new Scene({ addresses: 60 });
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    node.kill();
    scene.run(300);
    node.start();
    scene.settle(12_000);
    scene.assertOnlyMovedFrom(node, owned);
  });

  it('a new service is answered within 200 ms, without probing within 60 ms', () => {
    for (const [probing, boundMs] of [
      ['fast', 200],
      ['none', 60],
    ] as const) {
      const scene = new Scene({ addresses: 3, probing });
      const added = [...scene.addresses.map((address) => [address]), [scene.addresses[0]!.replace('10.1', '10.7')]];
      const services = added.map((addresses, index) => ({ name: `s${index}`, addresses, interfaces: null }));
      const nowMs = scene.world.nowMs;
      for (const node of scene.world.nodes) node.configure({ services: services as never, probing });
      scene.run(boundMs);
      const address = added.at(-1)![0]!;
      assert.equal(scene.world.answerersOf(scene.world.segments[0]!, address as never).size, 1, `since ${nowMs}`);
      scene.settle(2_000);
    }
  });

  it('an address that is wanted no more is answered no more', () => {
    const scene = new Scene({ addresses: 3 });
    for (const node of scene.world.nodes) node.configure({ services: [], probing: 'fast' });
    scene.run(50);
    for (const address of scene.addresses) {
      assert.equal(scene.world.answerersOf(scene.world.segments[0]!, address).size, 0);
    }
  });
});

describe('clients', () => {
  it('those that ignore announcements follow the directed request within 50 ms, and confirm it', () => {
    const scene = new Scene();
    const { node, address } = scene.someOwner();
    node.powerOff();
    for (let ms = 0; ms < 1_000 && scene.log.changes.length === 0; ms += 1) scene.run(1);
    scene.run(50);
    const successor = scene.owner(address);
    for (const host of scene.world.hosts) {
      assert.equal(host.macOf(address), successor.nics[0]!.mac, host.name);
      assert.ok(successor.process!.thread.confirmed.has(`${address} ${host.ip}`), host.name);
    }
  });

  it('a client that is gone is not confirmed, and costs nothing else', () => {
    const scene = new Scene();
    const { node, address } = scene.someOwner();
    const gone = scene.host('router');
    gone.carrier = false;
    node.powerOff();
    scene.run(3_000);
    const { thread } = scene.owner(address).process!;
    assert.ok(thread.asked.has(`${address} ${gone.ip}`));
    assert.ok(!thread.confirmed.has(`${address} ${gone.ip}`));
    gone.carrier = true;
  });
});

describe('many addresses', () => {
  it('10,000 are taken over within 250 ms of detection', () => {
    const scene = new Scene({ addresses: 10_000, nodes: 3, hosts: ['linux'] });
    const { node } = scene.someOwner();
    const owned = scene.owned(node).length;
    node.powerOff();
    scene.run(150 + 250);
    assert.equal(scene.log.changes.length, owned);
    scene.settle(6_000);
    scene.assertOnlyMovedFrom(node, owned);
    assert.ok(scene.outageMs() <= 150 + 250, `${scene.outageMs()} ms`);
  });
});
