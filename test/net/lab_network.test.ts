// The stage of the lab without a speaker: what its cuts cut, and whether its measuring programs see it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BACKEND_PORT, startBackend } from '../../src/lab/backend.js';
import { EAGER_RESOLUTION, LabClient, STREAM_INTERVAL_MS } from '../../src/lab/client.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import type { Network } from '../../src/lab/netns.js';
import { StreamRecord } from '../../src/lab/programs/stream_record.js';
import { clusterSpec } from '../../src/lab/stage.js';
import { Asker } from './harness/asker.js';
import { withNetwork } from './harness/network.js';

const SERVICE = '192.0.2.10';
const SERVICE6 = '2001:db8::10';
const ADDRESSES = [SERVICE, SERVICE6];
const CUT_MS = 200;
/** What a client on a busy machine may need for the first packet through again. */
const SLACK_MS = 400;

/** The kernel of the node answers for the addresses from now on. */
async function give(network: Network, name: string): Promise<void> {
  await network.host(name).batch(ADDRESSES.map((address) => `addr add ${address} dev eth0 nodad`));
}

async function take(network: Network, name: string): Promise<void> {
  await network.host(name).batch(ADDRESSES.map((address) => `addr del ${address} dev eth0`));
}

test('a cut is seen by the clients behind it, and only by them', async (t) => {
  await withNetwork(t, clusterSpec(EAGER_RESOLUTION), async (network) => {
    await startBackend(network.host('node-a'), ADDRESSES);
    await give(network, 'node-a');
    const clients = ['client-1', 'client-2'].map((name) => new LabClient(network.host(name), BACKEND_PORT));
    await Promise.all(clients.map((client) => client.stream(...ADDRESSES)));
    await delay(100);
    const cuts: readonly [string, readonly boolean[], (state: boolean) => Promise<void>][] = [
      ['trunk', [false, true], (on) => network.setTrunk('switch-2', 'switch-1', on ? 'up' : 'down')],
      ['port', [true, true], (on) => network.setPort('node-a', on ? 'forwarding' : 'disabled')],
      ['cable', [true, true], (on) => network.setCable('node-a', on ? 'up' : 'down')],
    ];
    for (const [name, concerned, set] of cuts) {
      const from = monotonicMs();
      await set(false);
      const down = monotonicMs();
      await delay(CUT_MS);
      const [link] = await network.host('node-a').query<{ operstate: string }[]>('link', 'show', 'eth0');
      assert.equal(link?.operstate, name === 'cable' ? 'DOWN' : 'UP', name);
      const up = monotonicMs();
      await set(true);
      await delay(500);
      for (const [index, client] of clients.entries()) {
        for (const [address, report] of Object.entries(await client.reports(from, monotonicMs()))) {
          const { lost, longestGapMs, answeredBy } = report;
          const about = `${name}: ${client.name} to ${address}: ${JSON.stringify(report)}`;
          assert.deepEqual(
            answeredBy.map(({ node }) => node),
            ['node-a'],
            about,
          );
          if (!concerned[index]) assert.equal(lost, 0, about);
          else {
            assert.ok(longestGapMs >= up - down && longestGapMs <= up - from + SLACK_MS, about);
            // Some wait in the client's queue for the neighbour instead.
            assert.ok(lost > 0 && lost <= longestGapMs / STREAM_INTERVAL_MS + 1, about);
          }
        }
      }
    }
    await Promise.all(clients.map((client) => client.stop()));
  });
});

test('who answers, and how long a question waits: to the millisecond', async (t) => {
  await withNetwork(t, clusterSpec(EAGER_RESOLUTION), async (network) => {
    await Promise.all(['node-a', 'node-c'].map((name) => startBackend(network.host(name), ADDRESSES)));
    await give(network, 'node-a');
    const client = new LabClient(network.host('client-1'), BACKEND_PORT);
    const asker = await Asker.start(network.host('client-2'), ADDRESSES);
    await client.stream(...ADDRESSES);
    await delay(100);
    const from = monotonicMs();
    await delay(100);
    const before = await asker.reports(from, monotonicMs() - 20);
    const gone = monotonicMs();
    await take(network, 'node-a');
    await delay(CUT_MS);
    await give(network, 'node-c');
    const back = monotonicMs();
    await client.host.batch(['neigh flush dev eth0']);
    await delay(200);
    const to = monotonicMs();
    const after = await asker.reports(from, to - 20);
    const seen = await client.reports(from, to - 50);
    const macs = ['node-a', 'node-c'].map((name) => network.host(name).mac);
    for (const address of ADDRESSES) {
      const about = `${address}: ${JSON.stringify({ before, after, seen })}`;
      assert.ok((before[address]?.longestWaitMs ?? Infinity) < 20, about);
      assert.ok((before[address]?.asked ?? 0) >= 10, about);
      const waited = after[address]?.longestWaitMs ?? 0;
      assert.ok(waited >= CUT_MS - 10 && waited <= back - gone + SLACK_MS, about);
      assert.deepEqual(
        after[address]?.answeredBy.map(({ mac }) => mac),
        macs,
        about,
      );
      assert.deepEqual(
        seen[address]?.answeredBy.map(({ node }) => node),
        ['node-a', 'node-c'],
        about,
      );
    }
    await Promise.all([client.stop(), asker.stop()]);
  });
});

test('a record counts what was sent in a window, whenever the answer came', () => {
  const record = new StreamRecord();
  for (let number = 0; number < 10_000; number += 1) assert.equal(record.sent(number * 2), number);
  for (let number = 0; number < 10_000; number += 1) {
    if (number >= 5000 && number < 5050) continue;
    record.answered(number, number < 5050 ? 'a' : 'b', number * 2 + 1);
    record.answered(number, 'late', number * 2 + 90);
  }
  assert.deepEqual(record.report(9000, 11_000), {
    sent: 1000,
    lost: 50,
    firstAnswerMs: 9001,
    longestGapMs: 102,
    longestPauseMs: 2,
    answeredBy: [
      { node: 'a', sinceMs: 9000, packets: 500 },
      { node: 'b', sinceMs: 10_100, packets: 450 },
    ],
  });
  const silent = record.report(10_000, 10_100);
  assert.deepEqual(
    [silent.sent, silent.lost, silent.longestGapMs, silent.firstAnswerMs],
    [50, 50, 100, null],
    'nothing came back',
  );
  assert.equal(record.report(30_000, 31_000).sent, 0);
});
