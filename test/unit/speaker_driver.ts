import assert from 'node:assert/strict';
import type { ClaimState } from '../../src/claim/claim.js';
import type { DesiredService, DesiredState, Probing } from '../../src/desired/desired.js';
import type { Address } from '../../src/net/address.js';
import type { Table } from '../../src/responder/types.js';
import { type Effect, Speaker, type SpeakerEvent } from '../../src/speaker.js';

export type EffectOf<T extends Effect['type']> = Extract<Effect, { type: T }>;

export function service(
  name: string,
  addresses: readonly Address[],
  interfaces: readonly string[] | null = null,
): DesiredService {
  return { name, addresses, interfaces };
}

export function desired(
  services: readonly DesiredService[],
  interfaces: readonly string[] = ['eth0'],
  probing: Probing = 'fast',
): SpeakerEvent {
  const state: DesiredState = { services, probing };
  return { type: 'desired', desired: state, interfaces };
}

export function usable(...interfaces: string[]): SpeakerEvent {
  return { type: 'usable', interfaces: new Set(interfaces) };
}

export function only<T extends Effect['type']>(effects: readonly Effect[], type: T): EffectOf<T>[] {
  return effects.filter((effect): effect is EffectOf<T> => effect.type === type);
}

/** What a speaker does for other nodes; a node alone tells nobody. */
const FOR_PEERS = new Set<Effect['type']>(['send', 'advertise', 'moved']);
const INTERFACES = ['eth0', 'eth1', 'eth2'];

/**
 * A speaker alone on its segments, with what a shell keeps of it: the table in force and the addresses to serve. At 0 it
 * has listened to them.
 */
export class Driver {
  readonly speaker: Speaker;
  nowMs = 0;
  table: Table = { interfaces: [], entries: [] };
  served: EffectOf<'serve'> | null = null;

  constructor(random: () => number = () => 0, servedElsewhere = false) {
    const heartbeat = { intervalMs: 50, multiplier: 3 };
    const incarnation = '0000000000000001';
    this.speaker = new Speaker({ node: 'host-a', incarnation, heartbeat, random, servedElsewhere });
    this.speaker.step(desired([], INTERFACES), -1_000);
    this.speaker.step(usable(...INTERFACES), -1_000);
    this.speaker.step({ type: 'tick' }, -500);
    this.speaker.step(usable(), 0);
  }

  step(event: SpeakerEvent): Effect[] {
    const effects = this.speaker.step(event, this.nowMs).filter(({ type }) => !FOR_PEERS.has(type));
    this.table = only(effects, 'publish').at(-1)?.table ?? this.table;
    this.served = only(effects, 'serve').at(-1) ?? this.served;
    return effects;
  }

  /** The step, and what is to be served is in place at once. */
  stepServed(event: SpeakerEvent): Effect[] {
    const effects = this.step(event);
    const [serve] = only(effects, 'serve');
    return serve ? [...effects, ...this.step({ type: 'served', generation: serve.generation })] : effects;
  }

  /** Lets time pass; every tick that is due comes when it is due. */
  runUntil(untilMs: number): Effect[] {
    const effects: Effect[] = [];
    for (let ticks = 0; ; ticks += 1) {
      const nextMs = this.speaker.nextMs(this.nowMs);
      if (nextMs === null || nextMs > untilMs) break;
      assert.ok(ticks < 10_000, 'something is due again and again');
      this.nowMs = Math.max(this.nowMs, nextMs);
      effects.push(...this.stepServed({ type: 'tick' }));
    }
    this.nowMs = untilMs;
    return effects;
  }

  states(address: Address): Record<string, ClaimState> {
    const claims = this.speaker.claims.get(address) ?? [];
    return Object.fromEntries(claims.map(({ interfaceName, state }) => [interfaceName, state]));
  }

  answers(address: Address): readonly string[] {
    return this.table.entries.find((entry) => entry.address === address)?.answer ?? [];
  }
}
