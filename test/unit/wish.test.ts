import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Wish } from '../../src/cli/wish.js';
import type { DesiredService } from '../../src/desired/desired.js';
import { parseAddress } from '../../src/net/address.js';

const service = (name: string, address: string): DesiredService => ({
  name,
  addresses: [parseAddress(address)],
  interfaces: null,
});

test('the whole wish is kept through changes of single services', () => {
  const wish = new Wish();
  assert.deepEqual(wish.state, { services: [], probing: 'fast' });
  const [a, b, c] = [service('a', '192.0.2.1'), service('b', '192.0.2.2'), service('c', '192.0.2.3')];
  wish.replace({ services: [a, b], probing: 'none' });
  assert.equal(wish.change([c], ['a', 'unknown']), true);
  assert.deepEqual(wish.state, { services: [b, c], probing: 'none' });
  const changed = service('b', '192.0.2.9');
  assert.equal(wish.change([changed], []), false, 'none of them is new');
  wish.lastResort = ['host-b'];
  assert.deepEqual(wish.state, { services: [changed, c], probing: 'none', lastResort: ['host-b'] });
  wish.replace({ services: [a], probing: 'fast' });
  assert.deepEqual(wish.state, { services: [a], probing: 'fast' });
});
