// The frames that network tests make up are those of the vectors, whose MACs neither they nor the speaker has computed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type HeartbeatFields, heartbeat, readHeartbeat } from './harness/heartbeat.js';

const VECTORS = fileURLToPath(new URL('../../../test/vectors/heartbeat.json', import.meta.url));

function vector(name: string): string {
  const { vectors } = JSON.parse(readFileSync(VECTORS, 'utf8')) as { vectors: { name: string; frame: string[] }[] };
  const found = vectors.find((candidate) => candidate.name === name);
  assert.ok(found, name);
  return found.frame.join('').replaceAll(' ', '');
}

const PLAIN: HeartbeatFields = {
  cluster: 'lab',
  mac: '02:00:00:00:00:b1',
  name: 'host-b',
  incarnation: '00000000000000b1',
  sequence: 1,
};

test('built as the vectors have them, and read back', () => {
  assert.equal(heartbeat(PLAIN), vector('a heartbeat of a node that hears nobody'));
  const heard = [{ incarnation: '0000000000000a01', sequence: 1, held: 0 }];
  const later = {
    ...PLAIN,
    minor: 1,
    laterHeader: 'a1a2a3a4a5',
    laterBody: 'b1b2b3',
    key: 'first key of the lab',
    claimsVersion: 4,
    heard,
  };
  const frame = heartbeat(later);
  assert.equal(frame, vector('a later minor with more fields, authenticated'));
  const { mac, name, incarnation, sequence } = PLAIN;
  const expected = { mac, name, incarnation, sequence, state: 'ready', signed: true, claimsVersion: 4, heard };
  assert.deepEqual(readHeartbeat(frame), expected);
});
