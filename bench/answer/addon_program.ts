// Runs the packet thread alone, through its typed wrapper, for the questions that are about it and not about a speaker:
// how long 10,000 announcements take, and whether swapping tables disturbs the answers. Takes commands on stdin, one a
// line, and answers each with a line of JSON.
import { createInterface } from 'node:readline';
import { Responder } from '../../src/responder/responder.js';
import type { Table } from '../../src/responder/types.js';
import { type Family, serviceAddress, serviceAddresses } from './addresses.js';

const [interfaceName, family, count] = process.argv.slice(2) as [string, Family, string];
const interfaces = [interfaceName];
const LIFETIME_MS = 60_000;
const SWAP_INTERVAL_MS = 100;

function tableOf(indexes: Iterable<number>): Table {
  const entries = Array.from(indexes, (index) => ({
    address: serviceAddress(family, index),
    selected: interfaces,
    answer: interfaces,
    tentative: [],
  }));
  return { interfaces, entries };
}

function* range(from: number, to: number): Generator<number> {
  for (let index = from; index < to; index += 1) yield index;
}

function answer(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const size = Number(count);
const half = size / 2;
const whole = tableOf(range(0, size));
// The first half stays; the other half is replaced at each swap.
const other: Table = {
  interfaces,
  entries: [...whole.entries.slice(0, half), ...tableOf(range(size, size + half)).entries],
};

const responder = new Responder({
  linkSchedule: { ipv4Ms: [], ipv6Ms: [] },
  onEvent(event) {
    if (event.type === 'port-opened') answer({ opened: event.interfaceName, ...responder.describe() });
  },
});
responder.publish(whole, LIFETIME_MS);

let swapping: NodeJS.Timeout | null = null;
let swaps = 0;
let lastSwapMs = 0;

createInterface({ input: process.stdin }).on('line', (command) => {
  if (command === 'announce') {
    const addresses = serviceAddresses(family, size);
    const askedNs = process.hrtime.bigint();
    responder.announce(addresses, interfaceName, { ipv4Ms: [0], ipv6Ms: [0] }, true);
    answer({ askedNs: `${askedNs}` });
  } else if (command === 'swap') {
    swapping = setInterval(() => {
      const start = performance.now();
      swaps += 1;
      responder.publish(swaps % 2 === 1 ? other : whole, LIFETIME_MS);
      lastSwapMs = performance.now() - start;
    }, SWAP_INTERVAL_MS);
    answer({ swapping: true });
  } else if (command === 'stop') {
    if (swapping) clearInterval(swapping);
    answer({ swaps, lastSwapMs });
  }
});
process.once('SIGTERM', () => {
  responder.close();
  process.exit(0);
});
