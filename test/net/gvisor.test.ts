// A client on gVisor's network stack, which no gratuitous ARP frame moves, follows a takeover at once in both families.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BACKEND_PORT, startBackend } from '../../src/lab/backend.js';
import { Cluster } from '../../src/lab/cluster.js';
import type { Network } from '../../src/lab/netns.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import { ALL_NODES, arp, hexIpv4, hexIpv6, hexMac, icmpv6Checksum, multicastMac } from './harness/frames.js';
import { GvisorClient, requireGvisor } from './harness/gvisor.js';
import { requireNetworks, withNetwork } from './harness/network.js';
import { startNode } from './harness/node.js';
import { type Frame, Wire } from './harness/wire.js';

const SERVICE = '192.0.2.10';
const SERVICE6 = '2001:db8::10';
const CLIENT = '192.0.2.77';
/** From the frame that tells of the new node to the neighbour entry, and to the first echo: one interval of sending. */
const ENTRY_MS = 50;
const ECHO_MS = 100;
/** Far above what it takes: a machine that runs other tests beside this one is late. */
const TAKEOVER_LIMIT_MS = 2000;
const CONFIRM_LIMIT_MS = 5000;

function node(name: string, number: number): NetworkSpec['hosts'][number] {
  return {
    name,
    interfaces: [{ switch: 'switch', addresses: [`192.0.2.${number}/24`, `2001:db8::${number}/64`] }],
    // The backend is bound to the service IPs before they are on lo.
    sysctls: { 'net.ipv4.ip_nonlocal_bind': '1', 'net.ipv6.ip_nonlocal_bind': '1' },
  };
}

const SPEC: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: [
    node('node-1', 1),
    node('node-2', 2),
    {
      name: 'client',
      interfaces: [{ switch: 'switch' }],
      // The stack is gVisor's: the kernel has no address there.
      sysctls: { 'net.ipv6.conf.eth0.disable_ipv6': '1' },
    },
  ],
};

/** The client sends to both addresses and gets its echoes from `mac`. */
async function startClient(network: Network, program: string, mac: string): Promise<GvisorClient> {
  const client = new GvisorClient(network.host('client'), {
    program,
    addresses: [`${CLIENT}/24`, '2001:db8::77/64'],
    targets: [SERVICE, SERVICE6],
    port: BACKEND_PORT,
  });
  for (const address of [SERVICE, SERVICE6])
    await client.expect(`echo of ${address}`, (line) => isFrom(line, 'echo', address, mac));
  return client;
}

function isFrom(
  line: { type: string; address?: string; mac?: string },
  type: string,
  address: string,
  mac: string,
): boolean {
  return line.type === type && line.address === address && line.mac === mac;
}

/** Fails unless the client's entry and its echoes are of `mac` soon after `fromNs`. */
async function follows(client: GvisorClient, address: string, mac: string, fromNs: number): Promise<void> {
  const limits = { neighbour: ENTRY_MS, echo: ECHO_MS };
  for (const [type, limitMs] of Object.entries(limits)) {
    const { ns } = await client.expect(`${type} with ${mac}`, (line) => isFrom(line, type, address, mac), fromNs);
    const tookMs = (ns - fromNs) / 1e6;
    assert.ok(tookMs <= limitMs, `${address}: ${type} after ${tookMs.toFixed(1)} ms`);
  }
}

/** NA to all nodes, O=1 S=0, with target link-layer address option, from the service IP itself (RFC 4861 4.4). */
function advertisement(mac: string, address: string): string {
  const rest = `20000000${hexIpv6(address)}0201${hexMac(mac)}`;
  const sum = icmpv6Checksum(address, ALL_NODES, `88000000${rest}`);
  const ip = `6000000000203aff${hexIpv6(address)}${hexIpv6(ALL_NODES)}`;
  return `${hexMac(multicastMac(ALL_NODES))}${hexMac(mac)}86dd${ip}8800${sum}${rest}`;
}

