// What MetalLB's own tests demand of pools and advertisements holds here too (test/vectors/metallb-configuration.json).
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node } from '../../src/kubernetes/types.js';
import { judgeConfiguration } from '../../src/metallb/configuration.js';
import { formatSelector, matches, matchesAny } from '../../src/metallb/selector.js';
import { conditionOf, type StateCondition, stateOf } from '../../src/metallb/state.js';
import type { Advertisement, Configuration, LabelSelector, Pool } from '../../src/metallb/types.js';
import { readJson } from '../native/vector_files.js';
import { inputOf, type RawObject } from './metallb_sample.js';

interface Case {
  readonly name: string;
  readonly resources: readonly RawObject[];
  readonly valid: boolean;
  readonly reason?: string;
  readonly parsed?: {
    readonly pools?: Record<string, object>;
    readonly poolsByNamespace?: Record<string, readonly string[]>;
    readonly poolsWithServiceSelectors?: readonly string[];
    readonly distinctAdvertisements?: Record<string, number>;
    readonly preferenceScores?: Record<string, Record<string, number>>;
    readonly state?: { readonly result: string; readonly namesPool?: string };
  };
}

interface State {
  readonly name: string;
  readonly conditions: readonly StateCondition[];
  readonly expect: unknown;
}

const { cases, states } = readJson('metallb-configuration.json') as { cases: Case[]; states: State[] };

const texts = (selectors: readonly LabelSelector[]) => selectors.map(formatSelector).sort();

function scores(advertisement: Advertisement, nodes: readonly Node[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { name, labels } of nodes) {
    if (!matchesAny(advertisement.nodeSelectors, labels)) continue;
    for (const { weight, preference } of advertisement.preferredNodeSelectors)
      if (matches(preference, labels)) found[name] = (found[name] ?? 0) + weight;
  }
  return found;
}

function describeAdvertisement(advertisement: Advertisement, nodes: readonly Node[]) {
  const preferredNodes = scores(advertisement, nodes);
  return {
    nodes: nodes.filter(({ labels }) => matchesAny(advertisement.nodeSelectors, labels)).map(({ name }) => name),
    interfaces: advertisement.interfaces === null ? 'all' : [...advertisement.interfaces].sort(),
    ...(advertisement.serviceSelectors.length === 0 ? {} : { serviceSelectors: texts(advertisement.serviceSelectors) }),
    ...(Object.keys(preferredNodes).length === 0 ? {} : { preferredNodes }),
  };
}

function describePool({ ranges, autoAssign, avoidBuggyIPs, serviceAllocation }: Pool) {
  const takesAll = serviceAllocation?.namespaces === null && serviceAllocation.serviceSelectors.length === 0;
  return {
    cidrs: ranges.flatMap(({ cidrs }) => cidrs),
    autoAssign,
    avoidBuggyIPs,
    ...(serviceAllocation === null
      ? {}
      : {
          serviceAllocation: {
            priority: serviceAllocation.priority,
            namespaces: serviceAllocation.namespaces ?? [],
            serviceSelectors: takesAll ? ['*'] : texts(serviceAllocation.serviceSelectors),
          },
        }),
  };
}

const sorted = (list: readonly object[]) => list.map((entry) => JSON.stringify(entry)).sort();

/** Those that differ in what they do: equal ones without preferences count once. */
function distinct(advertisements: readonly Advertisement[], nodes: readonly Node[]): number {
  const seen = advertisements.map((advertisement) => JSON.stringify(describeAdvertisement(advertisement, nodes)));
  return seen.filter((text, index) => text.includes('preferredNodes') || seen.indexOf(text) === index).length;
}

function check({ parsed }: Case, configuration: Configuration, nodes: readonly Node[]): void {
  const of = (name: string) => configuration.advertisements.filter(({ pools }) => pools.includes(name));
  const names = configuration.pools.map(({ name }) => name);
  if (parsed?.pools !== undefined) {
    assert.deepEqual(names, Object.keys(parsed.pools).sort());
    for (const pool of configuration.pools) {
      const { advertisements, ...expected } = parsed.pools[pool.name] as { advertisements: object[] };
      const found = sorted(of(pool.name).map((entry) => describeAdvertisement(entry, nodes)));
      // Equal ones may be kept or absorbed: users see no difference.
      assert.deepEqual([...new Set(found)], [...new Set(sorted(advertisements))]);
      const actual = describePool(pool) as Record<string, unknown>;
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(actual[key], value, `${pool.name} ${key}`);
    }
  }
  const poolsFor = (test: (pool: Pool) => boolean) => configuration.pools.filter(test).map(({ name }) => name);
  for (const [namespace, pools] of Object.entries(parsed?.poolsByNamespace ?? {}))
    assert.deepEqual(
      poolsFor(({ serviceAllocation }) => serviceAllocation?.namespaces?.includes(namespace) === true),
      pools,
    );
  if (parsed?.poolsWithServiceSelectors !== undefined)
    assert.deepEqual(
      poolsFor(
        ({ serviceAllocation: allocation }) =>
          allocation !== null && (allocation.serviceSelectors.length > 0 || allocation.namespaces === null),
      ),
      parsed.poolsWithServiceSelectors,
    );
  for (const [name, count] of Object.entries(parsed?.distinctAdvertisements ?? {}))
    assert.equal(distinct(of(name), nodes), count);
  for (const [name, expected] of Object.entries(parsed?.preferenceScores ?? {})) {
    const total: Record<string, number> = {};
    for (const entry of of(name))
      for (const [node, weight] of Object.entries(scores(entry, nodes))) total[node] = (total[node] ?? 0) + weight;
    assert.deepEqual(total, expected);
  }
}

describe('a configuration of MetalLB', () => {
  it('comes in the number of cases that were taken over', () => {
    assert.equal(cases.length, 64);
    assert.equal(cases.filter(({ valid }) => valid).length, 36);
  });

  for (const one of cases) {
    it(one.name, () => {
      const input = inputOf(one.resources);
      const { configuration, problems } = judgeConfiguration(input);
      const errors = problems.filter(({ severity }) => severity === 'error');
      const condition = conditionOf(problems);
      if (one.valid) {
        assert.deepEqual(errors, []);
        assert.ok(configuration !== null);
        check(one, configuration, input.nodes);
      } else {
        assert.deepEqual([...new Set(errors.map(({ reason }) => reason))], [one.reason]);
        assert.ok(errors.every(({ message }) => message.length > 10));
        // What stands in another namespace never counted, so it spoils nothing.
        assert.equal(configuration === null, one.reason !== 'wrong-namespace');
      }
      assert.equal(stateOf([condition]).result, one.valid ? 'Valid' : 'Invalid');
      const state = one.parsed?.state;
      if (state !== undefined) {
        assert.equal(stateOf([condition]).result, state.result);
        assert.ok(state.namesPool === undefined || condition.message.includes(state.namesPool));
      }
    });
  }
});

describe('the state of the configuration', () => {
  for (const { name, conditions, expect } of states) it(name, () => assert.deepEqual(stateOf(conditions), expect));
});
