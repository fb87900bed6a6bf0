// Who owns an address within a fence, given all claims to it.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseAddress } from '../../src/net/address.js';
import { type Case, judge, type PeerClaim } from '../../src/ownership/judge.js';

const claim = (node: string, term: number): PeerClaim => ({
  ...{ address: parseAddress('192.0.2.10'), term, firm: true, node, incarnation: node },
  ...{ link: 'two-way', current: true, hears: 2 },
});

const fenced = (over: Partial<Case>): Case => ({
  ...{ address: parseAddress('192.0.2.10'), node: 'host-a', mine: { term: 2, firm: true }, claims: [] },
  ...{ successor: null, predecessor: null, confirmed: true },
  ...over,
});

it('what is answered within a fence goes to who was asked to take it, or was asked before, and to nobody else', () => {
  const claims = [claim('host-b', 3)];
  assert.deepEqual(judge(fenced({ claims })), { type: 'mine' });
  for (const successor of ['host-b', 'host-c'])
    assert.deepEqual(judge(fenced({ claims, successor })), { type: 'lost', why: 'handed over to host-b' });
  assert.deepEqual(judge(fenced({ claims: [claim('host-b', 1)], successor: 'host-b' })), { type: 'mine' });
});
