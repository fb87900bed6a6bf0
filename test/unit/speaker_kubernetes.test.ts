// What Kubernetes brings: services that come and go one by one, nodes of last resort, and news that reach each node at
// another time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DesiredService } from '../../src/desired/desired.js';
import { type Address, parseAddress } from '../../src/net/address.js';
import { IPV4, IPV6 } from './claim_sample.js';
import { Cluster } from './cluster_driver.js';
import { Driver, desired, only, service, usable } from './speaker_driver.js';

const ADDRESSES = Array.from({ length: 6 }, (_, index) => parseAddress(`192.0.2.${index + 10}`));
const [FIRST] = ADDRESSES as [Address];
const NAMES = ['host-a', 'host-b', 'host-c'];
const SERVICES = ADDRESSES.map((address) => service(address, [address]));

function started(services: readonly DesiredService[] = SERVICES): Cluster {
  const cluster = new Cluster(services);
  for (const name of NAMES) cluster.start(name);
  cluster.run(10_000);
  return cluster;
}

const ownedBy = (cluster: Cluster, name: string) =>
  ADDRESSES.filter((address) => cluster.answering(address).includes(name));

const owner = (cluster: Cluster, address = FIRST): string => {
  const names = cluster.answering(address);
  assert.equal(names.length, 1, `${names.join(' and ') || 'nobody'} answers`);
  return names[0]!;
};

/** Lets time pass and sees that the address is answered all the while. */
function runAnswered(cluster: Cluster, ms: number, address = FIRST): void {
  for (let passed = 0; passed < ms; passed += 10) {
    cluster.run(10);
    assert.ok(cluster.answering(address).length > 0, `nobody answers after ${passed} ms`);
  }
}

describe('services told one by one', () => {
  it('that kube-proxy serves are answered within the same step where nothing is probed', () => {
    const driver = new Driver(() => 0, true);
    driver.step(usable('eth0'));
    driver.step(desired([], ['eth0'], 'none'));
    const effects = driver.step({ type: 'services', changed: [service('web', [IPV4, IPV6])], removed: [] });
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['publish', 'announce', 'changed', 'changed'],
    );
    assert.deepEqual([driver.answers(IPV4), driver.answers(IPV6)], [['eth0'], ['eth0']]);
  });

  it('serve, publish and probe what is new, and touch nothing else', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.stepServed(desired([service('web', [IPV4])]));
    driver.runUntil(10_000);
    const [claim] = driver.speaker.claims.get(IPV4) ?? [];
    const effects = driver.stepServed({ type: 'services', changed: [service('db', [IPV6])], removed: [] });
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['serve', 'publish', 'probe', 'changed'],
    );
    assert.deepEqual(only(effects, 'serve')[0]?.addresses, [IPV4, IPV6]);
    assert.equal(driver.speaker.claims.get(IPV4)?.[0], claim);
    driver.runUntil(20_000);
    assert.deepEqual([driver.answers(IPV4), driver.answers(IPV6)], [['eth0'], ['eth0']]);
    driver.stepServed({ type: 'services', changed: [], removed: ['web', 'unknown'] });
    assert.deepEqual([driver.answers(IPV4), driver.answers(IPV6)], [[], ['eth0']]);
    assert.deepEqual(driver.served?.addresses, [IPV6]);
  });

  it('publish nothing where nothing that is answered changes', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.stepServed(desired([service('web', [IPV4])]));
    driver.runUntil(10_000);
    const changed = [{ ...service('web', [IPV4]), nodes: ['host-a', 'host-b'] }];
    assert.deepEqual(driver.step({ type: 'services', changed, removed: [] }), []);
    assert.deepEqual(driver.answers(IPV4), ['eth0']);
  });

  it('follow their interfaces', () => {
    const driver = new Driver();
    driver.step(usable('eth0', 'eth1'));
    driver.stepServed(desired([service('web', [IPV4], ['eth0'])], ['eth0', 'eth1']));
    driver.runUntil(10_000);
    driver.stepServed({ type: 'services', changed: [service('web', [IPV4], ['eth1'])], removed: [] });
    driver.runUntil(20_000);
    assert.deepEqual(driver.answers(IPV4), ['eth1']);
    driver.stepServed({ type: 'interfaces', interfaces: ['eth0'] });
    assert.deepEqual(driver.answers(IPV4), []);
    driver.stepServed({ type: 'interfaces', interfaces: ['eth0', 'eth1'] });
    driver.runUntil(30_000);
    assert.deepEqual(driver.answers(IPV4), ['eth1']);
  });
});