test('what moves it: not a gratuitous request, but a directed one, and the NA from the service IP', async (t) => {
  if (!requireNetworks(t)) return;
  const program = await requireGvisor(t);
  if (program === null) return;
  await withNetwork(t, SPEC, async (network) => {
    const [first, second] = [network.host('node-1'), network.host('node-2')];
    // The second node can be reached at the service IPs and says nothing by itself.
    await second.setSysctls({ 'net.ipv4.conf.all.arp_ignore': '1' });
    await second.batch([`addr add ${SERVICE}/32 dev lo`, `addr add ${SERVICE6}/128 dev lo`]);
    await Promise.all([first, second].map((host) => startBackend(host, [SERVICE, SERVICE6])));
    const owner = await startNode(network, 'node-1', [{ name: 'web', addresses: [SERVICE, SERVICE6] }], {
      probing: 'none',
    });
    const wire = await Wire.open(second);
    const client = await startClient(network, program, first.mac);

    await owner.stop('SIGKILL');
    await first.batch(['link set eth0 down']);
    await wire.send(arp({ sha: second.mac, spa: SERVICE, tpa: SERVICE }));
    await delay(200);
    assert.equal(client.macOf(SERVICE), first.mac);
    assert.equal(client.macOf(SERVICE6), first.mac);

    const destination = network.host('client').mac;
    const requestNs = await wire.send(arp({ destination, sha: second.mac, spa: SERVICE, tpa: CLIENT }));
    await follows(client, SERVICE, second.mac, requestNs);
    const advertisementNs = await wire.send(advertisement(second.mac, SERVICE6));
    await follows(client, SERVICE6, second.mac, advertisementNs);

    const counts = await client.finish();
    for (const { sent, echoed } of counts.values()) assert.ok(echoed > 0 && echoed < sent);
  });
});

/** A cluster of both nodes, of which the first owns both addresses, and the client that it serves. */
async function withClient(
  t: TestContext,
  body: (cluster: Cluster, client: GvisorClient) => Promise<void>,
): Promise<void> {
  if (!requireNetworks(t)) return;
  const program = await requireGvisor(t);
  if (program === null) return;
  await withNetwork(t, SPEC, async (network) => {
    const services = [{ name: 'web', addresses: [SERVICE, SERVICE6] }];
    const cluster = await Cluster.create(network, { services, nodes: ['node-1', 'node-2'], clients: [] });
    await cluster.start();
    for (const address of cluster.addresses) await cluster.node('node-1').ask('move', address, 'node-1');
    await body(cluster, await startClient(network, program, cluster.node('node-1').mac));
    await cluster.stop();
  });
}

/** A frame from the node that says, to all or to one client, that it has the address. */
function tellsOf({ hex }: Frame, mac: string, address: string): boolean {
  if (hex.slice(12, 24) !== hexMac(mac)) return false;
  return address.includes(':')
    ? hex.slice(24, 28) === '86dd' && hex.slice(108, 110) === '88' && hex.slice(44, 76) === hexIpv6(address)
    : hex.slice(24, 28) === '0806' && hex.slice(56, 64) === hexIpv4(address);
}

test('it follows a takeover at once in both families, and confirms it', async (t) => {
  await withClient(t, async (cluster, client) => {
    const heir = cluster.node('node-2');
    const wire = await Wire.open(cluster.network.host('client'));
    await cluster.powerOff('node-1');
    for (const address of cluster.addresses) {
      const { ns } = await wire.expect((frame) => tellsOf(frame, heir.mac, address), TAKEOVER_LIMIT_MS);
      await follows(client, address, heir.mac, ns);
    }
    const deadline = performance.now() + CONFIRM_LIMIT_MS;
    for (;;) {
      const { moves } = await heir.status();
      const { asked = 0, confirmed = 0 } = moves.find(({ from }) => from === 'node-1')?.clients ?? {};
      if (asked >= 2 && confirmed === asked) break;
      assert.ok(performance.now() < deadline, `${confirmed} of ${asked} confirmed`);
      await delay(50);
    }
  });
});

test('it loses nothing when both addresses are moved in order', async (t) => {
  await withClient(t, async (cluster, client) => {
    for (const address of cluster.addresses) await cluster.node('node-1').ask('move', address, 'node-2');
    for (const address of cluster.addresses)
      await client.expect(`echo of ${address}`, (line) => isFrom(line, 'echo', address, cluster.node('node-2').mac));
    for (const [address, { sent, echoed }] of await client.finish()) assert.equal(echoed, sent, address);
  });
});
