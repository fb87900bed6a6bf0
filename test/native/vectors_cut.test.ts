// A frame that was cut, or that any single bit error has touched, is dropped by name and never answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluateFrame } from '../../src/responder/addon.js';
import { bytesOf, contextOf, icmpv6Checksum, readVectorFiles } from './vector_files.js';

const ICMPV6 = 54;
const files = readVectorFiles();

function find(name: string) {
  for (const file of files) {
    const vector = file.vectors.find((each) => each.name === name);
    if (vector) return { file, vector, frame: bytesOf(...vector.frame) };
  }
  throw new Error(`no vector is named "${name}"`);
}

/** Judges a variation of the vector's frame, with the packet type that the whole frame had. */
function evaluate(name: string, vary: (frame: Uint8Array) => Uint8Array) {
  const { file, vector, frame } = find(name);
  return evaluateFrame(vary(frame.slice()), contextOf(file, vector, frame));
}

/** Cuts an NDP message to `size` bytes so that payload length and checksum are right for what is left. */
function shorten(frame: Uint8Array, size: number): Uint8Array {
  const short = Buffer.from(frame.subarray(0, ICMPV6 + size));
  short.writeUInt16BE(size, 18);
  if (size < 4) return short;
  short.writeUInt16BE(0, ICMPV6 + 2);
  short.writeUInt16BE(
    icmpv6Checksum(short.subarray(22, 38), short.subarray(38, 54), short.subarray(ICMPV6)),
    ICMPV6 + 2,
  );
  return short;
}

// Ends of the frames as they must be read: 42 bytes are an ARP packet, what follows is padding.
const CUT = [
  ['a broadcast request is answered by unicast', 42],
  ['a gratuitous reply for our address, THA = SHA', 42],
  ['a multicast solicitation with SLLAO', 86],
  ['a unicast solicitation without SLLAO, as reachability probes are', 78],
  ['duplicate address detection with a nonce', 86],
  ['an unsolicited advertisement of our address', 86],
  ['hop-by-hop, then destination options twice', 118],
  ['a client answers our directed request', 42],
  ['a client answers our directed solicitation', 86],
] as const;

for (const [name, size] of CUT) {
  test(`${name}: cut at every length`, () => {
    for (let length = 0; length < size; length += 1) {
      const verdict = evaluate(name, (frame) => frame.subarray(0, length));
      const nothing = { reply: null, drop: 'truncated', rival: null, client: null, confirmed: false };
      assert.deepEqual(verdict, nothing, `${length} bytes`);
    }
    const { expect } = find(name).vector;
    assert.equal(evaluate(name, (frame) => frame.subarray(0, size)).drop, expect.drop ?? null);
  });
}

for (const name of ['a multicast solicitation with SLLAO', 'an unsolicited advertisement of our address']) {
  test(`${name}: every length of the message with a payload length that agrees`, () => {
    for (let size = 0; size < 32; size += 1) {
      const verdict = evaluate(name, (frame) => shorten(frame, size));
      const whole = find(name).vector.expect.drop ?? null;
      const drop = size < 24 ? 'truncated' : size === 24 ? whole : 'bad-option';
      assert.equal(verdict.drop, drop, `${size} bytes`);
      if (drop !== whole) assert.deepEqual([verdict.reply, verdict.rival], [null, null], `${size} bytes`);
    }
  });
}

test('a solicitation with one wrong bit in its addresses or its message is never answered', () => {
  for (let offset = 22; offset < 86; offset += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const verdict = evaluate('a multicast solicitation with SLLAO', (frame) => {
        frame[offset]! ^= 1 << bit;
        return frame;
      });
      assert.equal(verdict.reply, null, `bit ${bit} of byte ${offset}`);
      assert.equal(verdict.rival, null, `bit ${bit} of byte ${offset}`);
      assert.notEqual(verdict.drop, null, `bit ${bit} of byte ${offset}`);
    }
  }
});

test('every option length byte is read within the message', () => {
  for (let length = 0; length < 256; length += 1) {
    const verdict = evaluate('a multicast solicitation with SLLAO', (frame) => {
      frame[ICMPV6 + 25] = length;
      return shorten(frame, 32);
    });
    assert.equal(verdict.drop, length === 1 ? null : 'bad-option', `option length ${length}`);
  }
});

test('every length byte of an extension header is read within the payload', () => {
  for (let length = 0; length < 256; length += 1) {
    const verdict = evaluate('hop-by-hop options', (frame) => {
      frame[ICMPV6 + 1] = length;
      return frame;
    });
    // The message starts where the first header ends; any other end leaves nothing that is a solicitation.
    if (length === 0) assert.notEqual(verdict.reply, null);
    else assert.equal(verdict.reply, null, `extension header length ${length}`);
  }
});
