// What the API server knows of owners counts for nodes that are not heard, and for no others.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Address } from '../../src/net/address.js';
import { Records } from '../../src/ownership/records.js';
import type { PeerReport } from '../../src/responder/types.js';
import type { SpeakerEvent } from '../../src/speaker.js';
import { IPV4, IPV6 } from './claim_sample.js';
import { Driver, desired, service, usable } from './speaker_driver.js';

const MAC = '02:00:00:00:00:0b';

const recorded = (node: string | null, term: number, address: Address = IPV4): SpeakerEvent => ({
  type: 'record',
  records: [{ address, node, term }],
});
const sessions = (...live: string[]): SpeakerEvent => ({ type: 'sessions', live });

function peer(link: PeerReport['link'], report: Partial<PeerReport> = {}): SpeakerEvent {
  return {
    type: 'peer',
    peer: {
      node: 'host-b',
      interfaceName: 'eth0',
      incarnation: '00000000000000bb',
      mac: MAC,
      state: 'ready',
      link,
      intervalMs: 50,
      multiplier: 3,
      hears: 0,
      claimsVersion: 0,
      claimsDigest: 0,
      heldVersion: 0,
      ...report,
    },
  };
}

function started(...before: SpeakerEvent[]): Driver {
  const driver = new Driver();
  driver.step(usable('eth0'));
  for (const event of before) driver.step(event);
  driver.stepServed(desired([service('web', [IPV4])]));
  driver.runUntil(10_000);
  return driver;
}

const owner = (driver: Driver) => driver.speaker.ownerOf(IPV4, 'eth0')?.node ?? null;

describe('a node that runs and is not heard', () => {
  it('keeps what is recorded of it, until its session ends; then the address is probed', () => {
    const driver = started(sessions('host-b'), recorded('host-b', 3));
    assert.equal(owner(driver), 'host-b');
    assert.deepEqual([driver.answers(IPV4), driver.states(IPV4)], [[], { eth0: 'standby' }]);
    assert.deepEqual(driver.speaker.unheard, ['host-b']);
    driver.stepServed(sessions());
    assert.deepEqual(driver.states(IPV4), { eth0: 'probing' });
    driver.runUntil(20_000);
    assert.deepEqual(driver.answers(IPV4), ['eth0']);
    assert.deepEqual([owner(driver), driver.speaker.ownerOf(IPV4, 'eth0')?.term], ['host-a', 4]);
  });

  it('is yielded to where its record is not older than the claim', () => {
    const driver = started(sessions('host-b'), recorded(null, 4));
    assert.deepEqual([owner(driver), driver.speaker.ownerOf(IPV4, 'eth0')?.term], ['host-a', 5]);
    driver.stepServed(recorded('host-b', 4));
    assert.equal(owner(driver), 'host-a');
    driver.stepServed(recorded('host-b', 5));
    assert.deepEqual([owner(driver), driver.answers(IPV4)], ['host-b', []]);
    driver.stepServed(recorded('host-a', 6));
    driver.runUntil(20_000);
    assert.equal(owner(driver), 'host-a', 'it gave the address up, and this node may have it');
  });

  it('holds nothing that is recorded of nobody, of this node, or of a node that does not run', () => {
    for (const record of [recorded(null, 3), recorded('host-a', 3), recorded('host-c', 3)]) {
      const driver = started(sessions('host-b'), record);
      assert.equal(owner(driver), 'host-a');
      assert.equal(driver.speaker.ownerOf(IPV4, 'eth0')?.term, 4);
    }
  });

  it('holds nothing that it may not own any more', () => {
    const driver = started(sessions('host-b'), recorded('host-b', 3));
    const local = (...nodes: string[]) => desired([{ ...service('web', [IPV4]), nodes }]);
    driver.stepServed(local('host-b'));
    driver.runUntil(driver.nowMs + 5_000);
    assert.equal(owner(driver), 'host-b');
    driver.stepServed(local('host-a'));
    driver.runUntil(driver.nowMs + 1_000);
    assert.deepEqual([owner(driver), driver.answers(IPV4)], ['host-a', ['eth0']]);
  });

  it('has its share of what is new', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.step(sessions('host-b'));
    const preferred = { ...service('web', [IPV4]), prefer: [{ node: 'host-b', weight: 1 }] };
    driver.stepServed(desired([preferred]));
    driver.runUntil(1_000);
    assert.deepEqual(driver.states(IPV4), { eth0: 'waiting' });
    driver.runUntil(4_000);
    assert.deepEqual(driver.answers(IPV4), ['eth0'], 'unless it does not take it');
  });
});

