// What holds whatever users and administrators do, and whenever the controller is restarted.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ObjectKey } from '../../src/kubernetes/types.js';
import { bigintToAddress, parseRange, rangeContains } from '../../src/metallb/ranges.js';
import { familyOf, parseAddress } from '../../src/net/address.js';
import { NAMES, NAMESPACES, type PoolSpec, pools, type Step, step } from './allocation_arbitrary.js';
import { keyOf, type RawPool } from './allocation_case.js';
import { type Choose, World } from './allocation_world.js';

const everyKey = NAMESPACES.flatMap((namespace) => NAMES.map((name) => keyOf({ namespace, name })));
const keysInAnyOrder = fc.shuffledSubarray(everyKey, { minLength: everyKey.length });

/** Numbers that decide in which order changes are written. */
const order = fc.array(fc.nat(7), { minLength: 8, maxLength: 8 });

function chooser(numbers: readonly number[]): Choose {
  let calls = 0;
  return (count) => numbers[calls++ % numbers.length]! % count;
}

/** Does the step, without waiting for what follows. */
function take(world: World, step: Step): void {
  if (step.type === 'apply') world.apply(step.service);
  else if (step.type === 'delete') world.delete(step.key);
  else if (step.type === 'pools') world.setPools(step.pools);
  else world.restart();
}

const shownAll = (world: World) =>
  new Map([...world.services.keys()].sort().map((key) => [key, world.shown(key)] as const));

/** Each address is one that the service may have, by the rules in words of their own. */
function checkRules(world: World, pools: readonly (RawPool & { readonly spec: PoolSpec })[]): void {
  const homeOf = (address: string) =>
    pools.find(({ spec }) => spec.addresses.some((range) => rangeContains(parseRange(range), parseAddress(address))));
  for (const raw of world.services.values()) {
    const { addresses, pool } = world.shown(keyOf(raw));
    const { error } = world.decided(keyOf(raw));
    assert.equal(addresses.length === 0, pool === null);
    if (addresses.length === 0) continue;
    assert.equal(error, null);
    assert.equal(raw.spec.type, 'LoadBalancer');
    const asked = raw.annotations?.['metallb.io/loadBalancerIPs'];
    if (asked !== undefined) assert.deepEqual([...addresses].sort(), asked.split(',').sort());
    const families = (raw.spec.clusterIPs as string[]).map((ip) => familyOf(parseAddress(ip))).sort();
    const had = addresses.map((address) => familyOf(parseAddress(address)));
    if (raw.spec.ipFamilyPolicy === 'PreferDualStack') assert.ok(had.every((family) => families.includes(family)));
    else assert.deepEqual(had, families);
    assert.equal(new Set(had).size, had.length);
    for (const address of addresses) {
      const home = homeOf(address);
      assert.equal(home?.name, pool);
      if (home!.spec.avoidBuggyIPs === true) assert.doesNotMatch(address, /\.(0|255)$/);
      const namespaces = home!.spec.serviceAllocation?.namespaces ?? NAMESPACES;
      assert.ok(namespaces.includes(raw.namespace));
      assert.equal(raw.annotations?.['metallb.io/address-pool'] ?? pool, pool);
    }
  }
}

/** Nobody is told that there is no address while one lies idle. */
function checkExhausted(world: World, pools: readonly (RawPool & { readonly spec: PoolSpec })[]): void {
  const taken = new Set([...world.services.keys()].flatMap((key) => world.shown(key).addresses));
  const idle = (spec: PoolSpec) =>
    spec.addresses.map(parseRange).flatMap((range) => {
      const all = Array.from({ length: Number(range.last - range.first) + 1 }, (_, index) =>
        bigintToAddress(range.first + BigInt(index), range.family),
      );
      return all.filter(
        (address) => !taken.has(address) && !(spec.avoidBuggyIPs === true && /\.(0|255)$/.test(address)),
      );
    });
  for (const raw of world.services.values()) {
    if (world.decided(keyOf(raw)).error !== 'pool-exhausted') continue;
    const wanted = (raw.spec.clusterIPs as string[]).map((ip) => familyOf(parseAddress(ip)));
    const named = raw.annotations?.['metallb.io/address-pool'];
    for (const { name, spec } of pools) {
      if (named === undefined ? spec.autoAssign === false : named !== name) continue;
      if (!(spec.serviceAllocation?.namespaces ?? NAMESPACES).includes(raw.namespace)) continue;
      const free = new Set(idle(spec).map(familyOf));
      const enough =
        raw.spec.ipFamilyPolicy === 'PreferDualStack'
          ? wanted.some((family) => free.has(family))
          : wanted.every((family) => free.has(family));
      assert.ok(!enough, `${keyOf(raw)} goes without, and ${name} has ${idle(spec)}`);
    }
  }
}

