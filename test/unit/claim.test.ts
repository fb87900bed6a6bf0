import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Claim, type ClaimState } from '../../src/claim/claim.js';
import type { RivalKind } from '../../src/responder/types.js';
import { claimIn, IPV4, IPV6, RIVAL, runUntil, sampleContext } from './claim_sample.js';

const FIRST_CLAIM = [{ type: 'announce', why: 'first-claim' }];
const DEFENCE = [{ type: 'announce', why: 'defence' }];
const ONE_PROBE = [{ type: 'probe', offsetsMs: [0] }];

/** A source of chance that hands out these values in turn. */
function chances(values: readonly number[]): () => number {
  let next = 0;
  return () => values[next++ % values.length] ?? 0;
}

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('probing: fast', () => {
  const context = sampleContext();

  it('probes three times, answers after 120 ms, and is a newcomer for 7 s (IPv4)', () => {
    const claim = new Claim(IPV4, 'eth0', 1_000);
    assert.deepEqual(claim.advance(1_000, context), [{ type: 'probe', offsetsMs: [0, 40, 80] }]);
    assert.deepEqual([claim.state, claim.answered, claim.dueMs], ['probing', false, 1_120]);
    assert.deepEqual(claim.advance(1_119, context), []);
    assert.equal(claim.state, 'probing');
    assert.deepEqual(claim.advance(1_120, context), FIRST_CLAIM);
    assert.deepEqual([claim.state, claim.answered, claim.sinceMs], ['newcomer', true, 1_120]);
    assert.equal(claim.dueMs, 2_120, 'PROBE_MIN later it looks again');
    assert.deepEqual(claim.advance(2_119, context), []);
    assert.deepEqual(claim.advance(2_120, context), ONE_PROBE);
    runUntil(claim, 7_999, context);
    assert.deepEqual([claim.state, claim.dueMs], ['newcomer', 8_000]);
    assert.deepEqual(claim.advance(8_000, context), [], 'known already: nothing to announce');
    assert.deepEqual([claim.state, claim.reason], ['owned', 'first claim']);
  });

  it('is tentative until a second after the last probe, and announces only then (IPv6, RFC 4429)', () => {
    const claim = new Claim(IPV6, 'eth0', 0);
    // Not before the group's report is out (RFC 4862 5.4.2).
    assert.deepEqual(claim.advance(0, context), [{ type: 'probe', offsetsMs: [20, 50, 80] }]);
    assert.deepEqual(claim.advance(120, context), []);
    assert.deepEqual([claim.state, claim.answered, claim.dueMs], ['tentative', true, 1_080]);
    assert.deepEqual(claim.advance(1_079, context), []);
    assert.deepEqual(claim.advance(1_080, context), FIRST_CLAIM);
    assert.deepEqual([claim.state, claim.reason], ['newcomer', 'nobody objected']);
    assert.deepEqual(claim.advance(claim.dueMs, context), ONE_PROBE);
    runUntil(claim, 7_020, context);
    assert.equal(claim.state, 'owned');
  });

  it('a newcomer looks again after PROBE_MIN to PROBE_MAX, and never after its time', () => {
    fc.assert(
      fc.property(fc.array(chance, { minLength: 1, maxLength: 9 }), (values) => {
        const random = { ...context, random: chances(values) };
        const { claim } = claimIn('newcomer', IPV4, random);
        let lastMs = claim.sinceMs;
        while (claim.state === 'newcomer') {
          const pauseMs = claim.dueMs - lastMs;
          assert.ok(pauseMs < 2_000.001 && (pauseMs > 999.999 || claim.dueMs === 7_000), `${pauseMs} ms`);
          lastMs = claim.dueMs;
          claim.advance(lastMs, random);
        }
        assert.deepEqual([claim.state, lastMs], ['owned', 7_000]);
      }),
    );
  });
});

