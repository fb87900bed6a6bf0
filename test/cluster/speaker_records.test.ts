// Guarantees of `arpeggio speaker` with services whose addresses somebody has assigned: clients reach them, the cluster is told
// who announces what, with few writes and truly, and a restart tells nothing new.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CLIENT_NAMES, NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { withBed } from './harness/bed.js';
import { assignedServices, ownershipTold, SpeakerEyes } from './harness/speaker_eyes.js';

const REST_MS = 12_000;

test('the cluster is told who announces what, once, and truly', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [] });
    const eyes = new SpeakerEyes(bed);
    const services = await assignedServices(bed, ['web', 'shop', 'mail', 'news']);
    const addresses = Object.values(services).flat();
    const owners = await arpeggio.settled(addresses);
    for (const client of CLIENT_NAMES) {
      for (const address of addresses) {
        await bed.api.eventually(`${client} reaches ${address}`, () => bed.curl(client, address));
      }
    }
    await ownershipTold(eyes, services, owners);
    assert.deepEqual(await eyes.sessions(), Object.fromEntries(NODE_NAMES.map((node) => [node, node])));
    const assignments = Object.entries(services).flatMap(([service, ips]) =>
      [...new Set(ips.map((ip) => owners[ip]))].map((node) => `${service} ${node}`),
    );
    const events = () => eyes.events('nodeAssigned');
    await bed.api.eventually(
      'every assignment has its event',
      async () => (await events()).length >= assignments.length,
    );
    assert.deepEqual(await events(), assignments.toSorted());

    const atRest = eyes.writes().length;
    await delay(REST_MS);
    const rest = eyes.writes().slice(atRest);
    assert.ok(rest.every(({ resource, name }) => resource === 'leases' && name.startsWith('arpeggio-node-')));
    assert.ok(
      rest.length <= (NODE_NAMES.length * REST_MS) / 10_000 + NODE_NAMES.length,
      `${rest.length} writes at rest`,
    );

    // Killed: one write for each record, and nothing of the dead node is left.
    const dead = owners[addresses[0]!] as NodeName;
    const lost = addresses.filter((address) => owners[address] === dead);
    const before = eyes.writes().length;
    await arpeggio.speaker(dead).stop('SIGKILL');
    const after = await arpeggio.settled(addresses);
    assert.ok(lost.every((address) => after[address] !== dead));
    await ownershipTold(eyes, services, after);
    const records = eyes
      .writes()
      .slice(before)
      .filter(({ name }) => name.startsWith('arpeggio-ip-'));
    assert.equal(records.length, lost.length, JSON.stringify(records));
    for (const address of addresses) {
      assert.equal((await eyes.record(address))?.term, lost.includes(address) ? 2 : 1, `term of ${address}`);
    }

    // Back again: nothing moves, nothing is told.
    const told = (await events()).length;
    await arpeggio.speaker(dead).start();
    await bed.api.eventually('it is ready', async () => (await arpeggio.speaker(dead).status()).state === 'ready');
    await delay(2_000);
    assert.deepEqual(await arpeggio.settled(addresses), after);
    await ownershipTold(eyes, services, after);
    assert.equal((await events()).length, told);

    // An owner that is killed and started at once, before anything is cleared up, finds what it wrote.
    const [owner] = new Set(Object.values(after)) as Set<NodeName>;
    await bed.api.delete('/api/v1/namespaces/default/services/news');
    await bed.api.eventually('nothing is said of the service that is gone', async () => {
      const left = (await eyes.statuses()).filter(({ service }) => service === 'news');
      const records = await Promise.all(services.news!.map((address) => eyes.record(address)));
      return left.length === 0 && records.every((record) => record === null);
    });
    await arpeggio.speaker(owner!).stop('SIGTERM');
    await bed.api.eventually('the one that ended says nothing any more', async () => {
      const left = (await eyes.statuses()).filter(({ node }) => node === owner);
      return left.length === 0 && (await eyes.sessions())[owner!] === '';
    });
    await arpeggio.stop();
    assert.deepEqual(await eyes.statuses(), []);
    assert.deepEqual(new Set(Object.values(await eyes.sessions())), new Set(['']));
  });
});
