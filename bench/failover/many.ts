// One node owns 10,000 addresses and is cut off.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../src/lab/monotonic.js';
import type { NetProcess } from '../../src/lab/net_process.js';
import { Asker } from '../../test/net/harness/asker.js';
import { Wire } from '../../test/net/harness/wire.js';
import { serviceAddresses } from '../answer/addresses.js';
import { ArpeggioCluster } from './arpeggio.js';
import { Bed } from './bed.js';
import type { ManySample } from './results.js';
import { SERVICES } from './services.js';

export const MANY = 10_000;
const HEARTBEAT_ETHERTYPE = 0x88b5;
const START_LIMIT_MS = 60_000;
/** For claims and plans to reach everybody. */
const SETTLE_MS = 3000;
const QUIET_MS = 2000;
const WATCH_SECONDS = 5;
/** Announcements are repeated for so long; answers and heartbeats must be on time all the while. */
const AFTER_MS = 1200;

/** `owner` shall own the many; the addresses that are asked for meanwhile are another node's. */
export function manyServices(owner: string, other: string) {
  const many = serviceAddresses('arp', MANY).map((address, index) => ({
    name: `service-${index}`,
    addresses: [address],
    prefer: [{ node: owner, weight: 100 }],
  }));
  const watched = SERVICES.map(({ name, ipv4, ipv6 }) => ({
    name,
    addresses: [ipv4, ipv6],
    prefer: [{ node: other, weight: 100 }],
  }));
  return [...watched, ...many];
}

export async function untilAnswering(cluster: ArpeggioCluster, node: string, count: number): Promise<void> {
  const deadline = monotonicMs() + START_LIMIT_MS;
  for (;;) {
    const status = await cluster
      .node(node)
      .status()
      .catch(() => null);
    const answering = status?.addresses.filter((address) => address.answering).length ?? 0;
    if (answering >= count) return;
    if (monotonicMs() > deadline)
      throw new Error(`${node} answers for ${answering} of ${count} addresses after ${START_LIMIT_MS / 1000} s`);
    await delay(200);
  }
}

interface Announced {
  readonly distinct: number;
  readonly firstNs: string;
  readonly lastNs: string;
}

/** Notes when each of the many is first announced; resolves when it listens. */
function watchAnnouncements(bed: Bed, generator: string): Promise<{ result: Promise<Announced> }> {
  const host = bed.network.host('client-2');
  const flags = ['--interface', 'eth0', '--family', 'arp', '--addresses', `${MANY}`, '--timeout', `${WATCH_SECONDS}`];
  return new Promise((ready, fail) => {
    const lines: string[] = [];
    const watcher: NetProcess = host.spawn([generator, 'watch', ...flags], (line) => {
      if (lines.push(line) > 1) return;
      const result = watcher.exited.then(() => JSON.parse(lines[1] ?? '{}') as Announced);
      ready({ result });
    });
    watcher.exited.catch(fail);
  });
}

export async function takeMany(generator: string): Promise<ManySample> {
  const bed = await Bed.create(false);
  try {
    const [owner, heir] = bed.nodes as readonly [string, string];
    // Nothing is put on lo: the kernel takes its time for 10,000 addresses, and nobody sends to them.
    const settings = { serve: 'none', probing: 'none' };
    const cluster = await ArpeggioCluster.start(bed, manyServices(owner, heir), settings);
    await untilAnswering(cluster, owner, MANY);
    await delay(SETTLE_MS);
    const watched = SERVICES.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
    const asker = await Asker.start(bed.asker, watched);
    const wire = await Wire.open(bed.asker, 'eth0', [HEARTBEAT_ETHERTYPE]);
    const quietFrom = monotonicMs();
    await delay(QUIET_MS);
    const announcements = await watchAnnouncements(bed, generator);
    const cutMs = monotonicMs();
    await bed.network.setPort(owner, 'disabled');
    const { distinct, firstNs, lastNs } = await announcements.result;
    const [firstMs, lastMs] = [Number(firstNs) / 1e6, Number(lastNs) / 1e6];
    await delay(Math.max(0, firstMs + AFTER_MS - monotonicMs()));
    const longestWaitMs = async (from: number, to: number) =>
      Math.max(...Object.values(await asker.reports(from, to)).map((report) => report.longestWaitMs));
    const heirs = bed.nodes.filter((node) => node !== owner).map((node) => bed.node(node).mac);
    const heartbeats = heirs.map((mac) =>
      wire
        .captured(({ hex }) => hex.slice(12, 24) === mac.replaceAll(':', ''))
        .map(({ ns }) => ns / 1e6)
        .filter((at) => at >= cutMs && at <= firstMs + AFTER_MS),
    );
    const sample: ManySample = {
      addresses: MANY,
      announced: distinct,
      detectionMs: firstMs - cutMs,
      takeoverMs: lastMs - firstMs,
      quietGapMs: await longestWaitMs(quietFrom, cutMs),
      answerGapMs: await longestWaitMs(cutMs, firstMs + AFTER_MS),
      heartbeatGapMs: Math.max(...heartbeats.map((times) => longestGap([cutMs, ...times, firstMs + AFTER_MS]))),
    };
    await cluster.stop();
    return sample;
  } finally {
    bed.close();
  }
}

function longestGap(times: readonly number[]): number {
  return Math.max(...times.map((at, index) => at - (times[index - 1] ?? at)));
}
