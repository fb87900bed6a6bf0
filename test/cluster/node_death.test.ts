// A node loses its power while clients ask by `curl`, over IPv4 and IPv6: another one serves within the time that the failover
// bench shows, what others own is not affected, and each address that moved is written down once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { withBed } from './harness/bed.js';
import { CurlLoad } from './harness/curl_load.js';
import { assignedServices, ownershipTold, SpeakerEyes } from './harness/speaker_eyes.js';
import { assertNothingLost, Traffic } from './harness/traffic.js';

const DEATHS = 3;
/** The goal is 200 ms; this machine may be busy. */
const OUTAGE_LIMIT_MS = 1000;
/** A connection that was begun before the failover ends may take so long more. */
const CONNECT_SECONDS = 0.25;
const CURL_LIMIT_MS = 2000;

test('a node dies under curl load from both families', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [] });
    const eyes = new SpeakerEyes(bed);
    const services = await assignedServices(bed, ['web', 'shop']);
    const addresses = Object.values(services).flat();
    let owners = await arpeggio.settled(addresses);
    await ownershipTold(eyes, services, owners);
    const curls = await CurlLoad.start(bed, services.web!, CONNECT_SECONDS);
    const traffic = await Traffic.start(bed, addresses);
    try {
      for (let death = 0; death < DEATHS; death += 1) {
        const before = owners;
        const dead = before[services.web![death % 2]!] as NodeName;
        const moved = addresses.filter((address) => before[address] === dead);
        const written = eyes.writes().length;
        const fromMs = monotonicMs();
        const seen = await traffic.during(() => bed.powerOff(dead, arpeggio.speaker(dead)), 2_500, { dead });
        const curled = await curls.seen(fromMs, fromMs + 2_500);
        t.diagnostic(
          `${dead} died with ${moved.length} addresses: ${seen.longestGapMs.toFixed(0)} ms without a datagram, ` +
            `${curled.longestGapMs.toFixed(0)} ms without an answer to curl (${curled.answered} answers, ${curled.unreached + curled.broken} failed)`,
        );
        assert.ok(seen.lost > 0, 'the death was noticed');
        assert.ok(seen.longestGapMs < OUTAGE_LIMIT_MS, `${seen.longestGapMs} ms without a datagram`);
        assert.ok(curled.longestGapMs < CURL_LIMIT_MS, `${curled.longestGapMs} ms without an answer to curl`);
        const others = seen.losses.filter((text) => !moved.some((address) => text.includes(` ${address} `)));
        assert.deepEqual(others, [], 'what others own is not affected');

        owners = await arpeggio.settled(addresses);
        for (const address of addresses)
          assert.equal(owners[address] === before[address], !moved.includes(address), address);
        await ownershipTold(eyes, services, owners);
        const records = eyes.writes().slice(written);
        const ofAddresses = records.filter(({ name }) => name.startsWith('arpeggio-ip-'));
        assert.equal(ofAddresses.length, moved.length, 'one write for each address that moved');

        const back = async () => {
          await bed.powerOn(dead);
          await arpeggio.speaker(dead).start();
          await bed.api.eventually(
            `${dead} is ready`,
            async () => (await arpeggio.speaker(dead).status()).state === 'ready',
            20_000,
          );
        };
        assertNothingLost(await traffic.during(back, 3_000, { dead }), `${dead} is back`);
        assert.deepEqual(await arpeggio.settled(addresses), owners, 'nothing moves back by itself');
      }
    } finally {
      await Promise.all([curls.stop(), traffic.stop()]);
    }
    assert.ok(NODE_NAMES.every((node) => arpeggio.speaker(node).isRunning));
    await arpeggio.stop();
  });
});
