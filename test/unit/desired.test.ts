import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { type DesiredService, desiredAddresses } from '../../src/desired/desired.js';
import { parseAddress } from '../../src/net/address.js';

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
