// Speakers with planted bugs: what goes into a production speaker, or comes out of it, is altered on the way.
import type { Address } from '../../src/net/address.js';
import type { OwnershipClaim, PeerMessage } from '../../src/ownership/message.js';
import type { Table, TableEntry } from '../../src/responder/types.js';
import { type Core, type CoreFactory, type Effect, productionCore, type SpeakerEvent } from './core.js';

export interface Alteration {
  /** Events in place of one. */
  readonly events?: (event: SpeakerEvent, core: Core) => readonly SpeakerEvent[];
  readonly effects?: (effects: readonly Effect[], event: SpeakerEvent, core: Core) => readonly Effect[];
}

/** A core that behaves as altered. `make` is called for each process, with the name of its node. */
export function altered(make: (node: string) => Alteration): CoreFactory {
  return (options) => {
    const core = productionCore(options);
    const { events, effects } = make(options.node);
    return {
      get stopped() {
        return core.stopped;
      },
      get desired() {
        return core.desired;
      },
      get claims() {
        return core.claims;
      },
      get interfaces() {
        return core.interfaces;
      },
      get unheard() {
        return core.unheard;
      },
      get answerUntilMs() {
        return core.answerUntilMs;
      },
      isFree: (address) => core.isFree(address),
      isConfirmed: (address) => core.isConfirmed(address),
      peers: (interfaceName) => core.peers(interfaceName),
      ownerOf: (address, interfaceName) => core.ownerOf(address, interfaceName),
      stateOf: (interfaceName) => core.stateOf(interfaceName),
      nextMs: (nowMs) => core.nextMs(nowMs),
      step(event, nowMs) {
        return (events?.(event, core) ?? [event]).flatMap((one) => {
          const wanted = core.step(one, nowMs);
          return [...(effects?.(wanted, one, core) ?? wanted)];
        });
      },
    };
  };
}

/** Alters every table. */
export function withTable(alter: (table: Table) => Table): Alteration {
  return {
    effects: (effects) =>
      effects.map((effect) => (effect.type === 'publish' ? { ...effect, table: alter(effect.table) } : effect)),
  };
}

/** Alters every claim that is sent. */
export function withClaims(alter: (claim: OwnershipClaim) => OwnershipClaim): Alteration {
  const alterMessage = (message: PeerMessage): PeerMessage =>
    message.type === 'claims-change' || message.type === 'claims-page'
      ? { ...message, claims: message.claims.map(alter) }
      : message;
  return {
    effects: (effects) =>
      effects.map((effect) => (effect.type === 'send' ? { ...effect, message: alterMessage(effect.message) } : effect)),
  };
}

/** Drops announcements of some addresses. `answered`: before this step. */
export function withoutAnnouncements(drop: (answered: boolean, event: SpeakerEvent) => boolean): Alteration {
  const answered = new Set<string>();
  return {
    effects: (effects, event) => {
      const kept = effects.flatMap((effect): Effect[] => {
        if (effect.type !== 'announce') return [effect];
        const { interfaceName } = effect;
        const addresses = effect.addresses.filter(
          (address) => !drop(answered.has(`${address} ${interfaceName}`), event),
        );
        return addresses.length > 0 ? [{ ...effect, addresses }] : [];
      });
      for (const effect of effects) {
        if (effect.type !== 'publish') continue;
        answered.clear();
        for (const { address, answer } of effect.table.entries) {
          for (const name of answer) answered.add(`${address} ${name}`);
        }
      }
      return kept;
    },
  };
}

/** What was answered once goes on being answered, as long as it is watched. */
export function clinging(): Alteration {
  const answered = new Map<Address, Set<string>>();
  return withTable((table) => ({
    ...table,
    entries: table.entries.map((entry): TableEntry => {
      const before = answered.get(entry.address) ?? new Set();
      for (const name of entry.answer) before.add(name);
      answered.set(entry.address, before);
      return { ...entry, answer: entry.selected.filter((name) => before.has(name)) };
    }),
  }));
}
