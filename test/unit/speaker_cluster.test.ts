// Several speakers on a segment, without faults beyond the one that a test is about. The simulator does the rest.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Address, parseAddress } from '../../src/net/address.js';
import type { ClaimsChange } from '../../src/ownership/message.js';
import type { PeerReport } from '../../src/responder/types.js';
import { Cluster } from './cluster_driver.js';
import { service } from './speaker_driver.js';

const ADDRESSES = Array.from({ length: 9 }, (_, index) => parseAddress(`192.0.2.${index + 10}`));
const NAMES = ['host-a', 'host-b', 'host-c'];

function started(names: readonly string[] = NAMES): Cluster {
  const cluster = new Cluster([service('web', ADDRESSES)]);
  for (const name of names) cluster.start(name);
  cluster.run(10_000);
  return cluster;
}

function owners(cluster: Cluster): string[][] {
  return ADDRESSES.map((address) => cluster.answering(address));
}

function ownedBy(cluster: Cluster, name: string): Address[] {
  return ADDRESSES.filter((address) => cluster.answering(address).includes(name));
}

function assertOneEach(cluster: Cluster): void {
  assert.deepEqual(
    owners(cluster).filter((names) => names.length !== 1),
    [],
  );
}

describe('nodes that start together', () => {
  it('share the addresses evenly, each with one owner, all firm', () => {
    const cluster = started();
    assertOneEach(cluster);
    for (const name of NAMES) assert.equal(ownedBy(cluster, name).length, 3);
    for (const address of ADDRESSES) {
      const seen = NAMES.map((name) => cluster.node(name).speaker.ownerOf(address, 'eth0'));
      assert.equal(new Set(seen.map((owner) => owner?.node)).size, 1);
      assert.deepEqual(
        seen.map((owner) => [owner?.firm, owner?.term]),
        NAMES.map(() => [true, 1]),
      );
    }
  });
});

describe('a node that joins', () => {
  it('takes nothing', () => {
    const cluster = started(['host-a', 'host-b']);
    const before = owners(cluster);
    cluster.start('host-c');
    cluster.run(5_000);
    assert.deepEqual(owners(cluster), before);
    assert.equal(cluster.node('host-c').speaker.stateOf('eth0'), 'ready');
  });
});

describe('a node that is lost', () => {
  it('is replaced for its addresses only, as the plans said', () => {
    const cluster = started();
    const before = owners(cluster);
    const lost = ownedBy(cluster, 'host-b');
    const planned = new Map(
      ['host-a', 'host-c'].map((name) => [
        name,
        cluster.node(name).table.plans?.find(({ incarnation }) => incarnation === cluster.node('host-b').incarnation)
          ?.addresses ?? [],
      ]),
    );
    cluster.kill('host-b');
    cluster.run(1_000);
    assertOneEach(cluster);
    for (const [index, address] of ADDRESSES.entries()) {
      const [now] = cluster.answering(address);
      if (lost.includes(address)) assert.ok(planned.get(now ?? '')?.includes(address), `${address} went to ${now}`);
      else assert.deepEqual([now], before[index]);
    }
    assert.ok(Math.abs(ownedBy(cluster, 'host-a').length - ownedBy(cluster, 'host-c').length) <= 1);
  });

  it('takes nothing back when it has started again', () => {
    const cluster = started();
    cluster.kill('host-b');
    cluster.run(1_000);
    const before = owners(cluster);
    cluster.start('host-b');
    cluster.run(5_000);
    assert.deepEqual(owners(cluster), before);
  });
});

