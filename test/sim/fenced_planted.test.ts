// The checker of `--takeover fenced` is shown to fail: each rule that keeps two nodes from answering is broken, and the simulator finds it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Alteration, altered } from './altered.js';
import { Violation } from './checker.js';
import { singleAnswerer } from './checkers/single_answerer.js';
import type { Core, CoreFactory, SpeakerEvent } from './core.js';
import { runRandom } from './random_scenario.js';

interface Plant {
  readonly bug: string;
  readonly within: number;
  /** The first seed to try, where a find takes long. Default: 1. */
  readonly from?: number;
  readonly makeCore?: CoreFactory;
  /** Nobody asks the API server whether a session is over. */
  readonly trustsWatch?: boolean;
}

/** What the node owns by its claims, as if its records said so. */
function assumed(core: Core, node: string): SpeakerEvent[] {
  const records = [...core.desired.keys()].flatMap((address) =>
    core.interfaces.some((name) => core.ownerOf(address, name)?.node === node)
      ? [{ address, node, term: 1, begunMs: Number.POSITIVE_INFINITY }]
      : [],
  );
  return records.length > 0 ? [{ type: 'record', records }] : [];
}

const withEvents = (make: (node: string) => Alteration['events']): CoreFactory =>
  altered((node) => {
    const events = make(node);
    return events ? { events } : {};
  });

const PLANTS: readonly Plant[] = [
  {
    bug: 'an address is answered before it is recorded',
    within: 60,
    makeCore: withEvents((node) => (event, core) => [event, ...assumed(core, node)]),
  },
  {
    bug: 'the record of a node that lives is written over',
    within: 60,
    makeCore: withEvents(
      (node) => (event) =>
        event.type === 'record'
          ? [{ ...event, records: event.records.filter((record) => record.node === null || record.node === node) }]
          : [event],
    ),
    trustsWatch: true,
  },
  {
    bug: 'nothing stops when the session has lapsed',
    from: 70,
    within: 200,
    makeCore: withEvents(
      () => (event) => (event.type === 'renewed' ? [{ ...event, untilMs: event.untilMs + 1e9 }] : [event]),
    ),
  },
  {
    bug: 'who has lapsed is taken for dead, though it is heard',
    from: 50,
    within: 300,
    makeCore: withEvents(() => (event) => {
      if (event.type !== 'sessions') return [event];
      const ended = ['n0', 'n1', 'n2', 'n3', 'n4'].filter((name) => !event.live.includes(name));
      return [{ ...event, ended }];
    }),
  },
  {
    bug: 'a watch that lags behind is believed',
    from: 70,
    within: 1_000,
    trustsWatch: true,
  },
];

describe('the simulator finds two that answer', () => {
  for (const { bug, within, from = 1, ...plant } of PLANTS) {
    it(bug, () => {
      for (let seed = from; seed < from + within; seed += 1) {
        try {
          runRandom({ seed, takeover: 'fenced', checkers: [singleAnswerer], ...plant });
        } catch (error) {
          assert.ok(error instanceof Violation, (error as Error).stack);
          assert.match(error.message, /begins to answer/, `seed ${seed}`);
          return;
        }
      }
      assert.fail(`not found in ${within} seeds`);
    });
  }
});
