import type { Family } from './addresses.js';
import type { Bed } from './bed.js';
import { type LatencyResult, type LoadResult, latency, load, untilReady } from './generator.js';
import type { Peer, PeerName, Running } from './peers.js';

/** Table sizes; all questions are asked at the middle one, rate and latency at each. */
export const SIZES = [1, 1000, 10_000];
export const MIDDLE_SIZE = 1000;
export const NOISE_SHARE = 0.9;
export const STORM_PER_SECOND = 200_000;
const LOSS_LIMIT = 0.001;

/** One responder, one family, one table size, one round. */
export interface Sample {
  readonly round: number;
  readonly peer: PeerName;
  readonly family: Family;
  readonly addresses: number;
  readonly saturated: LoadResult;
  readonly idle: LatencyResult;
  /** At saturation, with 90 % of the requests for foreign addresses. */
  readonly noisy: LoadResult | null;
  /** Latency while 200,000 foreign requests a second arrive on the responder's core. */
  readonly storm: LatencyResult | null;
  /** The same without the storm. */
  readonly calm: LatencyResult | null;
  /** The fastest load with less than 0.1 % loss; null when none was found. */
  readonly lossless: LoadResult | null;
}

export interface RoundPlan {
  readonly sizes: readonly number[];
  readonly families: readonly Family[];
  readonly saturatedSeconds: number;
  readonly latencySeconds: number;
  readonly searchSteps: number;
}

export const FULL_PLAN: RoundPlan = {
  sizes: SIZES,
  families: ['arp', 'ndp'],
  saturatedSeconds: 0.8,
  latencySeconds: 1.2,
  searchSteps: 6,
};

export const QUICK_PLAN: RoundPlan = {
  sizes: [MIDDLE_SIZE],
  families: ['arp', 'ndp'],
  saturatedSeconds: 0.5,
  latencySeconds: 0.6,
  searchSteps: 0,
};

/** Bisects for the highest rate with less than 0.1 % loss. A failed step is tried once more: the machine is not quiet. */
async function searchLossless(
  bed: Bed,
  running: Running,
  family: Family,
  ceiling: number,
  steps: number,
): Promise<LoadResult | null> {
  let low = 0;
  let high = ceiling;
  let best: LoadResult | null = null;
  for (let step = 0; step < steps; step += 1) {
    const rate = (low + high) / 2;
    let passed: LoadResult | null = null;
    for (let attempt = 0; attempt < 2 && passed === null; attempt += 1) {
      const result = await load(bed, running.cost, { family, addresses: MIDDLE_SIZE, rate, seconds: 0.3 });
      if (result.loss < LOSS_LIMIT) passed = result;
    }
    if (passed === null) high = rate;
    else {
      low = rate;
      best = passed;
    }
  }
  return best;
}

async function measure(
  bed: Bed,
  plan: RoundPlan,
  peer: Peer,
  family: Family,
  addresses: number,
  round: number,
): Promise<Sample> {
  const running = await peer.start(family, addresses);
  try {
    await untilReady(bed, family, addresses);
    const common = { family, addresses };
    const seconds = plan.saturatedSeconds;
    const saturated = await load(bed, running.cost, { ...common, rate: 0, seconds });
    const idle = await latency(bed, { ...common, seconds: plan.latencySeconds });
    const onThread = { ...common, seconds: plan.latencySeconds, softirq: 'request-thread' } as const;
    const all = addresses === MIDDLE_SIZE;
    const searched = all && family === 'arp' && plan.searchSteps > 0;
    return {
      round,
      peer: peer.name,
      ...common,
      saturated,
      idle,
      noisy: all ? await load(bed, running.cost, { ...common, rate: 0, seconds, foreign: NOISE_SHARE }) : null,
      storm: all ? await latency(bed, { ...onThread, storm: STORM_PER_SECOND }) : null,
      calm: all ? await latency(bed, onThread) : null,
      lossless: searched ? await searchLossless(bed, running, family, saturated.sentPerSecond, plan.searchSteps) : null,
    };
  } finally {
    await running.stop();
  }
}

/** One round over all responders, interleaved; who goes first changes from round to round. */
export async function runRound(
  bed: Bed,
  plan: RoundPlan,
  peers: readonly Peer[],
  round: number,
  onSample: (sample: Sample) => void,
): Promise<void> {
  for (const family of plan.families) {
    for (const addresses of plan.sizes) {
      const order = peers.map((_, index) => peers[(index + round) % peers.length]!);
      for (const peer of order) {
        if (addresses > peer.most[family]) continue;
        onSample(await measure(bed, plan, peer, family, addresses, round));
      }
    }
  }
}