/** Runs steps on a world with the first pools; `check` after each one, when all is quiet. */
function play(steps: readonly Step[], numbers: readonly number[], check: (world: World, step: Step) => void): World {
  const world = new World();
  for (const step of steps) {
    take(world, step);
    world.settle(chooser(numbers));
    check(world, step);
  }
  return world;
}

const RUNS = { numRuns: 250 };
const steps = fc
  .tuple(pools, fc.array(step, { minLength: 1, maxLength: 25 }))
  .map(([first, others]) => [first, ...others]);

describe('the allocator, whatever happens', () => {
  it('gives addresses by the rules, to two services only where both share, and none while one lies idle', () => {
    fc.assert(
      fc.property(steps, order, (steps, numbers) => {
        let current: Parameters<typeof checkRules>[1] = [];
        play(steps, numbers, (world, step) => {
          if (step.type === 'pools') current = step.pools;
          // Objects were checked for sharing after each single write.
          checkRules(world, current);
          checkExhausted(world, current);
        });
      }),
      RUNS,
    );
  });

  it('never changes an address by itself: neither when others change nor in a restart', () => {
    fc.assert(
      fc.property(steps, order, (steps, numbers) => {
        let before = new Map<ObjectKey, { readonly addresses: readonly string[]; readonly pool: string | null }>();
        play(steps, numbers, (world, step) => {
          for (const [key, { addresses, pool }] of before) {
            const own = step.type === 'apply' ? keyOf(step.service) : step.type === 'delete' ? step.key : null;
            if (step.type === 'pools' || key === own || addresses.length === 0) continue;
            const now = world.shown(key);
            assert.equal(now.pool, pool, key);
            // One that prefers two families may get the second.
            assert.deepEqual(
              now.addresses.filter((address) => addresses.includes(address)),
              addresses,
              key,
            );
            if (now.addresses.length > addresses.length)
              assert.equal(world.services.get(key)!.spec.ipFamilyPolicy, 'PreferDualStack');
          }
          before = shownAll(world);
        });
      }),
      RUNS,
    );
  });

  it('finds nothing to do after a restart, in whatever order the objects come', () => {
    fc.assert(
      fc.property(steps, order, keysInAnyOrder, (steps, numbers, all) => {
        play(steps, numbers, (world) => {
          const before = shownAll(world);
          const decided = new Map([...before.keys()].map((key) => [key, world.decided(key).error]));
          const keys = all.filter((key) => before.has(key));
          world.restart(keys);
          world.settle();
          assert.deepEqual(shownAll(world), before);
          for (const [key, error] of decided) assert.equal(world.decided(key).error === null, error === null, key);
        });
      }),
      RUNS,
    );
  });

  it('keeps what stands in the objects when it is restarted between two writes', () => {
    fc.assert(
      fc.property(steps, step, order, fc.nat(3), (steps, last, numbers, writes) => {
        const world = play(steps, numbers, () => {});
        take(world, last);
        const changed =
          last.type === 'apply' && last.service.annotations?.['metallb.io/allow-shared-ip'] ? last.service : null;
        const changes = world.allocator.decide();
        // The objects do not tell which of two that share an address was changed, unless it has no key any more.
        const unclear = changed === null ? [] : world.shown(keyOf(changed)).addresses;
        for (const change of changes.slice(0, writes)) world.write(change);
        const kept = [...world.services.keys()].filter((key) => {
          const { addresses } = world.decided(key);
          if (addresses.some((address) => unclear.includes(address))) return false;
          return addresses.length > 0 && addresses.join() === world.shown(key).addresses.join();
        });
        const before = new Map(kept.map((key) => [key, world.shown(key).addresses]));
        world.restart();
        world.settle(chooser(numbers));
        for (const [key, addresses] of before)
          assert.deepEqual(
            world.shown(key).addresses.filter((address) => addresses.includes(address)),
            addresses,
            key,
          );
      }),
      RUNS,
    );
  });

  it('decides the same when told the same', () => {
    fc.assert(
      fc.property(steps, order, (steps, numbers) => {
        const histories = [0, 1].map(() => {
          const history: unknown[] = [];
          play(steps, numbers, (world) => history.push(world.changes, world.allocator.usage()));
          return history;
        });
        assert.deepEqual(histories[0], histories[1]);
      }),
      { numRuns: 100 },
    );
  });
});