describe('a node that was cut off', () => {
  it('serves its side meanwhile, and keeps nothing of the others', () => {
    const cluster = started();
    const [lost, kept] = [ownedBy(cluster, 'host-c'), ownedBy(cluster, 'host-a')];
    cluster.hears = (to, from) => (to === 'host-c') === (from === 'host-c');
    cluster.run(2_000);
    assert.deepEqual(ownedBy(cluster, 'host-c'), ADDRESSES, 'alone, it answers for all');
    cluster.hears = () => true;
    cluster.effects.length = 0;
    cluster.run(2_000);
    assertOneEach(cluster);
    assert.deepEqual(ownedBy(cluster, 'host-c'), [], 'what it had was taken over while it was away');
    for (const address of kept) {
      assert.deepEqual(cluster.answering(address), ['host-a']);
      assert.deepEqual(cluster.ownersSeenBy('host-b', address), [], 'the others saw no change');
    }
    const announced = cluster.effects.flatMap(({ node, effect }) =>
      node !== 'host-c' && effect.type === 'announce' && effect.confirm ? effect.addresses : [],
    );
    assert.deepEqual([...new Set(announced)].sort(), [...ADDRESSES].sort(), 'every winner announces after the yield');
    assert.ok(lost.length > 0);
  });

  it('gives up everything while it hears others that do not hear it', () => {
    const cluster = started();
    cluster.hears = (_, from) => from !== 'host-b';
    cluster.run(2_000);
    assertOneEach(cluster);
    assert.deepEqual(ownedBy(cluster, 'host-b'), []);
    cluster.hears = () => true;
    cluster.run(2_000);
    assertOneEach(cluster);
    assert.deepEqual(ownedBy(cluster, 'host-b'), []);
  });

  it('loses what it has while it hears nobody, though it is heard', () => {
    const cluster = started();
    const mine = ownedBy(cluster, 'host-b');
    cluster.hears = (to) => to !== 'host-b';
    cluster.run(2_000);
    for (const address of mine) assert.equal(cluster.answering(address).filter((name) => name !== 'host-b').length, 1);
    cluster.hears = () => true;
    cluster.run(2_000);
    assertOneEach(cluster);
  });
});

describe('nodes that start behind a cut', () => {
  it('make nothing firm while most of those that take part are beyond it, as their sessions say', () => {
    const cluster = new Cluster([service('web', ADDRESSES)]);
    for (const name of ['host-a', 'host-b']) cluster.start(name);
    const isFirm = () => ADDRESSES.map((address) => cluster.node('host-a').speaker.ownerOf(address, 'eth0')?.firm);
    const tell = (live: readonly string[]) => {
      for (const name of ['host-a', 'host-b']) cluster.step(name, { type: 'sessions', live, ended: [] });
    };
    tell(['host-c', 'host-d', 'host-e']);
    cluster.run(5_000);
    assert.deepEqual(new Set(isFirm()), new Set([false]));
    tell(['host-c']);
    cluster.run(100);
    assert.deepEqual(new Set(isFirm()), new Set([true]));
  });
});

describe('one of two nodes', () => {
  it('takes nothing back when its link was down and returns', () => {
    const cluster = started(['host-a', 'host-b']);
    cluster.hears = () => false;
    cluster.run(1_000);
    cluster.step('host-a', { type: 'held', number: 1, interfaceName: 'eth0', reason: 'link-returned' });
    cluster.hears = () => true;
    cluster.run(2_000);
    assertOneEach(cluster);
    assert.deepEqual(ownedBy(cluster, 'host-a'), []);
  });

  it('keeps what it has after a cut too short for the other to notice', () => {
    const cluster = started(['host-a', 'host-b']);
    const before = owners(cluster);
    cluster.step('host-a', { type: 'held', number: 1, interfaceName: 'eth0', reason: 'link-returned' });
    cluster.run(2_000);
    assert.deepEqual(owners(cluster), before);
    for (const address of ADDRESSES) assert.equal(cluster.node('host-a').speaker.ownerOf(address, 'eth0')?.firm, true);
  });

  it('tells clients again when the other, which hears nothing and has answered too, falls silent to listen', () => {
    const cluster = started(['host-a', 'host-b']);
    cluster.hears = (to) => to !== 'host-a';
    cluster.run(1_000);
    for (const address of ADDRESSES) assert.deepEqual(cluster.answering(address), ['host-a', 'host-b']);
    cluster.effects.length = 0;
    cluster.step('host-a', { type: 'held', number: 1, interfaceName: 'eth0', reason: 'link-returned' });
    cluster.run(100);
    const announced = cluster.effects.flatMap(({ node, effect }) =>
      node === 'host-b' && effect.type === 'announce' ? effect.addresses : [],
    );
    assert.deepEqual(announced.sort(), ADDRESSES);
  });
});

describe('an owner that is on hold', () => {
  it('gives up at once what it hears that it may not own: it answers nothing that could be handed over', () => {
    const cluster = started(['host-a', 'host-b']);
    const mine = ownedBy(cluster, 'host-a');
    cluster.step('host-a', { type: 'held', number: 1, interfaceName: 'eth0', reason: 'link-returned' });
    assert.equal(cluster.node('host-a').speaker.stateOf('eth0'), 'joining');
    const changed = [{ ...service('web', ADDRESSES), nodes: ['host-b'] }];
    for (const name of ['host-b', 'host-a']) cluster.desireAt(name, changed);
    for (const address of mine) assert.deepEqual(cluster.answering(address), ['host-b']);
  });
});

