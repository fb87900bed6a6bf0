// What Kubernetes says of nodes decides who announces: NotReady and cordoned ones only where nobody else can, excluded ones and those
// without a network never. Each move is a handover, and what works is not withdrawn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio, type Owners } from '../../src/lab/kubernetes/workloads.js';
import { withBed } from './harness/bed.js';
import { assignedServices } from './harness/speaker_eyes.js';
import { assertNothingLost, Traffic } from './harness/traffic.js';

const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers';
/** The goal is 200 ms; this machine may be busy. */
const OUTAGE_LIMIT_MS = 1000;
/** An owner that becomes a last resort waits for half a second; then it hands over. */
const MOVED_MS = 3_000;
/** After all were NotReady, so long is waited for those that are not back at once. */
const RECOVERY_MS = 30_000;
/** That no speaker runs is said after ten seconds. */
const SAID_MS = 30_000;

test('conditions and labels of nodes', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [] });
    const services = await assignedServices(bed, ['web', 'shop', 'mail']);
    const addresses = Object.values(services).flat();
    const owned = (owners: Owners) => new Set(Object.values(owners));
    const first = await arpeggio.settled(addresses);
    const traffic = await Traffic.start(bed, addresses);
    /** Nothing is lost meanwhile; resolves with who answers then. */
    const after = async (what: string, act: () => Promise<unknown>): Promise<Owners> => {
      assertNothingLost(await traffic.during(act, MOVED_MS), what);
      return arpeggio.settled(addresses);
    };
    const all = (state: { ready?: boolean; cordoned?: boolean }, nodes: readonly NodeName[] = NODE_NAMES) =>
      Promise.all(nodes.map((node) => bed.setNode(node, state)));
    const one = first[addresses[0]!] as NodeName;
    const [two, three] = NODE_NAMES.filter((node) => node !== one) as [NodeName, NodeName];
    try {
      const handed = await after('NotReady', () => bed.setNode(one, { ready: false }));
      assert.ok(!owned(handed).has(one), `${one} is not ready, another one can`);
      for (const address of addresses)
        if (first[address] !== one) assert.equal(handed[address], first[address], `${address} stays`);

      const still = await after('all NotReady', () => all({ ready: false }, [two, three]));
      assert.deepEqual(still, handed, 'where all are NotReady nothing is withdrawn, and nothing moves');
      const cordoned = await after('cordoned, too', () => all({ cordoned: true }, [two]));
      assert.deepEqual(cordoned, handed, 'a last resort is as good as another');
      await all({ cordoned: false }, [two]);

      const early = await after('one is ready', () => bed.setNode(one, { ready: true }));
      assert.deepEqual(early, handed, 'others may be about to come back, too');
      const better = await after('the others do not come back', () => delay(RECOVERY_MS));
      assert.deepEqual(owned(better), new Set([one]));
      const killed = await traffic.during(() => arpeggio.speaker(one).stop('SIGKILL'), MOVED_MS);
      assert.ok(killed.longestGapMs < OUTAGE_LIMIT_MS, `${killed.longestGapMs} ms without an answer`);
      const last = await arpeggio.settled(addresses);
      assert.ok([...owned(last)].every((node) => node === two || node === three));
      await arpeggio.speaker(one).start();
      assert.deepEqual(owned(await arpeggio.settled(addresses)).size > 0, true);
      await after('all is well', () => all({ ready: true }));

      const label = (node: NodeName, value: '' | null) =>
        bed.api.patch(`/api/v1/nodes/${node}`, { metadata: { labels: { [EXCLUDED]: value } } });
      const unlabelled = await after('excluded', () => label(two, ''));
      assert.ok(!owned(unlabelled).has(two), `${two} is excluded`);
      const condition = (node: NodeName, type: string, status: string) => ({
        status: { conditions: [{ type, status, reason: 'Test', message: node }] },
      });
      const connected = await after('no network', () =>
        bed.api.patch(`/api/v1/nodes/${three}/status`, condition(three, 'NetworkUnavailable', 'True')),
      );
      assert.deepEqual(owned(connected), new Set([one]));

      await label(one, '');
      await bed.api.eventually('nobody answers: all are excluded', async () => {
        const told = await Promise.all(NODE_NAMES.map((node) => arpeggio.speaker(node).status()));
        return told.every((status) => status.addresses.every(({ answering }) => !answering));
      });
      await Promise.all([label(one, null), label(two, null), bed.setNode(three, { ready: true })]);
      await arpeggio.settled(addresses);
      await delay(500);
      assertNothingLost(await traffic.during(() => delay(1_000), 0), 'all may announce again');

      // The only node that may has no speaker: somebody has to say so.
      await arpeggio.speaker(three).stop('SIGTERM');
      await Promise.all([label(one, ''), label(two, '')]);
      await bed.api.eventually(
        'an event on each service says that no speaker runs',
        async () => {
          const events = await bed.api.list('/api/v1/namespaces/default/events', {
            fieldSelector: 'reason=announceFailed',
          });
          const told = events.filter(({ message }) => /no speaker runs .*: node-[abc]$/.test(String(message)));
          return Object.keys(services).every((name) => told.some(({ involvedObject }) => involvedObject.name === name));
        },
        SAID_MS,
      );
      await bed.api.eventually('so does the status of any node', async () => {
        const { warnings } = await arpeggio.speaker(one).status();
        return new RegExp(`no speaker runs .*: ${three}`).test(warnings.join());
      });
      await arpeggio.speaker(three).start();
      assert.deepEqual(owned(await arpeggio.settled(addresses)), new Set([three]));
      await bed.api.eventually('nothing is wrong any more', async () => {
        const { warnings: left } = await arpeggio.speaker(one).status();
        return left.every((text) => !text.includes('no speaker runs'));
      });
    } finally {
      await traffic.stop();
    }
    await arpeggio.stop();
  });
});
