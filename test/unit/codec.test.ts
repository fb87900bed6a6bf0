import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Address, addressFromBytes, familyOf } from '../../src/net/address.js';
import { decode, encode, MAX_BODY_BYTES, MAX_TERM } from '../../src/ownership/codec.js';
import type { OwnershipClaim, PeerMessage } from '../../src/ownership/message.js';
import { pagesOf, splitChange, splitRequest } from '../../src/ownership/split.js';

/** Objects as a literal makes them: deepEqual compares prototypes. */
const PLAIN = { noNullPrototype: true } as const;
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const ipv4 = bytes(4).map((tail) => [...tail].join('.') as Address);
const address = fc.oneof(
  ipv4,
  bytes(16)
    .filter((all) => familyOf(addressFromBytes(all)) === 'ipv6')
    .map(addressFromBytes),
  fc.integer({ min: 1, max: 0xffff }).map((tail) => `2001:db8::${tail.toString(16)}` as Address),
);
const incarnation = bytes(8).map((all) => Buffer.from(all).toString('hex'));
const claim: fc.Arbitrary<OwnershipClaim> = fc.record(
  {
    address,
    term: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: MAX_TERM })),
    firm: fc.boolean(),
  },
  PLAIN,
);
const u32 = fc.integer({ min: 0, max: 0xffff_fffe });
const few = { maxLength: 25 };
const message: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc
    .record({ baseVersion: u32, claims: fc.array(claim, few), yielded: fc.array(address, few) })
    .map((rest) => ({ type: 'claims-change' as const, version: rest.baseVersion + 1, ...rest })),
  fc
    .record({ version: u32, page: fc.nat(0xfffe), claims: fc.array(claim, few) })
    .map((rest) => ({ type: 'claims-page' as const, pages: rest.page + 1, ...rest })),
  fc.record(
    {
      type: fc.constantFrom('handover' as const, 'decline' as const, 'later' as const),
      to: incarnation,
      addresses: fc.array(address, few),
    },
    PLAIN,
  ),
  fc.record(
    {
      type: fc.constant('move-request' as const),
      address,
      node: fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
    },
    PLAIN,
  ),
);

/** Lists come back with IPv4 first. */
function inOrder(message: PeerMessage): PeerMessage {
  const ordered = <Item>(items: readonly Item[], addressOf: (item: Item) => Address) =>
    items.toSorted((a, b) => familyOf(addressOf(a)).localeCompare(familyOf(addressOf(b))));
  const copy: Record<string, unknown> = { ...message };
  if ('claims' in message) copy.claims = ordered(message.claims, (item) => item.address);
  if ('yielded' in message) copy.yielded = ordered(message.yielded, (item) => item);
  if ('addresses' in message) copy.addresses = ordered(message.addresses, (item) => item);
  return copy as unknown as PeerMessage;
}

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const IPV6 = '2001:db8::1' as Address;
const IPV4 = '192.0.2.1' as Address;
const EXAMPLES: [string, PeerMessage, string][] = [
  [
    'a claims-change',
    {
      type: 'claims-change',
      baseVersion: 7,
      version: 8,
      claims: [
        { address: IPV6, term: 3, firm: true },
        { address: IPV4, term: 2, firm: false },
      ],
      yielded: ['192.0.2.9' as Address],
    },
    '01 01 00000007 00000008 0001 0001 c0000201 00000002 20010db8000000000000000000000001 80000003 0001 0000 c0000209',
  ],
  [
    'a claims-page',
    { type: 'claims-page', version: 8, page: 1, pages: 2, claims: [{ address: IPV4, term: 1, firm: true }] },
    '02 01 00000008 0001 0002 0001 0000 c0000201 80000001',
  ],
  [
    'a handover',
    { type: 'handover', to: '0123456789abcdef', addresses: [IPV4] },
    '03 01 0123456789abcdef 0001 0000 c0000201',
  ],
  ['a decline', { type: 'decline', to: 'fedcba9876543210', addresses: [] }, '04 01 fedcba9876543210 0000 0000'],
  [
    'a later',
    { type: 'later', to: 'fedcba9876543210', addresses: [IPV4] },
    '06 01 fedcba9876543210 0001 0000 c0000201',
  ],
  [
    'a move-request',
    { type: 'move-request', address: IPV6, node: 'b' },
    '05 01 06 20010db8000000000000000000000001 01 62',
  ],
];

