// What speakers write to the API server: at rest, and when addresses move.
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditEvent } from '../../src/lab/kubernetes/audit.js';
import type { Note } from './failures.js';
import { moved, type Scene } from './scene.js';

/** Without a write that is none of a session: all that follows from what happened is written. */
const CALM_MS = 5_000;
const CALM_LIMIT_MS = 240_000;
const REST_MS = 60_000;
const READING = new Set(['get', 'list', 'watch']);

const isSession = ({ resource, name }: AuditEvent) => resource === 'leases' && name.startsWith('arpeggio-node-');

function writes(scene: Scene, sinceMs: number): AuditEvent[] {
  const isSpeaker = /:arpeggio-speaker$/;
  const isOurs = ({ user, verb, timeMs }: AuditEvent) =>
    isSpeaker.test(user) && !READING.has(verb) && timeMs >= sinceMs;
  return scene.bed.control.audit().filter(isOurs);
}

async function calm(scene: Scene): Promise<void> {
  const deadlineMs = Date.now() + CALM_LIMIT_MS;
  while (writes(scene, Date.now() - CALM_MS).some((event) => !isSession(event))) {
    if (Date.now() > deadlineMs) throw new Error('speakers go on writing');
    await delay(1_000);
  }
}

/** A minute of rest; then the node that owns the most loses power, and comes back. */
export async function writesOf(scene: Scene, addresses: readonly string[], note: Note): Promise<void> {
  const { arpeggio, bed } = scene;
  const before = await arpeggio.settled(addresses, 120_000);
  await calm(scene);
  const restMs = Date.now();
  await delay(REST_MS);
  note('restWrites1000', writes(scene, restMs).length / (REST_MS / 1000));

  const { node } = scene.busiest(before);
  const goneMs = Date.now();
  await bed.powerOff(node, arpeggio.speaker(node));
  const count = moved(before, await arpeggio.settled(addresses, 60_000));
  await calm(scene);
  const seen = writes(scene, goneMs).filter((event) => !isSession(event));
  note('movedRecords', seen.filter(({ resource }) => resource === 'leases').length / count);
  note('movedWrites', seen.length / count);
  await bed.powerOn(node);
  await arpeggio.speaker(node).start();
  await arpeggio.settled(addresses, 60_000);
}
