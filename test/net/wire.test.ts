// What `arpeggio run` says on the wire, frame by frame: raw questions in, every byte of the answers compared.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import {
  ALL_NODES,
  arp,
  hexIpv4,
  hexIpv6,
  hexMac,
  icmpv6Checksum,
  multicastMac,
  neighborSolicitation,
} from './harness/frames.js';
import { withNetwork } from './harness/network.js';
import { startNode } from './harness/node.js';
import { type Frame, Wire } from './harness/wire.js';

const NODE_MAC = '02:00:00:00:00:01';
const CLIENT_MAC = '02:00:00:00:00:02';
const SERVICE = '192.0.2.10';
const SERVICE6 = '2001:db8::10';
// Addresses that the client's kernel does not have: it takes no part in the conversation.
const ASKER = '192.0.2.77';
const ASKER6 = '2001:db8::77';
const SILENCE_MS = 60;

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

const toClient = ({ type }: Frame) => type === 'host';

interface Bed {
  readonly wire: Wire;
  /** Sends the frame and returns the answer's hex. */
  ask(frame: string): Promise<string>;
  /** Sends a frame that must stay unanswered, then proves by another that the node is awake. */
  mustIgnore(why: string, frame: string): Promise<void>;
}

function onWire(name: string, body: (bed: Bed) => Promise<void>): void {
  test(name, async (t) => {
    await withNetwork(t, SPEC, async (network) => {
      // No probing: from the first answer on it is that of an owner.
      await startNode(network, 'node', [{ name: 'web', addresses: [SERVICE, SERVICE6] }], { probing: 'none' });
      const wire = await Wire.open(network.host('client'));
      const ask = async (frame: string) => {
        await wire.send(frame);
        return (await wire.expect(toClient)).hex;
      };
      const mustIgnore = async (why: string, frame: string) => {
        await wire.send(frame);
        await assert.doesNotReject(wire.expectSilence(SILENCE_MS, toClient), why);
        await ask(arp({ sha: CLIENT_MAC, spa: ASKER, tpa: SERVICE }));
      };
      await body({ wire, ask, mustIgnore });
    });
  });
}

/** Joins parts written with spaces for the reader. */
const frame = (...parts: readonly string[]) => parts.join('').replaceAll(' ', '');

/** RFC 826, padded with zeros to the 60 bytes of the smallest Ethernet frame (without FCS). */
function arpReply(tpa: string): string {
  return frame(
    hexMac(CLIENT_MAC),
    hexMac(NODE_MAC),
    '0806',
    '0001 0800 06 04 0002',
    hexMac(NODE_MAC),
    hexIpv4(SERVICE),
    hexMac(CLIENT_MAC),
    hexIpv4(tpa),
    '00'.repeat(18),
  );
}

const SOLICITED_OVERRIDE = '60000000';
const OVERRIDE = '20000000';

/** RFC 4861 4.4: 86 bytes. */
function neighborAdvertisement(destinationMac: string, destination: string, flags: string): string {
  const rest = `${flags}${hexIpv6(SERVICE6)}0201${hexMac(NODE_MAC)}`;
  return frame(
    hexMac(destinationMac),
    hexMac(NODE_MAC),
    '86dd',
    '6 00 00000 0020 3a ff',
    hexIpv6(SERVICE6),
    hexIpv6(destination),
    '88 00',
    icmpv6Checksum(SERVICE6, destination, `88000000${rest}`),
    rest,
  );
}

onWire('an ARP request is answered with the MAC of the node, padded with zeros to 60 bytes', async ({ ask }) => {
  assert.equal(await ask(arp({ sha: CLIENT_MAC, spa: ASKER, tpa: SERVICE })), arpReply(ASKER));
});

onWire('nothing of the padding of a request comes back', async ({ ask }) => {
  const request = arp({ sha: CLIENT_MAC, spa: ASKER, tpa: SERVICE });
  assert.equal(await ask(`${request}${'ee'.repeat(18)}`), arpReply(ASKER));
  assert.equal(await ask(`${request}${'ee'.repeat(400)}`), arpReply(ASKER));
});

onWire('a unicast ARP request, by which clients refresh their entry, is answered', async ({ ask }) => {
  const refresh = arp({ destination: NODE_MAC, sha: CLIENT_MAC, spa: ASKER, tha: NODE_MAC, tpa: SERVICE });
  assert.equal(await ask(refresh), arpReply(ASKER));
});

onWire('an ARP probe of a host that wants the address is answered: that defends it', async ({ ask }) => {
  assert.equal(await ask(arp({ sha: CLIENT_MAC, spa: '0.0.0.0', tpa: SERVICE })), arpReply('0.0.0.0'));
});

