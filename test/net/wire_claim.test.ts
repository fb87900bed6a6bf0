// How `arpeggio run` comes to an address, as a stranger on the segment sees it: probes first, then answers and
// announcements, or silence where somebody else has the address.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ArpeggioNode } from '../../src/lab/arpeggio_node.js';
import type { Network } from '../../src/lab/netns.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import {
  ALL_NODES,
  arp,
  hexIpv4,
  hexIpv6,
  hexMac,
  multicastMac,
  neighborSolicitation,
  solicitedNodeGroup,
} from './harness/frames.js';
import { withNetwork } from './harness/network.js';
import { answersFor } from './harness/node.js';
import { type Frame, Wire } from './harness/wire.js';

const NODE_MAC = '02:00:00:00:00:01';
const CLIENT_MAC = '02:00:00:00:00:02';
const SERVICE = '192.0.2.10';
const SERVICE6 = '2001:db8::10';
const SERVICES = [{ name: 'web', addresses: [SERVICE, SERVICE6] }];
// Three probes are sent within this time (RFC-DUTIES.md, `probing: fast`), with some room for a busy machine.
const PROBING_MS = 150;
/** RFC 4862 5.4.2, RetransTimer: before it has passed, nothing unsolicited for IPv6. */
const DAD_MS = 1000;

const SPEC: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: [
    {
      name: 'node',
      interfaces: [{ switch: 'switch', mac: NODE_MAC, addresses: ['192.0.2.1/24', '2001:db8::1/64'] }],
    },
    { name: 'client', interfaces: [{ switch: 'switch', mac: CLIENT_MAC }] },
  ],
};

const PADDING = '00'.repeat(18);
const BROADCAST_ARP = `ffffffffffff${hexMac(NODE_MAC)}0806000108000604`;
const OWN = `${hexMac(NODE_MAC)}${hexIpv4(SERVICE)}`;
const NOBODY = '000000000000';
const PROBE = `${BROADCAST_ARP}0001${hexMac(NODE_MAC)}00000000${NOBODY}${hexIpv4(SERVICE)}${PADDING}`;
const ANNOUNCED_REQUEST = `${BROADCAST_ARP}0001${OWN}${NOBODY}${hexIpv4(SERVICE)}${PADDING}`;
const ANNOUNCED_REPLY = `${BROADCAST_ARP}0002${OWN}${hexMac(NODE_MAC)}${hexIpv4(SERVICE)}${PADDING}`;

const GROUP6 = solicitedNodeGroup(SERVICE6);
/** To all MLDv2 routers (RFC 3810 5.2.14). */
const MLD_REPORT = hexMac(multicastMac('ff02::16'));

const ms = (frame: Frame) => frame.ns / 1e6;
const is = (hex: string) => (frame: Frame) => frame.hex === hex;
const icmpv6 = (type: string, target: string) => (frame: Frame) =>
  frame.hex.slice(24, 28) === '86dd' &&
  frame.hex.slice(2 * 54, 2 * 55) === type &&
  frame.hex.slice(2 * 62, 2 * 78) === hexIpv6(target);
const isDadSolicitation = (frame: Frame) =>
  icmpv6('87', SERVICE6)(frame) && frame.hex.slice(2 * 22, 2 * 38) === hexIpv6('::');
const isAdvertisement = icmpv6('88', SERVICE6);
const isUnsolicited = (frame: Frame) =>
  isAdvertisement(frame) && frame.hex.slice(2 * 38, 2 * 54) === hexIpv6(ALL_NODES);
const flagsOf = (frame: Frame) => frame.hex.slice(2 * 58, 2 * 59);

async function startListening(network: Network, probing: string) {
  const wire = await Wire.open(network.host('client'));
  const node = new ArpeggioNode(network.host('node'), {
    directory: join(network.directory, 'node'),
    settings: { probing },
  });
  await node.configure(SERVICES);
  node.start();
  return { wire, node };
}

