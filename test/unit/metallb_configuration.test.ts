// What is looked at beyond MetalLB's own cases: several mistakes at once, warnings, what the resolved configuration answers.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type ConfigurationInput,
  judgeConfiguration,
  missingInterfaces,
  poolOf,
  unadvertisedPools,
} from '../../src/metallb/configuration.js';
import type { Labels } from '../../src/kubernetes/types.js';
import { bigintToAddress, rangeContains } from '../../src/metallb/ranges.js';
import { conditionOf, problemText } from '../../src/metallb/state.js';
import type { Pool } from '../../src/metallb/types.js';
import type { Address } from '../../src/net/address.js';
import {
  advertisement,
  configurationOf,
  customResource,
  judgeInput,
  NAMESPACE,
  namespace,
  node,
  pool,
} from './metallb_sample.js';

const told = (input: Partial<ConfigurationInput>) =>
  judgeConfiguration(judgeInput(input)).problems.map(
    ({ severity, reason, name, path }) => `${severity} ${reason} ${name} ${path}`,
  );

describe('a configuration with mistakes', () => {
  it('is told all of them at once, with their places', () => {
    const input = judgeInput({
      pools: [
        pool('b', { addresses: ['192.0.2.0/24', 'nonsense', '192.0.2.9-192.0.2.1'] }),
        pool('a', { addresses: [], autoAssign: 'yes' }),
        pool('c', { addresses: '192.0.2.0/24' }),
        pool('d', undefined),
        pool('e', { addresses: ['198.51.100.0/24', 7], serviceAllocation: { priority: 1.5, namespaces: ['x', 'x'] } }),
      ],
      advertisements: [
        advertisement('adv', {
          interfaces: [''],
          nodeSelectors: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }, { matchLabels: { a: 'x y' } }],
          preferredNodeSelectors: [{ weight: 1.5, preference: {} }, { weight: 5 }],
        }),
      ],
    });
    const { configuration, problems } = judgeConfiguration(input);
    assert.equal(configuration, null);
    assert.deepEqual(
      problems.map(({ reason, name, path }) => `${reason} ${name} ${path}`),
      [
        'no-addresses a spec.addresses',
        'wrong-field a spec.autoAssign',
        'invalid-address b spec.addresses[1]',
        'range-reversed b spec.addresses[2]',
        'wrong-field c spec.addresses',
        'no-addresses d spec.addresses',
        'invalid-address e spec.addresses[1]',
        'wrong-field e spec.serviceAllocation.priority',
        'duplicate-namespace e spec.serviceAllocation.namespaces[1]',
        'invalid-selector adv spec.nodeSelectors[0].matchExpressions[0].values',
        'invalid-selector adv spec.nodeSelectors[1].matchLabels.a',
        'weight-out-of-range adv spec.preferredNodeSelectors[0].weight',
        'wrong-field adv spec.preferredNodeSelectors[1].preference',
        'wrong-field adv spec.interfaces[0]',
      ],
    );
    assert.match(
      conditionOf(problems).message,
      /^IPAddressPool metallb-system\/a: spec\.addresses: a pool needs at least/,
    );
  });

  it('names both ends of an overlap, always at the later pool', () => {
    const pools = [pool('z', { addresses: ['10.0.0.0/8'] }), pool('a', { addresses: ['10.1.0.0/16', '10.1.2.0/24'] })];
    const { problems } = judgeConfiguration(judgeInput({ pools }));
    assert.deepEqual(problems.map(problemText), [
      'IPAddressPool metallb-system/z: spec.addresses[0]: "10.0.0.0/8" overlaps with "10.1.0.0/16" of pool a; take the addresses out of one of them',
      'IPAddressPool metallb-system/z: spec.addresses[0]: "10.0.0.0/8" overlaps with "10.1.2.0/24" of pool a; take the addresses out of one of them',
    ]);
    assert.deepEqual(told({ pools: [...pools].reverse() }), told({ pools }));
  });

  it('in another namespace spoils nothing here', () => {
    const foreign = customResource({
      kind: 'IPAddressPool',
      metadata: { name: 'front', namespace: 'team' },
      spec: { addresses: ['192.0.2.0/24'] },
    });
    const own = pool('front', { addresses: ['192.0.2.0/24'] });
    const { configuration, problems } = judgeConfiguration(judgeInput({ pools: [foreign, own] }));
    assert.deepEqual(
      configuration?.pools.map(({ name }) => name),
      ['front'],
    );
    assert.deepEqual(
      problems.map(({ namespace, reason, severity }) => [namespace, reason, severity]),
      [['team', 'wrong-namespace', 'error']],
    );
  });

  it('of any kind is told, and nothing is thrown', () => {
    const keys = ['addresses', 'autoAssign', 'serviceAllocation', 'priority', 'namespaces', 'namespaceSelectors'];
    const more = ['nodeSelectors', 'interfaces', 'preferredNodeSelectors', 'preference', 'weight', 'matchLabels'];
    const key = fc.constantFrom(...keys, ...more, 'ipAddressPools', 'matchExpressions', 'key', 'operator', 'values');
    const leaf = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom('192.0.2.0/24', 'In', 'Exists', 'a', 5));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(key, tie('tree')),
      ),
    }));
    const spec = fc.dictionary(key, tree);
    fc.assert(
      fc.property(fc.oneof(spec, tree), (any) => {
        const input = judgeInput({ pools: [pool('a', any)], advertisements: [advertisement('b', any)] });
        const { configuration, problems } = judgeConfiguration(input);
        assert.equal(
          configuration === null,
          problems.some(({ severity }) => severity === 'error'),
        );
        for (const { message, path } of problems)
          assert.ok(message.length > 5 && path.length > 3, `${path}: ${message}`);
      }),
    );
  });

  it('is summed up within bounds', () => {
    const addresses = Array.from({ length: 500 }, (_, index) => `bad-${index}`);
    const { problems } = judgeConfiguration(judgeInput({ pools: [pool('a', { addresses })] }));
    assert.equal(problems.length, 500);
    assert.ok(conditionOf(problems).message.length <= 4096);
  });
});

