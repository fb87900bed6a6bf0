// The segment is split between the switches and heals: each side serves its clients, and in the end one owner is left.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { observe, quietTime } from '../../src/lab/observation.js';
import { addressesOf, assertLossless, assertMoved, OUTAGE_LIMIT_MS, withCluster } from './harness/failover_bed.js';

const NEAR = ['node-a', 'node-b'];
const FAR = 'node-c';

test('both sides of a split are served, and the heal costs nobody a packet', async (t) => {
  await withCluster(t, {}, async (cluster, first) => {
    const { network } = cluster;
    for (const round of [1, 2]) {
      const owners = round === 1 ? first : await cluster.settled();
      const about = (text: string) => `${text}, round ${round}`;
      const split = await observe(cluster, () => network.setTrunk('switch-1', 'switch-2', 'down'));
      const near = await cluster.ownersOf(NEAR.map((name) => cluster.node(name)));
      const far = await cluster.ownersOf([cluster.node(FAR)]);
      assert.deepEqual(addressesOf(far, FAR).sort(), [...cluster.addresses].sort());
      assertMoved(split.of('client-1'), owners, near, about('split'));
      assertMoved(split.of('client-2'), owners, far, about('split'));
      assert.ok(split.outageMs <= OUTAGE_LIMIT_MS, about(`${Math.round(split.outageMs)} ms without an answer`));
      await quietTime(split.atMs);

      const heal = await observe(cluster, () => network.setTrunk('switch-1', 'switch-2', 'up'), 2000);
      const healed = await cluster.settled();
      // Two of three know the claims of the near side: they are firm. Those of the far side are not.
      assert.deepEqual(healed, near, about('heal'));
      assertMoved(heal.of('client-1'), near, healed, about('heal'));
      assertMoved(heal.of('client-2'), far, healed, about('heal'));
      assertLossless(heal, about('heal'));
    }
  });
});
