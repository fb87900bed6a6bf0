import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress } from '../../src/net/address.js';
import { Fence, type Heard } from '../../src/ownership/fence.js';

const A = parseAddress('192.0.2.10');

class Sample {
  readonly fence = new Fence();
  live = ['host-b'];
  ended: string[] = [];
  heard: Heard = 'known';

  /** Every half a second, as the speaker looks. */
  run(fromMs: number, toMs: number): void {
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 500) this.look(nowMs);
  }

  look(nowMs: number): readonly string[] {
    const { live, ended, heard } = this;
    const view = { live: new Set(live), ended: new Set(ended), holders: ['host-b'], heard: () => heard };
    return this.fence.look(nowMs, view);
  }
}

function renewed(): Sample {
  const sample = new Sample();
  sample.look(0);
  sample.fence.renewed(9_000, 0);
  return sample;
}

describe('what this node may answer', () => {
  it('is what a write from within its session has recorded', () => {
    const { fence } = new Sample();
    fence.confirm(A, 1);
    assert.equal(fence.isConfirmed(A), false, 'there is no session');
    const sample = renewed();
    sample.fence.confirm(A, -1);
    assert.equal(sample.fence.isConfirmed(A), false, 'begun before it');
    sample.fence.confirm(A, 1);
    assert.equal(sample.fence.isConfirmed(A), true);
  });
  it('outlasts the session while every node is heard, and nothing is taken or given then', () => {
    const sample = renewed();
    sample.fence.confirm(A, 1);
    sample.run(500, 4_000);
    assert.equal(sample.fence.mayGive, false);
    sample.run(4_500, 60_000);
    assert.deepEqual([sample.fence.isConfirmed(A), sample.fence.mayTake], [true, false]);
    assert.equal(sample.fence.answerUntilMs, Number.POSITIVE_INFINITY);
  });
  it('is nothing 3 s after a node is not heard any more', () => {
    const sample = renewed();
    sample.fence.confirm(A, 1);
    sample.run(500, 20_000);
    sample.heard = 'no';
    sample.run(20_500, 22_500);
    assert.equal(sample.fence.isConfirmed(A), true);
    sample.run(23_000, 23_500);
    assert.deepEqual([sample.fence.isConfirmed(A), sample.fence.mayAnswer], [false, false]);
  });
  it('ends with the session where a node is not heard, and the table no later', () => {
    const sample = renewed();
    sample.fence.confirm(A, 1);
    sample.heard = 'no';
    sample.run(500, 8_500);
    assert.equal(sample.fence.answerUntilMs, 9_000);
    assert.equal(sample.fence.isConfirmed(A), true);
    sample.look(9_000);
    assert.equal(sample.fence.isConfirmed(A), false);
  });
  it('is nothing after it stood still beyond its session', () => {
    const sample = renewed();
    sample.fence.confirm(A, 1);
    sample.look(12_000);
    assert.equal(sample.fence.isConfirmed(A), false);
    sample.fence.renewed(21_000, 12_000);
    assert.equal(sample.fence.isConfirmed(A), false, 'it has to be recorded anew');
  });
  it('ends with the session where a node is missed after this one stood still: it may have missed us since before that', () => {
    const sample = renewed();
    sample.fence.confirm(A, 1);
    sample.look(8_500);
    sample.heard = 'no';
    sample.look(8_501);
    assert.equal(sample.fence.isConfirmed(A), true);
    sample.look(9_000);
    assert.equal(sample.fence.isConfirmed(A), false);
  });
  it('counts from before the first of two standstills that follow each other', () => {
    const sample = renewed();
    sample.fence.confirm(A, 1);
    for (const nowMs of [5_900, 6_100, 8_850]) sample.look(nowMs);
    sample.heard = 'no';
    sample.look(8_901);
    sample.look(9_000);
    assert.equal(sample.fence.isConfirmed(A), false);
  });
});

describe('what another node holds', () => {
  it('is free when its session is over and it was silent for 9 s', () => {
    const sample = renewed();
    sample.heard = 'no';
    sample.run(500, 1_000);
    sample.live = [];
    sample.run(1_500, 9_000);
    assert.equal(sample.fence.freeOf('host-b'), null);
    sample.look(9_500);
    assert.equal(sample.fence.freeOf('host-b'), 'silent');
  });
  it('is free in so far as it does not claim it while it is heard, and at once when it has left', () => {
    const sample = renewed();
    sample.live = [];
    assert.deepEqual(sample.look(500), ['host-b']);
    assert.equal(sample.fence.freeOf('host-b'), 'known');
    sample.heard = 'heard';
    sample.look(1_000);
    assert.equal(sample.fence.freeOf('host-b'), null);
    sample.heard = 'left';
    sample.look(1_500);
    assert.equal(sample.fence.freeOf('host-b'), 'silent');
  });
  it('is free at once when it has ended its session', () => {
    const sample = renewed();
    Object.assign(sample, { heard: 'no', live: [], ended: ['host-b'] });
    sample.look(500);
    assert.equal(sample.fence.freeOf('host-b'), 'silent');
  });
  it('was not silent while this node stood still itself', () => {
    const sample = renewed();
    sample.heard = 'no';
    sample.live = [];
    sample.look(500);
    sample.look(12_000);
    assert.equal(sample.fence.freeOf('host-b'), null);
  });
});
