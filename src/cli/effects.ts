import type { Logger } from '../log.js';
import { encode } from '../ownership/codec.js';
import type { Responder } from '../responder/responder.js';
import type { Advertisement } from '../responder/types.js';
import type { Effect } from '../speaker.js';
import { TABLE_LIFETIME_MS } from '../table/lifetime.js';
import { logChanges } from './change_log.js';
import type { Announced, Moved, MoveRecord } from './move_record.js';

type EffectOf<T extends Effect['type']> = Extract<Effect, { type: T }>;

export interface EffectRunnerOptions {
  readonly responder: Pick<Responder, 'publish' | 'renew' | 'probe' | 'announce' | 'advertise' | 'send'>;
  readonly log: Logger;
  readonly moves: MoveRecord;
  readonly serve: (effect: EffectOf<'serve'>) => void;
  /** Until when a table may be in force that is not renewed, beside its own life, monotonic. Default: for ever. */
  readonly answerUntilMs?: () => number;
}

/** Carries out what the speaker wants done, in order. */
export class EffectRunner {
  readonly #options: EffectRunnerOptions;
  readonly #advertised = new Map<string, Advertisement>();
  #announcement = 0;
  #publishedMs: number;

  constructor(options: EffectRunnerOptions, nowMs: number) {
    this.#options = options;
    this.#publishedMs = nowMs;
  }

  /** When the table in force was published. */
  get publishedMs(): number {
    return this.#publishedMs;
  }

  run(effects: readonly Effect[], nowMs: number): void {
    const { responder, log, moves, serve } = this.#options;
    const changes: EffectOf<'changed'>[] = [];
    const moved: Moved[] = [];
    const announced: Announced[] = [];
    for (const effect of effects) {
      switch (effect.type) {
        case 'publish':
          responder.publish(effect.table, this.#lifetimeMs(nowMs));
          this.#publishedMs = nowMs;
          break;
        case 'probe':
          responder.probe(effect.addresses, effect.interfaceName, effect.offsetsMs);
          break;
        case 'announce':
          announced.push(...this.#announce(effect));
          break;
        case 'advertise':
          this.#advertised.set(effect.interfaceName, effect.advertisement);
          responder.advertise(effect.interfaceName, effect.advertisement);
          break;
        case 'send':
          responder.send(effect.interfaceName, encode(effect.message));
          break;
        case 'serve':
          serve(effect);
          break;
        case 'moved':
          moved.push(effect);
          break;
        case 'changed':
          changes.push(effect);
          break;
      }
    }
    logChanges(log, changes);
    moves.add(moved, announced);
  }

  renew(nowMs: number): void {
    this.#options.responder.renew(this.#lifetimeMs(nowMs));
  }

  #lifetimeMs(nowMs: number): number {
    const leftMs = (this.#options.answerUntilMs?.() ?? Number.POSITIVE_INFINITY) - nowMs;
    return Math.max(1, Math.min(TABLE_LIFETIME_MS, Math.floor(leftMs)));
  }

  /** Tells all peers that this node is gone, where they have not been told. */
  leave(): void {
    for (const [interfaceName, advertisement] of this.#advertised) {
      if (advertisement.state === 'leaving') continue;
      this.#options.responder.advertise(interfaceName, { ...advertisement, state: 'leaving' });
    }
    this.#advertised.clear();
  }

  /** @returns it with its number, if clients are asked to follow */
  #announce({ addresses, interfaceName, schedule, urgent, confirm }: EffectOf<'announce'>): Announced[] {
    const { ipv4: ipv4Ms, ipv6: ipv6Ms } = schedule;
    const number = confirm ? ++this.#announcement : 0;
    this.#options.responder.announce(addresses, interfaceName, { ipv4Ms, ipv6Ms }, urgent, number);
    return confirm ? [{ interfaceName, addresses, number }] : [];
  }
}
