// Three `arpeggio run` that share service IPs, and a client: the whole way from the packet thread to the commands.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ArpeggioNode } from '../../src/lab/arpeggio_node.js';
import { EAGER_RESOLUTION } from '../../src/lab/client.js';
import { Cluster, type Owners } from '../../src/lab/cluster.js';
import { observe } from '../../src/lab/observation.js';
import { clusterSpec, NODE_NAMES } from '../../src/lab/stage.js';
import type { Status } from '../../src/status/schema.js';
import { withNetwork } from './harness/network.js';

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const SERVICES = [
  { name: 'web', addresses: ['192.0.2.10', '2001:db8::10', '192.0.2.11'] },
  { name: 'api', addresses: ['192.0.2.20', '2001:db8::20', '2001:db8::21'] },
];
const ADDRESSES = SERVICES.flatMap(({ addresses }) => addresses);
/** Far above what it takes; a machine that runs other tests beside this one is late. */
const FOLLOWED_LIMIT_MS = 500;

async function withCluster(t: TestContext, body: (cluster: Cluster, owners: Owners) => Promise<void>): Promise<void> {
  await withNetwork(t, clusterSpec(EAGER_RESOLUTION), async (network) => {
    const cluster = await Cluster.create(network, { services: SERVICES, nodes: NODE_NAMES, clients: ['client-1'] });
    const owners = await cluster.start();
    const [client] = cluster.clients;
    await client?.stream(...ADDRESSES);
    await body(cluster, owners);
    await cluster.stop();
  });
}

/** A node that owns something: who starts late on a busy machine may own nothing. */
function anOwner(owners: Owners): string {
  const [address = ''] = ADDRESSES;
  return owners[address] ?? '';
}

function ownedBy(owners: Owners, node: string): string[] {
  return Object.keys(owners).filter((address) => owners[address] === node);
}

async function statusOf(node: ArpeggioNode): Promise<Status> {
  return JSON.parse(await node.ask('status', '--json')) as Status;
}

/** The command's exit code and what it wrote. */
async function run(node: ArpeggioNode, ...args: string[]): Promise<{ code: number; text: string }> {
  const socket = join(node.directory, 'status.sock');
  const child = node.host.spawn([process.execPath, CLI, ...args, '--socket', socket]);
  const { code } = await child.exited;
  return { code: code ?? -1, text: child.lastOutput };
}

test('each address has one owner, and the status of each node says the same', async (t) => {
  await withCluster(t, async (cluster, owners) => {
    for (const node of cluster.nodes) {
      const { state, peers, addresses, counters, warnings } = await statusOf(node);
      assert.deepEqual([state, warnings], ['ready', []], node.name);
      assert.deepEqual(Object.fromEntries(addresses.map(({ address, owner }) => [address, owner])), owners, node.name);
      for (const { address, interfaces } of addresses) {
        assert.equal(interfaces[0]?.state === 'standby', owners[address] !== node.name, `${node.name} ${address}`);
        assert.deepEqual([interfaces[0]?.term, interfaces[0]?.firm], [1, true], `${node.name} ${address}`);
      }
      assert.deepEqual(
        peers.map((peer) => [peer.state, peer.link, peer.intervalMs]),
        [
          ['ready', 'two-way', 50],
          ['ready', 'two-way', 50],
        ],
      );
      assert.ok(counters.heartbeatsSent > 5 && counters.heartbeatsHeard > 5, JSON.stringify(counters));
      assert.equal(counters.heartbeatsRefused, 0);
    }
  });
});

test('kill -9: the client is with the others within half a second, log and status say who took what', async (t) => {
  await withCluster(t, async (cluster, owners) => {
    const gone = anOwner(owners);
    const lost = ownedBy(owners, gone);
    const seen = await observe(cluster, () => cluster.node(gone).stop('SIGKILL'));
    // The kernel of the node serves on: nothing needs to be lost, but its client must not stay there.
    for (const [address, { answeredBy }] of Object.entries(seen.seen['client-1'] ?? {})) {
      if (!lost.includes(address))
        assert.equal(answeredBy.length, 1, `${address} moved: ${JSON.stringify(answeredBy)}`);
      else {
        const [first, then] = answeredBy;
        assert.equal(first?.node, gone);
        assert.ok(then && then.sinceMs - seen.atMs < FOLLOWED_LIMIT_MS, `${address}: ${JSON.stringify(answeredBy)}`);
      }
    }
    assert.equal(seen.lost, 0, `${seen.lost} of ${seen.sent}`);
    const after = await cluster.settled();
    for (const address of ADDRESSES) {
      if (!lost.includes(address)) assert.equal(after[address], owners[address], `${address} stays`);
    }
    for (const node of cluster.others(gone)) {
      const took = ownedBy(after, node.name).filter((address) => lost.includes(address));
      await node.waitForLog('the loss', ({ msg }) => msg === `${gone} is down on eth0`);
      const { peers, moves } = await statusOf(node);
      assert.equal(peers.find((peer) => peer.node === gone)?.state, 'down');
      const move = moves.find(({ to }) => to === node.name);
      assert.equal(move?.count ?? 0, took.length, JSON.stringify(moves));
      if (!move) continue;
      const { msg } = await node.waitForLog('the takeover', (line) => line.msg.startsWith('took '));
      assert.match(msg, new RegExp(`^took .* from ${gone} in \\d+ ms, \\d+/\\d+ clients confirmed$`));
      const clients = (await statusOf(node)).moves.find(({ to }) => to === node.name)?.clients;
      assert.ok(clients && clients.asked > 0 && clients.confirmed === clients.asked, JSON.stringify(clients));
    }
  });
});

