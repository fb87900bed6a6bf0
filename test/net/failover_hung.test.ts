// A control plane that hangs leaves the segment after five seconds, and comes back without taking anything.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { observe } from '../../src/lab/observation.js';
import { assertMoved, assertTaken, assertUnmoved, busiest, withCluster } from './harness/failover_bed.js';

const BLOCK_MODULE = fileURLToPath(new URL('../../../test/net/harness/block.mjs', import.meta.url));
/** More than the 5 s that a table lives. */
const BLOCK_MS = 7000;
const LEFT_AFTER_MS = 6500;

test('a node whose control plane hangs for more than 5 s is replaced, and takes nothing back', async (t) => {
  const environment = { NODE_OPTIONS: `--import=${BLOCK_MODULE}`, BLOCK_MS: String(BLOCK_MS) };
  await withCluster(t, { environment }, async (cluster, owners) => {
    const name = busiest(owners);
    const others = cluster.others(name);
    const hang = await observe(cluster, async () => cluster.node(name).signal('SIGUSR2'), LEFT_AFTER_MS);
    const after = await cluster.ownersOf(others);
    assertTaken(owners, after, name);
    assertMoved(hang, owners, after, 'the control plane hangs');
    // Its node forwards all the time, and it says that it leaves.
    assert.equal(hang.outageMs, 0);
    for (const node of others) {
      const { peers } = await node.status();
      assert.equal(peers.find((peer) => peer.node === name)?.link, 'down', `${node.name} still counts on it`);
    }
    const back = await observe(
      cluster,
      async () => {
        await cluster.node(name).waitForLog('end of the block', ({ msg }) => msg === 'the event loop goes on');
      },
      2000,
    );
    assertUnmoved(back, after, 'it goes on');
    assert.deepEqual(await cluster.settled(), after);
  });
});
