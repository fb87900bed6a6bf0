// Random histories: whatever happens in whatever order, these hold after each step.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { Probing } from '../../src/desired/desired.js';
import { type Address, parseAddress } from '../../src/net/address.js';
import type { RivalKind } from '../../src/responder/types.js';
import type { Effect, SpeakerEvent } from '../../src/speaker.js';
import { IPV4, IPV6, RIVAL } from './claim_sample.js';
import { Driver, desired, only, service } from './speaker_driver.js';

const ADDRESSES = [IPV4, IPV6, parseAddress('192.0.2.11')];
const INTERFACES = ['eth0', 'eth1'];
const ANSWERED = new Set(['tentative', 'newcomer', 'owned']);
const PLACE: Record<Effect['type'], number> = {
  serve: 0,
  publish: 1,
  probe: 2,
  announce: 3,
  send: 4,
  changed: 5,
  moved: 6,
  advertise: 7,
};

interface Happening {
  readonly afterMs: number;
  readonly event: SpeakerEvent | 'served';
}

const someInterfaces = fc.subarray(INTERFACES);
const probing = fc.constantFrom<Probing>('fast', 'fast', 'rfc5227', 'none');
const services = fc.array(fc.tuple(fc.subarray(ADDRESSES, { minLength: 1 }), fc.option(someInterfaces, { freq: 3 })), {
  maxLength: 3,
});
const desiredEvent = fc.tuple(services, someInterfaces, probing).map(([list, interfaces, how]) =>
  desired(
    list.map(([addresses, names], index) => service(`s${index}`, addresses, names)),
    interfaces,
    how,
  ),
);
const rivalEvent = fc.record({
  type: fc.constant('rival' as const),
  kind: fc.constantFrom<RivalKind>('arp', 'arp-probe', 'na', 'ns', 'dad'),
  address: fc.constantFrom<Address>(...ADDRESSES),
  interfaceName: fc.constantFrom(...INTERFACES),
  mac: fc.constantFrom(RIVAL, '02:00:00:00:00:98'),
});
const event: fc.Arbitrary<Happening['event']> = fc.oneof(
  { weight: 2, arbitrary: desiredEvent },
  { weight: 2, arbitrary: someInterfaces.map((names) => ({ type: 'usable' as const, interfaces: new Set(names) })) },
  { weight: 4, arbitrary: rivalEvent },
  { weight: 3, arbitrary: fc.constant('served' as const) },
  { weight: 6, arbitrary: fc.constant({ type: 'tick' as const }) },
);
const history: fc.Arbitrary<Happening[]> = fc
  .array(fc.record({ afterMs: fc.oneof(fc.constantFrom(0, 40, 120), fc.nat(3_000), fc.nat(200_000)), event }), {
    minLength: 1,
    maxLength: 40,
  })
  .map((happenings) => [
    // Without this, most histories are about nothing.
    { afterMs: 0, event: { type: 'usable', interfaces: new Set(INTERFACES) } },
    { afterMs: 0, event: desired([service('web', ADDRESSES)], INTERFACES) },
    ...happenings,
  ]);

/** Plays the history and checks every step; returns all effects. `chances` is what random() gives, in turn. */
function play(happenings: readonly Happening[], chances: readonly number[]): Effect[][] {
  let drawn = 0;
  const driver = new Driver(() => chances[drawn++ % chances.length] ?? 0);
  const all: Effect[][] = [];
  const serves: { generation: number; addresses: readonly Address[] }[] = [];
  let servedGeneration = 0;
  for (const { afterMs, event: happening } of happenings) {
    driver.nowMs += afterMs;
    let now: SpeakerEvent;
    if (happening === 'served') {
      servedGeneration = driver.served?.generation ?? 0;
      now = { type: 'served', generation: servedGeneration };
    } else now = happening;
    // What time has made due is not the event's doing.
    all.push(driver.step({ type: 'tick' }));
    serves.push(...only(all.at(-1) ?? [], 'serve'));
    const before = snapshot(driver);
    const effects = driver.step(now);
    all.push(effects);
    serves.push(...only(effects, 'serve'));
    checkOrder(effects);
    checkTable(driver);
    checkAnnouncements(driver, effects);
    checkOthers(now, before, snapshot(driver));
    const inPlace = serves.filter(({ generation }) => generation <= servedGeneration).at(-1)?.addresses ?? [];
    for (const [address, claims] of driver.speaker.claims) {
      const old = before.get(address) ?? [];
      for (const { interfaceName, answered } of claims) {
        if (!answered || old.some((claim) => claim.interfaceName === interfaceName && claim.answered)) continue;
        assert.ok(inPlace.includes(address), `${address} is answered, and not on lo`);
      }
    }
  }
  return all;
}

