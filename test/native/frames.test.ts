// Announcements and probes are the very bytes that the RFCs describe.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressBytes, parseAddress } from '../../src/net/address.js';
import { announcementFrames, directedFrames, probeFrames } from '../../src/responder/addon.js';
import { bytesOf, hexOf, icmpv6Checksum } from './vector_files.js';

const MAC = '02:00:00:00:00:10';
const NONCE = bytesOf('a1b2c3d4e5f6');
/** Of a message from 2001:db8::10, reckoned by the test's own code. */
const checksum = (destination: string, message: string) =>
  icmpv6Checksum(addressBytes(parseAddress('2001:db8::10')), addressBytes(parseAddress(destination)), bytesOf(message))
    .toString(16)
    .padStart(4, '0');
const PADDING = '00'.repeat(18);

function assertFrames(frames: readonly Uint8Array[], expected: readonly (readonly string[])[]): void {
  assert.deepEqual(
    frames.map(hexOf),
    expected.map((lines) => hexOf(bytesOf(...lines))),
  );
}

test('IPv4 is announced as request with tha 0 (RFC 5227 2.3), then as reply with tha = sha (RFC 5944 4.6)', () => {
  assertFrames(announcementFrames(parseAddress('192.0.2.10'), MAC), [
    [
      'ffffffffffff 020000000010 0806',
      '0001 0800 06 04 0001',
      '020000000010 c000020a',
      '000000000000 c000020a',
      PADDING,
    ],
    [
      'ffffffffffff 020000000010 0806',
      '0001 0800 06 04 0002',
      '020000000010 c000020a',
      '020000000010 c000020a',
      PADDING,
    ],
  ]);
});

test('IPv6 is announced by one NA from the service IP to ff02::1, S=0 O=1 R=0, with TLLAO (RFC 4861 7.2.6)', () => {
  assertFrames(announcementFrames(parseAddress('2001:db8::10'), MAC), [
    [
      '333300000001 020000000010 86dd',
      '60000000 0020 3a ff',
      '20010db8000000000000000000000010',
      'ff020000000000000000000000000001',
      '88 00 f8fd 20000000',
      '20010db8000000000000000000000010',
      '02 01 020000000010',
    ],
  ]);
});

test('an IPv4 client is asked by unicast for its own address, tell the service IP (RFC 826)', () => {
  assertFrames(directedFrames(parseAddress('192.0.2.10'), MAC, parseAddress('192.0.2.77'), '02:00:00:00:00:c1'), [
    [
      '0200000000c1 020000000010 0806',
      '0001 0800 06 04 0001',
      '020000000010 c000020a',
      '000000000000 c000024d',
      PADDING,
    ],
  ]);
});

test('an IPv6 client is told by unicast NA S=0 O=1, then asked by NS, both from the service IP (RFC 4861 7.2.2, 7.2.6)', () => {
  assertFrames(directedFrames(parseAddress('2001:db8::10'), MAC, parseAddress('2001:db8::77'), '02:00:00:00:00:c1'), [
    [
      '0200000000c1 020000000010 86dd',
      '60000000 0020 3a ff',
      '20010db8000000000000000000000010',
      '20010db8000000000000000000000077',
      `88 00 ${checksum('2001:db8::77', '88000000 20000000 20010db8000000000000000000000010 0201 020000000010')} 20000000`,
      '20010db8000000000000000000000010',
      '02 01 020000000010',
    ],
    [
      '0200000000c1 020000000010 86dd',
      '60000000 0020 3a ff',
      '20010db8000000000000000000000010',
      '20010db8000000000000000000000077',
      `87 00 ${checksum('2001:db8::77', '87000000 00000000 20010db8000000000000000000000077 0101 020000000010')} 00000000`,
      '20010db8000000000000000000000077',
      '01 01 020000000010',
    ],
  ]);
});

test('an IPv4 probe is a broadcast request with spa 0 and tha 0 (RFC 5227 2.1.1)', () => {
  assertFrames(probeFrames(parseAddress('192.0.2.10'), MAC, NONCE), [
    [
      'ffffffffffff 020000000010 0806',
      '0001 0800 06 04 0001',
      '020000000010 00000000',
      '000000000000 c000020a',
      PADDING,
    ],
  ]);
});

test('an IPv6 probe is a DAD solicitation from :: with a nonce, without SLLAO (RFC 4862 5.4.2, RFC 7527 4)', () => {
  assertFrames(probeFrames(parseAddress('2001:db8:1234:5678:9abc:def0:12ab:cdef'), MAC, NONCE), [
    [
      '3333ffabcdef 020000000010 86dd',
      '60000000 0020 3a ff',
      '00000000000000000000000000000000',
      'ff0200000000000000000001ffabcdef',
      '87 00 61d8 00000000',
      '20010db8123456789abcdef012abcdef',
      '0e 01 a1b2c3d4e5f6',
    ],
  ]);
});

test('a nonce of another length is refused', () => {
  assert.throws(() => probeFrames(parseAddress('2001:db8::10'), MAC, bytesOf('a1b2c3')));
});
