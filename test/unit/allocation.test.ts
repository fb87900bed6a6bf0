// What MetalLB's cases leave open: the order of things, what is told when, and moments between two writes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Allocator } from '../../src/allocation/allocator.js';
import { parseAddress } from '../../src/net/address.js';
import { keyOf, type RawPool, type RawService } from './allocation_case.js';
import { configurationOf, World } from './allocation_world.js';

const POOL: RawPool = { name: 'pool', spec: { addresses: ['192.0.2.1-192.0.2.2'] } };
const SINGLE: RawPool = { name: 'pool', spec: { addresses: ['192.0.2.1/32'] } };

function service(
  name: string,
  {
    sharing = '',
    ask = '',
    pool = '',
    ports = [80],
    ...spec
  }: Record<string, unknown> & { sharing?: string; ask?: string; pool?: string; ports?: number[] } = {},
): RawService {
  return {
    namespace: 'default',
    name,
    annotations: {
      ...(sharing === '' ? {} : { 'metallb.io/allow-shared-ip': sharing }),
      ...(ask === '' ? {} : { 'metallb.io/loadBalancerIPs': ask }),
      ...(pool === '' ? {} : { 'metallb.io/address-pool': pool }),
    },
    spec: {
      type: 'LoadBalancer',
      clusterIPs: ['10.96.0.1'],
      ipFamilyPolicy: 'SingleStack',
      ports: ports.map((port) => ({ protocol: 'TCP', port })),
      ...spec,
    },
  };
}

const recorded = (raw: RawService, ...addresses: string[]): RawService => ({
  ...raw,
  status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } },
});

function worldOf(pools: readonly RawPool[], ...services: readonly RawService[]): World {
  const world = new World();
  world.setPools(pools);
  for (const each of services) world.apply(each);
  world.settle();
  return world;
}

const addressesOf = (world: World) => [...world.services.keys()].sort().map((key) => world.shown(key).addresses.join());
const DUAL = { clusterIPs: ['10.96.0.1', 'fd00::1'], ipFamilyPolicy: 'PreferDualStack' };