describe('probing: rfc5227', () => {
  it('IPv4: PROBE_NUM probes, PROBE_WAIT and PROBE_MIN to PROBE_MAX apart, then ANNOUNCE_WAIT', () => {
    fc.assert(
      fc.property(chance, chance, chance, (...values) => {
        const context = sampleContext({ probing: 'rfc5227', random: chances(values) });
        const claim = new Claim(IPV4, 'eth0', 0);
        const [action, ...others] = claim.advance(0, context);
        assert.ok(action?.type === 'probe' && others.length === 0);
        const [first = -1, second = -1, third = -1, ...more] = action.offsetsMs;
        assert.deepEqual(more, []);
        assert.ok(first >= 0 && first < 1_000, `first after ${first}`);
        for (const pauseMs of [second - first, third - second]) assert.ok(pauseMs > 999.999 && pauseMs < 2_000.001);
        assert.equal(claim.dueMs, third + 2_000);
        assert.ok(claim.dueMs >= 4_000 && claim.dueMs <= 7_000);
        assert.deepEqual(claim.advance(claim.dueMs - 1, context), []);
        assert.equal(claim.answered, false);
        assert.deepEqual(claim.advance(claim.dueMs, context), FIRST_CLAIM);
        assert.deepEqual([claim.state, claim.reason], ['owned', 'first claim']);
      }),
    );
  });

  it('takes its three random times one after the other', () => {
    const context = sampleContext({ probing: 'rfc5227', random: chances([0.5, 0.25, 0.75]) });
    const claim = new Claim(IPV4, 'eth0', 0);
    assert.deepEqual(claim.advance(0, context), [{ type: 'probe', offsetsMs: [500, 1_750, 3_500] }]);
    assert.equal(claim.dueMs, 5_500);
  });

  it('IPv6: one solicitation within MAX_RTR_SOLICITATION_DELAY, then RetransTimer', () => {
    const context = sampleContext({ probing: 'rfc5227', random: () => 0.25 });
    const claim = new Claim(IPV6, 'eth0', 0);
    assert.deepEqual(claim.advance(0, context), [{ type: 'probe', offsetsMs: [265] }]);
    assert.equal(claim.dueMs, 1_265);
    assert.deepEqual(claim.advance(1_264, context), []);
    assert.deepEqual(claim.advance(1_265, context), FIRST_CLAIM);
    assert.equal(claim.state, 'owned');
  });
});

describe('probing: none', () => {
  for (const address of [IPV4, IPV6]) {
    it(`${address} is owned and announced at once`, () => {
      const claim = new Claim(address, 'eth0', 0);
      assert.deepEqual(claim.advance(0, sampleContext({ probing: 'none' })), FIRST_CLAIM);
      assert.deepEqual([claim.state, claim.reason], ['owned', 'first claim, not probed']);
    });
  }

  it('still waits for the address to be on lo', () => {
    const context = sampleContext({ probing: 'none', served: false });
    const claim = new Claim(IPV4, 'eth0', 0);
    assert.deepEqual(claim.advance(0, context), []);
    assert.deepEqual([claim.answered, claim.dueMs], [false, Number.POSITIVE_INFINITY]);
    assert.deepEqual(claim.advance(3_000, { ...context, served: true }), FIRST_CLAIM);
    assert.equal(claim.state, 'owned');
  });
});

describe('the interface', () => {
  it('is waited for, without a timer', () => {
    const { claim } = claimIn('waiting');
    assert.equal(claim.dueMs, Number.POSITIVE_INFINITY);
    assert.deepEqual(claim.advance(60_000, sampleContext({ usable: false })), []);
    assert.equal(claim.advance(61_000, sampleContext())[0]?.type, 'probe');
    assert.equal(claim.state, 'probing');
  });

  it('that goes away while probing makes the probes worthless: all begins again', () => {
    const { claim } = claimIn('probing');
    assert.deepEqual(claim.advance(50, sampleContext({ usable: false })), []);
    assert.deepEqual([claim.state, claim.reason], ['waiting', 'the interface went away while probing']);
    assert.deepEqual(claim.advance(200, sampleContext()), [{ type: 'probe', offsetsMs: [0, 40, 80] }]);
    assert.equal(claim.dueMs, 320);
  });

  it('that goes away after probing, before the address is on lo, does so too', () => {
    const context = sampleContext({ served: false });
    const { claim } = claimIn('probing', IPV4, context);
    claim.advance(120, context);
    claim.advance(150, { ...context, usable: false });
    assert.deepEqual(claim.advance(200, sampleContext()), [{ type: 'probe', offsetsMs: [0, 40, 80] }]);
    assert.equal(claim.state, 'probing');
  });

  for (const state of ['newcomer', 'owned'] as const) {
    it(`that goes away leaves ${state} as it is: a flap is no new claim`, () => {
      const { claim, nowMs } = claimIn(state);
      assert.deepEqual(claim.advance(nowMs, sampleContext({ usable: false })), []);
      assert.equal(claim.state, state);
    });
  }
});