describe('a node that is heard', () => {
  it('is judged by its claims, not by records', () => {
    const driver = started(sessions('host-b'), recorded('host-b', 3), peer('two-way'));
    assert.deepEqual(driver.speaker.unheard, []);
    assert.equal(owner(driver), 'host-a');
  });

  it('and does not claim what is recorded of it, does not answer: the address is taken at once, without probes', () => {
    const driver = started(sessions('host-b'));
    const preferred = { ...service('web', [IPV4]), prefer: [{ node: 'host-a', weight: 1 }] };
    driver.stepServed(desired([preferred]));
    driver.stepServed(recorded('host-b', 3));
    assert.deepEqual([owner(driver), driver.answers(IPV4)], ['host-b', []]);
    driver.stepServed(peer('two-way'));
    assert.deepEqual([owner(driver), driver.answers(IPV4)], ['host-a', ['eth0']]);
  });

  it('is replaced when it is lost, though its session lasts', () => {
    const driver = started(sessions('host-b'), peer('two-way'), recorded('host-b', 3), peer('down'));
    driver.runUntil(20_000);
    assert.equal(owner(driver), 'host-a');
    driver.stepServed(recorded('host-b', 9));
    assert.equal(owner(driver), 'host-a');
  });

  it('whose frames come, and heartbeats do not any more, is judged by records until it is heard again', () => {
    const driver = started(sessions('host-b'), peer('two-way'), recorded('host-b', 9), peer('down'));
    assert.equal(owner(driver), 'host-a');
    driver.stepServed(recorded('host-b', 20));
    const frame = { type: 'rival', kind: 'arp', address: IPV4, interfaceName: 'eth0', mac: MAC } as const;
    driver.stepServed(frame);
    assert.equal(owner(driver), 'host-a', 'after a cut its heartbeats may come a moment later');
    driver.runUntil(driver.nowMs + 600);
    driver.stepServed(frame);
    assert.deepEqual([owner(driver), driver.answers(IPV4)], ['host-b', []]);
    assert.deepEqual(driver.speaker.unheard, ['host-b']);
    driver.stepServed(peer('one-way', { hears: 1 }));
    driver.stepServed(peer('two-way'));
    driver.runUntil(driver.nowMs + 5_000);
    assert.equal(owner(driver), 'host-a');
  });
});

describe('a node that does not hear us', () => {
  it('is in conflict with what we probe, until it hears us: then the address is probed again at once', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.stepServed(desired([service('web', [IPV4])]));
    driver.nowMs = 10;
    driver.stepServed(peer('one-way'));
    driver.stepServed({ type: 'rival', kind: 'arp-probe', address: IPV4, interfaceName: 'eth0', mac: MAC });
    assert.deepEqual(driver.states(IPV4), { eth0: 'conflict' });
    driver.stepServed(peer('one-way', { hears: 1 }));
    assert.deepEqual(driver.states(IPV4), { eth0: 'conflict' });
    driver.stepServed(peer('two-way'));
    assert.deepEqual(driver.states(IPV4), { eth0: 'probing' });
  });
});

describe('records', () => {
  it('find the addresses that a change concerns', () => {
    const records = new Records('host-a');
    assert.deepEqual(records.setLive(['host-b', 'host-c']), []);
    assert.deepEqual(
      records.seen([
        { address: IPV4, node: 'host-b', term: 1 },
        { address: IPV6, node: 'host-b', term: 1 },
      ]),
      [IPV4, IPV6],
    );
    records.seen([{ address: IPV6, node: 'host-c', term: 2 }]);
    assert.deepEqual(records.setLive(['host-c']), [IPV4]);
    assert.deepEqual([records.holderOf(IPV4), records.holderOf(IPV6)], [null, { node: 'host-c', term: 2 }]);
    assert.deepEqual(records.heard('host-c'), [IPV6]);
    assert.deepEqual(records.heard('host-c'), []);
    assert.equal(records.holderOf(IPV6), null);
    assert.deepEqual(records.frameOf('host-c', 0), []);
    assert.deepEqual(records.frameOf('host-c', 499), []);
    assert.deepEqual(records.frameOf('host-c', 20_000), [], 'long after: a first frame once more');
    assert.deepEqual([records.frameOf('host-b', 0), records.frameOf('host-b', 900)], [[], []], 'its session is over');
    assert.deepEqual(records.frameOf('host-c', 20_900), [IPV6]);
    assert.deepEqual([records.termOf(IPV6), records.termOf('192.0.2.99' as Address)], [2, 0]);
  });
});
