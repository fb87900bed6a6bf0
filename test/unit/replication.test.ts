import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Membership } from '../../src/membership/membership.js';
import { parseAddress } from '../../src/net/address.js';
import { Replication } from '../../src/ownership/replication.js';
import type { PeerReport } from '../../src/responder/types.js';

const ADDRESS = parseAddress('192.0.2.10');

test('a peer that holds our claims no more, though it was heard all the time, is told them again', () => {
  const members = new Membership();
  const replication = new Replication(members, 50);
  const heldVersion = (version: number, nowMs: number) => {
    const report: PeerReport = {
      node: 'host-b',
      interfaceName: 'eth0',
      incarnation: '0000000000000002',
      mac: '02:00:00:00:00:02',
      state: 'ready',
      link: 'two-way',
      intervalMs: 50,
      multiplier: 3,
      hears: 0,
      claimsVersion: 0,
      claimsDigest: 0,
      heldVersion: version,
    };
    members.update(report, nowMs);
    replication.heldBy(report, nowMs);
  };
  heldVersion(0, 0);
  replication.own.set(ADDRESS, 1, false);
  assert.deepEqual(
    replication.takeMessages(0).map(({ type }) => type),
    ['claims-change'],
  );
  heldVersion(1, 50);
  assert.deepEqual(replication.takeMessages(1_000), []);
  assert.equal(replication.nextMs(1_000), Number.POSITIVE_INFINITY);
  heldVersion(0, 2_000);
  const dueMs = replication.nextMs(2_000);
  assert.ok(dueMs <= 2_200, `due at ${dueMs}`);
  assert.deepEqual(replication.takeMessages(dueMs), [
    { type: 'claims-page', version: 1, page: 0, pages: 1, claims: [{ address: ADDRESS, term: 1, firm: false }] },
  ]);
});
