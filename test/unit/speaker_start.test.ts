// How soon a node takes part after its start, and what it may answer at once.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DesiredService } from '../../src/desired/desired.js';
import type { Address } from '../../src/net/address.js';
import type { SpeakerEvent } from '../../src/speaker.js';
import { IPV4, IPV6 } from './claim_sample.js';
import { Cluster } from './cluster_driver.js';
import { Driver, desired, only, service, usable } from './speaker_driver.js';

const names = ['host-a', 'host-b', 'host-c'];
const addresses = Array.from({ length: 12 }, (_, index) => `192.0.2.${20 + index}` as Address);
const services: DesiredService[] = addresses.map((address) => service(address, [address]));
const recordedAs = (node: string, ...list: readonly Address[]): SpeakerEvent => ({
  type: 'record',
  records: list.map((address) => ({ address, node, term: 7 })),
});

/** A cluster of two that serves; a third node listens. */
function third(): Cluster {
  const cluster = new Cluster(services);
  cluster.start('host-a');
  cluster.start('host-b');
  cluster.run(8_000);
  cluster.startListening('host-c');
  return cluster;
}

/** After how many ms the node is ready; at most 3 s. */
function readyAfterMs(cluster: Cluster, name: string): number {
  const from = cluster.nowMs;
  while (cluster.node(name).advertisement.state !== 'ready' && cluster.nowMs < from + 3_000) cluster.run(10);
  return cluster.nowMs - from;
}

describe('a node that starts', () => {
  it('listens while it is not told yet what is wanted, and claims nothing', () => {
    const cluster = third();
    cluster.run(1_000);
    assert.equal(cluster.node('host-c').advertisement.state, 'joining');
    assert.equal(cluster.node('host-c').speaker.ownedCount, 0);
    cluster.desireNow('host-c');
    assert.ok(readyAfterMs(cluster, 'host-c') <= 20, 'it had listened long enough');
  });

  it('is not waited for by the others when that takes long', () => {
    const cluster = third();
    cluster.run(2_000);
    assert.equal(cluster.node('host-c').advertisement.state, 'leaving');
    cluster.desire([...services, service('new', ['192.0.2.90' as Address])]);
    // desire() tells the third as well: it listens anew, because it was not heard.
    const tookMs = readyAfterMs(cluster, 'host-c');
    assert.ok(tookMs >= 500, `ready after ${tookMs} ms`);
    cluster.run(500);
    for (const address of addresses) assert.equal(cluster.answering(address).length, 1, address);
  });

  it('need not wait for anybody once all whose sessions last are heard, and hear it', () => {
    const cluster = third();
    cluster.step('host-c', { type: 'sessions', live: ['host-a', 'host-b'] });
    cluster.desireNow('host-c');
    const tookMs = readyAfterMs(cluster, 'host-c');
    assert.ok(tookMs >= 150 && tookMs < 300, `ready after ${tookMs} ms`);
  });

  it('waits the whole time for a node whose session lasts and that is not heard', () => {
    const cluster = third();
    cluster.step('host-c', { type: 'sessions', live: ['host-a', 'host-b', 'host-d'] });
    cluster.desireNow('host-c');
    const tookMs = readyAfterMs(cluster, 'host-c');
    assert.ok(tookMs >= 500, `ready after ${tookMs} ms`);
  });

  it('waits the whole time where no session is known', () => {
    const cluster = third();
    cluster.desireNow('host-c');
    assert.ok(readyAfterMs(cluster, 'host-c') >= 500);
  });
});

describe('a cluster that starts again', () => {
  it('leaves each address with the node that is recorded', () => {
    const cluster = new Cluster(services);
    // By rank they would be spread otherwise.
    for (const name of names) {
      cluster.startListening(name);
      cluster.step(name, recordedAs('host-c', ...addresses.slice(0, 8)));
      cluster.step(name, recordedAs('host-a', ...addresses.slice(8)));
      cluster.step(name, { type: 'sessions', live: names.filter((other) => other !== name) });
    }
    for (const name of names) cluster.desireNow(name);
    cluster.run(4_000);
    for (const [index, address] of addresses.entries()) {
      assert.deepEqual(cluster.answering(address), [index < 8 ? 'host-c' : 'host-a'], address);
    }
  });

  it('places what is recorded of a node that is not there', () => {
    const cluster = new Cluster(services);
    for (const name of ['host-a', 'host-b']) {
      cluster.startListening(name);
      cluster.step(name, recordedAs('host-c', ...addresses));
      cluster.step(name, { type: 'sessions', live: ['host-a', 'host-b'].filter((other) => other !== name) });
      cluster.desireNow(name);
    }
    cluster.run(4_000);
    for (const address of addresses) assert.equal(cluster.answering(address).length, 1, address);
  });
});