describe('an address that is late on lo', () => {
  it('is not answered before, and probed only once', () => {
    const context = sampleContext({ served: false });
    const { claim } = claimIn('probing', IPV4, context);
    assert.deepEqual(claim.advance(120, context), []);
    assert.deepEqual([claim.state, claim.dueMs], ['probing', Number.POSITIVE_INFINITY]);
    assert.deepEqual(claim.advance(900, sampleContext()), FIRST_CLAIM);
    assert.deepEqual([claim.state, claim.sinceMs], ['newcomer', 900]);
  });

  it('that comes during probing changes nothing', () => {
    const { claim } = claimIn('probing', IPV4, sampleContext({ served: false }));
    assert.deepEqual(claim.advance(60, sampleContext()), []);
    assert.deepEqual([claim.state, claim.dueMs], ['probing', 120]);
  });

  for (const address of [IPV4, IPV6]) {
    it(`and later than the time of a newcomer: ${address} soon is owned`, () => {
      const context = sampleContext({ served: false });
      const { claim } = claimIn('probing', address, context);
      claim.advance(120, context);
      claim.advance(30_000, sampleContext());
      assert.equal(claim.answered, true);
      runUntil(claim, 30_000, sampleContext());
      assert.equal(claim.state, 'owned');
    });
  }

  it('yields to a rival meanwhile', () => {
    const context = sampleContext({ served: false });
    const { claim } = claimIn('probing', IPV4, context);
    claim.advance(120, context);
    claim.rival('arp', RIVAL, 200, context);
    assert.equal(claim.state, 'conflict');
    assert.deepEqual(claim.advance(300, sampleContext()), []);
  });
});

// What each kind of rival does to an address in each state. "asks" are those who only claim it as we do.
const ASKS = ['arp-probe', 'dad'] as const;
const USES = ['arp', 'na', 'ns'] as const;
const OUTCOMES: readonly [ClaimState, readonly RivalKind[], ClaimState, string | null][] = [
  ['waiting', [...ASKS, ...USES], 'waiting', null],
  ['probing', ASKS, 'conflict', `${RIVAL} claims it at the same time`],
  ['probing', USES, 'conflict', `${RIVAL} uses it`],
  ['tentative', ASKS, 'conflict', `${RIVAL} claims it at the same time`],
  ['tentative', USES, 'conflict', `${RIVAL} uses it`],
  ['newcomer', ASKS, 'newcomer', null],
  ['newcomer', USES, 'conflict', `${RIVAL} uses it`],
  ['owned', ASKS, 'owned', null],
  ['owned', USES, 'owned', `contested by ${RIVAL}, defended`],
];

describe('a rival', () => {
  for (const [before, kinds, after, reason] of OUTCOMES) {
    for (const kind of kinds) {
      it(`${kind} in ${before}: ${after}`, () => {
        const address = before === 'tentative' || ['na', 'ns', 'dad'].includes(kind) ? IPV6 : IPV4;
        const { claim, nowMs } = claimIn(before, address);
        const old = claim.reason;
        const actions = claim.rival(kind, RIVAL, nowMs + 1, sampleContext());
        assert.deepEqual([claim.state, claim.reason], [after, reason ?? old]);
        assert.deepEqual(actions, before === 'owned' && reason ? DEFENCE : []);
        assert.equal(claim.rivalMac, reason ? RIVAL : null);
        assert.equal(claim.retryMs, after === 'conflict' ? nowMs + 1 + 5_000 : null);
        assert.equal(claim.answered, ['tentative', 'newcomer', 'owned'].includes(after));
      });
    }
  }

  it('in conflict: the last one is shown, the time of the next try stays', () => {
    const { claim } = claimIn('conflict');
    const { dueMs, reason } = claim;
    assert.deepEqual(claim.rival('arp', '02:00:00:00:00:98', 1_000, sampleContext()), []);
    assert.deepEqual([claim.state, claim.rivalMac, claim.dueMs], ['conflict', '02:00:00:00:00:98', dueMs]);
    assert.equal(claim.reason, reason);
  });
});

