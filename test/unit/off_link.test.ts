import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offLinkWarning } from '../../src/cli/off_link.js';
import { parseAddress } from '../../src/net/address.js';
import { sampleLink } from './link_sample.js';

const link = (name: string, ...addresses: (readonly [string, number])[]) =>
  sampleLink(name, { addresses: addresses.map(([address, length]) => [parseAddress(address), length] as const) });

const LINKS = [
  link('eth0', ['192.0.2.1', 24], ['2001:db8::1', 64]),
  link('eth1', ['198.51.100.1', 24]),
  link('lo', ['203.0.113.1', 24]),
];

const wanted = (...addresses: string[]) =>
  new Map(addresses.map((address, index) => [parseAddress(address), { services: [`default/s${index}`] }]));

test('what is in a subnet of some interface that is used is not told', () => {
  const inside = wanted('192.0.2.10', '198.51.100.10', '2001:db8::10');
  assert.equal(offLinkWarning(inside, ['eth0', 'eth1'], LINKS), null);
  assert.match(
    offLinkWarning(inside, ['eth0'], LINKS) ?? '',
    /^198\.51\.100\.10 of default\/s1 is in no subnet of eth0: /,
  );
});

test('many are told in one sentence, with an example', () => {
  const outside = wanted('192.0.2.10', '203.0.113.10', '2001:db8:1::10');
  const warning = offLinkWarning(outside, ['eth0', 'eth1'], LINKS) ?? '';
  assert.match(warning, /^2 service IPs, such as 203\.0\.113\.10 of default\/s1, are in no subnet of eth0, eth1: /);
});

test('without an address of its own a node cannot tell', () => {
  assert.equal(offLinkWarning(wanted('203.0.113.10'), ['eth2'], [...LINKS, link('eth2')]), null);
});
