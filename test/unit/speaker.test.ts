import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FIRST_CLAIM_SCHEDULE, SINGLE_SCHEDULE } from '../../src/claim/timing.js';
import { parseAddress } from '../../src/net/address.js';
import { IPV4, IPV6, RIVAL } from './claim_sample.js';
import { Driver, desired, only, service, usable } from './speaker_driver.js';

const B = parseAddress('192.0.2.11');
const C = parseAddress('192.0.2.12');
const TYPES = (effects: readonly { type: string }[]) => effects.map(({ type }) => type);

/** A speaker that owns the addresses of these services on these interfaces. */
function owning(services = [service('web', [IPV4, IPV6])], interfaces = ['eth0']): Driver {
  const driver = new Driver();
  driver.step(usable(...interfaces));
  driver.stepServed(desired(services, interfaces));
  driver.runUntil(10_000);
  return driver;
}

const rival = (interfaceName = 'eth0', address = IPV4) =>
  ({ type: 'rival', kind: 'arp', address, interfaceName, mac: RIVAL }) as const;

describe('a first claim', () => {
  it('serves and publishes, then probes; nothing is answered yet', () => {
    const driver = new Driver();
    assert.deepEqual(driver.step(usable('eth0')), []);
    const effects = driver.step(desired([service('web', [IPV4, IPV6])]));
    assert.deepEqual(effects, [
      { type: 'serve', generation: 1, addresses: [IPV4, IPV6] },
      {
        type: 'publish',
        table: {
          interfaces: ['eth0'],
          entries: [IPV4, IPV6].map((address) => ({ address, selected: ['eth0'], answer: [], tentative: [] })),
          plans: [],
          tookSeen: 0,
          holdsLifted: {},
        },
      },
      { type: 'probe', interfaceName: 'eth0', addresses: [IPV4], offsetsMs: [0, 40, 80] },
      { type: 'probe', interfaceName: 'eth0', addresses: [IPV6], offsetsMs: [20, 50, 80] },
      ...[IPV4, IPV6].map((address) => ({
        type: 'changed',
        address,
        interfaceName: 'eth0',
        from: 'waiting',
        to: 'probing',
        reason: 'asking whether somebody uses it',
        rivalMac: null,
      })),
    ]);
    assert.equal(driver.speaker.nextMs(driver.nowMs), 120);
  });

  it('publishes before it announces; IPv6 is tentative first', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.stepServed(desired([service('web', [IPV4, IPV6])]));
    driver.nowMs = 120;
    const effects = driver.step({ type: 'tick' });
    assert.deepEqual(TYPES(effects), ['publish', 'announce', 'changed', 'changed']);
    assert.deepEqual(driver.table.entries, [
      { address: IPV4, selected: ['eth0'], answer: ['eth0'], tentative: [] },
      { address: IPV6, selected: ['eth0'], answer: ['eth0'], tentative: ['eth0'] },
    ]);
    assert.deepEqual(only(effects, 'announce'), [
      {
        type: 'announce',
        interfaceName: 'eth0',
        addresses: [IPV4],
        schedule: FIRST_CLAIM_SCHEDULE,
        urgent: true,
        confirm: true,
      },
    ]);
    driver.nowMs = 1_080;
    const later = driver.step({ type: 'tick' });
    assert.deepEqual(TYPES(later), ['publish', 'announce', 'changed']);
    assert.deepEqual(only(later, 'announce')[0]?.addresses, [IPV6]);
    assert.deepEqual(driver.table.entries[1]?.tentative, []);
  });

  it('from newcomer to owned needs no new table', () => {
    const driver = owning([service('web', [IPV4])]);
    assert.deepEqual(driver.states(IPV4), { eth0: 'owned' });
    const again = new Driver();
    again.step(usable('eth0'));
    again.stepServed(desired([service('web', [IPV4])]));
    again.runUntil(6_999);
    again.nowMs = 7_000;
    assert.deepEqual(TYPES(again.step({ type: 'tick' })), ['changed']);
  });

  it('waits for the addresses to be on lo', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.step(desired([service('web', [IPV4])]));
    driver.nowMs = 120;
    assert.deepEqual(driver.step({ type: 'tick' }), []);
    assert.equal(driver.speaker.nextMs(driver.nowMs), null, 'no timer while only lo is missing');
    driver.nowMs = 500;
    assert.deepEqual(TYPES(driver.step({ type: 'served', generation: 1 })), ['publish', 'announce', 'changed']);
    assert.deepEqual(driver.answers(IPV4), ['eth0']);
  });

  it('is not deceived by lo having what was wanted before', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.step(desired([service('web', [IPV4])]));
    driver.step(desired([service('web', [IPV4]), service('db', [B])]));
    driver.nowMs = 120;
    driver.step({ type: 'tick' });
    driver.step({ type: 'served', generation: 1 });
    assert.deepEqual([driver.answers(IPV4), driver.answers(B)], [['eth0'], []]);
    driver.step({ type: 'served', generation: 2 });
    assert.deepEqual(driver.answers(B), ['eth0']);
    driver.step({ type: 'served', generation: 1 });
    assert.deepEqual(driver.answers(B), ['eth0'], 'late news of an earlier one');
  });

  it('takes thousands of addresses in a few effects', () => {
    const addresses = Array.from({ length: 2_000 }, (_, n) => parseAddress(`10.0.${n >> 8}.${n & 255}`));
    const driver = new Driver(Math.random);
    driver.step(usable('eth0', 'eth1'));
    const effects = driver.stepServed(desired([service('all', addresses)], ['eth0', 'eth1']));
    assert.deepEqual(
      TYPES(effects).filter((type) => type !== 'changed'),
      ['serve', 'publish', 'probe', 'probe'],
    );
    driver.nowMs = 120;
    const announced = only(driver.step({ type: 'tick' }), 'announce');
    assert.deepEqual(
      announced.map(({ interfaceName, addresses: all }) => [interfaceName, all.length]),
      [
        ['eth0', 2_000],
        ['eth1', 2_000],
      ],
    );
  });

  it('nothing is due without claims', () => {
    assert.equal(new Driver().speaker.nextMs(0), null);
    const driver = new Driver();
    driver.step(desired([service('web', [IPV4])], []));
    assert.equal(driver.speaker.nextMs(driver.nowMs), null);
  });
});