describe('back-off', () => {
  function pauses(random: () => number, yieldIn: 'probing' | 'newcomer'): number[] {
    const context = sampleContext({ random });
    const claim = new Claim(IPV4, 'eth0', 0);
    return [1, 2, 3, 4, 5, 6, 7].map(() => {
      claim.advance(claim.dueMs, context);
      if (yieldIn === 'newcomer') claim.advance(claim.dueMs, context);
      assert.equal(claim.state, yieldIn);
      const nowMs = claim.sinceMs + 10;
      claim.rival('arp', RIVAL, nowMs, context);
      assert.deepEqual(claim.advance(claim.dueMs - 1, context), []);
      return claim.dueMs - nowMs;
    });
  }

  it('doubles from 5 s up to RATE_LIMIT_INTERVAL', () => {
    assert.deepEqual(
      pauses(() => 0, 'probing'),
      [5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000],
    );
  });

  it('does so too where the rival shows only after the address is answered', () => {
    assert.deepEqual(
      pauses(() => 0, 'newcomer'),
      [5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000],
    );
  });

  it('has a jitter of 20 %, upwards only', () => {
    const longest = pauses(() => 0.999_999, 'probing');
    for (const [index, shortMs] of pauses(() => 0, 'probing').entries()) {
      const ratio = (longest[index] ?? 0) / shortMs;
      assert.ok(ratio > 1.199 && ratio < 1.2, `${ratio}`);
    }
  });

  it('tries again by probing, and begins at 5 s once the address was owned', () => {
    const context = sampleContext({ probing: 'rfc5227' });
    const { claim } = claimIn('conflict', IPV4, context);
    assert.equal(claim.advance(claim.dueMs, context)[0]?.type, 'probe');
    assert.deepEqual([claim.state, claim.rivalMac], ['probing', RIVAL]);
    claim.advance(claim.dueMs, context);
    assert.deepEqual([claim.state, claim.rivalMac], ['owned', null]);
  });

  it('waits for the interface when its time has come', () => {
    const { claim } = claimIn('conflict');
    assert.deepEqual(claim.advance(claim.dueMs, sampleContext({ usable: false })), []);
    assert.deepEqual([claim.state, claim.dueMs], ['waiting', Number.POSITIVE_INFINITY]);
  });
});

