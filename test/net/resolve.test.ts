// Linux as the client of `arpeggio run`: its kernel resolves, its sockets reach the backend.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKEND_PORT, startBackend } from '../../src/lab/backend.js';
import { EAGER_RESOLUTION, LabClient } from '../../src/lab/client.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import { withNetwork } from './harness/network.js';
import { answersFor, startNode } from './harness/node.js';

const WEB = { name: 'web', addresses: ['192.0.2.10', '2001:db8::10'] };
const API = { name: 'api', addresses: ['192.0.2.20', '2001:db8::20'] };
const ADDRESSES = [...WEB.addresses, ...API.addresses];
const LOSS_WINDOW_MS = 500;

const SPEC: NetworkSpec = {
  switches: [{ name: 'left' }, { name: 'right', cables: ['left'] }],
  hosts: [
    {
      name: 'node',
      interfaces: [{ switch: 'left', addresses: ['192.0.2.1/24', '2001:db8::1/64'] }],
      // The backend is bound to service IPs before they are on lo.
      sysctls: { 'net.ipv4.ip_nonlocal_bind': '1', 'net.ipv6.ip_nonlocal_bind': '1' },
    },
    {
      name: 'client',
      interfaces: [{ switch: 'right', addresses: ['192.0.2.101/24', '2001:db8::101/64'] }],
      sysctls: EAGER_RESOLUTION,
    },
  ],
};

test('Linux resolves IPv4 and IPv6 service IPs to the node, and reaches what serves them', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    await startBackend(network.host('node'), ADDRESSES);
    const node = await startNode(network, 'node', [WEB]);
    const client = new LabClient(network.host('client'), BACKEND_PORT);
    for (const address of WEB.addresses) {
      assert.equal(await client.tcp(address), null, address);
      assert.equal((await client.host.neighbour(address))?.lladdr, node.mac, address);
    }
    for (const address of API.addresses) {
      assert.notEqual(await client.tcp(address), null, `${address} is not announced`);
      assert.equal((await client.host.neighbour(address))?.lladdr, undefined, address);
    }
  });
});

test('services come and go with the file, and the others lose nothing', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    await startBackend(network.host('node'), ADDRESSES);
    const node = await startNode(network, 'node', [WEB], { probing: 'none' });
    const client = new LabClient(network.host('client'), BACKEND_PORT);
    for (const address of WEB.addresses) assert.equal(await client.tcp(address), null, address);
    await client.stream(...WEB.addresses);
    const since = monotonicMs() + 20;
    await node.configure([API, WEB]);
    await answersFor(node, ADDRESSES);
    for (const address of API.addresses) assert.equal(await client.tcp(address), null, address);
    await node.configure([WEB]);
    await answersFor(node, WEB.addresses);
    node.reload();
    const to = Math.max(monotonicMs(), since + LOSS_WINDOW_MS);
    for (const address of WEB.addresses) {
      const { sent, lost } = await client.report(address, since, to);
      assert.ok(sent > 0);
      assert.equal(lost, 0, `${lost} of ${sent} to ${address} are lost`);
    }
    await client.host.batch(['neigh flush dev eth0']);
    for (const address of API.addresses) {
      assert.notEqual(await client.tcp(address), null, `${address} is no longer announced`);
      assert.equal((await client.host.neighbour(address))?.lladdr, undefined, address);
    }
  });
});