describe('a change of what is desired', () => {
  it('leaves the others alone: their claims go on, unannounced', () => {
    const driver = owning([service('web', [IPV4]), service('db', [B])]);
    const [claim] = driver.speaker.claims.get(IPV4) ?? [];
    const dueMs = claim?.dueMs;
    const effects = driver.stepServed(desired([service('web', [IPV4]), service('new', [C])]));
    for (const effect of effects) {
      if (effect.type === 'probe' || effect.type === 'announce') assert.deepEqual(effect.addresses, [C]);
      if (effect.type === 'changed') assert.equal(effect.address, C);
    }
    assert.equal(driver.speaker.claims.get(IPV4)?.[0], claim);
    assert.deepEqual([claim?.state, claim?.dueMs], ['owned', dueMs]);
    assert.deepEqual(driver.served?.addresses, [IPV4, C]);
    assert.deepEqual(
      driver.table.entries.map(({ address, answer }) => [address, answer]),
      [
        [IPV4, ['eth0']],
        [C, []],
      ],
    );
  });

  it('keeps other interfaces when one comes and goes', () => {
    const driver = owning();
    driver.step(usable('eth0', 'eth1'));
    const added = driver.stepServed(desired([service('web', [IPV4, IPV6])], ['eth0', 'eth1']));
    assert.deepEqual(TYPES(added), ['publish'], 'it listens before it takes anything there');
    added.push(...driver.runUntil(driver.nowMs + 500));
    assert.deepEqual(
      only(added, 'probe').map(({ interfaceName }) => interfaceName),
      ['eth1', 'eth1'],
    );
    assert.deepEqual(driver.states(IPV4), { eth0: 'owned', eth1: 'probing' });
    assert.deepEqual(driver.answers(IPV4), ['eth0']);
    driver.runUntil(20_000);
    assert.deepEqual(driver.answers(IPV4), ['eth0', 'eth1']);
    const removed = driver.stepServed(desired([service('web', [IPV4, IPV6])], ['eth1']));
    assert.deepEqual(TYPES(removed), ['publish']);
    assert.deepEqual(driver.answers(IPV4), ['eth1']);
  });

  it('publishes only a table when nothing changed', () => {
    const driver = owning();
    assert.deepEqual(TYPES(driver.stepServed(desired([service('web', [IPV4, IPV6])]))), ['publish']);
    assert.deepEqual(TYPES(driver.stepServed(desired([service('renamed', [IPV4, IPV6])]))), ['publish']);
    assert.deepEqual(driver.speaker.desired.get(IPV4)?.services, ['renamed']);
  });

  it('an address that left and came back is claimed anew', () => {
    const driver = owning([service('web', [IPV4])]);
    driver.stepServed(desired([]));
    assert.deepEqual(driver.served?.addresses, []);
    assert.deepEqual(driver.table.entries, []);
    const effects = driver.step(desired([service('web', [IPV4])]));
    assert.deepEqual(TYPES(effects), ['serve', 'publish', 'probe', 'changed']);
    assert.equal(driver.served?.generation, 3);
  });

  it('merges the interfaces of services that share an address', () => {
    const [eth0, eth1] = [service('a', [IPV4], ['eth0']), service('b', [IPV4, B], ['eth1'])];
    const driver = owning([eth0, eth1], ['eth0', 'eth1', 'eth2']);
    assert.deepEqual([driver.answers(IPV4), driver.answers(B)], [['eth0', 'eth1'], ['eth1']]);
    driver.stepServed(desired([eth1], ['eth0', 'eth1', 'eth2']));
    assert.deepEqual(driver.answers(IPV4), ['eth1']);
    driver.stepServed(desired([eth1, service('c', [IPV4])], ['eth0', 'eth1', 'eth2']));
    driver.runUntil(30_000);
    assert.deepEqual(driver.answers(IPV4), ['eth0', 'eth1', 'eth2'], 'a service that names none means all');
  });

  it('a service on no interface of the node is served, watched nowhere', () => {
    const driver = owning([service('web', [IPV4], ['eth9'])]);
    assert.deepEqual(driver.states(IPV4), {});
    assert.deepEqual(driver.served?.addresses, [IPV4]);
    assert.deepEqual(driver.table.entries, [{ address: IPV4, selected: [], answer: [], tentative: [] }]);
  });

  it('takes the new way of probing for new claims only', () => {
    const driver = owning([service('web', [IPV4])]);
    const services = [service('web', [IPV4]), service('db', [B])];
    driver.stepServed(desired(services, ['eth0'], 'none'));
    assert.deepEqual([driver.states(IPV4), driver.states(B)], [{ eth0: 'owned' }, { eth0: 'owned' }]);
    assert.equal(driver.speaker.claims.get(B)?.[0]?.reason, 'first claim, not probed');
  });
});

