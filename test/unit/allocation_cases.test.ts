// What MetalLB's own tests demand of the allocator holds here too (test/vectors/metallb-allocation.json).
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObjectKey } from '../../src/kubernetes/types.js';
import {
  type Case,
  cases,
  checkOutcome,
  type Expectation,
  keyOf,
  type Outcome,
  type RawPool,
} from './allocation_case.js';
import { World } from './allocation_world.js';

const MAX_COUNT = 2n ** 63n - 1n;

function checkService(world: World, pools: readonly RawPool[], key: ObjectKey, expect: Outcome): void {
  const { addresses, pool, error } = world.decided(key);
  assert.equal(error, expect.error ?? null, key);
  // A load balancer of another class is none of our business, whatever stands in its object.
  if (error !== 'other-class') assert.deepEqual(world.shown(key), { addresses, pool }, key);
  checkOutcome(key, { addresses, pool }, expect, pools, (other) => world.shown(other));
}

function checkUsage(world: World, { poolStatus, total, metrics }: Expectation): void {
  const usage = new Map(world.allocator.usage().map((each) => [each.name, each]));
  for (const { pool, ...counts } of poolStatus ?? []) {
    const { name: _, ...found } = usage.get(pool)!;
    assert.deepEqual(found, Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, BigInt(count)])));
  }
  if (total !== undefined) {
    const available = [...usage.values()].reduce((sum, each) => sum + each.availableIPv4 + each.availableIPv6, 0n);
    assert.equal(available > MAX_COUNT ? MAX_COUNT : available, BigInt(total));
  }
  for (const { metric, pool, value } of metrics ?? []) {
    const found = usage.get(pool);
    if (value === null) assert.equal(found, undefined);
    else {
      const inUse = found!.assignedIPv4 + found!.assignedIPv6;
      const all = inUse + found!.availableIPv4 + found!.availableIPv6;
      assert.equal(metric === 'metallb_allocator_addresses_total' ? all : inUse, BigInt(value));
    }
  }
}

function run(each: Case): void {
  const world = new World(each.options?.lbClass ?? null);
  let pools = each.pools;
  world.setPools(pools, each.namespaces);
  world.settle();
  for (const [index, { action, service, pools: replaced, expect }] of each.steps.entries()) {
    const before = new Map([...world.services.keys()].map((key) => [key, world.shown(key)]));
    const own = service === undefined ? null : keyOf(service);
    if (action === 'apply-service') world.apply(service!);
    else if (action === 'delete-service') world.delete(own!);
    else if (action === 'restart-controller') world.restart();
    else {
      pools = replaced!;
      world.setPools(pools, each.namespaces);
    }
    try {
      world.settle();
      if (action === 'apply-service') checkService(world, pools, own!, expect);
      for (const other of expect.others ?? []) checkService(world, pools, other.service, other);
      const named = new Set([own, ...(expect.others ?? []).map((other) => other.service)]);
      for (const key of [...before.keys()].filter((key) => !named.has(key)).concat(expect.unchanged ?? []))
        assert.deepEqual(world.shown(key), before.get(key), `${key} must stay as it was`);
      if (expect.warning !== undefined) assert.equal(world.warned, expect.warning, 'warning');
      checkUsage(world, expect);
    } catch (error) {
      if (error instanceof Error) error.message = `step ${index + 1} (${action} ${own ?? ''}): ${error.message}`;
      throw error;
    }
  }
}

describe('MetalLB’s cases of allocation', () => {
  it('are all there', () => {
    assert.equal(cases.length, 101);
    assert.equal(cases.flatMap(({ steps }) => steps).length, 275);
  });
  for (const each of cases) it(each.name, () => run(each));
});