test('IPv4: three probes, then both forms of announcement, in this order', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const { wire } = await startListening(network, 'fast');
    const announced = await wire.expect(is(ANNOUNCED_REQUEST), 5000);
    await wire.expect(is(ANNOUNCED_REPLY));
    const probes = wire.captured(is(PROBE)).filter((probe) => probe.ns < announced.ns);
    assert.equal(probes.length, 3);
    const took = ms(announced) - ms(probes[0] as Frame);
    assert.ok(took <= PROBING_MS, `announced ${took} ms after the first probe`);
    // A newcomer looks on: a conflict now would make it withdraw.
    await wire.expect((frame) => is(PROBE)(frame) && frame.ns > announced.ns, 3000);
  });
});

test('IPv6: solicitations from ::, answers that do not override, and after a second the announcement', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const { wire } = await startListening(network, 'fast');
    const first = await wire.expect(isDadSolicitation, 5000);
    assert.equal(first.hex.slice(2 * 78, 2 * 80), '0e01', 'it carries a nonce');
    const joins = wire.captured(({ hex }) => hex.startsWith(MLD_REPORT) && hex.includes(hexIpv6(GROUP6)));
    assert.notEqual(joins.length, 0, 'snooping switches must know who wants the solicitations');
    await delay(PROBING_MS + 50);
    const question = neighborSolicitation({ mac: CLIENT_MAC, source: '2001:db8::77', target: SERVICE6 });
    const before = wire.captured(isUnsolicited);
    await wire.send(question);
    const early = await wire.expect(({ type, hex }) => type === 'host' && hex.slice(2 * 54, 2 * 55) === '88');
    assert.equal(flagsOf(early), '40', 'S=1, O=0 (RFC 4429 3.3)');
    const announced = await wire.expect(isUnsolicited, 3000);
    assert.equal(flagsOf(announced), '20', 'S=0, O=1');
    assert.deepEqual(before, []);
    const waited = ms(announced) - ms(first);
    assert.ok(waited >= DAD_MS, `announced already ${waited} ms after the first solicitation`);
    await wire.send(question);
    // The host that asked is also told, unasked (S=0), that the address is here.
    const late = await wire.expect(
      (frame) => frame.type === 'host' && frame.hex.slice(2 * 54, 2 * 55) === '88' && flagsOf(frame) !== '20',
    );
    assert.equal(flagsOf(late), '60', 'S=1, O=1');
  });
});

test('probing: none announces without a probe', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const { wire } = await startListening(network, 'none');
    await wire.expect(is(ANNOUNCED_REQUEST), 5000);
    await wire.expect(is(ANNOUNCED_REPLY));
    await wire.expect(isUnsolicited);
    assert.deepEqual(wire.captured(is(PROBE)), []);
    assert.deepEqual(wire.captured(isDadSolicitation), []);
  });
});

test('an address that another host defends is neither answered nor announced; the others are', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const rival = network.host('client');
    await rival.batch([`addr add ${SERVICE}/24 dev eth0`]);
    const { wire, node } = await startListening(network, 'fast');
    await answersFor(node, [SERVICE6]);
    const { addresses } = await node.status();
    const held = addresses.find(({ address }) => address === SERVICE);
    assert.equal(held?.interfaces[0]?.state, 'conflict');
    assert.equal(held?.interfaces[0]?.rivalMac, CLIENT_MAC);
    await wire.expectSilence(300, (frame) => is(ANNOUNCED_REQUEST)(frame) || is(ANNOUNCED_REPLY)(frame));
    await wire.send(arp({ sha: CLIENT_MAC, spa: '192.0.2.77', tpa: SERVICE }));
    await wire.expectSilence(100, ({ type }) => type === 'host');
  });
});

test('a host that turns up while the address is new makes the node withdraw', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const { wire, node } = await startListening(network, 'fast');
    await wire.expect(is(ANNOUNCED_REPLY), 5000);
    // It announces itself without having probed, as hosts with a fixed address do.
    await wire.send(arp({ sha: CLIENT_MAC, spa: SERVICE, tpa: SERVICE }));
    await answersFor(node, [SERVICE6]);
    await wire.send(arp({ sha: CLIENT_MAC, spa: '192.0.2.77', tpa: SERVICE }));
    await wire.expectSilence(100, ({ type }) => type === 'host');
  });
});
