import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addressBytes, addressFromBytes, parseAddress } from '../../src/net/address.js';
import { formatMac, isUnicastMac, parseMac } from '../../src/net/mac.js';
import { formatSubnet, reservedRole, subnetContains, subnetOf } from '../../src/net/subnet.js';

describe('subnetOf', () => {
  const rows: [string, number, string, string | null][] = [
    ['192.0.2.77', 24, '192.0.2.0/24', '192.0.2.255'],
    ['192.0.2.77', 25, '192.0.2.0/25', '192.0.2.127'],
    ['192.0.2.77', 30, '192.0.2.76/30', '192.0.2.79'],
    ['192.0.2.77', 31, '192.0.2.76/31', null],
    ['192.0.2.77', 32, '192.0.2.77/32', null],
    ['192.0.2.77', 0, '0.0.0.0/0', '255.255.255.255'],
    ['10.201.3.4', 12, '10.192.0.0/12', '10.207.255.255'],
    ['2001:db8:1:2:3::4', 64, '2001:db8:1:2::/64', null],
    ['2001:db8::ffff', 124, '2001:db8::fff0/124', null],
    ['2001:db8::ffff', 128, '2001:db8::ffff/128', null],
    ['2001:db8::ffff', 0, '::/0', null],
  ];
  for (const [address, length, network, broadcast] of rows)
    it(`${address}/${length} is in ${network}`, () => {
      const subnet = subnetOf(parseAddress(address), length);
      assert.equal(formatSubnet(subnet), network);
      assert.equal(subnet.broadcast, broadcast);
    });

  for (const [address, length] of [
    ['192.0.2.1', 33],
    ['192.0.2.1', -1],
    ['192.0.2.1', 1.5],
    ['2001:db8::1', 129],
  ] as const)
    it(`refuses ${address}/${length}`, () =>
      assert.throws(() => subnetOf(parseAddress(address), length), { name: 'RangeError', message: /prefix length/ }));
});

describe('subnetContains', () => {
  it('agrees with comparing the bits one by one', () => {
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    );
    const addressOf = (bytes: Uint8Array) =>
      bytes.length === 4 ? parseAddress(bytes.join('.')) : addressFromBytes(bytes);
    const bits = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
    fc.assert(
      fc.property(octets, fc.nat(128), fc.nat(127), (base, rawLength, flipped) => {
        const length = Math.min(rawLength, base.length * 8);
        const other = Uint8Array.from(base);
        const position = flipped % (base.length * 8);
        other[position >> 3]! ^= 0x80 >> (position & 7);
        const subnet = subnetOf(addressOf(base), length);
        assert.ok(subnetContains(subnet, addressOf(base)));
        assert.equal(
          subnetContains(subnet, addressOf(other)),
          bits(base).slice(0, length) === bits(other).slice(0, length),
        );
      }),
    );
  });

  it('keeps the families apart, though IPv4 is stored as IPv6', () => {
    const everything6 = subnetOf(parseAddress('::'), 0);
    const everything4 = subnetOf(parseAddress('0.0.0.0'), 0);
    assert.ok(!subnetContains(everything6, parseAddress('192.0.2.1')));
    assert.ok(!subnetContains(everything4, parseAddress('2001:db8::1')));
    assert.ok(subnetContains(everything4, parseAddress('192.0.2.1'), addressBytes(parseAddress('192.0.2.1'))));
  });
});

describe('reservedRole', () => {
  const rows: [string, number, string, string | null][] = [
    ['192.0.2.1', 24, '192.0.2.255', 'broadcast'],
    ['192.0.2.1', 24, '192.0.2.0', 'network'],
    ['192.0.2.1', 24, '192.0.2.1', null],
    ['192.0.2.1', 30, '192.0.2.0', 'network'],
    ['192.0.2.1', 30, '192.0.2.3', 'broadcast'],
    ['192.0.2.1', 31, '192.0.2.0', null],
    ['192.0.2.1', 32, '192.0.2.1', null],
    ['2001:db8::1', 64, '2001:db8::', 'anycast'],
    ['2001:db8::1', 126, '2001:db8::', 'anycast'],
    ['2001:db8::1', 127, '2001:db8::', null],
    ['2001:db8::1', 128, '2001:db8::1', null],
    ['2001:db8::1', 64, '2001:db8::ffff:ffff:ffff:ffff', null],
  ];
  for (const [base, length, address, role] of rows)
    it(`${address} in ${base}/${length}: ${role}`, () =>
      assert.equal(reservedRole(subnetOf(parseAddress(base), length), parseAddress(address)), role));
});

describe('MAC addresses', () => {
  it('round trip', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        assert.deepEqual(parseMac(formatMac(bytes)), bytes);
        assert.deepEqual(parseMac(formatMac(bytes).toUpperCase()), bytes);
      }),
    );
  });

  for (const text of [
    '',
    '02:00:5e:10:00',
    '02:00:5e:10:00:01:02',
    '2:0:5e:10:0:1',
    '02-00-5e-10-00-01',
    '02:00:5e:10:00:0g',
  ])
    it(`refuse ${JSON.stringify(text)}`, () => assert.throws(() => parseMac(text), TypeError));

  it('have six bytes', () => assert.throws(() => formatMac(new Uint8Array(5)), /6 bytes, not 5/));

  it('are unicast unless of a group or zero', () => {
    assert.ok(isUnicastMac(parseMac('02:00:5e:10:00:01')));
    assert.ok(isUnicastMac(parseMac('00:00:00:00:00:01')));
    for (const text of ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '33:33:00:00:00:01', '00:00:00:00:00:00'])
      assert.ok(!isUnicastMac(parseMac(text)), text);
  });
});