describe('a configuration that works is warned of', () => {
  it('pools and namespaces that do not exist', () => {
    const input = {
      pools: [pool('a', { addresses: ['192.0.2.0/24'], serviceAllocation: { namespaces: ['here', 'gone'] } })],
      advertisements: [advertisement('adv', { ipAddressPools: ['a', 'b'] })],
      namespaces: [namespace('here')],
    };
    assert.deepEqual(told(input), [
      'warning unknown-namespace a spec.serviceAllocation.namespaces[1]',
      'warning unknown-pool adv spec.ipAddressPools[1]',
    ]);
    assert.deepEqual(configurationOf(input).advertisements[0]?.pools, ['a']);
    // It may be created yet.
    assert.deepEqual(configurationOf(input).pools[0]?.serviceAllocation?.namespaces, ['gone', 'here']);
    assert.equal(conditionOf(judgeConfiguration(judgeInput(input)).problems).status, 'True');
  });

  it('addresses that nodes have, which are kept from services', () => {
    const input = {
      pools: [pool('a', { addresses: ['192.0.2.0/24'] }), pool('b', { addresses: ['2001:db8::/64'] })],
      nodes: [
        node('n1', {}, ['192.0.2.11', '2001:0DB8::0:11', '64:ff9b::192.0.2.1']),
        node('n2', {}, ['192.0.2.12', '203.0.113.1']),
        ...['13', '14'].map((last) => node(`n${last}`, {}, [`192.0.2.${last}`])),
      ],
    };
    assert.deepEqual(told(input), [
      'warning overlaps-node-address a spec.addresses',
      'warning overlaps-node-address b spec.addresses',
    ]);
    assert.deepEqual(configurationOf(input).reserved, [
      '192.0.2.11',
      '192.0.2.12',
      '192.0.2.13',
      '192.0.2.14',
      '2001:db8::11',
    ]);
    const [first] = judgeConfiguration(judgeInput(input)).problems;
    assert.match(first!.message, /192\.0\.2\.11 \(n1\), 192\.0\.2\.12 \(n2\), 192\.0\.2\.13 \(n13\) and 1 more;/);
    assert.deepEqual(configurationOf({ pools: input.pools }).reserved, []);
  });

  it('advertisements that name interfaces of which the node has none', () => {
    const some = [
      advertisement('edge', {
        interfaces: ['eth0', 'ens3', 'eth0'],
        nodeSelectors: [{ matchLabels: { edge: 'yes' } }],
      }),
      advertisement('all'),
    ];
    const configuration = configurationOf({ advertisements: some });
    assert.deepEqual(configuration.advertisements[1]?.interfaces, ['eth0', 'ens3']);
    const missing = (labels: Labels, present: string[]) =>
      missingInterfaces(configuration, node('n1', labels), present, NAMESPACE);
    assert.deepEqual(missing({ edge: 'yes' }, ['eth1', 'ens3']), []);
    assert.deepEqual(missing({}, ['eth1']), []);
    assert.deepEqual(missing({ edge: 'yes' }, ['eth1']).map(problemText), [
      'L2Advertisement metallb-system/edge: spec.interfaces: n1 has none of the interfaces eth0, ens3, so it announces nothing of this',
    ]);
  });

  it('addresses that no host may have', () => {
    assert.deepEqual(told({ pools: [pool('a', { addresses: ['224.0.0.0/24', '192.0.2.0/24', 'fe80::/64'] })] }), [
      'warning invalid-address a spec.addresses[0]',
      'warning invalid-address a spec.addresses[0]',
      'warning invalid-address a spec.addresses[2]',
      'warning invalid-address a spec.addresses[2]',
    ]);
  });

  it('a priority below zero, which counts as none', () => {
    const input = (priority: number) => ({
      pools: [pool('a', { addresses: ['192.0.2.0/24'], serviceAllocation: { priority } })],
    });
    assert.deepEqual(told(input(-1)), ['warning wrong-field a spec.serviceAllocation.priority']);
    for (const [priority, counts] of [
      [-1, Number.POSITIVE_INFINITY],
      [0, Number.POSITIVE_INFINITY],
      [3, 3],
    ] as const)
      assert.equal(configurationOf(input(priority)).pools[0]?.serviceAllocation?.priority, counts);
  });
});

