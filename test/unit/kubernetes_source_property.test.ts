// Whatever the order in which the lists tell of changes: the speaker is told the same in the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DesiredService, DesiredState } from '../../src/desired/desired.js';
import type { ClusterState } from '../../src/sources/kubernetes/cluster_state.js';
import type { SourceUpdate } from '../../src/sources/kubernetes/types.js';
import {
  clusterState,
  gone,
  nodes,
  rawAdvertisement,
  rawNode,
  rawPool,
  rawService,
  rawSlice,
  resources,
  services,
  slices,
} from './source_sample.js';

type Kind = 'service' | 'slice' | 'node' | 'pool' | 'advertisement';

/** raw: null: it is gone. */
interface Change {
  readonly kind: Kind;
  readonly key: string;
  readonly raw: object | null;
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4 });
const NODES = ['node-a', 'node-b', 'node-c'];
const racks = fc.constantFrom({}, { rack: '1' }, { rack: '2' });
const rackSelectors = fc.constantFrom([], [{ matchLabels: { rack: '1' } }], [{ matchLabels: { rack: '2' } }]);
const exclude = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };

const service = fc
  .record({
    name: fc.constantFrom('s0', 's1', 's2'),
    sample: maybe(
      fc.record({
        type: fc.constantFrom('LoadBalancer', 'LoadBalancer', 'ClusterIP'),
        ips: fc.constantFrom([], ['192.0.2.1'], ['203.0.113.1'], ['192.0.2.2', '2001:db8::2']),
        policy: fc.constantFrom('Cluster', 'Local'),
        labels: fc.constantFrom({}, { tier: 'web' }),
      }),
    ),
  })
  .map(({ name, sample }): Change => {
    return { kind: 'service', key: `default/${name}`, raw: sample && rawService(name, sample) };
  });

const slice = fc
  .record({
    name: fc.constantFrom('s0', 's1', 's2'),
    suffix: fc.constantFrom('x', 'y'),
    content: maybe(fc.record({ nodes: fc.subarray(NODES), ready: fc.boolean() })),
  })
  .map(({ name, suffix, content }): Change => {
    const raw = content && rawSlice(name, content.nodes, { suffix, ready: content.ready });
    return { kind: 'slice', key: `default/${name}-${suffix}`, raw };
  });

/** node-c is always there and ready: else what is lost is held. */
const node = fc
  .record({
    name: fc.constantFrom('node-a', 'node-b'),
    sample: maybe(
      fc.record({
        ready: fc.boolean(),
        cordoned: fc.boolean(),
        networkUnavailable: fc.boolean(),
        labels: fc.oneof(racks, fc.constant(exclude)),
      }),
    ),
  })
  .map(({ name, sample }): Change => ({ kind: 'node', key: name, raw: sample && rawNode(name, sample) }));

const pool = maybe(fc.constantFrom(['203.0.113.0/24'], ['203.0.113.0/28', '198.51.100.0/24'])).map(
  (addresses): Change => ({
    kind: 'pool',
    key: 'metallb-system/other',
    raw: addresses && rawPool('other', addresses),
  }),
);

const advertisement = fc
  .record({
    name: fc.constantFrom('all', 'racks', 'third'),
    spec: maybe(
      fc.record({
        nodeSelectors: rackSelectors,
        serviceSelectors: fc.constantFrom([], [{ matchLabels: { tier: 'web' } }]),
        interfaces: fc.constantFrom([], ['eth0'], ['eth1', 'eth0']),
        ipAddressPools: fc.constantFrom([], ['lab'], ['other']),
        preferredNodeSelectors: fc.constantFrom([], [{ weight: 10, preference: { matchLabels: { rack: '1' } } }]),
      }),
    ),
  })
  .map(({ name, spec }): Change => {
    return { kind: 'advertisement', key: `metallb-system/${name}`, raw: spec && rawAdvertisement(name, spec) };
  });

function begun(): ClusterState {
  const state = clusterState();
  const names = ['s0', 's1', 's2'];
  state.applyServices(services(...names.map((name) => rawService(name))));
  state.applyEndpointSlices(slices(...names.map((name) => rawSlice(name, NODES))));
  return state;
}

/** null: a moment in which what was gathered is worked off. */
const steps = fc.array(fc.option(fc.oneof(service, service, slice, slice, node, pool, advertisement), { freq: 2 }), {
  minLength: 5,
  maxLength: 40,
  size: 'max',
});