test('drain gives everything away without a lost packet, lasts over a restart, and undrain takes nothing back', async (t) => {
  await withCluster(t, async (cluster, owners) => {
    const node = cluster.node(anOwner(owners));
    const { name } = node;
    const [other] = cluster.others(name);
    let drained = { code: -1, text: '' };
    const seen = await observe(cluster, async () => {
      drained = await run(node, 'drain');
    });
    assert.deepEqual(
      [drained.code, drained.text.trim().split('\n').at(-1)],
      [0, `${name} is drained: it owns nothing`],
    );
    assert.equal(seen.lost, 0, `${seen.lost} of ${seen.sent}, ${seen.outageMs} ms`);
    const after = await cluster.settled();
    assert.deepEqual(ownedBy(after, name), []);
    assert.equal((await statusOf(node)).state, 'drained');
    await node.waitForLog('the handover', ({ msg }) => msg.startsWith('handed over '));

    await node.stop();
    node.start();
    await cluster.settled();
    assert.equal((await statusOf(node)).state, 'drained');
    const [address = ''] = ADDRESSES;
    const refused = await run(other ?? node, 'move', address, name);
    assert.deepEqual([refused.code, /it is drained; call arpeggio undrain there/.test(refused.text)], [1, true]);

    assert.equal((await run(node, 'undrain')).code, 0);
    assert.deepEqual(await cluster.settled(), after);
    assert.equal((await statusOf(node)).state, 'ready');
  });
});

test('move by any node: the address goes where it is sent, without a lost packet', async (t) => {
  await withCluster(t, async (cluster, owners) => {
    const [address = ''] = ADDRESSES;
    const from = owners[address] ?? '';
    const [to, asked] = cluster.others(from);
    assert.ok(to && asked);
    let moved = { code: -1, text: '' };
    const seen = await observe(cluster, async () => {
      moved = await run(asked, 'move', address, to.name);
    });
    assert.deepEqual(moved, { code: 0, text: `${to.name} owns ${address}\n` });
    assert.equal(seen.lost, 0, `${seen.lost} of ${seen.sent}, ${seen.outageMs} ms`);
    assert.deepEqual(await cluster.settled(), { ...owners, [address]: to.name });
    for (const [node, what] of [
      ['node-x', /there is no node "node-x"; known are node-/],
      [to.name, /is no service IP/],
    ] as const) {
      const wrong = await run(asked, 'move', node === 'node-x' ? address : '192.0.2.99', node);
      assert.deepEqual([wrong.code, what.test(wrong.text)], [1, true], wrong.text);
    }
  });
});

test('SIGTERM hands everything over before the end, without a lost packet', async (t) => {
  await withCluster(t, async (cluster, owners) => {
    const node = cluster.node(anOwner(owners));
    const { name } = node;
    const seen = await observe(cluster, async () => {
      assert.deepEqual(await node.stop('SIGTERM'), { code: 0, signal: null });
    });
    assert.equal(seen.lost, 0, `${seen.lost} of ${seen.sent}, ${seen.outageMs} ms\n${node.lastOutput}`);
    assert.ok(
      node.log.some(({ msg }) => msg.startsWith('handed over ')),
      node.lastOutput,
    );
    assert.deepEqual(ownedBy(await cluster.settled(), name), []);
    for (const other of cluster.others(name))
      await other.waitForLog('the farewell', ({ msg }) => msg === `${name} has left eth0`);
  });
});

test('a second signal does not wait for nodes that take nothing', async (t) => {
  await withNetwork(t, clusterSpec(), async (network) => {
    // Frozen, the other one still counts as there for 2.5 s, and is asked to take what it cannot.
    const settings = { heartbeat: { interval: '500ms', multiplier: 5 } };
    const nodes = ['node-a', 'node-b'];
    const cluster = await Cluster.create(network, { services: SERVICES, nodes, clients: [], settings });
    const owners = await cluster.start();
    const node = cluster.node(anOwner(owners));
    const [other] = cluster.others(node.name);
    assert.ok(other);
    const { pid } = (await statusOf(other)).process;
    process.kill(pid, 'SIGSTOP');
    try {
      const ended = node.stop('SIGTERM');
      await delay(400);
      assert.ok(node.isRunning, 'it waits for the other one');
      assert.equal((await statusOf(node)).state, 'leaving');
      const again = performance.now();
      node.signal('SIGTERM');
      assert.deepEqual(await ended, { code: 0, signal: null });
      const tookMs = performance.now() - again;
      assert.ok(tookMs < 1_000, `${tookMs} ms\n${node.lastOutput}`);
      assert.match(node.lastOutput, /not waiting for other nodes/);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await cluster.stop();
  });
});