describe('an address that was ours until the process began', () => {
  function resumed(probing: 'fast' | 'rfc5227' = 'fast', ...events: SpeakerEvent[]): Driver {
    const driver = new Driver();
    driver.step(usable('eth0'));
    for (const event of events) driver.step(event);
    driver.stepServed(desired([service('web', [IPV4, IPV6])], ['eth0'], probing));
    return driver;
  }

  it('is answered at once, and yields to whoever answers the probes before it is announced', () => {
    const driver = resumed('fast', { type: 'resume' }, recordedAs('host-a', IPV4, IPV6));
    assert.deepEqual([driver.answers(IPV4), driver.answers(IPV6)], [['eth0'], ['eth0']]);
    assert.deepEqual(driver.states(IPV4), { eth0: 'newcomer' });
    driver.nowMs = 100;
    assert.deepEqual(only(driver.step({ type: 'tick' }), 'announce'), []);
    driver.step({ type: 'rival', interfaceName: 'eth0', address: IPV4, kind: 'arp', mac: '02:00:00:00:00:99' });
    assert.deepEqual(driver.states(IPV4), { eth0: 'conflict' });
    driver.nowMs = 200;
    const announced = only(driver.step({ type: 'tick' }), 'announce').flatMap((effect) => effect.addresses);
    assert.deepEqual(announced, [IPV6]);
  });

  it('is probed first where that is demanded, the record names another node, or nothing was ours of late', () => {
    const resume: SpeakerEvent = { type: 'resume' };
    const ours = recordedAs('host-a', IPV4, IPV6);
    for (const driver of [
      resumed('rfc5227', resume, ours),
      resumed('fast', resume, recordedAs('host-x', IPV4, IPV6)),
      resumed('fast', ours),
    ]) {
      assert.deepEqual([driver.answers(IPV4), driver.answers(IPV6)], [[], []]);
      assert.deepEqual(driver.states(IPV4), { eth0: 'probing' });
    }
  });

  it('is probed where that is long ago', () => {
    const driver = new Driver();
    driver.step(usable('eth0'));
    driver.step({ type: 'resume' });
    driver.step(recordedAs('host-a', IPV4));
    driver.nowMs = 60_000;
    driver.stepServed(desired([service('web', [IPV4])]));
    assert.deepEqual(driver.states(IPV4), { eth0: 'probing' });
  });
});

describe('a node that goes on after it stood still', () => {
  it('answers on each interface as soon as it has listened there, whatever the others wait for', () => {
    const driver = new Driver();
    driver.step(usable('eth0', 'eth1'));
    const peer = { node: 'host-b', interfaceName: 'eth0', incarnation: '00000000000000bb', mac: '02:00:00:00:00:0b' };
    const claims = { claimsVersion: 0, claimsDigest: 0, heldVersion: 0 };
    const report = { ...peer, ...claims, state: 'ready', intervalMs: 50, multiplier: 3, hears: 0 } as const;
    driver.step({ type: 'peer', peer: { ...report, link: 'two-way' } });
    driver.runUntil(1_000);
    driver.step({ type: 'peer', peer: { ...report, link: 'down' } });
    driver.step({ type: 'held', number: 1, interfaceName: 'eth0', reason: 'paused' });
    driver.step({ type: 'held', number: 2, interfaceName: 'eth1', reason: 'paused' });
    driver.runUntil(1_200);
    assert.deepEqual(driver.table.holdsLifted, { eth1: 2 });
    driver.runUntil(1_600);
    assert.deepEqual(driver.table.holdsLifted, { eth0: 1, eth1: 2 });
  });
});