function apply(state: ClusterState, { kind, key, raw }: Change): void {
  switch (kind) {
    case 'service':
      state.applyServices(raw ? services(raw) : gone(key));
      break;
    case 'slice':
      state.applyEndpointSlices(raw ? slices(raw) : gone(key));
      break;
    case 'node':
      state.applyNodes(raw ? nodes(raw) : gone(key));
      break;
    case 'pool':
      state.applyPools(raw ? resources(raw) : gone(key));
      break;
    case 'advertisement':
      state.applyAdvertisements(raw ? resources(raw) : gone(key));
      break;
  }
}

/** What a speaker knows that has followed all updates. */
class Told {
  #services = new Map<string, DesiredService>();
  #lastResort: readonly string[] = [];

  follow(updates: readonly SourceUpdate[]): void {
    for (const update of updates) {
      if (update.type === 'last-resort') {
        assert.notDeepEqual(update.nodes, this.#lastResort, 'told although nothing is different');
        this.#lastResort = update.nodes;
      } else if (update.type === 'complete') {
        this.#services = new Map(update.desired.services.map((each) => [each.name, each]));
        this.#lastResort = update.desired.lastResort ?? [];
      } else {
        for (const name of update.removed) assert.ok(this.#services.delete(name), `${name} was not there`);
        for (const each of update.changed) {
          assert.notDeepEqual(each, this.#services.get(each.name), 'told although nothing is different');
          this.#services.set(each.name, each);
        }
      }
    }
  }

  get desired(): Pick<DesiredState, 'services' | 'lastResort'> {
    const ordered = [...this.#services.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { services: ordered, lastResort: this.#lastResort };
  }
}

test('step by step or all at once, a speaker is told the same, and never the same twice', () => {
  let announced = 0;
  fc.assert(
    fc.property(steps, (changes) => {
      const stepwise = begun();
      const told = new Told();
      const objects = new Map<string, Change>();
      told.follow(stepwise.settle(0).updates);
      for (const change of [...changes, null]) {
        if (change === null) told.follow(stepwise.settle(0).updates);
        else {
          apply(stepwise, change);
          objects.set(`${change.kind} ${change.key}`, change);
        }
      }
      const atOnce = begun();
      for (const change of [...objects.values()].reverse()) apply(atOnce, change);
      atOnce.settle(0);
      const { services: expected, lastResort } = atOnce.desired();
      assert.deepEqual(stepwise.desired(), atOnce.desired());
      assert.deepEqual(told.desired, { services: expected, lastResort });
      assert.deepEqual(plain(stepwise), plain(atOnce));
      for (const [key, each] of stepwise.announcements) checkAnnouncement(stepwise, key, each);
      announced += expected.length;
    }),
    { numRuns: 200 },
  );
  assert.ok(announced > 100, `hardly anything was announced: ${announced}`);
});

function plain({ announcements }: ClusterState): Map<string, object> {
  return new Map(
    Array.from(announcements, ([key, { addresses, eligible, refused, reason, advertisements, desired }]) => {
      return [key, { addresses, eligible, refused, reason, advertisements, desired }];
    }),
  );
}

function checkAnnouncement(
  state: ClusterState,
  key: string,
  { addresses, eligible, refused, reason, desired }: NonNullable<ReturnType<ClusterState['announcements']['get']>>,
): void {
  assert.deepEqual([...eligible, ...refused.keys()].sort(), [...state.nodes.keys()].sort(), 'each node is in or out');
  assert.equal(desired === null, eligible.length === 0);
  assert.equal(reason === null, eligible.length > 0);
  if (desired === null) return;
  const { scopes, prefer = [] } = desired;
  assert.deepEqual([desired.name, desired.addresses, desired.nodes], [key, addresses, eligible]);
  assert.ok(prefer.every(({ node: name, weight }) => eligible.includes(name) && weight > 0));
  if (scopes === undefined) return;
  assert.deepEqual(scopes.flatMap(({ nodes: names }) => names ?? []).sort(), eligible);
  const all = scopes.map(({ interfaces }) => interfaces);
  const together = all.includes(null) ? null : [...new Set(all.flatMap((names) => names ?? []))].sort();
  assert.deepEqual(desired.interfaces, together);
}
