import { setTimeout as delay } from 'node:timers/promises';
import { Bed } from './bed.js';
import { MANY, manyServices, startMany } from './many.js';
import type { CalmSample } from './results.js';
import { takeoversSince } from './takeovers.js';

const EVERY_MS = 1000;

/** Whether anybody takes addresses from nodes that are there while every node gets a new table of 10,000 each second. */
export async function whilePublishing(seconds: number): Promise<CalmSample> {
  const bed = await Bed.create(false);
  try {
    const cluster = await startMany(bed);
    const [owner, other] = bed.nodes as readonly [string, string];
    const all = manyServices(owner, other);
    // The same without its last address.
    const fewer = all.map((service) =>
      service.name === 'many' ? { ...service, addresses: service.addresses.slice(0, -1) } : service,
    );
    const start = Date.now();
    let tables = 0;
    while (Date.now() - start < seconds * 1000) {
      tables += 1;
      const services = tables % 2 === 1 ? fewer : all;
      await Promise.all(cluster.all.map((node) => node.configure(services)));
      await delay(EVERY_MS);
    }
    const falseTakeovers = await takeoversSince(cluster, start);
    await cluster.stop();
    return {
      what: 'publish',
      system: 'arpeggio',
      seconds: (Date.now() - start) / 1000,
      falseTakeovers,
      load: `${tables} tables of ${MANY.toLocaleString('en')} entries on each node`,
    };
  } finally {
    bed.close();
  }
}
