// Each checker is shown to fail: a bug is planted, and the simulator finds it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Address } from '../../src/net/address.js';
import { type Alteration, altered, clinging, withClaims, withoutAnnouncements, withTable } from './altered.js';
import { type CheckerFactory, Violation } from './checker.js';
import { announced } from './checkers/announced.js';
import { doubleAnswer } from './checkers/double_answer.js';
import { lastResort } from './checkers/last_resort.js';
import { ownerChange } from './checkers/owner_change.js';
import { placement } from './checkers/placement.js';
import { settled } from './checkers/settled.js';
import { terms } from './checkers/terms.js';
import { unanswered } from './checkers/unanswered.js';
import { undesired } from './checkers/undesired.js';
import type { SpeakerEvent } from './core.js';
import { runRandom } from './random_scenario.js';

interface Plant {
  readonly bug: string;
  readonly checker: CheckerFactory;
  readonly finds: RegExp;
  readonly within: number;
  readonly make: () => (node: string) => Alteration;
}

const lost = (event: SpeakerEvent): boolean => event.type === 'peer' && event.peer.link === 'down';

const PLANTS: readonly Plant[] = [
  {
    bug: 'the loser does not stop answering',
    checker: doubleAnswer,
    finds: /both answer/,
    within: 20,
    make: () => clinging,
  },
  {
    bug: 'rivals and worse claims are not noticed: both sides of a heal go on',
    checker: doubleAnswer,
    finds: /both answer/,
    within: 20,
    make: () => () => ({ events: (event) => (event.type === 'message' ? [] : [event]) }),
  },
  {
    bug: 'the winner says nothing after a yield',
    checker: announced,
    finds: /yielded/,
    within: 60,
    make: () => () =>
      withoutAnnouncements((answered, { type }) => answered && ['message', 'peer', 'rival'].includes(type)),
  },
  {
    bug: 'a new owner is silent',
    checker: announced,
    finds: /began to answer/,
    within: 20,
    make: () => () => withoutAnnouncements(() => true),
  },
  {
    bug: 'a node that starts takes back what it had',
    checker: ownerChange,
    finds: /without a cause/,
    within: 60,
    make: () => {
      const had = new Map<string, Set<Address>>();
      return (node) => {
        const before = [...(had.get(node) ?? [])];
        const now = new Set<Address>();
        had.set(node, now);
        return {
          events: (event, core) => {
            for (const address of core.desired.keys()) {
              for (const name of core.interfaces) {
                if (core.ownerOf(address, name)?.node === node) now.add(address);
              }
            }
            if (!core.interfaces.some((name) => core.stateOf(name) === 'ready')) return [event];
            return [event, ...before.splice(0).map((address): SpeakerEvent => ({ type: 'move', address, node }))];
          },
        };
      };
    },
  },
  {
    bug: 'a cut-off node counts its provisional claims as firm',
    checker: ownerChange,
    finds: /without a cause/,
    within: 300,
    make: () => () => withClaims((claim) => ({ ...claim, firm: true })),
  },
  {
    bug: 'placement depends on the order in which a node knows the others',
    checker: placement,
    finds: /would take/,
    within: 10,
    make: () => () => {
      const owned = new Map<string, Map<string, Address[]>>();
      return {
        events: (event, core) => {
          // As if each found itself first in its own list.
          for (const name of core.interfaces) {
            const byNode = new Map<string, Address[]>();
            for (const address of core.desired.keys()) {
              const owner = core.ownerOf(address, name)?.node;
              if (owner !== undefined) byNode.set(owner, [...(byNode.get(owner) ?? []), address]);
            }
            owned.set(name, byNode);
          }
          return [event];
        },
        effects: (effects, _event, core) =>
          effects.map((effect) => {
            if (effect.type !== 'publish') return effect;
            const plans = core.interfaces.flatMap((interfaceName) =>
              core.peers(interfaceName).map(({ node, incarnation }) => ({
                interfaceName,
                incarnation,
                addresses: owned.get(interfaceName)?.get(node) ?? [],
              })),
            );
            return { ...effect, table: { ...effect.table, plans } };
          }),
      };
    },
  },
  {
    bug: 'a peer that does not hear us counts',
    checker: unanswered,
    finds: /nobody answers/,
    within: 400,
    make: () => () => ({
      events: (event) =>
        event.type === 'peer' && event.peer.link === 'one-way'
          ? [{ ...event, peer: { ...event.peer, link: 'two-way' } }]
          : [event],
    }),
  },
  {
    bug: 'an address that is wanted no more is answered on',
    checker: undesired,
    finds: /wanted no more|nobody wants|may own/,
    within: 100,
    make: () => () => {
      const known = new Map<Address, readonly string[]>();
      return withTable((table) => {
        for (const { address, selected } of table.entries) known.set(address, selected);
        const wanted = new Set(table.entries.map(({ address }) => address));
        const kept = [...known].filter(([address]) => !wanted.has(address));
        return {
          ...table,
          entries: [
            ...table.entries,
            ...kept.map(([address, names]) => ({ address, selected: names, answer: names, tentative: [] })),
          ],
        };
      });
    },
  },
  {
    bug: 'an address is answered before it is on lo',
    checker: undesired,
    finds: /not on lo/,
    within: 60,
    make: () => () => {
      let generation = 0;
      return {
        events: (event) => [{ type: 'served', generation: 1_000 + generation++ } as const, event],
      };
    },
  },
  {
    bug: 'terms go back',
    checker: terms,
    finds: /after term/,
    within: 20,
    make: () => () => withClaims((claim) => ({ ...claim, term: 1 + (claim.term % 2) })),
  },
  {
    bug: 'nobody is asked to follow',
    checker: announced,
    finds: /ignores-gratuitous|first-answer/,
    within: 30,
    make: () => () => ({
      effects: (effects) =>
        effects.map((effect) => (effect.type === 'announce' ? { ...effect, confirm: false } : effect)),
    }),
  },
  {
    bug: 'heals and handovers leave hosts where they are',
    checker: settled,
    finds: /traffic/,
    within: 60,
    make: () => () => ({
      effects: (effects) =>
        effects.map((effect) =>
          effect.type === 'announce' ? { ...effect, schedule: { ipv4: [], ipv6: [] } } : effect,
        ),
    }),
  },
  {
    bug: 'nodes of last resort own what others could',
    checker: lastResort,
    finds: /and n\d should/,
    within: 20,
    make: () => () => ({
      events: (event) => {
        if (event.type === 'desired') return [{ ...event, desired: { ...event.desired, lastResort: [] } }];
        return event.type === 'last-resort' ? [] : [event];
      },
    }),
  },
  {
    bug: 'who dies is not replaced',
    checker: unanswered,
    finds: /nobody answers/,
    within: 60,
    make: () => () => ({
      events: (event) => (lost(event) || event.type === 'took' ? [] : [event]),
      effects: (effects) =>
        effects.map((effect) =>
          effect.type === 'publish' ? { ...effect, table: { ...effect.table, plans: [] } } : effect,
        ),
    }),
  },
];

describe('the simulator finds what it is for', () => {
  for (const { bug, checker, finds, within, make } of PLANTS) {
    it(bug, () => {
      for (let seed = 1; seed <= within; seed += 1) {
        try {
          runRandom({ seed, checkers: [checker], makeCore: altered(make()) });
        } catch (error) {
          assert.ok(error instanceof Violation, (error as Error).stack);
          assert.match(error.message, finds, `seed ${seed}`);
          return;
        }
      }
      assert.fail(`not found in ${within} seeds`);
    });
  }
});