describe('with 5,000 services', () => {
  it('a change of one that moves nothing looks at nothing else, and makes no table', () => {
    const many = Array.from({ length: 5_000 }, (_, index) => {
      const address = parseAddress(`10.0.${index >> 8}.${index & 255}`);
      return { ...service(address, [address]), nodes: NAMES };
    });
    const cluster = started(many);
    const { speaker } = cluster.node('host-a');
    const durationsMs: number[] = [];
    for (let round = 0; round < 50; round += 1) {
      const nodes = round % 2 === 0 ? ['host-a', 'host-b'] : NAMES;
      const mine = many.find(({ addresses }) => speaker.ownerOf(addresses[0]!, 'eth0')?.node === 'host-a')!;
      const startedMs = performance.now();
      const effects = speaker.step({ type: 'services', changed: [{ ...mine, nodes }], removed: [] }, cluster.nowMs);
      effects.push(...speaker.step({ type: 'tick' }, cluster.nowMs + 5_000 + round));
      durationsMs.push(performance.now() - startedMs);
      assert.deepEqual(only(effects, 'publish'), []);
    }
    durationsMs.sort((a, b) => a - b);
    // A look at all takes 10 ms.
    assert.ok(durationsMs[25]! < 1, `${durationsMs[25]} ms`);
  });
});

describe('scopes', () => {
  it('keep a node to the interfaces that its advertisements name', () => {
    const driver = new Driver();
    driver.step(usable('eth0', 'eth1'));
    const scopes = [
      { nodes: ['host-a'], interfaces: ['eth1'] },
      { nodes: ['host-b'], interfaces: ['eth0'] },
    ];
    const scoped = { ...service('web', [IPV4], ['eth0', 'eth1']), nodes: ['host-a', 'host-b'], scopes };
    driver.stepServed(desired([scoped], ['eth0', 'eth1']));
    driver.runUntil(10_000);
    assert.deepEqual(driver.answers(IPV4), ['eth1']);
    driver.stepServed({ type: 'services', changed: [{ ...scoped, scopes: scopes.slice(1) }], removed: [] });
    assert.deepEqual(driver.answers(IPV4), []);
  });
});

describe('nodes of last resort', () => {
  it('give everything away in order, and are not armed', () => {
    const cluster = started();
    cluster.lastResort(['host-a']);
    for (let round = 0; round < 150; round += 1) {
      cluster.run(10);
      for (const address of ADDRESSES) assert.ok(cluster.answering(address).length > 0);
    }
    assert.deepEqual(ownedBy(cluster, 'host-a'), []);
    assert.deepEqual(
      cluster.node('host-a').table.plans?.flatMap(({ addresses }) => addresses),
      [],
    );
    const before = ADDRESSES.map((address) => owner(cluster, address));
    cluster.lastResort([]);
    cluster.run(2_000);
    assert.deepEqual(
      ADDRESSES.map((address) => owner(cluster, address)),
      before,
      'nothing comes back by itself',
    );
  });

  it('keep what they have where all are', () => {
    const cluster = started();
    const before = ADDRESSES.map((address) => owner(cluster, address));
    cluster.effects.length = 0;
    // The API server tells of one after the other.
    cluster.lastResort(['host-a']);
    cluster.run(200);
    cluster.lastResort(['host-a', 'host-b']);
    cluster.run(200);
    cluster.lastResort(NAMES);
    cluster.run(5_000);
    assert.deepEqual(
      ADDRESSES.map((address) => owner(cluster, address)),
      before,
    );
    for (const address of ADDRESSES) assert.deepEqual(cluster.ownersSeenBy('host-b', address), []);
  });

  it('take over where nobody else is left, and give it to the first better node', () => {
    const cluster = started();
    cluster.lastResort(['host-a']);
    cluster.run(2_000);
    cluster.kill('host-b');
    cluster.kill('host-c');
    cluster.run(1_000);
    assert.deepEqual(ownedBy(cluster, 'host-a'), ADDRESSES);
    cluster.start('host-c');
    cluster.run(3_000);
    assert.deepEqual(ownedBy(cluster, 'host-c'), ADDRESSES);
  });

  it('are not moved to by command', () => {
    const cluster = started();
    const [address] = ownedBy(cluster, 'host-a') as [Address];
    cluster.lastResort(['host-b']);
    assert.match(cluster.node('host-a').speaker.moveRefusal(address, 'host-b') ?? '', /cordoned or not ready/);
  });
});

