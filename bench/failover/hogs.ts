import { setTimeout as delay } from 'node:timers/promises';
import { ARPEGGIO, type ArpeggioCluster } from './arpeggio.js';
import { Bed } from './bed.js';
import { keepalived, type RunningKeepalived } from './keepalived.js';
import type { CalmSample } from './results.js';
import { takeoversSince } from './takeovers.js';

const HOGS = 4;
const SETTLE_MS = 4000;

/** Whether anybody takes addresses from nodes that are there while programs fight for every core. */
export async function underHogs(minutes: number, withKeepalived: boolean): Promise<CalmSample[]> {
  const rival = keepalived(0.1);
  const beds = await Promise.all([Bed.create(false), Bed.create(false)]);
  try {
    const cluster = (await ARPEGGIO.start(beds[0])) as ArpeggioCluster;
    const other = withKeepalived ? ((await rival.start(beds[1])) as RunningKeepalived) : null;
    await delay(SETTLE_MS);
    const [start, mastersBefore] = [Date.now(), other?.takeovers ?? 0];
    const hogs = Array.from({ length: HOGS }, () =>
      beds[0].network.host('client-1').spawn(['sh', '-c', 'while :; do :; done']),
    );
    await delay(minutes * 60_000);
    await Promise.all(hogs.map((hog) => hog.stop('SIGKILL')));
    const common = { what: 'hogs', seconds: minutes * 60, load: `${HOGS} programs that use all they get` } as const;
    const samples: CalmSample[] = [
      { ...common, system: ARPEGGIO.name, falseTakeovers: await takeoversSince(cluster, start) },
    ];
    if (other !== null)
      samples.push({ ...common, system: rival.name, falseTakeovers: other.takeovers - mastersBefore });
    await Promise.all([cluster.stop(), other?.stop()]);
    return samples;
  } finally {
    for (const bed of beds) bed.close();
  }
}
