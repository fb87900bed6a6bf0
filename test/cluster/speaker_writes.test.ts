// With 1,000 services speakers write next to nothing at rest, and one record for each address that gets another owner.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditEvent } from '../../src/lab/kubernetes/audit.js';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import type { ApiObject } from '../../src/lab/kubernetes/lab_api.js';
import { NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio, advertisement, type Owners, pool } from '../../src/lab/kubernetes/workloads.js';
import { bulkLoad, storedService, storedSlice } from './bulk_load.js';
import { withBed } from './harness/bed.js';
import { SpeakerEyes } from './harness/speaker_eyes.js';

const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
const SERVICES = 1_000;
const REST_MS = 30_000;
const RENEW_EVERY_MS = 10_000;
/** So long without a write that says something new. */
const CALM_MS = 4_000;
const CALM_LIMIT_MS = 180_000;
const SETTLE_LIMIT_MS = 180_000;

const name = (index: number) => `many-${index}`;
const address = (prefix: string, index: number) => `${prefix}.${16 + (index >> 8)}.${index & 255}`;
const ADDRESSES = Array.from({ length: SERVICES }, (_, index) => address('198.18', index));

const isSession = (event: AuditEvent) => event.name.startsWith('arpeggio-node-');
const isRecord = (event: AuditEvent) => event.name.startsWith('arpeggio-ip-');
/** Events about services come at five a second, long after what they tell; they are no part of what is kept true. */
const isEvent = ({ resource }: AuditEvent) => resource === 'events';

async function calm(eyes: SpeakerEyes): Promise<void> {
  const deadlineMs = performance.now() + CALM_LIMIT_MS;
  const isNews = (event: AuditEvent) => !isSession(event) && !isEvent(event) && event.timeMs > Date.now() - CALM_MS;
  while (eyes.writes().some(isNews)) {
    assert.ok(performance.now() < deadlineMs, 'speakers go on writing');
    await delay(1_000);
  }
}

/** How often addresses got an owner, by their records. */
async function termsOf(bed: Bed): Promise<number> {
  const leases = await bed.api.list(LEASES, { labelSelector: 'arpeggio.io/record=owner' });
  return leases.reduce((sum: number, { spec }: ApiObject) => sum + spec.leaseTransitions, 0);
}

const movedOf = (before: Owners, after: Owners) => ADDRESSES.filter((each) => before[each] !== after[each]);

test('1,000 services: sessions at rest, one record for each address that moves', async (t) => {
  await withBed(t, {}, async (bed) => {
    await Promise.all(
      NODE_NAMES.map((node, index) => bed.host(node).batch([`addr add 198.18.0.${index + 1}/16 dev eth0`])),
    );
    const indices = ADDRESSES.map((_, index) => index);
    await bulkLoad(bed.control.etcdUrl, [
      ...indices.map((index) =>
        storedService(name(index), {
          ip: ADDRESSES[index] as string,
          clusterIP: address('10.96', index),
          policy: 'Cluster',
        }),
      ),
      ...indices.map((index) => storedSlice(name(index), ['node-a'])),
    ]);
    const configuration = [pool('many', ['198.18.16.0/20']), advertisement('many')];
    const arpeggio = await Arpeggio.install(bed, { controllers: [], configuration });
    const eyes = new SpeakerEyes(bed);
    const owners = await arpeggio.settled(ADDRESSES, SETTLE_LIMIT_MS);
    await calm(eyes);
    const startTerms = await termsOf(bed);
    const startWrites = eyes.writes().filter(isRecord).length;
    assert.ok(startWrites <= startTerms, `${startWrites} records written for ${startTerms} owners at the start`);

    const restFrom = eyes.writes().length;
    await delay(REST_MS);
    const rest = eyes
      .writes()
      .slice(restFrom)
      .filter((event) => !isEvent(event));
    assert.ok(rest.every(isSession), JSON.stringify(rest.find((event) => !isSession(event))));
    const most = (NODE_NAMES.length * REST_MS) / RENEW_EVERY_MS + NODE_NAMES.length;
    assert.ok(rest.length <= most, `${rest.length} writes at rest`);

    const dead = owners[ADDRESSES[0] as string] as NodeName;
    const deathFrom = eyes.writes().length;
    await bed.powerOff(dead, arpeggio.speaker(dead));
    const moved = movedOf(owners, await arpeggio.settled(ADDRESSES, SETTLE_LIMIT_MS));
    assert.equal(moved.length, ADDRESSES.filter((each) => owners[each] === dead).length, 'nothing else moves');
    await calm(eyes);
    const written = eyes.writes().slice(deathFrom).filter(isRecord);
    // A node that is held up may be the second to take an address; then it had two new owners.
    const changes = (await termsOf(bed)) - startTerms;
    assert.ok(written.length <= changes, `${written.length} records written for ${changes} changes of owners`);
    const names = new Set(written.map((event) => event.name));
    assert.equal(names.size, moved.length, 'every address that moved is recorded');
    t.diagnostic(
      `${rest.length} writes in ${REST_MS / 1000} s of rest; ${moved.length} addresses moved, ${written.length} records written`,
    );
  });
});
