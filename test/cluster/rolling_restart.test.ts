// The DaemonSet is updated as deploy/base has it: one node after the other, each asked to end within its grace period, the next one
// when the probes of the manifest say that the last one is ready. Clients notice nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { withBed } from './harness/bed.js';
import { LEASE_PATH } from './harness/controller_process.js';
import { CurlLoad } from './harness/curl_load.js';
import { assignedServices, ownershipTold, SpeakerEyes } from './harness/speaker_eyes.js';
import { assertNothingLost, Traffic } from './harness/traffic.js';

const CONNECT_SECONDS = 3;
const READY_LIMIT_MS = 30_000;
/** Four loops, each with one connection at a time, and three moves: only what is under way while its address moves may break. */
const MOST_BROKEN = 12;

test('the speakers are updated one after the other, and no packet is lost', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [] });
    const { spec } = arpeggio.manifests.find('DaemonSet', 'arpeggio-speaker');
    assert.deepEqual(spec.updateStrategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } });
    const { terminationGracePeriodSeconds, containers } = spec.template.spec;
    const [{ startupProbe, livenessProbe, readinessProbe }] = containers;

    /** As kubelet asks on the node. */
    const probe = async (node: NodeName, { httpGet: { host, port, path } }: typeof readinessProbe) => {
      const argv = ['curl', '--silent', '--fail', '--max-time', '1', `http://${host}:${port}${path}`];
      return bed
        .host(node)
        .exec(argv)
        .then(
          () => true,
          () => false,
        );
    };
    const services = await assignedServices(bed, ['web', 'shop', 'mail']);
    const addresses = Object.values(services).flat();
    await arpeggio.settled(addresses);
    for (const node of NODE_NAMES)
      for (const each of [startupProbe, livenessProbe, readinessProbe]) assert.ok(await probe(node, each));
    const curls = await CurlLoad.start(bed, services.web!, CONNECT_SECONDS);
    const traffic = await Traffic.start(bed, addresses);
    const fromMs = monotonicMs();
    try {
      for (const node of NODE_NAMES) {
        const update = async () => {
          const askedMs = monotonicMs();
          const { code, signal } = await arpeggio.speaker(node).stop();
          const tookMs = monotonicMs() - askedMs;
          assert.deepEqual({ code, signal }, { code: 0, signal: null });
          assert.ok(tookMs < terminationGracePeriodSeconds * 1000, `${node} took ${tookMs} ms to end`);
          await arpeggio.speaker(node).start();
          const startedMs = monotonicMs();
          while (!(await probe(node, startupProbe)) || !(await probe(node, readinessProbe))) {
            assert.ok(monotonicMs() - startedMs < READY_LIMIT_MS, `${node} is not ready`);
            await delay(200);
          }
          // Who says that it is ready takes part: else the next one would have nobody to hand over to.
          assert.equal((await arpeggio.speaker(node).status()).state, 'ready');
          t.diagnostic(
            `${node}: ended after ${tookMs.toFixed(0)} ms, ready after ${(monotonicMs() - startedMs).toFixed(0)} ms`,
          );
        };
        assertNothingLost(await traffic.during(update, 0), `${node} is updated`);
      }
      const owners = await arpeggio.settled(addresses);
      assertNothingLost(await traffic.during(() => delay(1_000), 0), 'afterwards');
      const { answered, unreached, broken, longestGapMs } = await curls.seen(fromMs, monotonicMs());
      t.diagnostic(
        `curl: ${answered} answers, ${unreached} times no connection, ${broken} broken, at most ${longestGapMs.toFixed(0)} ms apart`,
      );
      assert.ok(answered > 100);
      assert.equal(unreached, 0);
      assert.ok(broken <= MOST_BROKEN, `${broken} connections broke`);
      await ownershipTold(new SpeakerEyes(bed), services, owners);

      // An API server that takes requests and answers none keeps nobody from ending in order.
      const [last] = new Set(Object.values(owners)) as Set<NodeName>;
      const controller = arpeggio.controller(last!);
      await controller.start();
      await bed.api.eventually('the controller leads', async () => {
        const { spec: lease } = await bed.api.get(LEASE_PATH);
        return lease.holderIdentity !== '';
      });
      await bed.doors.hang(last!);
      const end = async () => {
        const endedMs = await Promise.all(
          [arpeggio.speaker(last!), controller].map(async (pod) => {
            const askedMs = monotonicMs();
            const { code, signal } = await pod.stop();
            assert.deepEqual({ code, signal }, { code: 0, signal: null }, pod.name);
            return monotonicMs() - askedMs;
          }),
        );
        t.diagnostic(`the API server hangs: ended after ${endedMs.map((ms) => ms.toFixed(0)).join(' and ')} ms`);
      };
      assertNothingLost(await traffic.during(end, 1_000), `${last} ends while the API server hangs`);
      await bed.doors.open(last!);
    } finally {
      await Promise.all([curls.stop(), traffic.stop()]);
    }
    await arpeggio.stop();
  });
});
