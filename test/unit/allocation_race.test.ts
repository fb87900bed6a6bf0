// The API server is far away: users, the watch, decisions and writes all happen at their own time, and leaders change.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { standsIn } from '../../src/allocation/allocation.js';
import { Allocator } from '../../src/allocation/allocator.js';
import type { Allocation } from '../../src/allocation/types.js';
import type { ObjectKey, Service } from '../../src/kubernetes/types.js';
import { ALLOCATED_FROM_POOL } from '../../src/metallb/annotations.js';
import type { Configuration } from '../../src/metallb/types.js';
import { pools, type Step, step } from './allocation_arbitrary.js';
import { keyOf, type RawService } from './allocation_case.js';
import { assertMayShare, configurationOf, serviceOf } from './allocation_world.js';

type Move = 'deliver' | 'decide' | 'send' | 'land' | 'crash';

interface Stored {
  readonly version: number;
  readonly raw: RawService;
  readonly service: Service;
}

interface Flight {
  readonly version: string;
  readonly allocation: Allocation | null;
  /** All objects, as they were known when it was decided. */
  readonly known: ReadonlyMap<ObjectKey, Stored>;
}

class Race {
  readonly #stored = new Map<ObjectKey, Stored>();
  /** Changes that the watch has not delivered yet. */
  readonly #events: { readonly key: ObjectKey; readonly object: Stored | null }[] = [];
  /** As the controller knows them. */
  readonly #known = new Map<ObjectKey, Stored>();
  /** Services with something to write, with all objects as they were known then; and writes on their way, one for each service. */
  readonly #open = new Map<ObjectKey, ReadonlyMap<ObjectKey, Stored>>();
  readonly #flights = new Map<ObjectKey, Flight>();
  #allocator = new Allocator({ lbClass: null });
  #configuration: Configuration | null = null;
  #versions = 0;
  writes = 0;

