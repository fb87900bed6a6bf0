// From a client's `curl` through real ARP and NDP, a speaker, kube-proxy, to a pod, with everything as deploy/base has it;
// then nodes die, are drained and come back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import { loadBalancer } from '../../src/lab/kubernetes/objects.js';
import { CLIENT_NAMES, NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio, type Owners } from '../../src/lab/kubernetes/workloads.js';
import { withBed } from './harness/bed.js';
import { assertNothingLost, Traffic } from './harness/traffic.js';

const SERVICES = '/api/v1/namespaces/default/services';
/** The goal is 200 ms; this machine may be busy. */
const OUTAGE_LIMIT_MS = 2000;

async function createServices(arpeggio: Arpeggio, ...names: readonly string[]): Promise<string[]> {
  const { bed } = arpeggio;
  for (const name of names) await bed.api.create(SERVICES, loadBalancer(name));
  const addresses = await Promise.all(names.map((name) => arpeggio.addresses(name)));
  return addresses.flat();
}

async function reachable(bed: Bed, addresses: readonly string[]): Promise<void> {
  for (const client of CLIENT_NAMES) {
    for (const address of addresses) {
      const { pod } = await bed.api.eventually(`${client} reaches ${address}`, () => bed.curl(client, address));
      assert.match(pod, /^pod-/);
    }
  }
}

const ownedBy = (owners: Owners, node: NodeName) => Object.keys(owners).filter((address) => owners[address] === node);

function busiest(owners: Owners): NodeName {
  return NODE_NAMES.toSorted((a, b) => ownedBy(owners, b).length - ownedBy(owners, a).length)[0] as NodeName;
}

test('services get addresses, clients reach them, and nodes may go', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed);
    const addresses = await createServices(arpeggio, 'web', 'shop', 'mail');
    assert.equal(new Set(addresses).size, 6);
    let owners = await arpeggio.settled(addresses);
    await reachable(bed, addresses);
    const traffic = await Traffic.start(bed, addresses);
    /** The longest time without an answer, to a datagram or to ARP and NS, while a speaker or a node dies. */
    const outageMs = async (event: () => Promise<unknown>, dead?: NodeName) => {
      const { longestGapMs, silentMs } = await traffic.during(event, 2500, dead === undefined ? {} : { dead });
      return Math.max(longestGapMs, silentMs);
    };
    const nothingLost = async (what: string, event: () => Promise<unknown>, afterMs = 1500) =>
      assertNothingLost(await traffic.during(event, afterMs), what);

    // A speaker that is killed: its node still passes packets on, but nobody answers for it.
    const first = busiest(owners);
    const killed = await outageMs(() => arpeggio.speaker(first).stop('SIGKILL'));
    assert.ok(killed < OUTAGE_LIMIT_MS, `speaker of ${first} killed: ${killed} ms without an answer`);
    const afterKill = await arpeggio.settled(addresses);
    assert.deepEqual(ownedBy(afterKill, first), []);
    await arpeggio.speaker(first).start();
    await delay(2000);
    assert.deepEqual(await arpeggio.settled(addresses), afterKill, 'nothing moves back by itself');

    // A node that loses its power.
    owners = afterKill;
    const second = busiest(owners);
    const died = await outageMs(() => bed.powerOff(second, arpeggio.speaker(second)), second);
    assert.ok(died < OUTAGE_LIMIT_MS, `${second} died: ${died} ms without an answer`);
    owners = await arpeggio.settled(addresses);
    assert.deepEqual(ownedBy(owners, second), []);
    await bed.powerOn(second);
    await arpeggio.speaker(second).start();
    await arpeggio.settled(addresses);

    // A cordoned node hands over in order.
    const third = busiest(owners);
    await nothingLost(`${third} cordoned`, () => bed.setNode(third, { cordoned: true }), 3000);
    owners = await arpeggio.settled(addresses);
    assert.deepEqual(ownedBy(owners, third), []);
    await bed.setNode(third, { cordoned: false });

    // A speaker that is asked to end.
    const fourth = busiest(owners);
    await nothingLost(`speaker of ${fourth} ended`, () => arpeggio.speaker(fourth).stop());
    await arpeggio.speaker(fourth).start();
    owners = await arpeggio.settled(addresses);

    // The API server is away: nothing is lost, and failover works as ever.
    await bed.control.stopApi();
    await nothingLost('API server stopped', () => delay(2000));
    const fifth = busiest(owners);
    const diedMeanwhile = await outageMs(() => arpeggio.speaker(fifth).stop('SIGKILL'));
    assert.ok(diedMeanwhile < OUTAGE_LIMIT_MS, `speaker of ${fifth} killed: ${diedMeanwhile} ms without an answer`);
    await bed.control.startApi();
    await arpeggio.speaker(fifth).start();
    await arpeggio.settled(addresses);
    await traffic.stop();

    // A service that is deleted is answered for no more.
    await bed.api.delete(`${SERVICES}/shop`);
    await bed.api.eventually('nobody answers for it', async () => {
      const answers = await Promise.all(NODE_NAMES.map((node) => arpeggio.speaker(node).status()));
      const kept = answers.flatMap((status) => status.addresses.filter(({ answering }) => answering));
      return kept.length === 4;
    });
    await arpeggio.stop();
  });
});
