import type { Family } from './addresses.js';
import { type Bed, GENERATOR_PRIORITY, RESPONDER_MAC, type Softirq } from './bed.js';
import { Companion, run } from './process.js';

/** What a responder costs: ids of its processes, none for the kernel. */
export interface Cost {
  readonly processes: readonly number[];
}

export interface LoadResult {
  /** Requests that left the generator, per second. */
  readonly sentPerSecond: number;
  /** Right replies per second. */
  readonly repliesPerSecond: number;
  /** Share of the owned addresses' requests without a reply. */
  readonly loss: number;
  readonly wrong: number;
  /** Run time of the responder's threads and its interface's softirq thread per reply. */
  readonly cpuPerReplyUs: number;
  /** The same time as a share of the elapsed time: 1 is a whole core. */
  readonly coreShare: number;
}

export interface LoadOptions {
  readonly family: Family;
  readonly addresses: number;
  /** Requests per second; 0: as many as the generator can send. */
  readonly rate: number;
  readonly seconds: number;
  /** Share of requests for addresses that nobody has. */
  readonly foreign?: number;
}

export interface LatencyResult {
  readonly asked: number;
  readonly lost: number;
  readonly wrong: number;
  readonly stormSent: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

export interface LatencyOptions {
  readonly family: Family;
  readonly addresses: number;
  readonly seconds: number;
  /** Foreign requests per second beside the one that is outstanding. */
  readonly storm?: number;
  readonly softirq?: Softirq;
}

function base(bed: Bed, mode: string): string[] {
  return bed.onGenerator(bed.generatorProgram, mode, '--interface', bed.generatorInterface, '--mac', RESPONDER_MAC);
}

function flags(values: Record<string, string | number>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, `${value}`]);
}

function costFlags(bed: Bed, cost: Cost): string[] {
  return flags({ threads: bed.responderThreads.join(','), processes: cost.processes.join(',') });
}

async function json<T>(command: readonly string[]): Promise<T> {
  return JSON.parse(await run(command)) as T;
}

export async function load(bed: Bed, cost: Cost, options: LoadOptions): Promise<LoadResult> {
  await bed.setSoftirq('threads');
  const { family, addresses, rate, seconds, foreign = 0 } = options;
  const result = await json<{
    seconds: number;
    sent: number;
    sentOwned: number;
    replies: number;
    wrong: number;
    ringDrops: number;
    kernelThreadNs: number;
    processNs: number;
  }>([
    ...base(bed, 'load'),
    ...flags({ family, addresses, rate, seconds, foreign, warmup: 0.2, priority: GENERATOR_PRIORITY }),
    ...costFlags(bed, cost),
  ]);
  if (result.ringDrops > 0) throw new Error(`the generator itself lost ${result.ringDrops} replies`);
  const cpuNs = result.kernelThreadNs + result.processNs;
  return {
    sentPerSecond: result.sent / result.seconds,
    repliesPerSecond: result.replies / result.seconds,
    loss: Math.max(0, 1 - result.replies / result.sentOwned),
    wrong: result.wrong,
    cpuPerReplyUs: cpuNs / 1000 / Math.max(1, result.replies),
    coreShare: cpuNs / 1e9 / result.seconds,
  };
}

export async function latency(bed: Bed, options: LatencyOptions): Promise<LatencyResult> {
  const { family, addresses, seconds, storm = 0, softirq = 'inline' } = options;
  await bed.setSoftirq(softirq);
  const spinner = bed.keepAwake();
  const result = await json<Omit<LatencyResult, 'lost'> & { answered: number }>([
    ...base(bed, 'latency'),
    ...flags({ family, addresses, seconds, storm, rate: 2000 }),
  ]);
  await spinner.stop();
  return { ...result, lost: result.asked - result.answered };
}

/** Waits until every address was answered rightly once. */
export async function untilReady(bed: Bed, family: Family, addresses: number): Promise<void> {
  await bed.setSoftirq('threads');
  const { answered } = await json<{ answered: number }>([...base(bed, 'ready'), ...flags({ family, addresses })]);
  if (answered < addresses) throw new Error(`only ${answered} of ${addresses} addresses are answered`);
}

export interface WatchResult {
  /** Addresses announced at least once, and the time on CLOCK_MONOTONIC when the last of them was. */
  readonly distinct: number;
  readonly lastNs: bigint;
}

/** Starts to listen for announcements; the returned function waits for the last one. */
export async function watch(bed: Bed, family: Family, addresses: number): Promise<() => Promise<WatchResult>> {
  await bed.setSoftirq('threads');
  const companion = new Companion([...base(bed, 'watch'), ...flags({ family, addresses, timeout: 1 })]);
  await companion.line();
  return async () => {
    const result = JSON.parse(await companion.line()) as { distinct: number; lastNs: string };
    return { distinct: result.distinct, lastNs: BigInt(result.lastNs) };
  };
}

export interface DatagramOptions {
  readonly source: string;
  readonly target: string;
  readonly rate: number;
  readonly seconds: number;
}

export interface DatagramResult {
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
  readonly cpuPerPacketUs: number;
}

/** Plain UDP datagrams to a program on the responder's core; its time, the softirq's and `cost`'s count. */
export async function datagrams(bed: Bed, cost: Cost, options: DatagramOptions): Promise<DatagramResult> {
  await bed.setSoftirq('threads');
  const { source, target, rate, seconds } = options;
  const sink = new Companion(bed.onResponder(bed.generatorProgram, 'udp-sink'));
  await sink.line();
  const result = await json<{ seconds: number; sent: number; kernelThreadNs: number; processNs: number }>([
    ...base(bed, 'udp'),
    ...flags({ source, target, rate, seconds }),
    ...costFlags(bed, { processes: [...cost.processes, sink.pid] }),
  ]);
  const count = sink.line();
  await sink.stop();
  const { received } = JSON.parse(await count) as { received: number };
  return {
    sentPerSecond: result.sent / result.seconds,
    receivedPerSecond: received / result.seconds,
    cpuPerPacketUs: (result.kernelThreadNs + result.processNs) / 1000 / Math.max(1, received),
  };
}
