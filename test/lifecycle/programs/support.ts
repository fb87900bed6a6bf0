// What the programs share.
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../../../src/net/address.js';
import { Responder } from '../../../src/responder/responder.js';
import type { ResponderEvent, Table } from '../../../src/responder/types.js';

export const SERVICE = '192.0.2.10';
export const SERVICE6 = '2001:db8::ab:cdef';
export const INTERFACE = 'eth0';
const LONG_MS = 60_000;

const SCHEDULE = { ipv4Ms: [0], ipv6Ms: [0] };

export function openResponder(onEvent: (event: ResponderEvent) => void = () => {}): Responder {
  return new Responder({ onEvent, linkSchedule: SCHEDULE });
}

export function tableOf(addresses: readonly string[]): Table {
  const interfaces = [INTERFACE];
  const entries = addresses.map((text) => ({
    address: parseAddress(text),
    selected: interfaces,
    answer: interfaces,
    tentative: [],
  }));
  return { interfaces, entries };
}

export function publish(responder: Responder, addresses: readonly string[], lifetimeMs = LONG_MS): void {
  responder.publish(tableOf(addresses), lifetimeMs);
}

export function say(message: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Blocks the event loop. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Names of the threads of this process, which may be ending as we look. */
function threadNames(): string[] {
  return readdirSync('/proc/self/task').flatMap((id) => {
    try {
      return [readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()];
    } catch {
      return [];
    }
  });
}

export const threadCount = (): number => threadNames().length;

/** Threads of responders. One names itself a moment after its start. */
export async function packetThreadCount(): Promise<number> {
  await delay(50);
  return threadNames().filter((name) => name === 'arpeggio').length;
}

export const openFiles = (): number => readdirSync('/proc/self/fd').length;

/** Reads one line of standard input; only until then that keeps the process alive. */
export async function nextLine(): Promise<string> {
  process.stdin.ref();
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin });
    lines.once('line', (line) => {
      lines.close();
      process.stdin.unref();
      resolve(line);
    });
  });
}
