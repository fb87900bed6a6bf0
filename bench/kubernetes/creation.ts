// How soon a new service is answered, what that asks of the API server, and what a restart changes.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { NODE_NAMES } from '../../src/lab/kubernetes/stage.js';
import type { Note } from './failures.js';
import type { RowName } from './rows.js';
import type { Scene } from './scene.js';

const NEW = ['192.0.2.90', '2001:db8::1:5a'] as const;
const REST_MS = 60_000;
const SAME_TIME = 8;

/** IPv4 of the bulk pool, 198.18.0.0/16 (RFC 2544), of which every node has an address. */
const bulkAddress = (index: number): string => `198.18.${16 + Math.floor(index / 200)}.${1 + (index % 200)}`;
export const BULK_POOL = '198.18.16.0-198.18.31.255';
export const bulkInterface = (nodeNumber: number): string => `addr add 198.18.0.${nodeNumber}/16 dev eth0`;
const bulkName = (index: number) => `bulk-${index}`;

export async function created(scene: Scene, row: RowName, times: number, note: Note): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    const tookMs = await scene.answeredAfterMs(NEW, 2, async () => {
      const from = monotonicMs();
      await scene.create('new', NEW);
      return from;
    });
    note(row, tookMs);
    await scene.remove('new');
    // Not while the last one is still being taken back.
    await delay(500);
  }
}

/** Makes those of [from, to), several at the same time; resolves with all their addresses. */
export async function fill(scene: Scene, from: number, to: number): Promise<string[]> {
  let next = from;
  const worker = async () => {
    while (next < to) {
      const index = next;
      next += 1;
      await scene.create(bulkName(index), [bulkAddress(index)]);
    }
  };
  await Promise.all(Array.from({ length: SAME_TIME }, worker));
  return Array.from({ length: to - from }, (_, index) => bulkAddress(from + index));
}

/** 200 services one after the other; then a minute of rest. Resolves with their addresses. */
export async function burst(scene: Scene, note: Note): Promise<string[]> {
  const addresses = Array.from({ length: 200 }, (_, index) => bulkAddress(index));
  const began = Date.now();
  const tookMs = await scene.answeredAfterMs(addresses, 50, async () => {
    for (let index = 0; index < 200; index += 1) await scene.create(bulkName(index), [bulkAddress(index)]);
    return monotonicMs();
  });
  note('burst', Math.max(0, tookMs));
  // Records and statuses follow.
  await delay(10_000);
  const asked = scene.requests(began);
  note('burstRequests', asked.all / 200);
  process.stdout.write(`    ${asked.kinds.join(', ')}\n`);
  const rest = Date.now();
  await delay(REST_MS);
  const end = rest + REST_MS;
  const { all, kinds } = scene.requests(rest, end);
  process.stdout.write(`    ${kinds.join(', ')}\n`);
  note('restRequests', all / (REST_MS / 1000));
  note('restWrites', scene.requests(rest, end, 'speaker').writes / (REST_MS / 1000));
  note('restLeader', scene.requests(rest, end, 'controller').writes / (REST_MS / 1000));
  return addresses;
}

/** Resident set of the largest speaker. */
export function memory(scene: Scene, note: Note): void {
  const sizes = NODE_NAMES.map((node) => {
    const status = readFileSync(`/proc/${scene.arpeggio.speaker(node).pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1000;
  });
  note('memory', Math.max(...sizes));
}

export async function spread(scene: Scene, note: Note): Promise<void> {
  const names = Array.from({ length: 30 }, (_, index) => `spread-${index}`);
  const pairs = names.map((_, index) => [`192.0.2.${20 + index}`, `2001:db8::1:${20 + index}`]);
  await Promise.all(names.map((name, index) => scene.create(name, pairs[index] as string[])));
  const owners = Object.values(await scene.arpeggio.settled(pairs.flat(), 30_000));
  const counts = NODE_NAMES.map((node) => owners.filter((owner) => owner === node).length);
  note('spread', Math.max(...counts) - Math.min(...counts));
  await scene.remove(...names);
}

/** Everything of Arpeggio ends at once and starts again. */
export async function restart(scene: Scene, note: Note): Promise<void> {
  const { arpeggio } = scene;
  const names = Array.from({ length: 20 }, (_, index) => `kept-${index}`);
  const pairs = names.map((_, index) => [`192.0.2.${20 + index}`, `2001:db8::1:${20 + index}`]);
  for (const [index, name] of names.entries()) await scene.create(name, pairs[index] as string[]);
  const addresses = pairs.flat();
  await arpeggio.settled(addresses);
  const assigned = async () => Promise.all(names.map((name) => arpeggio.addresses(name)));
  const before = (await assigned()).map((list) => list.join());
  const pods = [...arpeggio.speakers.values(), ...arpeggio.controllers.values()].filter(({ isRunning }) => isRunning);
  await Promise.all(pods.map((pod) => pod.stop('SIGKILL')));
  const tookMs = await scene.answeredAfterMs(addresses, 5, async () => {
    const from = monotonicMs();
    await Promise.all(pods.map((pod) => pod.start()));
    return from;
  });
  note('restart', tookMs);
  await delay(2000);
  const after = (await assigned()).map((list) => list.join());
  note('restartChanged', after.filter((list, index) => list !== before[index]).length);
  await scene.remove(...names);
}