  user(step: Step): void {
    if (step.type === 'apply') {
      const { raw } = this.#stored.get(keyOf(step.service)) ?? {};
      const mark = raw?.annotations?.[ALLOCATED_FROM_POOL];
      const annotations = {
        ...step.service.annotations,
        ...(mark === undefined ? {} : { [ALLOCATED_FROM_POOL]: mark }),
      };
      // The API server clears the status of what is no load balancer.
      const status = step.service.spec.type === 'LoadBalancer' ? raw?.status : undefined;
      this.#store({ ...step.service, annotations, ...(status === undefined ? {} : { status }) });
    } else if (step.type === 'delete') {
      if (this.#stored.delete(step.key)) this.#events.push({ key: step.key, object: null });
    } else if (step.type === 'pools') {
      this.#configuration = configurationOf(step.pools);
      this.#allocator.setConfiguration(this.#configuration);
    } else this.crash();
  }

  move(move: Move, choice: number): void {
    if (move === 'deliver') this.#deliver();
    else if (move === 'decide') this.#decide();
    else if (move === 'crash') this.crash();
    else {
      const keys = [...(move === 'send' ? this.#open : this.#flights).keys()].sort();
      const key = keys[choice % Math.max(keys.length, 1)];
      if (key === undefined) return;
      if (move === 'send') this.#send(key);
      else this.#land(key);
    }
  }

  /** A new leader reads everything; what the old one has sent is refused, because it fences it. */
  crash(): void {
    for (const key of this.#flights.keys()) {
      const stored = this.#stored.get(key);
      if (stored !== undefined) this.#store(stored.raw);
    }
    this.#flights.clear();
    this.#open.clear();
    this.#events.length = 0;
    this.#known.clear();
    this.#allocator = new Allocator({ lbClass: null });
    if (this.#configuration !== null) this.#allocator.setConfiguration(this.#configuration);
    for (const [key, object] of this.#stored) {
      this.#known.set(key, object);
      this.#allocator.setService(object.service);
    }
  }

  /** Everything arrives; then every object says what was decided, and none contradicts another. */
  settle(): void {
    for (let round = 0; round < 1000; round += 1) {
      while (this.#events.length > 0) this.#deliver();
      this.#decide();
      for (const key of [...this.#open.keys()]) this.#send(key);
      for (const key of [...this.#flights.keys()]) this.#land(key);
      if (this.#events.length + this.#open.size + this.#flights.size === 0) break;
    }
    for (const [key, { service, raw }] of this.#stored) {
      const allocation = this.#allocator.allocationOf(key);
      assert.ok(allocation !== null && standsIn(service, allocation), `${key} is not what was decided`);
      this.#check(key, raw, service.ingress);
    }
  }

  #deliver(): void {
    const event = this.#events.shift();
    if (event === undefined) return;
    const { key, object } = event;
    // The answer to a write was faster.
    if (object !== null && object.version <= (this.#known.get(key)?.version ?? 0)) return;
    if (object === null) {
      this.#known.delete(key);
      this.#open.delete(key);
      this.#allocator.deleteService(key);
    } else {
      this.#known.set(key, object);
      this.#allocator.setService(object.service);
    }
  }

  #decide(): void {
    const known = new Map(this.#known);
    for (const { service } of this.#allocator.decide()) this.#open.set(service.key, known);
  }

  #send(key: ObjectKey): void {
    // Neither two writes at once, nor one that was decided on another object.
    if (this.#flights.has(key) || this.#allocator.isPending(key)) return;
    const known = this.#open.get(key) ?? new Map();
    this.#open.delete(key);
    const service = this.#known.get(key)?.service;
    const allocation = this.#allocator.allocationOf(key);
    if (service === undefined || allocation === null) return;
    // Nothing to write, and nothing on its way: what was told to the allocator holds.
    if (standsIn(service, allocation)) this.#allocator.setService(service);
    else this.#flights.set(key, { version: service.resourceVersion, allocation, known });
  }

  /** The API server refuses what was decided on another version. */
  #land(key: ObjectKey): void {
    const { version, allocation, known } = this.#flights.get(key)!;
    this.#flights.delete(key);
    const stored = this.#stored.get(key);
    if (stored === undefined) return;
    if (stored.service.resourceVersion !== version) {
      this.#open.set(key, known);
      return;
    }
    const addresses = allocation?.addresses ?? [];
    this.#check(
      key,
      stored.raw,
      addresses.filter((address) => !stored.service.ingress.includes(address)),
      known,
    );
    const { [ALLOCATED_FROM_POOL]: _, ...others } = stored.raw.annotations ?? {};
    const annotations = allocation?.pool == null ? others : { ...others, [ALLOCATED_FROM_POOL]: allocation.pool };
    this.#store({ ...stored.raw, annotations, status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } } });
    this.writes += 1;
    // The answer has the object as it is now; nothing else about it is on its way.
    if (this.#known.get(key)?.service.resourceVersion !== version) return;
    const object = this.#stored.get(key)!;
    this.#known.set(key, object);
    this.#allocator.setService(object.service);
  }

  #store(raw: RawService): void {
    this.#versions += 1;
    const key = keyOf(raw);
    const uid = this.#stored.get(key)?.service.uid ?? `uid-${this.#versions}`;
    const service = { ...serviceOf(raw), resourceVersion: String(this.#versions), uid };
    const object = { version: this.#versions, raw, service };
    this.#stored.set(key, object);
    this.#events.push({ key, object });
  }

  /**
   * No other object shows any of the addresses, unless both services share: now, or by what was known of the other one when that
   * was decided. Nobody can foresee that a user takes its sharing key away a moment later; then that one has to leave.
   */
  #check(key: ObjectKey, raw: RawService, addresses: readonly string[], known?: ReadonlyMap<ObjectKey, Stored>): void {
    for (const [other, stored] of this.#stored) {
      const common = other === key ? undefined : addresses.find((address) => stored.service.ingress.includes(address));
      if (common === undefined) continue;
      try {
        assertMayShare(common, raw, stored.raw);
      } catch (error) {
        const before = known?.get(other)?.raw;
        if (before === undefined) throw error;
        assertMayShare(common, raw, before);
      }
    }
  }
}

const moves: fc.Arbitrary<readonly [Move, number]> = fc.tuple(
  fc.oneof(
    ...(['deliver', 'decide', 'send', 'land'] as const).map((move) => ({ weight: 10, arbitrary: fc.constant(move) })),
    { weight: 1, arbitrary: fc.constant<Move>('crash') },
  ),
  fc.nat(7),
);

describe('the allocator and an API server far away', () => {
  it('has no write give an address to a second service, whatever is late, and comes to rest', () => {
    let writes = 0;
    fc.assert(
      fc.property(
        pools,
        fc.array(fc.oneof({ weight: 1, arbitrary: step }, { weight: 4, arbitrary: moves }), {
          minLength: 60,
          maxLength: 120,
          size: 'max',
        }),
        (first, history) => {
          const race = new Race();
          race.user(first);
          for (const each of history) {
            if (Array.isArray(each)) race.move(...(each as [Move, number]));
            else race.user(each as Step);
          }
          race.settle();
          writes += race.writes;
        },
      ),
      { numRuns: 400, includeErrorInReport: true },
    );
    assert.ok(writes > 1000, `only ${writes} writes`);
  });
});