/** A node of which only its heartbeats arrive. */
function silentPeer(node: string, digit: string): PeerReport {
  return {
    ...{ node, interfaceName: 'eth0', incarnation: `00000000000000b${digit}`, mac: `02:00:00:00:00:0${digit}` },
    ...{ state: 'ready', link: 'two-way', intervalMs: 50, multiplier: 3, hears: 1 },
    ...{ claimsVersion: 0, claimsDigest: 0, heldVersion: 0 },
  };
}

describe('an owner that hears a node for the first time as that leaves', () => {
  it('announces its addresses: the other may have answered for them, and could not tell', () => {
    const cluster = started(['host-a']);
    cluster.effects.length = 0;
    const peer: PeerReport = { ...silentPeer('host-b', 'b'), link: 'down', state: 'leaving' };
    cluster.step('host-a', { type: 'peer', peer });
    cluster.run(500);
    const announced = () =>
      cluster.effects.flatMap(({ effect }) => (effect.type === 'announce' ? effect.addresses : [])).sort();
    assert.deepEqual(announced(), ADDRESSES);
    cluster.effects.length = 0;
    // So does its next process.
    cluster.step('host-a', { type: 'peer', peer: { ...peer, incarnation: '00000000000000ff' } });
    cluster.run(500);
    assert.deepEqual(announced(), ADDRESSES);
  });
});

describe('who takes what another node did not take', () => {
  it('announces it again when that is gone: its packet thread may have answered, while its JavaScript hung', () => {
    const cluster = new Cluster([service('web', ADDRESSES)]);
    cluster.start('host-a');
    const silent = silentPeer('host-b', 'b');
    cluster.step('host-a', { type: 'peer', peer: silent });
    cluster.run(1_500);
    const late = ADDRESSES.filter((address) => cluster.answering(address).length === 0);
    assert.ok(late.length > 0 && late.length < ADDRESSES.length);
    cluster.run(5_000);
    assertOneEach(cluster);
    cluster.effects.length = 0;
    cluster.step('host-a', { type: 'peer', peer: { ...silent, link: 'down' } });
    const announced = cluster.effects.flatMap(({ effect }) => (effect.type === 'announce' ? effect.addresses : []));
    assert.deepEqual(announced.sort(), late);
  });
});

describe('an owner that has asked a successor', () => {
  it('announces the address when a third node has yielded it: who followed that waits for no successor', () => {
    const cluster = started(['host-a']);
    const [address] = ADDRESSES as [Address];
    const third = silentPeer('host-c', 'c');
    for (const peer of [silentPeer('host-b', 'b'), third]) cluster.step('host-a', { type: 'peer', peer });
    const hear = (change: Omit<ClaimsChange, 'type'>) =>
      cluster.step('host-a', {
        ...{ type: 'message', interfaceName: 'eth0', node: 'host-c', incarnation: third.incarnation },
        message: { type: 'claims-change', ...change },
      });
    hear({ baseVersion: 0, version: 1, claims: [{ address, term: 0, firm: false }], yielded: [] });
    cluster.step('host-a', { type: 'move', address, node: 'host-b' });
    const quiet = () => cluster.node('host-a').table.entries.some((entry) => (entry.quiet?.length ?? 0) > 0);
    assert.ok(quiet());
    cluster.effects.length = 0;
    hear({ baseVersion: 1, version: 2, claims: [], yielded: [address] });
    assert.ok(!quiet());
    const announced = cluster.effects.flatMap(({ effect }) => (effect.type === 'announce' ? effect.addresses : []));
    assert.deepEqual(announced, [address]);
  });
});

describe('an owner that comes to be on hold while it hands an address over', () => {
  it('waits for its successor no longer than otherwise', () => {
    const cluster = started(['host-a']);
    const { speaker } = cluster.node('host-a');
    const successor = silentPeer('host-b', 'b');
    cluster.step('host-a', { type: 'peer', peer: successor });
    cluster.step('host-a', { type: 'move', address: ADDRESSES[0]!, node: 'host-b' });
    cluster.step('host-a', { type: 'held', number: 1, interfaceName: 'eth0', reason: 'link-returned' });
    // It claims something that it never tells: the hold lasts longer than the handover may.
    cluster.step('host-a', { type: 'peer', peer: { ...successor, claimsVersion: 1 } });
    cluster.run(1_500);
    assert.equal(speaker.stateOf('eth0'), 'joining');
    assert.ok(speaker.nextMs(cluster.nowMs)! > cluster.nowMs, 'something is due again and again');
  });
});