describe('an owner', () => {
  it('defends at most once per DEFEND_INTERVAL', () => {
    const { claim, nowMs } = claimIn('owned');
    assert.deepEqual(claim.rival('arp', RIVAL, nowMs, sampleContext()), DEFENCE);
    assert.deepEqual(claim.rival('arp', RIVAL, nowMs + 1, sampleContext()), []);
    assert.deepEqual(claim.rival('arp', '02:00:00:00:00:98', nowMs + 9_999, sampleContext()), [], 'another rival');
    assert.deepEqual(claim.rival('arp', RIVAL, nowMs + 10_000, sampleContext()), DEFENCE);
    assert.equal(claim.state, 'owned');
  });

  it('names a second rival with the next defence, not sooner', () => {
    const other = '02:00:00:00:00:98';
    const { claim, nowMs } = claimIn('owned');
    claim.rival('arp', RIVAL, nowMs, sampleContext());
    claim.rival('arp', other, nowMs + 200, sampleContext());
    assert.equal(claim.reason, `contested by ${RIVAL}, defended`);
    claim.rival('arp', other, nowMs + 10_000, sampleContext());
    assert.deepEqual([claim.reason, claim.rivalMac], [`contested by ${other}, defended`, other]);
  });

  it('is contested until a refresh finds that the rival was quiet for 60 s', () => {
    const { claim, nowMs } = claimIn('owned');
    claim.rival('arp', RIVAL, nowMs, sampleContext());
    const refreshMs = claim.dueMs;
    claim.rival('arp', RIVAL, refreshMs - 59_999, sampleContext());
    assert.deepEqual(claim.advance(refreshMs, sampleContext()), [{ type: 'announce', why: 'refresh' }]);
    assert.equal(claim.rivalMac, RIVAL);
    claim.advance(claim.dueMs, sampleContext());
    assert.deepEqual([claim.rivalMac, claim.reason], [null, `not contested any more by ${RIVAL}`]);
    claim.rival('arp', RIVAL, claim.sinceMs + 1, sampleContext());
    assert.equal(claim.reason, `contested by ${RIVAL}, defended`);
  });

  it('takes exactly 60 s of silence for enough', () => {
    const { claim } = claimIn('owned');
    claim.rival('arp', RIVAL, claim.dueMs - 60_000, sampleContext());
    claim.advance(claim.dueMs, sampleContext());
    assert.equal(claim.rivalMac, null);
  });

  it('refreshes every 150 s, give or take 20 %, at whole seconds', () => {
    fc.assert(
      fc.property(chance, (value) => {
        const context = sampleContext({ probing: 'none', random: () => value });
        const claim = new Claim(IPV4, 'eth0', 123.4);
        claim.advance(123.4, context);
        for (let lastMs = 123.4, round = 0; round < 3; round += 1) {
          const pauseMs = claim.dueMs - lastMs;
          assert.ok(pauseMs >= 120_000 && pauseMs <= 181_000, `${pauseMs} ms`);
          assert.ok(Math.abs(pauseMs - 150_000 * (0.8 + 0.4 * value)) <= 1_000);
          assert.equal(claim.dueMs % 1_000, 0);
          lastMs = claim.dueMs;
          assert.deepEqual(claim.advance(lastMs - 1, context), []);
          assert.deepEqual(claim.advance(lastMs, context), [{ type: 'announce', why: 'refresh' }]);
        }
      }),
    );
  });
});

describe('an address that comes from another node', () => {
  it('is owned at once, and announced', () => {
    const claim = new Claim(IPV4, 'eth0', 0);
    assert.deepEqual(claim.takeOver(10, sampleContext(), 'took over from host-b', false), [
      { type: 'announce', why: 'moved' },
    ]);
    assert.deepEqual([claim.state, claim.reason, claim.sinceMs], ['owned', 'took over from host-b', 10]);
  });

  it('is announced again when somebody contests it, but once in 50 ms, and never forgotten', () => {
    const claim = new Claim(IPV4, 'eth0', 0);
    claim.takeOver(10, sampleContext(), 'took over from host-b', true);
    assert.deepEqual(claim.announceMoved(20), []);
    assert.equal(claim.dueMs, 60);
    assert.deepEqual(claim.advance(60, sampleContext()), [{ type: 'announce', why: 'moved' }]);
    assert.ok(claim.dueMs > 1_000);
    assert.deepEqual(claim.announceMoved(200), [{ type: 'announce', why: 'moved' }]);
  });

  it('waits for its place on lo, and is announced then', () => {
    const claim = new Claim(IPV4, 'eth0', 0);
    assert.deepEqual(claim.takeOver(10, sampleContext({ served: false }), 'took over from host-b', true), []);
    assert.equal(claim.answered, false);
    assert.deepEqual(claim.advance(20, sampleContext()), [{ type: 'announce', why: 'moved' }]);
    assert.equal(claim.answered, true);
  });

  it('is taken up again when the host of a conflict turns out to be a node of the cluster', () => {
    const { claim, nowMs } = claimIn('conflict');
    assert.deepEqual(claim.notForeign('02:00:00:00:00:01', nowMs + 5, sampleContext()), [], 'another host');
    assert.equal(claim.notForeign(RIVAL, nowMs + 5, sampleContext())[0]?.type, 'probe');
    assert.equal(claim.state, 'probing');
  });

  it('goes to another node again, and is only watched then', () => {
    const { claim, nowMs } = claimIn('owned');
    claim.standBy(nowMs + 5, 'handed over to host-b');
    assert.deepEqual([claim.state, claim.answered], ['standby', false]);
    assert.deepEqual(claim.rival('arp', RIVAL, nowMs + 6, sampleContext()), []);
    assert.deepEqual(claim.advance(nowMs + 999_999, sampleContext()), []);
    assert.deepEqual(claim.announceMoved(nowMs + 999_999), [], 'who does not own it says nothing');
  });
});