describe('a change that nodes hear of at different times', () => {
  const only = (...nodes: string[]) => [{ ...service(FIRST, [FIRST]), nodes }];

  it('the old owner first: the new one takes it as soon as it hears', () => {
    const cluster = started(only('host-a'));
    assert.equal(owner(cluster), 'host-a');
    cluster.desireAt('host-a', only('host-b'));
    runAnswered(cluster, 2_000);
    assert.equal(owner(cluster), 'host-a', 'who was not told yet does not take it');
    cluster.desireAt('host-b', only('host-b'));
    assert.equal(owner(cluster), 'host-b');
    cluster.desireAt('host-c', only('host-b'));
    runAnswered(cluster, 3_000);
    assert.equal(owner(cluster), 'host-b');
  });

  it('the new one first: it claims nothing, and takes it once the owner hears', () => {
    const cluster = started(only('host-a'));
    cluster.desireAt('host-b', only('host-b'));
    runAnswered(cluster, 2_000);
    assert.equal(owner(cluster), 'host-a');
    cluster.desireAt('host-a', only('host-b'));
    assert.equal(owner(cluster), 'host-b');
  });

  it('a node that never heard of the service', () => {
    const cluster = started(only('host-a'));
    cluster.step('host-b', { type: 'services', changed: [], removed: [FIRST] });
    cluster.desireAt('host-a', only('host-b'));
    runAnswered(cluster, 1_500);
    cluster.desireAt('host-b', only('host-b'));
    runAnswered(cluster, 100);
    assert.equal(owner(cluster), 'host-b');
  });

  it('who was told goes before who was not', () => {
    for (const informed of ['host-b', 'host-c']) {
      const cluster = started(only('host-a'));
      cluster.desireAt(informed, only('host-b', 'host-c'));
      cluster.desireAt('host-a', only('host-b', 'host-c'));
      runAnswered(cluster, 20);
      assert.equal(owner(cluster), informed);
      for (const name of NAMES) cluster.desireAt(name, only('host-b', 'host-c'));
      runAnswered(cluster, 3_000);
      assert.equal(owner(cluster), informed);
    }
  });

  it('a draining node waits for nobody who was not told', () => {
    const cluster = started(only('host-a'));
    cluster.desireAt('host-a', only('host-a', 'host-b', 'host-c'));
    cluster.desireAt('host-c', only('host-a', 'host-b', 'host-c'));
    cluster.step('host-a', { type: 'drain' });
    runAnswered(cluster, 20);
    assert.equal(owner(cluster), 'host-c');
  });

  it('who is never told is given up after 3 s', () => {
    const cluster = started(only('host-a'));
    cluster.desireAt('host-a', only('host-b'));
    runAnswered(cluster, 2_900);
    cluster.run(300);
    assert.deepEqual(cluster.answering(FIRST), []);
  });

  it('an owner that dies meanwhile is replaced by who may', () => {
    const cluster = started(only('host-a'));
    cluster.desireAt('host-a', only('host-b'));
    cluster.run(500);
    cluster.kill('host-a');
    cluster.run(500);
    assert.ok(!cluster.answering(FIRST).includes('host-b'));
    cluster.desireAt('host-b', only('host-b'));
    cluster.run(500);
    assert.equal(owner(cluster), 'host-b');
  });
});
