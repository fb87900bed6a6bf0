// How the cost of a segment grows with its nodes: what `npm run sim -- --growth` prints.
import { type Address, parseAddress } from '../../src/net/address.js';
import { productionCore } from './core.js';
import { World } from './world.js';

const SIZES: readonly (readonly [nodes: number, addresses: number])[] = [
  [3, 30],
  [10, 100],
  [30, 300],
  [100, 1_000],
  [200, 2_000],
  // Simulating a segment costs the cube of its nodes, and plans the product with the addresses.
  [400, 100],
];
const STEP_MS = 10;
const REST_MS = 2_000;

interface Row {
  readonly nodes: number;
  readonly addresses: number;
  /** From the start of all nodes until each address has one owner, in virtual time. */
  readonly startMs: number;
  readonly startMessages: number;
  readonly heartbeatsPerSecond: number;
  /** Of all that a node does in a second of calm: its core and its thread's model. */
  readonly cpuMsPerNodeSecond: number;
  /** From the loss of a node with an average share until all it had is answered again. */
  readonly takeoverMs: number;
  readonly takeoverMessages: number;
  readonly takeoverCpuMs: number;
}

/** Markdown; `progress` gets each row as soon as it is measured. */
export function growthTable(progress: (line: string) => void): string {
  const head = [
    '| nodes | addresses | all owned after | messages until then | heartbeats/s | CPU per node | takeover | messages of it | CPU of it, per node |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  ];
  const rows = SIZES.map(([nodes, addresses]) => {
    const line = rowText(measure(nodes, addresses));
    progress(line);
    return line;
  });
  return `${[...head, ...rows].join('\n')}\n`;
}

function rowText(row: Row): string {
  const cells = [
    row.nodes,
    row.addresses,
    `${(row.startMs / 1_000).toFixed(1)} s`,
    row.startMessages,
    Math.round(row.heartbeatsPerSecond),
    `${row.cpuMsPerNodeSecond.toFixed(2)} ms/s`,
    `${Math.round(row.takeoverMs)} ms`,
    row.takeoverMessages,
    `${row.takeoverCpuMs.toFixed(1)} ms`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Measures one size; exported for tests. */
export function measure(nodes: number, count: number, seed = 1): Row {
  const addresses = Array.from({ length: count }, (_, index) => parseAddress(`10.1.${index >> 8}.${index & 255}`));
  const world = new World({
    seed,
    nodes: Array.from({ length: nodes }, () => [0]),
    segments: 1,
    hosts: [],
    desired: {
      services: addresses.map((address) => ({ name: address, addresses: [address], interfaces: null })),
      probing: 'fast',
    },
    heartbeat: { intervalMs: 50, multiplier: 3 },
    makeCore: productionCore,
    checkers: [],
  });
  const [segment] = world.segments;
  for (const node of world.nodes) node.start();
  const startMs = until(world, addresses, 60_000);
  const startMessages = segment!.sent.messages;
  world.runUntil(world.nowMs + 5_000);

  const heartbeats = segment!.sent.heartbeats;
  let cpuMs = cpu();
  world.runUntil(world.nowMs + REST_MS);
  const restMs = cpu() - cpuMs;
  const heartbeatsPerSecond = (segment!.sent.heartbeats - heartbeats) / (REST_MS / 1_000);

  const victim = [...world.answerersOf(segment!, addresses[0]!)][0]!.node;
  const messages = segment!.sent.messages;
  victim.powerOff();
  cpuMs = cpu();
  const lostMs = world.nowMs;
  const takeoverMs = until(world, addresses, 60_000) - lostMs;
  world.runUntil(lostMs + Math.max(REST_MS, takeoverMs));
  const busyMs = cpu() - cpuMs - restMs * ((world.nowMs - lostMs) / REST_MS);
  return {
    nodes,
    addresses: count,
    startMs,
    startMessages,
    heartbeatsPerSecond,
    cpuMsPerNodeSecond: restMs / nodes / (REST_MS / 1_000),
    takeoverMs,
    takeoverMessages: segment!.sent.messages - messages,
    takeoverCpuMs: Math.max(0, busyMs) / nodes,
  };
}

/** Runs until each address has one owner; returns when that was. */
function until(world: World, addresses: readonly Address[], limitMs: number): number {
  const [segment] = world.segments;
  const endMs = world.nowMs + limitMs;
  while (world.nowMs < endMs) {
    world.runUntil(world.nowMs + STEP_MS);
    if (addresses.every((address) => world.answerersOf(segment!, address).size === 1)) return world.nowMs;
  }
  throw new Error(`not every address has one owner after ${limitMs} ms`);
}

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