describe('a configuration that is in force', () => {
  it('knows whose an address is', () => {
    const range = fc
      .tuple(fc.nat(400), fc.nat(5), fc.boolean())
      .map(([first, more, four]) =>
        four
          ? `10.0.${first >> 8}.${first & 255}-10.0.${(first + more) >> 8}.${(first + more) & 255}`
          : `2001:db8::${first.toString(16)}-2001:db8::${(first + more).toString(16)}`,
      );
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 12 }), fc.nat(420), (texts, last) => {
        const pools = texts.map((text, index) => pool(`p${index}`, { addresses: [text] }));
        const { configuration } = judgeConfiguration(judgeInput({ pools }));
        fc.pre(configuration !== null);
        const four = bigintToAddress(BigInt((10 << 24) + last), 'ipv4');
        for (const address of [four, `2001:db8::${last.toString(16)}` as Address]) {
          const expected: Pool | undefined = configuration.pools.find(({ ranges }) =>
            ranges.some((each) => rangeContains(each, address)),
          );
          assert.equal(poolOf(configuration, address)?.name, expected?.name);
        }
      }),
    );
    assert.equal(poolOf(configurationOf({}), '192.0.2.1' as Address), null);
  });

  it('knows the pools that nobody announces', () => {
    const pools = ['a', 'b', 'c'].map((name, index) => pool(name, { addresses: [`10.${index}.0.0/16`] }));
    const some = [advertisement('adv', { ipAddressPools: ['b'] })];
    assert.deepEqual(unadvertisedPools(configurationOf({ pools, advertisements: some })), ['a', 'c']);
    assert.deepEqual(unadvertisedPools(configurationOf({ pools, advertisements: [advertisement('all')] })), []);
    const none = [advertisement('none', { ipAddressPoolSelectors: [{ matchLabels: { no: 'pool' } }] })];
    assert.deepEqual(unadvertisedPools(configurationOf({ pools, advertisements: none })), ['a', 'b', 'c']);
  });

  it('does not depend on the order in which the objects came', () => {
    const pools = ['c', 'a', 'b'].map((name, index) => pool(name, { addresses: [`10.${index}.0.0/16`] }));
    const advertisements = ['y', 'x'].map((name) => advertisement(name));
    assert.deepEqual(
      configurationOf({ pools, advertisements }),
      configurationOf({ pools: [...pools].reverse(), advertisements: [...advertisements].reverse() }),
    );
  });
});