describe('an owner whose link goes down', () => {
  it('tells others first, when it is back, that its claims are not firm', () => {
    const cluster = started(['host-a', 'host-b']);
    const [address] = ownedBy(cluster, 'host-a') as [Address];
    const { speaker, advertisement } = cluster.node('host-a');
    assert.ok(speaker.ownerOf(address, 'eth0')?.firm);
    cluster.step('host-a', { type: 'usable', interfaces: new Set() });
    assert.equal(speaker.ownerOf(address, 'eth0')?.firm, false);
    assert.notEqual(cluster.node('host-a').advertisement.claimsVersion, advertisement.claimsVersion);
  });
});

describe('a planned move', () => {
  it('drains a node without a moment in which nobody answers', () => {
    const cluster = started();
    cluster.step('host-a', { type: 'drain' });
    for (let round = 0; round < 100; round += 1) {
      cluster.run(10);
      for (const address of ADDRESSES) assert.ok(cluster.answering(address).length > 0, `nobody answers ${address}`);
    }
    assertOneEach(cluster);
    assert.deepEqual(ownedBy(cluster, 'host-a'), []);
    cluster.step('host-a', { type: 'undrain' });
    cluster.run(2_000);
    assert.deepEqual(ownedBy(cluster, 'host-a'), [], 'nothing comes back by itself');
  });

  it('stops a node after it has given everything away', () => {
    const cluster = started();
    cluster.step('host-c', { type: 'stop' });
    cluster.run(500);
    assert.ok(cluster.node('host-c').speaker.stopped);
    assertOneEach(cluster);
    assert.equal(cluster.node('host-c').advertisement.state, 'leaving');
  });

  it('is told to stop while what its packet thread took is under way to it: who has that announces it again', () => {
    const cluster = started();
    const addresses = ownedBy(cluster, 'host-c');
    cluster.step('host-a', { type: 'drain' });
    cluster.kill('host-c');
    cluster.run(2_000);
    assert.deepEqual(ownedBy(cluster, 'host-b'), ADDRESSES);
    const before = cluster.effects.length;
    cluster.step('host-a', { type: 'stop' });
    cluster.run(10);
    const lost = { node: 'host-c', incarnation: cluster.node('host-c').incarnation, interfaceName: 'eth0' };
    cluster.step('host-a', { type: 'took', number: 1, ...lost, addresses, afterMs: 150 });
    cluster.run(150);
    assert.ok(cluster.node('host-a').speaker.stopped);
    const announced = cluster.effects
      .slice(before)
      .flatMap(({ node, effect }) => (node === 'host-b' && effect.type === 'announce' ? effect.addresses : []));
    assert.deepEqual([...new Set(announced)].sort(), addresses);
  });

  it('moves an address by command, whichever node is asked', () => {
    const cluster = started();
    const [address] = ownedBy(cluster, 'host-a') as [Address];
    assert.equal(cluster.node('host-c').speaker.moveRefusal(address, 'host-b'), null);
    cluster.step('host-c', { type: 'move', address, node: 'host-b' });
    cluster.run(200);
    assert.deepEqual(cluster.answering(address), ['host-b']);
    assert.match(cluster.node('host-c').speaker.moveRefusal(address, 'host-x') ?? '', /no node named host-x/);
  });

  it('announces nothing of what goes away any more, from before the successor is asked', () => {
    const cluster = started();
    const [address] = ownedBy(cluster, 'host-a') as [Address];
    const isQuiet = () =>
      cluster
        .node('host-a')
        .table.entries.find((entry) => entry.address === address)
        ?.quiet?.includes('eth0') ?? false;
    const asked: boolean[] = [];
    const { speaker } = cluster.node('host-a');
    for (const effect of speaker.step({ type: 'move', address, node: 'host-b' }, cluster.nowMs)) {
      if (effect.type === 'publish') cluster.node('host-a').table = effect.table;
      if (effect.type === 'send' && effect.message.type === 'handover') asked.push(isQuiet());
    }
    assert.deepEqual(asked, [true]);
    assert.deepEqual(cluster.answering(address), ['host-a']);
    cluster.run(200);
    assert.deepEqual(cluster.answering(address), ['host-b']);
    assert.ok(!isQuiet());
  });

  it('that its owner has asked for no more, before it is heard of, comes to nothing at once', () => {
    const cluster = started();
    const [address] = ownedBy(cluster, 'host-a') as [Address];
    const message = { type: 'handover', to: cluster.node('host-b').incarnation, addresses: [address] } as const;
    const { incarnation } = cluster.node('host-a');
    cluster.step('host-b', { type: 'message', interfaceName: 'eth0', node: 'host-a', incarnation, message });
    assert.deepEqual(cluster.answering(address), ['host-a', 'host-b']);
    cluster.run(100);
    assert.deepEqual(cluster.answering(address), ['host-a']);
  });

  it('announces again what its successor did not take', () => {
    const cluster = started();
    const [address] = ownedBy(cluster, 'host-a') as [Address];
    const quiet = () => cluster.node('host-a').table.entries.flatMap((entry) => entry.quiet ?? []);
    cluster.kill('host-b');
    cluster.step('host-a', { type: 'move', address, node: 'host-b' });
    assert.deepEqual(quiet(), ['eth0']);
    const before = cluster.effects.length;
    cluster.run(500);
    assert.ok(cluster.answering(address).includes('host-a'));
    assert.deepEqual(quiet(), []);
    const announced = cluster.effects
      .slice(before)
      .some(
        ({ node, effect }) => node === 'host-a' && effect.type === 'announce' && effect.addresses.includes(address),
      );
    assert.ok(announced, 'clients may have heard another node last, while this one was quiet');
  });

  it('waits for a successor on which the addresses are not in place yet', () => {
    const cluster = new Cluster([service('web', ADDRESSES)]);
    cluster.start('host-a');
    cluster.run(5_000);
    cluster.unserved.add('host-b');
    cluster.start('host-b');
    cluster.run(2_000);
    cluster.step('host-a', { type: 'drain' });
    cluster.run(500);
    assert.deepEqual(ownedBy(cluster, 'host-a'), ADDRESSES);
    cluster.serveNow('host-b');
    cluster.run(50);
    assert.deepEqual(ownedBy(cluster, 'host-b'), ADDRESSES);
    assertOneEach(cluster);
  });

  it('keeps what nobody else may own', () => {
    const cluster = new Cluster([{ ...service('web', ADDRESSES), nodes: ['host-a'] }]);
    for (const name of NAMES) cluster.start(name);
    cluster.run(5_000);
    cluster.step('host-a', { type: 'drain' });
    cluster.run(5_000);
    assert.deepEqual(ownedBy(cluster, 'host-a'), ADDRESSES);
  });

  it('follows a configuration that excludes the owner', () => {
    const cluster = started();
    cluster.desire([{ ...service('web', ADDRESSES), nodes: ['host-b', 'host-c'] }]);
    cluster.run(2_000);
    assertOneEach(cluster);
    assert.deepEqual(ownedBy(cluster, 'host-a'), []);
  });
});

