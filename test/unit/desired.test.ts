import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { type DesiredService, desiredAddresses, nodesOn } from '../../src/desired/desired.js';
import { DesiredSet } from '../../src/desired/desired_set.js';
import { type Address, parseAddress } from '../../src/net/address.js';

const A = parseAddress('192.0.2.1');
const B = parseAddress('2001:db8::1');

function service(name: string, addresses: DesiredService['addresses'], interfaces: string[] | null = null) {
  return { name, addresses, interfaces };
}

describe('desiredAddresses', () => {
  it('is empty without services', () => assert.equal(desiredAddresses([]).size, 0));

  it('has one entry for an address, with all its services in order', () => {
    const merged = desiredAddresses([service('b', [A, B]), service('a', [A])]);
    assert.deepEqual([...merged.keys()], [A, B]);
    assert.deepEqual(merged.get(A), {
      address: A,
      services: ['b', 'a'],
      interfaces: null,
      nodes: null,
      scopes: null,
      prefer: new Map(),
    });
    assert.deepEqual(merged.get(B)?.services, ['b']);
  });

  it('joins the interfaces of services that share an address', () => {
    const merged = desiredAddresses([service('a', [A], ['eth0']), service('b', [A], ['eth1', 'eth0'])]);
    assert.deepEqual(merged.get(A)?.interfaces, new Set(['eth0', 'eth1']));
  });

  it('takes all interfaces as soon as one service names none, wherever it stands', () => {
    for (const services of [
      [service('a', [A], ['eth0']), service('b', [A]), service('c', [A], ['eth1'])],
      [service('b', [A]), service('a', [A], ['eth0'])],
    ])
      assert.equal(desiredAddresses(services).get(A)?.interfaces, null);
  });

  it('leaves its input alone', () => {
    const services = [service('a', [A], ['eth0']), service('b', [A], ['eth1'])];
    desiredAddresses(services);
    assert.deepEqual(services[0]?.interfaces, ['eth0']);
  });

  it('means the same in every order of the services', () => {
    const address = fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3', '2001:db8::1').map(parseAddress);
    const services = fc.uniqueArray(
      fc.record({
        name: fc.stringMatching(/^[a-z]{1,4}$/),
        addresses: fc.uniqueArray(address),
        interfaces: fc.option(fc.uniqueArray(fc.constantFrom('eth0', 'eth1', 'eth2'), { minLength: 1 })),
      }),
      { selector: ({ name }) => name },
    );
    const meaning = (list: DesiredService[]) =>
      [...desiredAddresses(list).values()]
        .map((entry) => ({
          ...entry,
          services: [...entry.services].sort(),
          interfaces: entry.interfaces && [...entry.interfaces].sort(),
        }))
        .sort((a, b) => (a.address < b.address ? -1 : 1));
    const shuffled = services.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
    );
    fc.assert(fc.property(shuffled, ([list, other]) => assert.deepEqual(meaning(other), meaning(list))));
  });
});

test('a shared address goes only where all of its services may be, and weights add up', () => {
  const merged = desiredAddresses([
    { name: 'a', addresses: [A], interfaces: null, nodes: ['x', 'y'], prefer: [{ node: 'y', weight: 10 }] },
    { name: 'b', addresses: [A], interfaces: null, nodes: ['y', 'z'], prefer: [{ node: 'y', weight: 5 }] },
    { name: 'c', addresses: [A], interfaces: null },
  ]);
  assert.deepEqual(merged.get(A)?.nodes, new Set(['y']));
  assert.deepEqual(merged.get(A)?.prefer, new Map([['y', 15]]));
});

describe('scopes', () => {
  const on = (services: readonly DesiredService[], name: string) => {
    const wish = desiredAddresses(services).get(A)!;
    const nodes = nodesOn(wish, name);
    return nodes && [...nodes].sort();
  };
  const scoped: DesiredService = {
    name: 'a',
    addresses: [A],
    interfaces: ['eth0', 'eth1'],
    nodes: ['x', 'y', 'z'],
    scopes: [
      { nodes: ['x', 'y'], interfaces: ['eth0'] },
      { nodes: ['z'], interfaces: ['eth1'] },
      { nodes: ['y'], interfaces: ['eth1'] },
    ],
  };

  it('give each interface its nodes', () => {
    assert.deepEqual(on([scoped], 'eth0'), ['x', 'y']);
    assert.deepEqual(on([scoped], 'eth1'), ['y', 'z']);
    assert.deepEqual(on([scoped], 'eth2'), []);
  });

  it('of no nodes or interfaces mean all', () => {
    const all = { ...scoped, interfaces: null, nodes: null, scopes: [{ nodes: null, interfaces: null }] };
    assert.equal(on([all], 'eth7'), null);
    assert.deepEqual(on([{ ...all, nodes: ['x'] }], 'eth7'), ['x']);
  });

  it('join those of a service that shares the address, but not its nodes', () => {
    const plain: DesiredService = { name: 'b', addresses: [A], interfaces: ['eth1'], nodes: ['x', 'z'] };
    assert.deepEqual(on([scoped, plain], 'eth0'), ['x']);
    assert.deepEqual(on([plain, scoped], 'eth1'), ['x', 'z']);
  });
});

describe('DesiredSet', () => {
  const address = fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3', '2001:db8::1').map(parseAddress);
  const names = fc.constantFrom('x', 'y', 'z');
  const desiredService: fc.Arbitrary<DesiredService> = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    addresses: fc.uniqueArray(address, { maxLength: 3 }),
    interfaces: fc.option(fc.uniqueArray(fc.constantFrom('eth0', 'eth1'), { minLength: 1 }), { nil: null }),
    nodes: fc.option(fc.uniqueArray(names), { nil: null }),
    prefer: fc.array(fc.record({ node: names, weight: fc.integer({ min: 1, max: 9 }) }), { maxLength: 2 }),
  });
  const list = fc.uniqueArray(desiredService, { selector: ({ name }) => name });
  const change = fc.record({ changed: list, removed: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e')) });
  const byAddress = (addresses: ReadonlyMap<Address, { services: readonly string[] }>) =>
    [...addresses]
      .map(([key, wish]) => [key, { ...wish, services: [...wish.services].sort() }] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));

  it('changed service by service is what it is when told as a whole', () => {
    fc.assert(
      fc.property(list, fc.array(change, { maxLength: 4 }), (first, changes) => {
        const set = new DesiredSet();
        set.replace(first);
        const whole = new Map(first.map((service) => [service.name, service]));
        for (const { changed, removed } of changes) {
          const before = new Map(set.addresses);
          const touched = set.change(changed, removed);
          for (const name of removed) whole.delete(name);
          for (const service of changed) whole.set(service.name, service);
          assert.deepEqual(byAddress(set.addresses), byAddress(desiredAddresses([...whole.values()])));
          for (const [key, wish] of set.addresses) if (!touched.has(key)) assert.equal(wish, before.get(key));
          for (const key of before.keys()) if (!touched.has(key)) assert.ok(set.addresses.has(key));
        }
      }),
    );
  });

  it('makes equal lists of nodes one set', () => {
    const set = new DesiredSet();
    set.replace([
      { name: 'a', addresses: [A], interfaces: null, nodes: ['x', 'y'] },
      { name: 'b', addresses: [B], interfaces: null, nodes: ['x', 'y'] },
    ]);
    assert.equal(set.addresses.get(A)?.nodes, set.addresses.get(B)?.nodes);
  });
});
