import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as timing from '../../src/claim/timing.js';

test('RFC 5227 section 1.1, value by value', () => {
  assert.deepEqual(timing.RFC5227, {
    PROBE_WAIT: 1_000,
    PROBE_NUM: 3,
    PROBE_MIN: 1_000,
    PROBE_MAX: 2_000,
    ANNOUNCE_WAIT: 2_000,
    ANNOUNCE_NUM: 2,
    ANNOUNCE_INTERVAL: 2_000,
    MAX_CONFLICTS: 10,
    RATE_LIMIT_INTERVAL: 60_000,
    DEFEND_INTERVAL: 10_000,
  });
});

test('RFC 4861 section 10 and RFC 4862 section 5.1, value by value', () => {
  assert.deepEqual(timing.RFC4861, {
    MAX_RTR_SOLICITATION_DELAY: 1_000,
    RETRANS_TIMER: 1_000,
    MAX_NEIGHBOR_ADVERTISEMENT: 3,
    DUP_ADDR_DETECT_TRANSMITS: 1,
  });
});

test('fast probing: three probes within 120 ms, the last one with time for an answer', () => {
  assert.deepEqual(timing.FAST_PROBE_OFFSETS_MS, { ipv4: [0, 40, 80], ipv6: [20, 50, 80] });
  assert.equal(timing.FAST_PROBING_MS, 120);
  assert.equal(timing.NEWCOMER_MS, 7_000);
});

test('a first claim is announced as often, and as far apart, as the RFCs say', () => {
  // RFC 5227 2.3: ANNOUNCE_NUM, ANNOUNCE_INTERVAL. RFC 4861 7.2.6: MAX_NEIGHBOR_ADVERTISEMENT, RetransTimer.
  assert.deepEqual(timing.FIRST_CLAIM_SCHEDULE, { ipv4: [0, 2_000], ipv6: [0, 1_000, 2_000] });
  assert.deepEqual(timing.SINGLE_SCHEDULE, { ipv4: [0], ipv6: [0] });
});

test('a move is repeated soon, and once more after the locktime of old kernels', () => {
  assert.deepEqual(timing.MOVED_SCHEDULE, { ipv4: [0, 20, 100, 300, 1_100], ipv6: [0, 1_000, 2_000] });
});

test('relations that the rest relies on', () => {
  const switchAgeingMs = 300_000;
  assert.ok(timing.REFRESH_MS * (1 + timing.REFRESH_JITTER) + 1_000 < switchAgeingMs);
  assert.ok(timing.FIRST_RETRY_MS < timing.RFC5227.RATE_LIMIT_INTERVAL);
  // A rival that is defended against once per interval must not look gone between two defences.
  assert.ok(timing.CONTESTED_MS > timing.RFC5227.DEFEND_INTERVAL);
  assert.ok(timing.NEWCOMER_MS > timing.FAST_PROBING_MS + timing.RFC4861.RETRANS_TIMER);
});
