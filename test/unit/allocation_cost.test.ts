// One change costs as much with 10,000 services as with 10.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Allocator } from '../../src/allocation/allocator.js';
import { projectService } from '../../src/kubernetes/projections.js';
import type { Service } from '../../src/kubernetes/types.js';
import { configurationOf } from './allocation_world.js';

const MANY = 10_000;
const CHANGES = 200;

function serviceOf(number: number, extra: Partial<Service> = {}): Service {
  const name = `service-${String(number).padStart(6, '0')}`;
  const { value } = projectService({
    metadata: { namespace: 'default', name },
    spec: {
      type: 'LoadBalancer',
      clusterIPs: [`10.96.${(number >> 8) & 255}.${number & 255}`],
      ports: [{ protocol: 'TCP', port: 80 }],
    },
  })!;
  return { ...value, ...extra };
}

function written(allocator: Allocator, service: Service): Service {
  const { addresses, pool } = allocator.allocationOf(service.key)!;
  const annotations = pool === null ? {} : { 'metallb.io/ip-allocated-from-pool': pool };
  return { ...service, annotations, ingress: addresses };
}

/** An allocator with `count` services, whose objects say what was decided. */
function filled(count: number, range: string): { readonly allocator: Allocator; readonly services: Service[] } {
  const allocator = new Allocator({ lbClass: null });
  allocator.setConfiguration(configurationOf([{ name: 'pool', spec: { addresses: [range] } }]));
  const services = Array.from({ length: count }, (_, number) => serviceOf(number));
  for (const service of services) allocator.setService(service);
  allocator.decide();
  const objects = services.map((service) => written(allocator, service));
  for (const object of objects) allocator.setService(object);
  assert.deepEqual(allocator.decide(), []);
  return { allocator, services: objects };
}

/** Median of the times that `change` takes, in microseconds. */
function medianUs(change: (number: number) => void): number {
  const times = Array.from({ length: CHANGES }, (_, number) => {
    const start = process.hrtime.bigint();
    change(number);
    return Number(process.hrtime.bigint() - start) / 1000;
  });
  return times.sort((a, b) => a - b)[CHANGES >> 1]!;
}

/** A service is created and written, another one is deleted. */
function createAndDeleteUs(count: number): number {
  const { allocator, services } = filled(count, '10.0.0.0/16');
  return medianUs((number) => {
    const service = serviceOf(count + number);
    allocator.setService(service);
    assert.equal(allocator.decide().length, 1);
    allocator.setService(written(allocator, service));
    allocator.decide();
    allocator.deleteService(services[number % count]!.key);
    allocator.decide();
    if (number >= count) return;
    allocator.usage();
  });
}

/** All addresses are taken and `count` services wait: one is freed and given to the first of them. */
function handOnUs(count: number): number {
  const { allocator, services } = filled(count + CHANGES, '10.0.0.0-10.0.1.255');
  return medianUs((number) => {
    allocator.deleteService(services[number]!.key);
    const changes = allocator.decide();
    assert.ok(changes.length <= 1);
    for (const { service } of changes) allocator.setService(written(allocator, service));
    allocator.decide();
  });
}

describe('the cost of allocation', () => {
  // A shared machine is noisy: what must not pass is a walk over all services, which takes milliseconds.
  const MAX_US = 1000;

  it('of a service created and one deleted does not grow with the number of services', (context) => {
    const few = createAndDeleteUs(10);
    const many = createAndDeleteUs(MANY);
    context.diagnostic(`created and deleted: ${few.toFixed(1)} us among 10, ${many.toFixed(1)} us among ${MANY}`);
    assert.ok(many < MAX_US, `${many} us`);
  });

  it('of an address freed does not grow with the number of those who wait for it', (context) => {
    const few = handOnUs(10);
    const many = handOnUs(MANY);
    context.diagnostic(`handed on: ${few.toFixed(1)} us with few waiting, ${many.toFixed(1)} us with ${MANY}`);
    assert.ok(many < MAX_US, `${many} us`);
  });

  it('of services that share a key and find nobody to share with does not grow with their number', (context) => {
    const shared = (count: number) =>
      Array.from({ length: count }, (_, number) =>
        serviceOf(number, { annotations: { 'metallb.io/allow-shared-ip': 'everybody' } }),
      );
    const createdUs = (count: number) => {
      const allocator = new Allocator({ lbClass: null });
      allocator.setConfiguration(configurationOf([{ name: 'pool', spec: { addresses: ['10.0.0.0/16'] } }]));
      const [first, ...others] = shared(count + CHANGES).reverse();
      for (const service of others.slice(CHANGES - 1)) allocator.setService(service);
      allocator.decide();
      return medianUs((number) => {
        allocator.setService(others[number] ?? first!);
        allocator.decide();
      });
    };
    const few = createdUs(10);
    const many = createdUs(MANY);
    context.diagnostic(`created: ${few.toFixed(1)} us among 10, ${many.toFixed(1)} us among ${MANY}`);
    assert.ok(many < MAX_US, `${many} us`);
  });

  it('of a start with all services, and of a new configuration, takes no seconds', (context) => {
    const { services } = filled(MANY, '10.0.0.0/16');
    const allocator = new Allocator({ lbClass: null });
    const configuration = configurationOf([{ name: 'pool', spec: { addresses: ['10.0.0.0/16'] } }]);
    const timed = (what: string, action: () => void) => {
      const start = process.hrtime.bigint();
      action();
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      context.diagnostic(`${what}, ${MANY} services: ${ms.toFixed(0)} ms`);
      assert.ok(ms < 4000, `${what}: ${ms} ms`);
    };
    timed('start', () => {
      allocator.setConfiguration(configuration);
      for (const service of services) allocator.setService(service);
      assert.deepEqual(allocator.decide(), []);
    });
    timed('new configuration', () => {
      allocator.setConfiguration(configuration);
      assert.deepEqual(allocator.decide(), []);
    });
    const fresh = Array.from({ length: MANY }, (_, number) => serviceOf(number));
    const empty = new Allocator({ lbClass: null });
    timed('all created at once', () => {
      empty.setConfiguration(configuration);
      for (const service of fresh) empty.setService(service);
      assert.equal(empty.decide().length, MANY);
    });
  });
});