describe('Allocator', () => {
  it('decides nothing before the first configuration', () => {
    const world = new World();
    world.apply(recorded(service('a'), '192.0.2.1'));
    assert.deepEqual(world.allocator.decide(), []);
    assert.equal(world.allocator.allocationOf('default/a'), null);
    assert.deepEqual(world.allocator.usage(), []);
    world.setPools([POOL]);
    assert.equal(world.allocator.decide().length, 1);
    assert.deepEqual(world.decided('default/a').addresses, ['192.0.2.1']);
  });

  it('tells of a service again only when there is something to do or to say', () => {
    const world = worldOf([SINGLE], service('a'), service('b'));
    assert.deepEqual(
      world.changes.map(({ service, allocation }) => [service.name, allocation?.error]),
      [
        ['a', null],
        ['b', 'pool-exhausted'],
      ],
    );
    world.apply({ ...service('b'), labels: { some: 'label' } });
    world.apply({ ...service('a'), labels: { some: 'label' } });
    world.settle();
    assert.deepEqual(world.changes, []);
    world.setPools([SINGLE]);
    world.settle();
    assert.deepEqual(world.changes, []);
  });

  it('says again what stands in no object when it is started anew', () => {
    const world = worldOf([SINGLE], service('a'), service('b'));
    world.restart();
    world.settle();
    assert.deepEqual(
      world.changes.map(({ service, allocation, before }) => [service.name, allocation?.error, before]),
      [['b', 'pool-exhausted', null]],
    );
  });

  it('tells again of a service whose object still does not say what was decided', () => {
    const world = new World();
    world.setPools([POOL]);
    world.apply(service('a'));
    assert.equal(world.allocator.decide().length, 1);
    assert.equal(world.allocator.decide().length, 0);
    world.apply({ ...service('a'), labels: { some: 'label' } });
    const [change] = world.allocator.decide();
    assert.deepEqual(change?.allocation?.addresses, ['192.0.2.1']);
    assert.deepEqual(change?.before?.addresses, ['192.0.2.1']);
  });

  it('tells who waits for an address when another one has it now', () => {
    const ask = { ask: '192.0.2.1' };
    const world = worldOf([SINGLE], service('b'), service('c', ask), service('d', ask));
    world.delete('default/b');
    world.settle();
    assert.deepEqual(
      world.changes.map(({ service, allocation }) => [service.name, allocation?.message?.match(/by service \S+/)?.[0]]),
      [
        ['c', undefined],
        ['d', 'by service default/c;'],
      ],
    );
  });

  it('says nothing twice about an object of the same version', () => {
    const world = new World();
    world.setPools([POOL]);
    world.apply(recorded(service('a', { type: 'NodePort' }), '198.51.100.1'));
    world.apply(service('b'));
    const objects = world.allocator.decide().map(({ service }) => ({ ...service, resourceVersion: '7' }));
    const tell = () => {
      for (const object of objects) world.allocator.setService(object);
      return world.allocator.decide().length;
    };
    assert.deepEqual([tell(), tell()], [2, 0]);
    world.setPools([]);
    assert.deepEqual(
      world.allocator.decide().map(({ service }) => service.name),
      ['b'],
    );
  });

  it('mends a status that somebody else wrote', () => {
    const world = worldOf([POOL], service('a'), service('b'));
    world.apply(recorded(service('a'), '192.0.2.2'));
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.2']);
    world.apply(recorded(service('a'), 'nonsense'));
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.2']);
  });

  it('does not rewrite a status that says the same otherwise', () => {
    const both = { name: 'pool', spec: { addresses: ['192.0.2.1/32', '2001:db8::1/128'] } };
    const world = worldOf([both], service('a', DUAL));
    world.apply(recorded(service('a', DUAL), '2001:DB8:0::1', '192.0.2.1'));
    world.settle();
    assert.deepEqual(world.changes, []);
  });

  it('serves the waiting in order of their names, and those who held something first', () => {
    const world = worldOf([SINGLE], service('c'), service('b'), service('a'));
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '', '']);
    world.delete('default/a');
    world.apply(service('a'));
    world.settle();
    assert.deepEqual(addressesOf(world), ['', '192.0.2.1', '']);
  });

  it('gives an address away only when it has gone from the status of the one who lost it', () => {
    const world = worldOf([SINGLE], service('a'), service('b'));
    world.apply(service('a', { type: 'NodePort' }));
    const changes = world.allocator.decide();
    assert.deepEqual(
      changes.map(({ service, allocation }) => [service.name, allocation]),
      [['a', null]],
    );
    assert.equal(world.decided('default/b').error, 'pool-exhausted');
    world.write(changes[0]!);
    assert.deepEqual(
      world.allocator.decide().map(({ service, allocation }) => [service.name, allocation?.addresses]),
      [['b', ['192.0.2.1']]],
    );
  });

  it('gives an address away only when a write that may still happen can no longer bring it back', () => {
    const world = new World();
    world.setPools([SINGLE]);
    world.apply(service('a'));
    const [granted] = world.allocator.decide();
    world.setPools([]);
    world.allocator.decide();
    world.setPools([SINGLE]);
    world.apply(service('0-first'));
    // Somebody is on the way to write it into the first.
    assert.deepEqual(
      world.allocator.decide().map(({ service }) => service.name),
      ['0-first', 'a'],
    );
    assert.equal(world.decided('default/0-first').error, 'pool-exhausted');
    assert.deepEqual(world.decided('default/a').addresses, ['192.0.2.1']);
    world.write(granted!);
    world.settle();
    assert.deepEqual(addressesOf(world), ['', '192.0.2.1']);
  });

  it('hands addresses over crosswise when two services ask for each other’s', () => {
    const world = worldOf([POOL], service('a', { ask: '192.0.2.1' }), service('b', { ask: '192.0.2.2' }));
    world.apply(service('a', { ask: '192.0.2.2' }));
    world.apply(service('b', { ask: '192.0.2.1' }));
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.2', '192.0.2.1']);
  });

  it('gives freed addresses again, the lowest first', () => {
    const world = worldOf(
      [{ name: 'pool', spec: { addresses: ['192.0.2.0/28'] } }],
      ...[...'abcdef'].map((name) => service(name)),
    );
    for (const name of ['e', 'b', 'd']) world.delete(`default/${name}`);
    for (const name of ['x', 'y', 'z']) world.apply(service(name));
    world.settle();
    assert.deepEqual(
      addressesOf(world),
      ['0', '2', '5', '1', '3', '4'].map((last) => `192.0.2.${last}`),
    );
  });

  it('does not give an address of the middle twice when it was asked for and given back', () => {
    const world = worldOf(
      [{ name: 'pool', spec: { addresses: ['192.0.2.0/29'] } }],
      service('asks', { ask: '192.0.2.3' }),
    );
    world.apply(service('a'));
    world.delete('default/asks');
    for (const name of 'bcdefgh') world.apply(service(name));
    world.settle();
    assert.deepEqual(
      addressesOf(world),
      [0, 1, 2, 3, 4, 5, 6, 7].map((last) => `192.0.2.${last}`),
    );
  });

  it('shares before it takes a free address', () => {
    const world = worldOf([POOL], service('a', { sharing: 'k' }), service('b', { sharing: 'k', ports: [443] }));
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.1']);
    world.apply(service('c', { sharing: 'k', ports: [443] }));
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.1', '192.0.2.2']);
    assert.deepEqual(
      world.allocator.usage().map(({ assignedIPv4 }) => assignedIPv4),
      [2n],
    );
  });

  it('lets a waiting service share as soon as somebody has an address with its key', () => {
    const world = worldOf([SINGLE], service('a'), service('z', { sharing: 'k', ports: [443] }));
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '']);
    world.apply(service('a', { sharing: 'k' }));
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.1']);
  });

  it('lets a waiting service share when the port of one that moves away is given up', () => {
    const world = worldOf(
      [SINGLE],
      service('a', { sharing: 'k', ports: [443] }),
      service('b', { sharing: 'k' }),
      service('c', { sharing: 'k' }),
    );
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.1', '']);
    world.apply(service('b'));
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '', '192.0.2.1']);
  });

  it('leaves a shared address to the greater number when one changed its key while nobody looked', () => {
    const sharing = ['a', 'b', 'c'].map((name, index) => service(name, { sharing: 'k', ports: [80 + index] }));
    for (const changed of ['m', '']) {
      const world = worldOf([POOL], ...sharing);
      world.apply(service('a', { sharing: changed, ports: [80] }));
      world.restart();
      world.settle();
      assert.deepEqual(addressesOf(world), ['192.0.2.2', '192.0.2.1', '192.0.2.1']);
    }
  });

  it('lets a waiting service share when the port it needs is given up', () => {
    const world = worldOf([SINGLE], service('a', { sharing: 'k' }), service('b', { sharing: 'k', ask: '192.0.2.1' }));
    assert.equal(world.decided('default/b').error, 'port-conflict');
    world.apply(service('a', { sharing: 'k', ports: [443] }));
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.1']);
  });

  it('takes back only the second address when a service gives up its second family', () => {
    const both = { name: 'pool', spec: { addresses: ['192.0.2.1/32', '2001:db8::1/128'] } };
    const world = worldOf([both], service('a', DUAL));
    assert.deepEqual(addressesOf(world), ['192.0.2.1,2001:db8::1']);
    world.apply(service('a', { clusterIPs: ['fd00::1'] }));
    world.settle();
    assert.deepEqual(addressesOf(world), ['2001:db8::1']);
  });

  it('gives the second address of a service that prefers two families when one is freed', () => {
    const both = { name: 'pool', spec: { addresses: ['192.0.2.1-192.0.2.2', '2001:db8::1/128'] } };
    const world = worldOf([both], service('six', { clusterIPs: ['fd00::1'] }), service('two', DUAL));
    assert.deepEqual(addressesOf(world), ['2001:db8::1', '192.0.2.1']);
    world.delete('default/six');
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.1,2001:db8::1']);
  });

  it('keeps the first family where a pool was split between the two', () => {
    const both = { name: 'pool', spec: { addresses: ['192.0.2.1/32', '2001:db8::1/128'] } };
    const world = worldOf([both], service('a', { ...DUAL, clusterIPs: ['fd00::1', '10.96.0.1'] }));
    world.setPools([
      { name: 'four', spec: { addresses: ['192.0.2.1/32'] } },
      { name: 'six', spec: { addresses: ['2001:db8::1/128', '192.0.2.9/32'] } },
    ]);
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.9,2001:db8::1']);
    assert.equal(world.shown('default/a').pool, 'six');
  });

  it('leaves a service that is being deleted what it has, and gives it nothing new', () => {
    const world = new World();
    const configuration = configurationOf([POOL]);
    world.setPools([POOL]);
    const allocator = new Allocator({ lbClass: '' });
    allocator.setConfiguration(configuration);
    world.apply(service('a'));
    const [change] = world.allocator.decide();
    allocator.setService({ ...change!.service, deleting: true });
    allocator.setService({ ...change!.service, key: 'default/b', deleting: true, ingress: ['192.0.2.2'] });
    assert.deepEqual(
      allocator.decide().map(({ service, allocation }) => [service.key, allocation?.pool]),
      [['default/b', 'pool']],
    );
    assert.deepEqual(allocator.allocationOf('default/a')?.addresses, []);
    assert.deepEqual(allocator.allocationOf('default/b')?.addresses, ['192.0.2.2']);
  });

  it('starts afresh with an object that was deleted and made again unseen', () => {
    const world = new World();
    world.setPools([POOL]);
    world.apply(service('a', { ask: '192.0.2.2' }));
    const [change] = world.allocator.decide();
    world.allocator.setService({ ...change!.service, uid: 'another', annotations: {} });
    world.allocator.decide();
    assert.deepEqual(world.decided('default/a').addresses, ['192.0.2.1']);
  });

  it('takes its mark from what is no load balancer any more, and leaves those of other classes alone', () => {
    const world = new World('ours');
    world.setPools([POOL]);
    world.apply(recorded(service('a', { type: 'ClusterIP' }), '198.51.100.1'));
    world.apply(recorded(service('b', { loadBalancerClass: 'theirs' }), '198.51.100.2'));
    world.apply(service('c', { type: 'ClusterIP' }));
    world.settle();
    assert.deepEqual(
      world.changes.map(({ service, allocation }) => [service.name, allocation]),
      [['a', null]],
    );
  });

  it('does not give what a load balancer of another class shows', () => {
    const world = worldOf([POOL], recorded(service('b', { loadBalancerClass: 'theirs' }), '192.0.2.1'), service('c'));
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.2']);
  });

  it('gives nobody the address of a node, and takes it from nobody', () => {
    const world = new World();
    const reserved = (...addresses: string[]) =>
      world.setConfiguration({
        ...configurationOf([{ name: 'pool', spec: { addresses: ['192.0.2.1-192.0.2.4'] } }]),
        reserved: addresses.map(parseAddress),
      });
    const available = () =>
      world.allocator.usage().map(({ assignedIPv4, availableIPv4 }) => [assignedIPv4, availableIPv4]);
    reserved('192.0.2.1', '192.0.2.2');
    world.apply(recorded(service('had', { sharing: 'k' }), '192.0.2.2'));
    world.apply(service('asks', { ask: '192.0.2.1' }));
    world.apply(service('shares', { sharing: 'k', ports: [443] }));
    world.settle();
    assert.deepEqual(addressesOf(world), ['', '192.0.2.2', '192.0.2.3']);
    assert.match(world.decided('default/asks').message!, /192\.0\.2\.1 is an address of a node/);
    assert.deepEqual(available(), [[2n, 1n]]);
    world.apply(service('last'));
    world.apply(service('too-many'));
    world.delete('default/had');
    world.settle();
    assert.deepEqual(addressesOf(world), ['', '192.0.2.4', '192.0.2.3', '']);
    assert.deepEqual(available(), [[2n, 0n]]);
    reserved('192.0.2.1');
    world.settle();
    assert.deepEqual(addressesOf(world), ['', '192.0.2.4', '192.0.2.3', '192.0.2.2']);
    reserved();
    world.settle();
    assert.deepEqual(addressesOf(world), ['192.0.2.1', '192.0.2.4', '192.0.2.3', '192.0.2.2']);
    assert.deepEqual(available(), [[4n, 0n]]);
  });

  it('says what to change', () => {
    const world = worldOf(
      [POOL],
      service('a', { ask: '192.0.2.1' }),
      service('b', { ask: '192.0.2.1' }),
      service('c', { ask: '192.0.2.1,192.0.2.2' }),
      service('d', { pool: 'typo' }),
      service('e', { ask: '10.0.0.1' }),
    );
    const messageOf = (name: string) => world.decided(keyOf({ namespace: 'default', name })).message;
    assert.equal(messageOf('a'), null);
    assert.match(messageOf('b')!, /^192\.0\.2\.1 is in use by service default\/a; .*metallb\.io\/allow-shared-ip/);
    assert.match(messageOf('c')!, /at most one IPv4 and one IPv6/);
    assert.match(messageOf('d')!, /metallb\.io\/address-pool names "typo"/);
    assert.match(messageOf('e')!, /10\.0\.0\.1 is in no IPAddressPool/);
  });
});
