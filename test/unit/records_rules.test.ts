import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Lease } from '../../src/kubernetes/types.js';
import { parseAddress } from '../../src/net/address.js';
import { fencedTermToWrite, termToWrite } from '../../src/records/record_rules.js';
import { SessionWatch } from '../../src/records/session_watch.js';

const address = parseAddress('192.0.2.10');

function term(recorded: [string | null, number] | null, own: number, { live = false, heard = false } = {}) {
  const record = recorded && { address, node: recorded[0], term: recorded[1] };
  return termToWrite({ node: 'host-a', owning: { term: own }, record, isLive: () => live, isHeard: () => heard });
}

describe('what is written into the record of an address', () => {
  it('is the term of the claim', () => {
    assert.equal(term(null, 1), 1);
    assert.equal(term(['host-b', 1], 2, { live: true, heard: true }), 2);
    assert.equal(term(['host-b', 1], 2, { live: true, heard: false }), 2);
  });
  it('counts on where terms began anew', () => {
    assert.equal(term(['host-b', 7], 1), 8);
    assert.equal(term(['host-b', 7], 1, { live: true, heard: true }), 8);
    assert.equal(term([null, 7], 1, { live: true }), 8);
  });
  it('is nothing where the record says so already, or says more', () => {
    assert.equal(term(['host-a', 3], 3), null);
    assert.equal(term(['host-a', 8], 3), null);
    assert.equal(term(['host-a', 3], 4), 4);
  });
  it('is nothing while its holder lives and was never heard to yield', () => {
    assert.equal(term(['host-b', 3], 3, { live: true }), null);
    assert.equal(term(['host-b', 4], 3, { live: true }), null);
  });
});

function lease(renewTime: string, holder: string | null = 'host-b'): Lease {
  return {
    ...{ key: 'x/y', namespace: 'x', name: 'y', uid: '', resourceVersion: '1', labels: {}, annotations: {} },
    ...{ holder, transitions: 0, durationMs: 40_000, renewTime },
  };
}

describe('what is written where the record comes first', () => {
  const fenced = (recorded: [string | null, number] | null, isFree: boolean, isConfirmed = false) =>
    fencedTermToWrite({
      ...{ node: 'host-a', owning: { term: 3 }, isFree, isConfirmed },
      record: recorded && { address, node: recorded[0], term: recorded[1] },
    });

  it('is the term of the claim, or one more than was recorded', () => {
    assert.equal(fenced(null, true), 3);
    assert.equal(fenced([null, 2], true), 3);
    assert.equal(fenced(['host-b', 7], true), 8);
  });
  it('is nothing while its holder may answer, however old its term is', () => {
    assert.equal(fenced(['host-b', 1], false), null);
  });
  it('is what says our own name, until a write of this process has', () => {
    assert.equal(fenced(['host-a', 3], true), 4);
    assert.equal(fenced(['host-a', 3], true, true), null);
  });
});

describe('whether the session of a node lasts', () => {
  it('is judged by when renewals arrive, not by what they say', () => {
    const sessions = new SessionWatch();
    sessions.seen('host-b', lease('1999'), 0);
    assert.deepEqual([sessions.live(39_999), sessions.live(40_000)], [['host-b'], []]);
    assert.equal(sessions.nextMs(0), 40_000);
    sessions.seen('host-b', lease('1999'), 20_000);
    assert.deepEqual(sessions.live(40_000), [], 'nothing was renewed');
    sessions.seen('host-b', lease('2001'), 20_000);
    assert.deepEqual([sessions.live(59_999), sessions.live(60_000)], [['host-b'], []]);
  });
  it('ends with its holder, and not with the Lease: who runs writes it again', () => {
    const sessions = new SessionWatch();
    for (const node of ['host-c', 'host-b']) sessions.seen(node, lease('1', node), 0);
    assert.deepEqual(sessions.live(1), ['host-b', 'host-c']);
    sessions.seen('host-c', lease('2', ''), 1);
    sessions.seen('host-b', null, 1);
    assert.deepEqual(sessions.ended, ['host-c']);
    assert.deepEqual([sessions.live(39_999), sessions.live(40_000)], [['host-b'], []]);
  });
  it('is not judged while renewals cannot arrive, and each has all its time afterwards', () => {
    const sessions = new SessionWatch();
    sessions.seen('host-b', lease('1'), 0);
    sessions.connected(false, 10_000);
    assert.deepEqual(sessions.live(500_000), ['host-b']);
    assert.equal(sessions.nextMs(500_000), null);
    sessions.connected(true, 500_000);
    assert.deepEqual([sessions.live(539_999), sessions.live(540_000)], [['host-b'], []]);
  });

  it('is not over while nothing arrives on a connection that stands', () => {
    const sessions = new SessionWatch();
    const renew = (node: string, time: string, nowMs: number) => {
      sessions.seen(node, lease(time, node), nowMs);
      sessions.told(nowMs);
    };
    for (const node of ['host-a', 'host-b', 'host-c']) renew(node, '1', 0);
    for (const nowMs of [10_000, 20_000, 30_000])
      for (const node of ['host-a', 'host-b']) renew(node, `${nowMs}`, nowMs);
    // The server hangs, and so does host-c's session.
    assert.deepEqual(sessions.live(170_000), ['host-a', 'host-b', 'host-c']);
    // The first words after that are not all of them.
    renew('host-a', '170000', 170_000);
    assert.deepEqual(sessions.live(170_000), ['host-a', 'host-b', 'host-c']);
    for (const nowMs of [180_000, 190_000, 200_000, 210_000])
      for (const node of ['host-a', 'host-b']) renew(node, `${nowMs}`, nowMs);
    assert.deepEqual(sessions.live(215_000), ['host-a', 'host-b']);
  });
});
