import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHeartbeatOptions, checkKeys } from '../../src/responder/heartbeat_options.js';
import type { HeartbeatOptions } from '../../src/responder/types.js';

const GOOD: HeartbeatOptions = {
  node: 'alpha',
  cluster: 'test',
  incarnation: '00000000000000a1',
  intervalMs: 50,
  multiplier: 3,
  keys: [Buffer.from('key')],
};

test('options that the native code can work with pass', () => {
  checkHeartbeatOptions(GOOD);
  checkHeartbeatOptions({ ...GOOD, node: 'n'.repeat(253), multiplier: 255, intervalMs: 0.5, keys: [] });
});

const BAD: Record<string, [Partial<HeartbeatOptions>, RegExp]> = {
  'no name': [{ node: '' }, /has 0 bytes/],
  'a name too long in bytes': [{ node: 'ä'.repeat(127) }, /has 254 bytes/],
  'a short incarnation': [{ incarnation: 'a1' }, /16 lower-case hexadecimal/],
  'incarnation zero': [{ incarnation: '0'.repeat(16) }, /or zero/],
  'no interval': [{ intervalMs: 0 }, /interval of 0 ms/],
  'an interval that is no number': [{ intervalMs: Number.NaN }, /interval of NaN ms/],
  'a broken multiplier': [{ multiplier: 1.5 }, /multiplier of 1.5/],
  'a multiplier that does not fit': [{ multiplier: 256 }, /multiplier of 256/],
  'an empty key': [{ keys: [Buffer.from('key'), new Uint8Array()] }, /key is empty/],
};

for (const [what, [change, message]] of Object.entries(BAD)) {
  test(`refused: ${what}`, () => {
    assert.throws(() => checkHeartbeatOptions({ ...GOOD, ...change }), { code: 'ERR_INVALID_ARGUMENT', message });
  });
}

test('keys are checked alone, too', () => {
  checkKeys([]);
  assert.throws(() => checkKeys([new Uint8Array()]), { code: 'ERR_INVALID_ARGUMENT' });
});
