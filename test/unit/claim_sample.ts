import assert from 'node:assert/strict';
import { Claim, type ClaimContext, type ClaimState } from '../../src/claim/claim.js';
import { type Address, parseAddress } from '../../src/net/address.js';

export const IPV4 = parseAddress('192.0.2.10');
export const IPV6 = parseAddress('2001:db8::10');
export const RIVAL = '02:00:00:00:00:99';

/** Everything as it should be, and no jitter. */
export function sampleContext(overrides: Partial<ClaimContext> = {}): ClaimContext {
  return { probing: 'fast', mine: true, usable: true, served: true, random: () => 0, ...overrides };
}

/** Gives the claim its time until `untilMs`, as the speaker does. */
export function runUntil(claim: Claim, untilMs: number, context: ClaimContext): void {
  for (let steps = 0; claim.dueMs <= untilMs; steps += 1) {
    assert.ok(steps < 1_000, `${claim.state} is due again and again`);
    claim.advance(claim.dueMs, context);
  }
}

/** A claim that began at 0 and has come to this state; and the time it took. */
export function claimIn(state: ClaimState, address: Address = IPV4, context = sampleContext()) {
  const claim = new Claim(address, 'eth0', 0);
  claim.advance(0, state === 'waiting' ? { ...context, usable: false } : context);
  if (state === 'conflict') claim.rival('arp', RIVAL, 0, context);
  for (let steps = 0; claim.state !== state; steps += 1) {
    assert.ok(steps < 20, `an address ends up in ${claim.state}, not in ${state}`);
    claim.advance(claim.dueMs, context);
  }
  return { claim, nowMs: claim.sinceMs };
}
