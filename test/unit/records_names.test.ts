import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/net/address.js';
import { l2StatusName, labelValue, ownerLeaseName, sessionLeaseName } from '../../src/records/names.js';
import { isOlder } from '../../src/records/resource_version.js';

const RFC1123 = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

test('every address has a Lease name of its own that the API server takes', () => {
  const addresses = ['192.0.2.10', '2001:db8::10', '2001:db8::', '::1', '2001:db8::1:0', '1:0:0:1::'].map(parseAddress);
  const names = addresses.map(ownerLeaseName);
  assert.deepEqual(names.slice(0, 3), [
    'arpeggio-ip-192-0-2-10',
    'arpeggio-ip-2001-db8--10',
    'arpeggio-ip-2001-db8--0',
  ]);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, RFC1123);
});

test('names that are too long are cut and told apart', () => {
  const long = 'a'.repeat(253);
  assert.equal(sessionLeaseName('host-a'), 'arpeggio-node-host-a');
  const name = sessionLeaseName(long);
  assert.ok(name.length <= 253);
  assert.match(name, RFC1123);
  assert.notEqual(name, sessionLeaseName(`${long.slice(1)}b`));
  const cutAtDot = `${'a'.repeat(253 - 11 - 'arpeggio-node-'.length - 1)}.${'b'.repeat(20)}`;
  assert.match(sessionLeaseName(cutAtDot), RFC1123);
  assert.equal(labelValue('host-a'), 'host-a');
  assert.equal(labelValue(long).length, 63);
  assert.notEqual(labelValue(long), labelValue(`${long}a`));
});

test('the ServiceL2Status of a service on a node has the same name after a restart', () => {
  assert.equal(l2StatusName('default/web', 'host-a'), l2StatusName('default/web', 'host-a'));
  assert.notEqual(l2StatusName('default/web', 'host-a'), l2StatusName('default/web', 'host-b'));
  assert.match(l2StatusName('default/web', 'host-a'), /^l2-[0-9a-f]{10}$/);
});

test('an older state of an object is told from a newer one, and what cannot be compared is news', () => {
  assert.ok(isOlder('9', '10'));
  assert.ok(isOlder('18446744073709551614', '18446744073709551615'));
  for (const [a, b] of [
    ['10', '10'],
    ['10', '9'],
    ['', '9'],
    ['x', '9'],
  ] as const)
    assert.ok(!isOlder(a, b));
});
