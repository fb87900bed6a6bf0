import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Address, type Family, parseAddress } from '../../src/net/address.js';
import {
  addressToBigint,
  bigintToAddress,
  overlaps,
  parseRange,
  RangeSyntaxError,
  rangeContains,
  rangeSize,
} from '../../src/metallb/ranges.js';
import type { AddressRange } from '../../src/metallb/types.js';

const BITS: Record<Family, number> = { ipv4: 32, ipv6: 128 };
const family = fc.constantFrom<Family>('ipv4', 'ipv6');
/** Away from ::ffff:0:0/96. */
const value = (of: Family) => (of === 'ipv4' ? fc.bigInt(0n, 2n ** 32n - 1n) : fc.bigInt(2n ** 125n, 2n ** 128n - 1n));
const ends = family.chain((of) =>
  fc.tuple(value(of), value(of)).map((pair) => {
    const [first, last] = pair.sort((a, b) => (a < b ? -1 : 1)) as [bigint, bigint];
    return { of, first, last };
  }),
);

function textOf(of: Family, first: bigint, last: bigint): string {
  return `${bigintToAddress(first, of)}-${bigintToAddress(last, of)}`;
}

function reasonFor(text: string): string | null {
  try {
    parseRange(text);
    return null;
  } catch (error) {
    assert.ok(error instanceof RangeSyntaxError, String(error));
    assert.ok(error.message.length > 15, error.message);
    return error.reason;
  }
}

describe('a range of addresses', () => {
  it('is a prefix or two ends', () => {
    const prefix = parseRange('192.0.2.0/24');
    assert.deepEqual(prefix.cidrs, ['192.0.2.0/24']);
    assert.equal(rangeSize(prefix), 256n);
    const six = parseRange('2001:DB8::/64');
    assert.deepEqual([six.family, six.cidrs], ['ipv6', ['2001:db8::/64']]);
    assert.equal(rangeSize(six), 2n ** 64n);
    assert.deepEqual(parseRange('192.0.2.9 - 192.0.2.9').cidrs, ['192.0.2.9/32']);
    assert.deepEqual(parseRange('2001:db8::1-2001:db8::2').cidrs, ['2001:db8::1/128', '2001:db8::2/128']);
    assert.deepEqual(parseRange('0.0.0.0-255.255.255.255').cidrs, ['0.0.0.0/0']);
  });

  it('written with bits beyond its prefix is the prefix', () => {
    assert.deepEqual(parseRange('192.0.2.77/24').cidrs, ['192.0.2.0/24']);
    assert.equal(parseRange('192.0.2.77/24').text, '192.0.2.77/24');
  });

  it('that makes no sense is refused with the reason', () => {
    for (const text of [
      ...[
        '',
        '192.0.2.1',
        '2001:db8::1',
        '192.0.2.0/33',
        '2001:db8::/129',
        '192.0.2.0/',
        '192.0.2.0/-1',
        '192.0.2.0/a',
      ],
      ...['192.0.2.0/024', '010.0.0.0/8', '192.0.2/24', ' 192.0.2.0/24', '192.0.2.0/24 ', '192.0.2.0 /24'],
      ...['192.0.2.1-', '-192.0.2.1', '192.0.2.1-192.0.2.2-192.0.2.3', '192.0.2.1-2001:db8::1', '192.0.2.1-9'],
      ...['::ffff:192.0.2.0/120', '::/0', 'fe80::%eth0/64', 'text'],
      // IPv4-mapped addresses within, and where a prefix would begin.
      ...['::1-ffff::', '::fffe:ffff:ffff-::1:0:0:0'],
    ])
      assert.equal(reasonFor(text), 'invalid-address', text);
    assert.equal(reasonFor('192.0.2.2-192.0.2.1'), 'range-reversed');
    assert.equal(reasonFor('2001:db8::2-2001:db8::1'), 'range-reversed');
  });

  it('is made up by its prefixes, exactly, in order and with none to spare', () => {
    fc.assert(
      fc.property(ends, ({ of, first, last }) => {
        const range = parseRange(textOf(of, first, last));
        const parts = range.cidrs.map(parseRange);
        let next = first;
        for (const part of parts) {
          assert.equal(part.first, next);
          next = part.last + 1n;
        }
        assert.equal(next, last + 1n);
        // Two neighbours that were halves of one prefix would be one to spare.
        for (let index = 1; index < parts.length; index += 1) {
          const [a, b] = [parts[index - 1]!, parts[index]!];
          assert.ok(rangeSize(a) !== rangeSize(b) || a.first % (2n * rangeSize(a)) !== 0n, range.cidrs.join(' '));
        }
      }),
    );
  });

  it('contains its ends and what lies between', () => {
    fc.assert(
      fc.property(ends, fc.double({ min: 0, max: 1, noNaN: true }), ({ of, first, last }, part) => {
        const range = parseRange(textOf(of, first, last));
        const inside = first + ((last - first) * BigInt(Math.floor(part * 1000))) / 1000n;
        for (const each of [first, last, inside]) assert.ok(rangeContains(range, bigintToAddress(each, of)));
        if (first > 0n) assert.ok(!rangeContains(range, bigintToAddress(first - 1n, of)));
        if (last + 1n < 1n << BigInt(BITS[of])) assert.ok(!rangeContains(range, bigintToAddress(last + 1n, of)));
        assert.ok(!rangeContains(range, (of === 'ipv4' ? '2001:db8::1' : '192.0.2.1') as Address));
      }),
    );
  });
});

describe('an address as a number', () => {
  it('and back is the same', () => {
    fc.assert(
      fc.property(ends, ({ of, first }) => {
        const address = bigintToAddress(first, of);
        assert.equal(parseAddress(address), address);
        assert.equal(addressToBigint(address), first);
      }),
    );
    assert.equal(addressToBigint('255.255.255.255' as Address), 2n ** 32n - 1n);
    assert.equal(bigintToAddress(0n, 'ipv6'), '::');
  });

  it('must be one of the family', () => {
    for (const bad of [-1n, 1n << 32n]) assert.throws(() => bigintToAddress(bad, 'ipv4'), RangeError);
    for (const bad of [-1n, 1n << 128n, 0xffff_0000_0001n])
      assert.throws(() => bigintToAddress(bad, 'ipv6'), RangeError);
  });
});

describe('overlapping ranges', () => {
  it('are found as a comparison of all with all finds them', () => {
    const small = fc
      .tuple(fc.nat(60), fc.nat(6))
      .map(([first, more]) => parseRange(textOf('ipv4', BigInt(first), BigInt(first + more))));
    const six = parseRange('2001:db8::/64');
    const meet = (a: AddressRange, b: AddressRange) => a.family === b.family && a.first <= b.last && b.first <= a.last;
    fc.assert(
      fc.property(fc.array(small, { maxLength: 8 }), (list) => {
        const ranges = [...list, six].map((range, owner) => ({ range, owner }));
        const found = overlaps(ranges);
        for (const [a, b] of found) assert.ok(a.owner !== b.owner && meet(a.range, b.range));
        const any = ranges.some((a) => ranges.some((b) => a.owner < b.owner && meet(a.range, b.range)));
        assert.equal(found.length > 0, any);
      }),
    );
  });

  it('of the same addresses in both families do not exist', () => {
    const ranges = ['0.0.0.0/0', '::1:0:0:0/80'].map((text, owner) => ({ range: parseRange(text), owner }));
    assert.deepEqual(overlaps(ranges), []);
  });
});