describe('interfaces', () => {
  it('that cannot carry frames are waited for, each by itself', () => {
    const driver = new Driver();
    driver.step(usable('eth1'));
    driver.stepServed(desired([service('web', [IPV4])], ['eth0', 'eth1']));
    assert.deepEqual(driver.states(IPV4), { eth0: 'waiting', eth1: 'probing' });
    driver.runUntil(1_000);
    const effects = driver.step(usable('eth0', 'eth1'));
    assert.deepEqual(TYPES(effects), ['probe', 'changed']);
    assert.equal(only(effects, 'probe')[0]?.interfaceName, 'eth0');
  });

  it('that go away while probing are probed on again', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.stepServed(desired([service('web', [IPV4])]));
    driver.nowMs = 50;
    assert.deepEqual(TYPES(driver.step(usable())), ['changed']);
    assert.deepEqual(driver.runUntil(1_000), []);
    assert.equal(driver.speaker.nextMs(driver.nowMs), null);
    assert.deepEqual(TYPES(driver.step(usable('eth0'))), ['probe', 'changed']);
    assert.equal(driver.speaker.nextMs(driver.nowMs), 1_120);
  });

  it('that flap change nothing for what is owned: the native thread announces again', () => {
    const driver = owning();
    assert.deepEqual(driver.step(usable()), []);
    assert.deepEqual(driver.step(usable('eth0')), []);
    assert.deepEqual(driver.answers(IPV4), ['eth0']);
  });
});

