import type { ArpeggioCluster } from './arpeggio.js';

/** How many addresses any node has taken from another one since then (wall clock, as Date.now()). */
export async function takeoversSince(cluster: ArpeggioCluster, sinceMs: number): Promise<number> {
  const statuses = await Promise.all(cluster.all.map((node) => node.status()));
  let taken = 0;
  for (const [index, { moves }] of statuses.entries()) {
    const name = cluster.all[index]?.name;
    for (const { time, from, to, count } of moves)
      if (to === name && from !== null && from !== to && Date.parse(time) >= sinceMs) taken += count;
  }
  return taken;
}
