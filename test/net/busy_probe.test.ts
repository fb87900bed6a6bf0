// The event loop is busy while an address is probed: the answer of its user, which came in time, counts all the same.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ArpeggioNode } from '../../src/lab/arpeggio_node.js';
import { withNetwork } from './harness/network.js';

const BLOCK_MODULE = fileURLToPath(new URL('../../../test/net/harness/block.mjs', import.meta.url));
/** Longer than the probing. */
const BLOCK_MS = 400;
const SERVICES = [{ name: 'web', addresses: ['192.0.2.10', '2001:db8::10'] }];

const SPEC = {
  switches: [{ name: 'switch' }],
  hosts: [
    { name: 'node', interfaces: [{ switch: 'switch', addresses: ['192.0.2.1/24', '2001:db8::1/64'] }] },
    { name: 'user', interfaces: [{ switch: 'switch', addresses: ['192.0.2.10/24', '2001:db8::10/64'] }] },
  ],
};

test('an answer to a probe counts before the end of the probing, however late JavaScript learns of both', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const environment = { NODE_OPTIONS: `--import=${BLOCK_MODULE}`, BLOCK_MS: String(BLOCK_MS) };
    const node = new ArpeggioNode(network.host('node'), { directory: join(network.directory, 'node'), environment });
    await node.configure(SERVICES);
    node.start();
    await node.waitForLog('probing', ({ to }) => to === 'probing');
    node.signal('SIGUSR2');
    await node.waitForLog('end of the block', ({ msg }) => msg === 'the event loop goes on');
    await delay(300);
    const states = node.log.filter(({ address }) => address !== undefined).map(({ to }) => to);
    assert.deepEqual([...new Set(states)].sort(), ['conflict', 'probing'], node.lastOutput);
    await node.stop();
  });
});