describe('a conflict', () => {
  it('holds back that address on that interface alone', () => {
    const driver = new Driver();
    driver.step(usable('eth0', 'eth1'));
    driver.stepServed(desired([service('web', [IPV4, B])], ['eth0', 'eth1']));
    driver.nowMs = 130;
    driver.stepServed({ type: 'tick' });
    const effects = driver.stepServed(rival());
    assert.deepEqual(TYPES(effects), ['publish', 'changed']);
    assert.deepEqual(driver.states(IPV4), { eth0: 'conflict', eth1: 'newcomer' });
    assert.deepEqual(driver.states(B), { eth0: 'newcomer', eth1: 'newcomer' });
    assert.deepEqual([driver.answers(IPV4), driver.answers(B)], [['eth1'], ['eth0', 'eth1']]);
    assert.deepEqual(driver.served?.addresses, [IPV4, B], 'eth1 goes on');
  });

  it('on every interface takes the address from lo, and gives it back before it is answered', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.stepServed(desired([service('web', [IPV4, B])]));
    driver.nowMs = 50;
    const effects = driver.stepServed(rival());
    assert.deepEqual(TYPES(effects), ['serve', 'changed']);
    assert.deepEqual(driver.served?.addresses, [B]);
    driver.nowMs = 5_050;
    assert.ok(only(driver.step({ type: 'tick' }), 'probe').some(({ addresses }) => addresses.includes(IPV4)));
    assert.deepEqual(driver.served?.addresses, [IPV4, B]);
    const generation = driver.served?.generation ?? 0;
    driver.nowMs = 5_170;
    driver.step({ type: 'tick' });
    driver.step({ type: 'served', generation: generation - 1 });
    assert.deepEqual(driver.answers(IPV4), []);
    driver.step({ type: 'served', generation });
    assert.deepEqual(driver.answers(IPV4), ['eth0']);
  });

  it('is no concern of an address or interface that is not ours', () => {
    const driver = owning();
    assert.deepEqual(driver.step(rival('eth7')), []);
    assert.deepEqual(driver.step(rival('eth0', C)), []);
  });

  it('in service is answered by one announcement, and told once', () => {
    const driver = owning();
    const effects = driver.step(rival());
    assert.deepEqual(TYPES(effects), ['announce', 'changed']);
    assert.deepEqual(only(effects, 'announce')[0], {
      type: 'announce',
      interfaceName: 'eth0',
      addresses: [IPV4],
      schedule: SINGLE_SCHEDULE,
      urgent: true,
      confirm: false,
    });
    assert.deepEqual(only(effects, 'changed')[0], {
      type: 'changed',
      address: IPV4,
      interfaceName: 'eth0',
      from: 'owned',
      to: 'owned',
      reason: `contested by ${RIVAL}, defended`,
      rivalMac: RIVAL,
    });
    driver.nowMs += 9_999;
    assert.deepEqual(driver.step(rival()), []);
    driver.nowMs += 1;
    assert.deepEqual(TYPES(driver.step(rival())), ['announce']);
  });

  it('in service is over when the rival was quiet for a minute, at the next refresh', () => {
    const driver = owning([service('web', [IPV4])]);
    driver.step(rival());
    const refreshMs = driver.speaker.nextMs(driver.nowMs) ?? 0;
    const effects = driver.runUntil(refreshMs);
    assert.deepEqual(TYPES(effects), ['announce', 'changed']);
    assert.deepEqual(only(effects, 'announce')[0]?.schedule, SINGLE_SCHEDULE);
    assert.equal(only(effects, 'announce')[0]?.urgent, false, 'a refresh waits for everything else');
    assert.equal(only(effects, 'changed')[0]?.rivalMac, null, 'it is a matter of the past');
  });
});

describe('stop', () => {
  it('publishes an empty table, and leaves on lo what is there', () => {
    const driver = owning();
    const effects = driver.step({ type: 'stop' });
    assert.deepEqual(TYPES(effects), ['publish', 'changed', 'changed']);
    assert.deepEqual(driver.table.entries, []);
    assert.ok(driver.speaker.stopped, 'there is nobody to give anything to');
    assert.equal(driver.speaker.nextMs(driver.nowMs), null);
  });

  it('is final: late events bring nothing back', () => {
    const driver = owning();
    driver.step({ type: 'stop' });
    for (const event of [
      { type: 'served', generation: 1 } as const,
      { type: 'tick' } as const,
      rival(),
      usable('eth0', 'eth1'),
      desired([service('web', [IPV4])], ['eth1']),
      { type: 'stop' } as const,
    ]) {
      assert.deepEqual(driver.step(event), [], event.type);
    }
    assert.equal(driver.speaker.nextMs(driver.nowMs), null);
  });
});
