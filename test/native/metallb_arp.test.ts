// What MetalLB's own tests demand of ARP holds here too (test/vectors/metallb-arp.json).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DesiredService, desiredAddresses } from '../../src/desired/desired.js';
import { type Address, addressBytes, parseAddress } from '../../src/net/address.js';
import { announcementFrames, evaluateFrame } from '../../src/responder/addon.js';
import type { Table } from '../../src/responder/types.js';
import { bytesOf, hexOf, macOf, packetTypeOf, readMetallbFile } from './vector_files.js';

interface ArpFrame {
  readonly ethernet: { readonly destination: string; readonly source: string };
  readonly operation: 'request' | 'reply';
  readonly sha: string;
  readonly spa: string;
  readonly tha?: string;
  readonly tpa: string;
}

interface Case {
  readonly name: string;
  readonly interface: { readonly name: string; readonly mac: string };
  readonly table: readonly { address: string; service: string; interfaces: 'all' | readonly string[] }[];
  readonly withdraw?: readonly string[];
  readonly request?: ArpFrame;
  readonly announce?: string;
  readonly expect: {
    readonly reply?: ArpFrame | null;
    readonly reason?: string;
    readonly holders?: Record<string, readonly string[]>;
    readonly frames?: readonly ArpFrame[];
  };
}

const INTERFACES = ['eth0', 'eth1'];
/** A reply to a service IP at our MAC is not answered either, but is no waste: it proves that the client follows a move. */
const OWN_REASONS: Readonly<Record<string, string>> = { 'not-a-request': 'confirmation' };
const { cases } = readMetallbFile() as { cases: readonly Case[] };

function encode(frame: ArpFrame): Uint8Array {
  const mac = (text: string) => text.replaceAll(':', '');
  const ipv4 = (text: string) => hexOf(addressBytes(parseAddress(text)).subarray(12));
  return bytesOf(
    `${mac(frame.ethernet.destination)} ${mac(frame.ethernet.source)} 0806`,
    `0001 0800 06 04 ${frame.operation === 'request' ? '0001' : '0002'}`,
    `${mac(frame.sha)} ${ipv4(frame.spa)} ${mac(frame.tha ?? '00:00:00:00:00:00')} ${ipv4(frame.tpa)}`,
    '00'.repeat(18),
  );
}

/** The fields of an ARP frame, as far as `like` names them: what it leaves out is free. */
function decode(bytes: Uint8Array, like: ArpFrame): ArpFrame {
  const ipv4 = (offset: number) => bytes.subarray(offset, offset + 4).join('.');
  assert.equal(hexOf(bytes.subarray(12, 20)), '0806000108000604');
  return {
    ethernet: { destination: macOf(bytes.subarray(0, 6)), source: macOf(bytes.subarray(6, 12)) },
    operation: bytes[21] === 1 ? 'request' : 'reply',
    sha: macOf(bytes.subarray(22, 28)),
    spa: ipv4(28),
    ...(like.tha === undefined ? {} : { tha: macOf(bytes.subarray(32, 38)) }),
    tpa: ipv4(38),
  };
}

function servicesOf(each: Case): DesiredService[] {
  return each.table
    .filter(({ service }) => !each.withdraw?.includes(service))
    .map(({ address, service, interfaces }) => ({
      name: service,
      addresses: [parseAddress(address)],
      interfaces: interfaces === 'all' ? null : interfaces,
    }));
}

function tableOf(services: readonly DesiredService[]): Table {
  const entries = [...desiredAddresses(services).values()].map(({ address, interfaces }) => {
    const names = INTERFACES.filter((name) => interfaces === null || interfaces.has(name));
    return { address, selected: names, answer: names, tentative: [] };
  });
  return { interfaces: INTERFACES, entries };
}

for (const each of cases) {
  test(each.name, () => {
    const services = servicesOf(each);
    const { expect } = each;
    if (expect.holders) {
      const holders = [...desiredAddresses(services)].map(([address, desired]) => [address, desired.services]);
      const expected = Object.entries(expect.holders).map(([address, names]) => [parseAddress(address), names]);
      assert.deepEqual(new Map(holders as [Address, string[]][]), new Map(expected as [Address, string[]][]));
    }
    if (each.announce !== undefined) {
      const frames = announcementFrames(parseAddress(each.announce), each.interface.mac);
      assert.ok(expect.frames);
      assert.deepEqual(
        frames.map((frame, index) => decode(frame, expect.frames![index]!)),
        expect.frames,
      );
      return;
    }
    assert.ok(each.request);
    const frame = encode(each.request);
    const packetType = packetTypeOf(frame, each.interface.mac);
    const verdict = evaluateFrame(frame, {
      // MetalLB judges by the frame's own destination, without the kernel's word that it is for another host.
      packetType: packetType === 'otherhost' ? 'host' : packetType,
      vlanTci: null,
      interfaceName: each.interface.name,
      mac: each.interface.mac,
      ownMacs: [],
      table: tableOf(services),
    });
    assert.equal(verdict.drop, OWN_REASONS[expect.reason ?? ''] ?? expect.reason ?? null);
    assert.deepEqual(verdict.reply && decode(verdict.reply, expect.reply ?? each.request!), expect.reply);
  });
}

test('all twelve cases are there', () => {
  assert.equal(cases.length, 12);
});
