import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Family, NODE_ADDRESS, serviceAddresses } from './addresses.js';
import type { Bed } from './bed.js';
import { datagrams, type LatencyResult, latency, untilReady, watch } from './generator.js';
import { residentMb, runArpeggio, writeConfig } from './peers.js';
import { Companion } from './process.js';

const MANY = 10_000;
/** When the generator's core is taken away for half a millisecond, the queue of its interface overflows. */
const ATTEMPTS = 5;
const PROGRAM = join(import.meta.dirname, 'addon_program.js');

async function startAddonProgram(bed: Bed, family: Family): Promise<Companion> {
  const companion = new Companion(
    bed.onResponder(process.execPath, PROGRAM, bed.responderInterface, family, `${MANY}`),
  );
  await companion.line();
  return companion;
}

/**
 * Milliseconds from the call in TypeScript until the last of 10,000 addresses was announced once, as the other end of
 * the wire sees it.
 */
export async function announcementsMs(bed: Bed, family: Family): Promise<number> {
  const companion = await startAddonProgram(bed, family);
  try {
    await untilReady(bed, family, MANY);
    let missing = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const last = await watch(bed, family, MANY);
      companion.write('announce');
      const { askedNs } = JSON.parse(await companion.line()) as { askedNs: string };
      const { distinct, lastNs } = await last();
      if (distinct === MANY) return Number(lastNs - BigInt(askedNs)) / 1e6;
      missing = MANY - distinct;
    }
    throw new Error(`${ATTEMPTS} times not all ${MANY} announcements arrived; the last time ${missing} were missing`);
  } finally {
    await companion.stop();
  }
}

export interface SwapSample {
  readonly still: LatencyResult;
  readonly swapping: LatencyResult;
  readonly swaps: number;
}

/** Latency of addresses that stay, while every 100 ms half of the 10,000-entry table is replaced; and without. */
export async function tableSwap(bed: Bed, family: Family, seconds: number): Promise<SwapSample> {
  const companion = await startAddonProgram(bed, family);
  try {
    await untilReady(bed, family, MANY);
    const options = { family, addresses: MANY / 2, seconds };
    const still = await latency(bed, options);
    companion.write('swap');
    await companion.line();
    const swapping = await latency(bed, options);
    companion.write('stop');
    const { swaps } = JSON.parse(await companion.line()) as { swaps: number };
    return { still, swapping, swaps };
  } finally {
    await companion.stop();
  }
}

/** Resident memory of `arpeggio run` in MB, five seconds after it answers for `count` IPv4 addresses. */
export async function memoryMb(bed: Bed, count: number, settleMs: number): Promise<number> {
  const companion = await runArpeggio(bed, writeConfig(bed, 'loopback', serviceAddresses('arp', count)));
  try {
    await untilReady(bed, 'arp', count);
    await sleep(settleMs);
    return residentMb(companion.pid);
  } finally {
    await companion.stop();
    await bed.reset();
  }
}

export interface PlainSample {
  readonly protocol: 'ipv4' | 'ipv6';
  readonly withArpeggio: boolean;
  readonly receivedPerSecond: number;
  readonly loss: number;
  readonly cpuPerPacketUs: number;
}

const PLAIN_RATE = 150_000;

/** Plain UDP through the interface, in turns with `arpeggio run` and without. */
export async function plainTraffic(bed: Bed, turns: number, seconds: number): Promise<PlainSample[]> {
  const samples: PlainSample[] = [];
  const services = [...serviceAddresses('arp', 1000), ...serviceAddresses('ndp', 1000)];
  const config = writeConfig(bed, 'none', services);
  for (let turn = 0; turn < turns; turn += 1) {
    // Which comes first changes, so that a drift of the machine favours neither.
    for (const withArpeggio of turn % 2 === 0 ? [true, false] : [false, true]) {
      const companion = withArpeggio ? await runArpeggio(bed, config) : null;
      try {
        if (companion) await untilReady(bed, 'ndp', 1000);
        for (const protocol of ['ipv4', 'ipv6'] as const) {
          const family = protocol === 'ipv4' ? 'arp' : 'ndp';
          const source = protocol === 'ipv4' ? '10.77.251.1' : 'fd77::f:1';
          const target = NODE_ADDRESS[family].split('/')[0]!;
          const cost = { processes: companion ? [companion.pid] : [] };
          const result = await datagrams(bed, cost, { source, target, rate: PLAIN_RATE, seconds });
          samples.push({
            protocol,
            withArpeggio,
            receivedPerSecond: result.receivedPerSecond,
            loss: Math.max(0, 1 - result.receivedPerSecond / result.sentPerSecond),
            cpuPerPacketUs: result.cpuPerPacketUs,
          });
        }
      } finally {
        await companion?.stop();
      }
    }
  }
  return samples;
}