describe('the codec', () => {
  for (const [name, sample, text] of EXAMPLES)
    it(`writes ${name} as documented`, () => {
      assert.equal(Buffer.from(encode(sample)).toString('hex'), text.replaceAll(' ', ''));
      assert.deepEqual(decode(hex(text)), inOrder(sample));
    });

  it('reads what it writes', () => {
    fc.assert(fc.property(message, (sample) => assert.deepEqual(decode(encode(sample)), inOrder(sample))));
  });

  it('reads from the middle of a buffer', () => {
    const body = encode(EXAMPLES[0]![1]);
    const wide = new Uint8Array(body.length + 20).fill(255);
    wide.set(body, 13);
    assert.deepEqual(decode(wide.subarray(13, 13 + body.length)), inOrder(EXAMPLES[0]![1]));
  });

  it('refuses a message cut at any length, and one with a rest', () => {
    for (const [, sample] of EXAMPLES) {
      const body = encode(sample);
      for (let length = 0; length < body.length; length += 1) assert.equal(decode(body.subarray(0, length)), null);
      assert.equal(decode(Uint8Array.of(...body, 0)), null);
    }
  });

  it('never throws, and reads only what it would write', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ maxLength: 80 }).map((tail) => Uint8Array.of(1 + (tail.length % 6), 1, ...tail)),
      fc.tuple(message, fc.nat(), fc.nat(255)).map(([sample, at, value]) => {
        const body = encode(sample);
        body[at % body.length] = value;
        return body;
      }),
    );
    fc.assert(
      fc.property(noise, (body) => {
        const read = decode(body);
        if (read !== null) assert.deepEqual(encode(read), body);
      }),
      { numRuns: 5_000 },
    );
  });

  const refused: [string, string][] = [
    ['nothing', ''],
    ['an unknown kind', '07 01 0000'],
    ['kind 0', '00 01 0000'],
    ['another format version', '04 02 fedcba9876543210 0000 0000'],
    ['a change that leads back', '01 01 00000008 00000008 0000 0000 0000 0000'],
    ['a page beyond the last', '02 01 00000008 0002 0002 0000 0000'],
    ['no pages', '02 01 00000008 0000 0000 0000 0000'],
    ['a term of 0', '02 01 00000008 0000 0001 0001 0000 c0000201 80000000'],
    ['more addresses than there are bytes', '04 01 fedcba9876543210 ffff ffff c0000201'],
    ['an IPv4 address as IPv6', '04 01 fedcba9876543210 0000 0001 00000000000000000000ffffc0000201'],
    ['an unknown family', '05 01 05 c0000201 01 62'],
    ['an empty name', '05 01 04 c0000201 00'],
    ['a name that is not UTF-8', '05 01 04 c0000201 02 c328'],
  ];
  for (const [name, text] of refused) it(`refuses ${name}`, () => assert.equal(decode(hex(text)), null));

  it('does not let a term run over', () => {
    const claims = [{ address: IPV4, term: MAX_TERM + 1, firm: false }];
    assert.deepEqual(decode(encode({ type: 'claims-page', version: 1, page: 0, pages: 1, claims })), {
      type: 'claims-page',
      version: 1,
      page: 0,
      pages: 1,
      claims: [{ address: IPV4, term: MAX_TERM, firm: false }],
    });
  });

  it('refuses to write what does not fit a frame', () => {
    const addresses = Array.from({ length: 300 }, () => IPV4);
    assert.throws(() => encode({ type: 'handover', to: '0123456789abcdef', addresses }), {
      name: 'RangeError',
      message: /1184/,
    });
  });
});

describe('splitting', () => {
  const claims = fc.array(claim, { maxLength: 600, size: 'max' });
  const list = fc.array(address, { maxLength: 600, size: 'max' });
  const fits = (sample: PeerMessage) => assert.ok(encode(sample).length <= MAX_BODY_BYTES);

  it('makes a chain of changes that together say all, in order', () => {
    fc.assert(
      fc.property(u32, claims, list, (baseVersion, made, yielded) => {
        const changes = splitChange(baseVersion, made, yielded);
        changes.forEach((change, index) => {
          fits(change);
          assert.equal(change.baseVersion, baseVersion + index);
          assert.equal(change.version, baseVersion + index + 1);
        });
        assert.deepEqual(
          changes.flatMap((change) => change.claims),
          made,
        );
        assert.deepEqual(
          changes.flatMap((change) => change.yielded),
          yielded,
        );
      }),
      { numRuns: 30 },
    );
  });

  it('makes one change of what fits, also of nothing', () => {
    assert.deepEqual(splitChange(4, [], []), [
      { type: 'claims-change', baseVersion: 4, version: 5, claims: [], yielded: [] },
    ]);
    const made = [{ address: IPV4, term: 1, firm: true }];
    assert.equal(splitChange(4, made, [IPV6]).length, 1);
  });

  it('needs 35 frames for 5,000 IPv4 claims', () => {
    const many = Array.from({ length: 5_000 }, (_, index) => ({
      address: `10.0.${index >> 8}.${index & 255}` as Address,
      term: 1,
      firm: false,
    }));
    assert.equal(splitChange(0, many, []).length, 35);
    assert.equal(pagesOf(1, many).length, 35);
  });

  it('makes pages that are numbered and together say all', () => {
    fc.assert(
      fc.property(claims, (made) => {
        const pages = pagesOf(9, made);
        assert.ok(pages.length > 0);
        pages.forEach((page, index) => {
          fits(page);
          assert.deepEqual([page.version, page.page, page.pages], [9, index, pages.length]);
        });
        assert.deepEqual(
          pages.flatMap((page) => page.claims),
          made,
        );
      }),
      { numRuns: 30 },
    );
  });

  it('makes several requests of a long one', () => {
    fc.assert(
      fc.property(list, (addresses) => {
        const parts = splitRequest({ type: 'handover', to: '0123456789abcdef', addresses });
        for (const part of parts) fits(part);
        assert.deepEqual(
          parts.flatMap((part) => part.addresses),
          addresses,
        );
      }),
      { numRuns: 30 },
    );
  });
});
