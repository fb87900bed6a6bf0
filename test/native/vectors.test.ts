// Every frame of test/vectors gets exactly the reply, the drop reason and the rival report that its vector demands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropReasons, evaluateFrame } from '../../src/responder/addon.js';
import { bytesOf, clientOf, contextOf, describe, hexOf, icmpv6Checksum, readVectorFiles } from './vector_files.js';

const files = readVectorFiles();
const vectors = files.flatMap((file) => file.vectors.map((vector) => ({ file, vector })));

for (const file of files) {
  test(file.fileName, async (context) => {
    for (const vector of file.vectors) {
      await context.test(`${vector.name} [${vector.source}]`, () => {
        const frame = bytesOf(...vector.frame);
        const before = hexOf(frame);
        const { reply, drop, rival, confirmed } = vector.expect;
        assert.deepEqual(describe(evaluateFrame(frame, contextOf(file, vector, frame))), {
          drop: drop ?? null,
          reply: reply ? hexOf(bytesOf(...reply)) : null,
          rival: rival ?? null,
          client: clientOf(vector),
          confirmed: confirmed ?? false,
        });
        assert.equal(hexOf(frame), before, 'the frame was changed');
      });
    }
  });
}

test('every drop reason of reply() occurs, and no other', () => {
  const used = new Set(vectors.map(({ vector }) => vector.expect.drop).filter((drop) => drop !== undefined));
  const reasons = dropReasons.filter((name) => !name.startsWith('heartbeat-'));
  assert.deepEqual([...used].sort(), reasons.sort());
});

test('every kind of rival occurs', () => {
  const used = new Set(vectors.map(({ vector }) => vector.expect.rival?.kind).filter((kind) => kind !== undefined));
  assert.deepEqual([...used].sort(), ['arp', 'arp-probe', 'dad', 'na', 'ns']);
});

test('every file has vectors, and every vector a name of its own and one outcome', () => {
  const names = new Set<string>();
  for (const file of files) assert.ok(file.vectors.length > 0, file.fileName);
  for (const { file, vector } of vectors) {
    const where = `${file.fileName}: ${vector.name}`;
    assert.ok(!names.has(vector.name), `${where}: the name is used twice`);
    names.add(vector.name);
    assert.ok(vector.source.length > 0, `${where}: no source`);
    assert.notEqual(vector.expect.reply === undefined, vector.expect.drop === undefined, `${where}: one outcome`);
  }
});

test('every expected reply has its one size, zero padding and a right checksum', () => {
  for (const { file, vector } of vectors) {
    if (vector.expect.reply === undefined) continue;
    const reply = bytesOf(...vector.expect.reply);
    const where = `${file.fileName}: ${vector.name}`;
    if (hexOf(reply.subarray(12, 14)) === '0806') {
      assert.equal(reply.length, 60, where);
      assert.equal(hexOf(reply.subarray(42)), '00'.repeat(18), where);
      continue;
    }
    assert.equal(reply.length, 86, where);
    assert.equal(icmpv6Checksum(reply.subarray(22, 38), reply.subarray(38, 54), reply.subarray(54)), 0, where);
  }
});
