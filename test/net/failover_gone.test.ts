// An owner is lost, in every way in which one can be: the others take its addresses over once, and it takes none back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Cluster, Owners } from '../../src/lab/cluster.js';
import { monotonicMs, monotonicOf } from '../../src/lab/monotonic.js';
import { observe, quietTime } from '../../src/lab/observation.js';
import {
  assertMoved,
  assertTaken,
  assertUnmoved,
  busiest,
  OUTAGE_LIMIT_MS,
  withCluster,
} from './harness/failover_bed.js';

const BLOCK_MODULE = fileURLToPath(new URL('../../../test/net/harness/block.mjs', import.meta.url));
const BLOCK_MS = 1500;
const BLOCKED = 'the event loop is blocked';
const FREE = 'the event loop goes on';
/** Loses the node by `cut`; returns who owns what afterwards, and what it cost. */
async function lose(
  cluster: Cluster,
  before: Owners,
  name: string,
  what: string,
  cut: () => Promise<unknown>,
  settle: () => Promise<Owners>,
): Promise<{ after: Owners; costMs: number; atMs: number }> {
  const observation = await observe(cluster, cut);
  const after = await settle();
  assertTaken(before, after, name);
  assertMoved(observation, before, after, what);
  const costMs = observation.outageMs;
  assert.ok(costMs <= OUTAGE_LIMIT_MS, `${what}: ${Math.round(costMs)} ms without an answer`);
  return { after, costMs, atMs: observation.atMs };
}

/** The event changes no owner and costs nothing. */
async function comesBack(cluster: Cluster, owners: Owners, what: string, event: () => Promise<unknown>): Promise<void> {
  assertUnmoved(await observe(cluster, event, 1000), owners, what);
  assert.deepEqual(await cluster.settled(), owners, what);
}

test('an owner that is lost is replaced once, and on its return nothing moves', async (t) => {
  const environment = { NODE_OPTIONS: `--import=${BLOCK_MODULE}`, BLOCK_MS: String(BLOCK_MS) };
  await withCluster(t, { environment }, async (cluster, first) => {
    const { network } = cluster;
    let owners = first;
    const killed = busiest(owners);

    await t.test('kill -9: its node still forwards, so nobody loses a packet', async () => {
      const node = cluster.node(killed);
      const kill = () => node.stop('SIGKILL');
      const { after, costMs } = await lose(cluster, owners, killed, 'kill -9', kill, () => cluster.settled());
      assert.equal(costMs, 0);
      owners = after;
    });

    await t.test('it starts again, and takes nothing back', () =>
      comesBack(cluster, owners, 'restart', async () => {
        cluster.node(killed).start();
        await cluster.settled();
      }),
    );

    await t.test('a node that owns nothing is cut off and comes back: nothing moves', () =>
      comesBack(cluster, owners, 'a non-owner is cut off', async () => {
        const cutMs = monotonicMs();
        await network.setPort(killed, 'disabled');
        await quietTime(cutMs);
        await network.setPort(killed, 'forwarding');
      }),
    );

    await t.test('link loss, and the link comes back', async () => {
      const name = busiest(owners);
      const cut = () => network.setCable(name, 'down');
      owners = (await lose(cluster, owners, name, 'link loss', cut, () => cluster.settled())).after;
      await comesBack(cluster, owners, 'link back', () => network.setCable(name, 'up'));
    });

    await t.test('its switch port forwards nothing any more, and does so again', async () => {
      const name = busiest(owners);
      const cut = () => network.setPort(name, 'disabled');
      const others = async () => cluster.ownersOf(cluster.others(name));
      const lost = await lose(cluster, owners, name, 'port dead', cut, others);
      owners = lost.after;
      await quietTime(lost.atMs);
      await comesBack(cluster, owners, 'port back', () => network.setPort(name, 'forwarding'));
    });

    await t.test('the event loops of all others are blocked: the outage is the same', async () => {
      const name = busiest(owners);
      const successors = cluster.others(name);
      let from = 0;
      const power = async () => {
        from = monotonicMs();
        for (const node of successors) node.signal('SIGUSR2');
        await delay(100);
        await cluster.powerOff(name);
      };
      const settle = async () => {
        await delay(BLOCK_MS);
        return cluster.settled();
      };
      const blocked = await lose(cluster, owners, name, 'power loss while JavaScript is blocked', power, settle);
      assert.ok(blocked.costMs > 0);
      for (const { log } of successors) {
        const times = [BLOCKED, FREE].map((text) =>
          log.find(({ msg, time }) => msg === text && monotonicOf(time) >= from - 1),
        );
        const [begin, end] = times.map((line) => monotonicOf(line?.time ?? ''));
        assert.ok(
          begin && end && begin <= from + 100 && end >= from + BLOCK_MS - 50,
          `it was not blocked: ${begin} ${end}`,
        );
      }
      owners = blocked.after;
      await comesBack(cluster, owners, 'power back', async () => {
        await cluster.powerOn(name);
        await cluster.settled();
      });
    });
  });
});