describe('a node that did not take what fell to it', () => {
  it('is next again for all others once another has taken it: one is armed', () => {
    const cluster = new Cluster([]);
    for (const name of NAMES) cluster.start(name);
    cluster.run(5_000);
    // host-a, which hears of it first, passes over host-c and waits for host-b.
    const address = parseAddress('192.0.2.1');
    const changed = [{ ...service('new', [address]), prefer: [{ node: 'host-c', weight: 10 }] }];
    cluster.desireAt('host-a', changed);
    cluster.run(1_400);
    cluster.desireAt('host-b', changed);
    cluster.run(1_600);
    cluster.desireAt('host-c', changed);
    cluster.run(300);
    const [owner] = cluster.answering(address);
    const { incarnation } = cluster.node(owner!);
    const armed = NAMES.filter((name) =>
      cluster.node(name).table.plans?.some((plan) => plan.incarnation === incarnation),
    );
    assert.deepEqual([owner, armed], ['host-b', ['host-c']]);
  });
});

describe('a preference', () => {
  it('decides where nobody has the address yet', () => {
    const cluster = new Cluster([{ ...service('web', ADDRESSES), prefer: [{ node: 'host-b', weight: 10 }] }]);
    for (const name of NAMES) cluster.start(name);
    cluster.run(5_000);
    assert.deepEqual(ownedBy(cluster, 'host-b'), ADDRESSES);
  });
});
