// One node owns 10,000 addresses and is cut off.
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeService } from '../../src/lab/arpeggio_node.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import type { NetProcess } from '../../src/lab/net_process.js';
import type { AskReport } from '../../test/net/harness/asker.js';
import { serviceAddresses } from '../answer/addresses.js';
import { ArpeggioCluster } from './arpeggio.js';
import { Bed } from './bed.js';
import type { ManySample } from './results.js';
import { SERVICES } from './services.js';

export const MANY = 10_000;
const START_LIMIT_MS = 60_000;
/** For claims and plans to reach everybody. */
const SETTLE_MS = 3000;
const QUIET_MS = 2000;
/** The takeover, and the repetitions of its announcements: answers and heartbeats must be on time all the while. */
const WATCH_SECONDS = 3;
/** When the machine takes a core away for half a millisecond in the burst, the queue of an interface overflows. */
const ATTEMPTS = 3;

/** `owner` shall own the many; the addresses that are asked for meanwhile are another node's. */
export function manyServices(owner: string, other: string): NodeService[] {
  const preferring = (node: string, name: string, addresses: readonly string[]): NodeService => ({
    name,
    addresses,
    prefer: [{ node, weight: 100 }],
  });
  return [
    ...SERVICES.map(({ name, ipv4, ipv6 }) => preferring(other, name, [ipv4, ipv6])),
    preferring(owner, 'many', serviceAddresses('arp', MANY)),
  ];
}

/** Three nodes whose first owns the many. Nothing is put on lo: that takes the kernel its time, and nobody sends to them. */
export async function startMany(bed: Bed): Promise<ArpeggioCluster> {
  const [owner, other] = bed.nodes as readonly [string, string];
  for (const [index, node] of bed.nodes.entries())
    await bed.node(node).batch([`addr add 10.77.250.${index + 1}/16 dev eth0`]);
  // The owner alone at first: a preference counts only while nobody owns an address.
  const cluster = await ArpeggioCluster.start(bed, manyServices(owner, other), { serve: 'none', probing: 'none' }, [
    owner,
  ]);
  await untilStarted(cluster, owner, []);
  for (const node of bed.nodes.slice(1)) await cluster.startNode(node);
  await untilStarted(cluster, owner, bed.nodes.slice(1));
  // Who prefers the other node's takes them by itself only if nobody has them.
  for (const { ipv4, ipv6 } of SERVICES) await cluster.gather([ipv4, ipv6], other);
  await delay(SETTLE_MS);
  return cluster;
}

/** Waits until the owner answers for all of the many, and these nodes have joined. */
async function untilStarted(cluster: ArpeggioCluster, owner: string, joined: readonly string[]): Promise<void> {
  const deadline = monotonicMs() + START_LIMIT_MS;
  for (;;) {
    const states = await Promise.all([owner, ...joined].map((name) => stateOf(cluster, name)));
    if ((states[0]?.answering ?? 0) >= MANY && states.every((state) => state?.ready)) return;
    if (monotonicMs() > deadline)
      throw new Error(
        `${owner} answers for ${states[0]?.answering ?? 0} of ${MANY} addresses after ${START_LIMIT_MS / 1000} s`,
      );
    await delay(1000);
  }
}

async function stateOf(cluster: ArpeggioCluster, name: string): Promise<{ ready: boolean; answering: number } | null> {
  try {
    const { state, addresses } = await cluster.node(name).status();
    return { ready: state === 'ready', answering: addresses.filter(({ answering }) => answering).length };
  } catch {
    // Its socket is not there yet.
    return null;
  }
}

interface Announced {
  readonly distinct: number;
  readonly firstNs: string;
  readonly lastNs: string;
  readonly heartbeatGapNs: string;
}

/** Notes when each of the many is first announced by anybody but the owner; resolves when it listens. */
function watchAnnouncements(bed: Bed, generator: string, owner: string): Promise<{ result: Promise<Announced> }> {
  const host = bed.network.host('client-2');
  const flags = ['--interface', 'eth0', '--family', 'arp', '--addresses', `${MANY}`, '--timeout', `${WATCH_SECONDS}`];
  flags.push('--except', bed.node(owner).mac, '--heartbeats', '1');
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

async function takeOnce(generator: string): Promise<ManySample> {
  const bed = await Bed.create(false);
  try {
    const owner = bed.nodes[0] as string;
    const cluster = await startMany(bed);
    const watched = SERVICES.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
    const asker = await bed.ask(watched);
    const quietFrom = monotonicMs();
    await delay(QUIET_MS);
    const announcements = await watchAnnouncements(bed, generator, owner);
    const cutMs = monotonicMs();
    await bed.network.setPort(owner, 'disabled');
    const { distinct, firstNs, lastNs, heartbeatGapNs } = await announcements.result;
    const [firstMs, lastMs] = [Number(firstNs) / 1e6, Number(lastNs) / 1e6];
    const quiet = Object.values(await asker.reports(quietFrom, cutMs));
    const meanwhile = Object.values(await asker.reports(cutMs, cutMs + WATCH_SECONDS * 1000));
    const most = (reports: readonly AskReport[], value: (report: AskReport) => number) =>
      Math.max(...reports.map(value));
    const sample: ManySample = {
      addresses: MANY,
      announced: distinct,
      detectionMs: firstMs - cutMs,
      takeoverMs: lastMs - firstMs,
      quietGapMs: most(quiet, ({ longestWaitMs }) => longestWaitMs),
      answerGapMs: most(meanwhile, ({ longestWaitMs }) => longestWaitMs),
      askerPauseMs: most(meanwhile, ({ longestPauseMs }) => longestPauseMs),
      heartbeatGapMs: Number(heartbeatGapNs) / 1e6,
    };
    await cluster.stop();
    return sample;
  } finally {
    bed.close();
  }
}

/** The first of a few attempts in which the watcher saw every address, else the last. */
export async function takeMany(generator: string): Promise<ManySample> {
  let sample = await takeOnce(generator);
  for (let attempt = 1; attempt < ATTEMPTS && sample.announced < MANY; attempt += 1) sample = await takeOnce(generator);
  return sample;
}