onWire('a request with a priority tag is answered untagged', async ({ wire }) => {
  // PCP 5, VLAN 0: no VLAN, just a priority (802.1Q 9.6).
  for (const vlanTci of [0, 0xa000]) {
    await wire.send(arp({ sha: CLIENT_MAC, spa: ASKER, tpa: SERVICE, vlanTci }));
    const reply = await wire.expect(toClient);
    assert.equal(reply.hex, arpReply(ASKER));
    assert.equal(reply.vlanTci, null);
  }
  await wire.send(neighborSolicitation({ mac: CLIENT_MAC, source: ASKER6, target: SERVICE6, vlanTci: 0 }));
  const advertisement = await wire.expect(toClient);
  assert.equal(advertisement.hex, neighborAdvertisement(CLIENT_MAC, ASKER6, SOLICITED_OVERRIDE));
  assert.equal(advertisement.vlanTci, null);
});

onWire('a request of another VLAN is ignored', async ({ mustIgnore }) => {
  const vlanTci = 5;
  await mustIgnore('ARP', arp({ sha: CLIENT_MAC, spa: ASKER, tpa: SERVICE, vlanTci }));
  await mustIgnore('unicast ARP', arp({ destination: NODE_MAC, sha: CLIENT_MAC, spa: ASKER, tpa: SERVICE, vlanTci }));
  await mustIgnore('NS', neighborSolicitation({ mac: CLIENT_MAC, source: ASKER6, target: SERVICE6, vlanTci }));
});

onWire('ARP that asks for nothing of ours, or is not in order, is ignored', async ({ mustIgnore }) => {
  const fields = { sha: CLIENT_MAC, spa: ASKER, tpa: SERVICE };
  const request = arp(fields);
  await mustIgnore('an address that is no service IP', arp({ ...fields, tpa: '192.0.2.11' }));
  await mustIgnore('an address next to a service IP', arp({ ...fields, tpa: '192.0.2.9' }));
  await mustIgnore('a reply', arp({ ...fields, op: 2 }));
  await mustIgnore('for another MAC', arp({ ...fields, destination: '02:00:00:00:00:99' }));
  await mustIgnore('hardware type 2', request.replace('08060001', '08060002'));
  await mustIgnore('protocol type IPv6', request.replace('00010800', '000186dd'));
  await mustIgnore('hardware address length 8', request.replace('08000604', '08000804'));
  await mustIgnore('one byte short', request.slice(0, -2));
  await mustIgnore('a multicast sender', arp({ ...fields, source: CLIENT_MAC, sha: '01:00:5e:00:00:01' }));
});

onWire('a foreign host that claims the address gets no answer', async ({ mustIgnore }) => {
  await mustIgnore('SPA is the service IP', arp({ sha: CLIENT_MAC, spa: SERVICE, tpa: SERVICE }));
});

onWire('a Neighbor Solicitation is answered: S=1, O=1, from the service IP', async ({ ask }) => {
  const solicitation = neighborSolicitation({ mac: CLIENT_MAC, source: ASKER6, target: SERVICE6 });
  const expected = neighborAdvertisement(CLIENT_MAC, ASKER6, SOLICITED_OVERRIDE);
  assert.equal(expected.length / 2, 86);
  assert.equal(await ask(solicitation), expected);
});

onWire('a unicast Neighbor Solicitation is answered, with and without its link-layer address', async ({ ask }) => {
  const fields = {
    mac: CLIENT_MAC,
    source: ASKER6,
    target: SERVICE6,
    destination: SERVICE6,
    destinationMac: NODE_MAC,
  };
  const expected = neighborAdvertisement(CLIENT_MAC, ASKER6, SOLICITED_OVERRIDE);
  assert.equal(await ask(neighborSolicitation(fields)), expected);
  assert.equal(await ask(neighborSolicitation({ ...fields, sourceLinkLayerAddress: null })), expected);
});

onWire("somebody's duplicate address detection is answered to all nodes: S=0, O=1", async ({ wire }) => {
  await wire.send(
    neighborSolicitation({ mac: CLIENT_MAC, source: '::', target: SERVICE6, sourceLinkLayerAddress: null }),
  );
  const defence = await wire.expect(({ hex }) => hex.slice(2 * 54, 2 * 55) === '88');
  assert.equal(defence.hex, neighborAdvertisement(multicastMac(ALL_NODES), ALL_NODES, OVERRIDE));
  assert.equal(defence.type, 'multicast');
});

onWire('a Neighbor Solicitation that is not in order is ignored', async ({ mustIgnore }) => {
  const fields = { mac: CLIENT_MAC, source: ASKER6, target: SERVICE6 };
  const good = neighborSolicitation(fields);
  await mustIgnore('a target that is no service IP', neighborSolicitation({ ...fields, target: '2001:db8::11' }));
  await mustIgnore('hop limit 254', good.replace('00203aff', '00203afe'));
  await mustIgnore('wrong checksum', `${good.slice(0, 2 * 56)}beef${good.slice(2 * 58)}`);
  await mustIgnore(
    'source :: with a link-layer address',
    neighborSolicitation({ ...fields, source: '::', sourceLinkLayerAddress: CLIENT_MAC }),
  );
});