function snapshot({ speaker }: Driver) {
  return new Map(
    [...speaker.claims].map(([address, claims]) => [
      address,
      claims.map(({ interfaceName, state, reason, dueMs, answered }) => ({
        interfaceName,
        state,
        reason,
        dueMs,
        answered,
      })),
    ]),
  );
}

/** A table is in force, and lo has the addresses, before anything is said about them. */
function checkOrder(effects: readonly Effect[]): void {
  const places = effects.map(({ type }) => PLACE[type]);
  assert.deepEqual(places, [...places].sort());
  assert.ok(only(effects, 'publish').length <= 1 && only(effects, 'serve').length <= 1);
}

/** The last published table answers exactly what is claimed, and never a conflict. */
function checkTable({ table, speaker }: Driver): void {
  assert.deepEqual(
    table.entries.map(({ address }) => address),
    [...speaker.claims.keys()],
  );
  for (const { address, selected, answer, tentative } of table.entries) {
    const claims = speaker.claims.get(address) ?? [];
    const names = (include: (state: string) => boolean) =>
      claims.filter(({ state }) => include(state)).map(({ interfaceName }) => interfaceName);
    assert.deepEqual(
      selected,
      names(() => true),
    );
    assert.deepEqual(
      answer,
      names((state) => ANSWERED.has(state)),
    );
    assert.deepEqual(
      tentative,
      names((state) => state === 'tentative'),
    );
  }
}

/** Only what is answered is announced, and nothing that is tentative (RFC 4429 3.3). */
function checkAnnouncements({ table }: Driver, effects: readonly Effect[]): void {
  for (const { addresses, interfaceName } of only(effects, 'announce')) {
    for (const address of addresses) {
      const entry = table.entries.find((candidate) => candidate.address === address);
      assert.ok(entry?.answer.includes(interfaceName) && !entry.tentative.includes(interfaceName));
    }
  }
}

/** A rival concerns its address on its interface alone. */
function checkOthers(
  happening: SpeakerEvent,
  before: ReturnType<typeof snapshot>,
  after: ReturnType<typeof snapshot>,
): void {
  if (happening.type !== 'rival') return;
  for (const [address, claims] of after) {
    for (const [index, claim] of claims.entries()) {
      if (address === happening.address && claim.interfaceName === happening.interfaceName) continue;
      assert.deepEqual(claim, before.get(address)?.[index]);
    }
  }
}

const chances = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
  minLength: 1,
  maxLength: 20,
});

it('answers, announcements, order and isolation hold after every step', () => {
  fc.assert(
    fc.property(history, chances, (happenings, values) => {
      play(happenings, values);
    }),
    { numRuns: 300 },
  );
});

it('equal inputs and equal chances have equal effects', () => {
  fc.assert(
    fc.property(history, chances, (happenings, values) => {
      assert.ok(isDeepStrictEqual(play(happenings, values), play(happenings, values)));
    }),
    { numRuns: 100 },
  );
});

it('comes to rest: with time and lo, every address on a usable interface is owned', () => {
  fc.assert(
    fc.property(history, chances, (happenings, values) => {
      let drawn = 0;
      const driver = new Driver(() => values[drawn++ % values.length] ?? 0);
      for (const { afterMs, event: happening } of happenings) {
        driver.nowMs += afterMs;
        if (happening !== 'served') driver.stepServed(happening);
      }
      driver.stepServed({ type: 'usable', interfaces: new Set(INTERFACES) });
      driver.runUntil(driver.nowMs + 100_000);
      for (const claims of driver.speaker.claims.values()) {
        for (const { state, address, interfaceName } of claims)
          assert.equal(state, 'owned', `${address} ${interfaceName}`);
      }
    }),
    { numRuns: 200 },
  );
});

it('a stop ends every history with an empty table, and serves nothing new', () => {
  fc.assert(
    fc.property(history, history, (before, after) => {
      const driver = new Driver();
      const run = ({ event: happening }: Happening) =>
        driver.step(
          happening === 'served' ? { type: 'served', generation: driver.served?.generation ?? 0 } : happening,
        );
      for (const happening of before) run(happening);
      const effects = driver.step({ type: 'stop' });
      assert.ok(effects.every(({ type }) => type === 'publish' || type === 'changed'));
      assert.deepEqual(driver.table.entries, []);
      for (const happening of after) assert.deepEqual(run(happening), []);
    }),
    { numRuns: 50 },
  );
});
