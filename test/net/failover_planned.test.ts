// Planned moves: the new owner answers before the old one stops, so nobody loses a packet and no question waits long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EAGER_RESOLUTION } from '../../src/lab/client.js';
import type { Owners } from '../../src/lab/cluster.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { observe } from '../../src/lab/observation.js';
import { clusterSpec } from '../../src/lab/stage.js';
import { Asker } from './harness/asker.js';
import {
  addressesOf,
  assertLossless,
  assertMoved,
  assertTaken,
  assertUnmoved,
  busiest,
  SERVICES,
  withCluster,
} from './harness/failover_bed.js';

/** No question waits longer, save for what this machine makes the asker wait itself. */
const WAIT_LIMIT_MS = 60;
/** How long two nodes may answer: from the successor's first answer to the old owner's last. */
const BOTH_LIMIT_MS = 60;

const SPEC = clusterSpec(EAGER_RESOLUTION);
const WITH_ASKER = {
  ...SPEC,
  hosts: [
    ...SPEC.hosts,
    { name: 'asker', interfaces: [{ switch: 'switch-2', addresses: ['192.0.2.111/24', '2001:db8::111/64'] }] },
  ],
};

test('planned moves lose nothing, and leave no question open', async (t) => {
  await withCluster(t, { spec: WITH_ASKER }, async (cluster, first) => {
    const asker = await Asker.start(cluster.network.host('asker'), cluster.addresses);
    let owners = first;

    /** Moves addresses by the event; nobody may lose anything. Returns who owned what before. */
    async function move(what: string, event: () => Promise<unknown>): Promise<Owners> {
      const before = owners;
      const from = monotonicMs();
      const observation = await observe(cluster, event);
      const asked = await asker.reports(from, monotonicMs());
      owners = await cluster.settled();
      assertMoved(observation, before, owners, what);
      assertLossless(observation, what);
      for (const [address, report] of Object.entries(asked)) {
        const about = `${what}: ${address}: ${JSON.stringify(report)}`;
        assert.ok(report.longestWaitMs <= WAIT_LIMIT_MS + report.longestPauseMs, about);
        const macs = new Set([before[address], owners[address]].map((name) => cluster.node(name ?? '').mac));
        assert.deepEqual([...new Set(report.answeredBy.map(({ mac }) => mac))], [...macs], about);
        const [, successor] = report.answeredBy;
        const bothMs = (report.answeredBy.at(-1)?.sinceMs ?? 0) - (successor?.sinceMs ?? 0);
        assert.ok(successor === undefined || bothMs <= BOTH_LIMIT_MS + report.longestPauseMs, about);
      }
      return before;
    }

    await t.test('SIGTERM gives everything away, and a restart takes nothing', async () => {
      const name = busiest(owners);
      let exit = {};
      const before = await move('SIGTERM', async () => {
        exit = await cluster.node(name).stop('SIGTERM');
      });
      assert.deepEqual(exit, { code: 0, signal: null });
      assertTaken(before, owners, name);
      const restart = await observe(cluster, async () => {
        cluster.node(name).start();
        await cluster.settled();
      });
      assertUnmoved(restart, owners, 'restart');
    });

    await t.test('drain gives everything away, undrain takes nothing', async () => {
      const name = busiest(owners);
      const before = await move('drain', () => cluster.node(name).ask('drain'));
      assertTaken(before, owners, name);
      assertUnmoved(await observe(cluster, () => cluster.node(name).ask('undrain')), owners, 'undrain');
      assert.deepEqual(await cluster.settled(), owners);
    });

    await t.test('move: one address goes where it is told to go', async () => {
      const name = busiest(owners);
      const [address = ''] = addressesOf(owners, name);
      const [target, bystander] = cluster.others(name);
      assert.ok(target && bystander);
      // Whoever is asked passes it on to the owner.
      const before = await move('move', () => bystander.ask('move', address, target.name));
      assert.deepEqual(owners, { ...before, [address]: target.name });
    });

    await t.test('the file says that another node shall own it', async () => {
      const name = busiest(owners);
      const [address = ''] = addressesOf(owners, name);
      const service = SERVICES.find(({ addresses }) => addresses.includes(address));
      const nodes = cluster.others(name).map((node) => node.name);
      const services = SERVICES.map((entry) => (entry === service ? { ...entry, nodes } : entry));
      await move('configuration', () => Promise.all(cluster.nodes.map((node) => node.configure(services))));
      for (const moved of service?.addresses ?? []) assert.notEqual(owners[moved], name);
    });
    await asker.stop();
  });
});
