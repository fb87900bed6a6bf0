import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Address,
  AddressError,
  addressBytes,
  addressFromBytes,
  familyOf,
  parseAddress,
  writeAddress,
} from '../../src/net/address.js';
import { isLoopbackAddress, unusableReason } from '../../src/net/service_address.js';

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6();

function parsedOrNull(text: string): Address | null {
  try {
    return parseAddress(text);
  } catch (error) {
    assert.ok(error instanceof AddressError, String(error));
    return null;
  }
}

describe('parseAddress', () => {
  const canonical: [string, string][] = [
    ['192.0.2.10', '192.0.2.10'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:0:0:0:10', '2001:db8::10'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::192.0.2.33', '::c000:221'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ];
  for (const [text, expected] of canonical)
    it(`reads ${text} as ${expected}`, () => assert.equal(parseAddress(text), expected));

  const refused: [string, RegExp][] = [
    ['', /"" is not an IP address/],
    ['web', /"web" is not an IP address/],
    ['10', /not an IP address/],
    ['10.1', /not an IP address/],
    ['0x0a.0.0.1', /not an IP address/],
    ['1.2.3.4.5', /not an IP address/],
    ['1.2.3.', /not an IP address/],
    [' 192.0.2.1', /not an IP address/],
    ['192.0.2.1 ', /not an IP address/],
    ['192.0.2.1\n', /"192\.0\.2\.1\\n" is not an IP address/],
    ['192.0.2.256', /a number is above 255/],
    ['192.0.2.99999999999999999999', /a number is above 255/],
    ['010.0.0.1', /leading zero.*octal/],
    ['10.0.0.010', /leading zero.*octal/],
    ['10.00.0.1', /leading zero.*octal/],
    ['192.0.2.1/24', /prefix length: 192\.0\.2\.1$/],
    ['2001:db8::1/64', /prefix length: 2001:db8::1$/],
    ['fe80::1%eth0', /zone/],
    ['::ffff:192.0.2.1', /IPv4-mapped address; write it as 192\.0\.2\.1/],
    ['::ffff:c000:201', /IPv4-mapped address; write it as 192\.0\.2\.1/],
    ['64:ff9b::010.0.0.1', /octal/],
    ['64:ff9b::1.2.3', /not an IP address/],
    ['1::2::3', /not an IPv6 address/],
    [':::', /not an IPv6 address/],
    ['1:2:3:4:5:6:7:8:9', /not an IPv6 address/],
    ['12345::', /not an IPv6 address/],
    ['2001:db8::g', /not an IPv6 address/],
  ];
  for (const [text, message] of refused)
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseAddress(text), { name: 'AddressError', message }));

  it('is the identity on its own output', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (text) => {
        const address = parsedOrNull(text);
        fc.pre(address !== null);
        assert.equal(parseAddress(address), address);
      }),
    );
  });

  it('takes the IPv6 texts that the platform takes, but for mapped ones, and no others', () => {
    const nearly = fc.string({ unit: fc.constantFrom(':', '::', '0', '1', 'ab', 'ffff', '.', '1.2.3.4', 'g') });
    fc.assert(
      fc.property(fc.oneof(ipv6, nearly), (text) => {
        fc.pre(text.includes(':'));
        let message = '';
        try {
          parseAddress(text);
        } catch (error) {
          message = (error as Error).message;
        }
        assert.equal(message === '' || message.includes('IPv4-mapped'), isIPv6(text), `${text}: ${message}`);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('address bytes', () => {
  it('store IPv4 as mapped', () => {
    assert.equal(
      Buffer.from(addressBytes(parseAddress('192.0.2.10'))).toString('hex'),
      `${'0'.repeat(20)}ffffc000020a`,
    );
    assert.equal(Buffer.from(addressBytes(parseAddress('2001:db8::a'))).toString('hex'), `20010db8${'0'.repeat(23)}a`);
  });

  it('round trip, at any offset and over old bytes', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), fc.nat(8), (text, offset) => {
        const address = parsedOrNull(text);
        fc.pre(address !== null);
        const target = new Uint8Array(offset + 17).fill(0xaa);
        writeAddress(address, target, offset);
        assert.equal(target[offset + 16], 0xaa);
        assert.equal(addressFromBytes(target.slice(offset, offset + 16)), address);
        assert.deepEqual(addressBytes(address), target.slice(offset, offset + 16));
      }),
    );
  });

  it('round trip from bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        assert.deepEqual(addressBytes(addressFromBytes(bytes)), bytes);
      }),
    );
  });

  it('are 16', () => assert.throws(() => addressFromBytes(new Uint8Array(4)), /has 16 bytes, not 4/));
});

describe('familyOf', () => {
  it('tells by the text', () => {
    assert.equal(familyOf(parseAddress('192.0.2.1')), 'ipv4');
    assert.equal(familyOf(parseAddress('2001:db8::1')), 'ipv6');
  });
});

describe('unusableReason', () => {
  const rows: [string, RegExp | null][] = [
    ['0.0.0.0', /unspecified/],
    ['0.1.2.3', /0\.0\.0\.0\/8/],
    ['1.0.0.0', null],
    ['126.255.255.255', null],
    ['127.0.0.0', /loopback/],
    ['127.255.255.255', /loopback/],
    ['128.0.0.1', null],
    ['169.254.1.1', null],
    ['223.255.255.255', null],
    ['224.0.0.0', /multicast/],
    ['239.255.255.255', /multicast/],
    ['240.0.0.0', /class E/],
    ['255.255.255.254', /class E/],
    ['255.255.255.255', /limited broadcast/],
    ['::', /unspecified/],
    ['::1', /loopback/],
    ['::2', null],
    ['ff::1', null],
    ['fe00::1', null],
    ['fe7f:ffff::', null],
    ['fe80::', /link-local.*zone/],
    ['febf:ffff::1', /link-local/],
    ['fec0::1', null],
    ['fd00::1', null],
    ['feff::', null],
    ['ff00::', /multicast/],
    ['ffff::1', /multicast/],
    ['2001:db8::1', null],
  ];
  for (const [text, expected] of rows)
    it(`${text}: ${expected ?? 'usable'}`, () => {
      const reason = unusableReason(parseAddress(text));
      if (expected === null) assert.equal(reason, null);
      else assert.match(reason ?? '', expected);
    });
});

describe('isLoopbackAddress', () => {
  it('is true for 127.0.0.0/8 and ::1 alone', () => {
    for (const text of ['127.0.0.1', '127.9.9.9', '::1']) assert.ok(isLoopbackAddress(parseAddress(text)));
    for (const text of ['128.0.0.1', '12.7.0.1', '::2', '127::1']) assert.ok(!isLoopbackAddress(parseAddress(text)));
  });
});
