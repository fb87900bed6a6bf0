// The harness itself, against a responder that is known to be right: the kernel answers for its own address.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import { arp, BROADCAST, hexIpv4, hexIpv6, hexMac, neighborSolicitation } from './harness/frames.js';
import { withNetwork } from './harness/network.js';
import { Wire } from './harness/wire.js';

const NODE_MAC = '02:00:00:00:00:01';
const CLIENT_MAC = '02:00:00:00:00:02';
const NODE = '192.0.2.1';
const CLIENT = '192.0.2.2';
const NODE6 = '2001:db8::1';
const CLIENT6 = '2001:db8::2';
const SPEC: NetworkSpec = {
  switches: [{ name: 'left' }, { name: 'right', cables: ['left'] }],
  hosts: [
    { name: 'node', interfaces: [{ switch: 'left', mac: NODE_MAC, addresses: [`${NODE}/24`, `${NODE6}/64`] }] },
    {
      name: 'client',
      interfaces: [{ switch: 'right', mac: CLIENT_MAC, addresses: [`${CLIENT}/24`, `${CLIENT6}/64`] }],
    },
  ],
};

test('a Linux client resolves and reaches a host on another switch', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const client = network.host('client');
    await client.exec([
      'python3',
      '-c',
      `import socket
for family, address in ((socket.AF_INET, "${NODE}"), (socket.AF_INET6, "${NODE6}")):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.sendto(b"x", (address, 9))
    sock.settimeout(1)
    sock.connect((address, 9))
    sock.send(b"x")
    try:
        sock.recv(1)
    except ConnectionRefusedError:
        pass
`,
    ]);
    assert.equal((await client.neighbour(NODE))?.lladdr, NODE_MAC);
    assert.equal((await client.neighbour(NODE6))?.lladdr, NODE_MAC);
    assert.equal(await client.neighbour('192.0.2.99'), null);
  });
});

test('raw frames go out as given and come back as they were on the wire', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const wire = await Wire.open(network.host('client'));
    await wire.send(arp({ sha: CLIENT_MAC, spa: CLIENT, tpa: NODE }));
    const reply = await wire.expect(({ type }) => type === 'host');
    const expected = `${hexMac(CLIENT_MAC)}${hexMac(NODE_MAC)}0806 0001080006040002 ${hexMac(NODE_MAC)}${hexIpv4(NODE)} ${hexMac(CLIENT_MAC)}${hexIpv4(CLIENT)}`;
    assert.equal(reply.hex, expected.replaceAll(' ', ''));
    assert.equal(reply.vlanTci, null);

    await wire.send(neighborSolicitation({ mac: CLIENT_MAC, source: CLIENT6, target: NODE6 }));
    const advertisement = await wire.expect(({ type, hex }) => type === 'host' && hex.slice(24, 28) === '86dd');
    assert.equal(advertisement.hex.length, 2 * 86);
    assert.equal(advertisement.hex.slice(2 * 22, 2 * 38), hexIpv6(NODE6));
    assert.equal(advertisement.hex.slice(2 * 54, 2 * 55), '88');

    await wire.send(arp({ sha: CLIENT_MAC, spa: CLIENT, tpa: '192.0.2.99' }));
    await wire.expectSilence(50, ({ type }) => type === 'host');
    await assert.rejects(
      wire.expect(({ type }) => type === 'host', 50),
      /no such frame within 50 ms; seen: /,
    );
  });
});

test('an 802.1Q tag arrives in band, and the capture tells which one it was', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const [sender, receiver] = await Promise.all([Wire.open(network.host('client')), Wire.open(network.host('node'))]);
    const fields = { sha: CLIENT_MAC, spa: CLIENT, tpa: NODE };
    await sender.send(arp({ ...fields, vlanTci: 5 }));
    assert.equal((await receiver.expect(({ vlanTci }) => vlanTci === 5)).hex, arp(fields));
    await sender.expectSilence(50, ({ type }) => type === 'host');
    receiver.clear();
    await sender.send(arp({ ...fields, vlanTci: 0 }));
    assert.equal((await receiver.expect(({ vlanTci }) => vlanTci === 0)).type, 'broadcast');
    const reply = await sender.expect(({ type }) => type === 'host');
    assert.equal(reply.vlanTci, null);
    assert.notEqual(reply.hex.slice(0, 12), hexMac(BROADCAST));
  });
});

test('a cable that is unplugged takes the carrier away within 100 ms, and nothing is left behind in the end', async (t) => {
  let directory = '';
  await withNetwork(t, SPEC, async (network) => {
    directory = network.directory;
    const node = network.host('node');
    const state = async () => (await node.query<{ operstate: string }[]>('link', 'show', 'eth0'))[0]?.operstate;
    assert.equal(await state(), 'UP');
    const start = performance.now();
    await network.setCable('node', 'down');
    while ((await state()) === 'UP') assert.ok(performance.now() - start < 100, 'still has carrier after 100 ms');
    await network.setCable('node', 'up');
    await node.ready();
    assert.ok(existsSync(`/run/netns/${node.namespace}`));
    const sleeper = node.spawn(['sleep', '60']);
    network.close();
    assert.deepEqual(await sleeper.exited, { code: null, signal: 'SIGKILL' });
    assert.ok(!existsSync(`/run/netns/${node.namespace}`));
  });
  assert.ok(!existsSync(directory));
});
