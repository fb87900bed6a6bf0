import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { ArpeggioError } from '../errors.js';
import type { Address } from '../net/address.js';

export const DEFAULT_STATE_FILE = '/run/arpeggio/serve.json';

const schema = z.object({
  version: z.literal(1),
  /** The changes died with the boot and the network namespace in which they were made. */
  bootId: z.string(),
  networkNamespace: z.string(),
  /** Process that wrote this; the start time tells it from a later one with the same pid. */
  owner: z.object({ pid: z.int(), startTicks: z.string() }),
  /** Addresses that were added to lo, or were about to be. */
  addresses: z.array(z.string()),
  /** Values before the first change, by ifindex: sysctls survive a renaming. */
  interfaces: z.array(
    z.object({
      index: z.int(),
      name: z.string(),
      original: z.object({ arp_ignore: z.int().nullable(), arp_announce: z.int().nullable() }),
    }),
  ),
});

/** What `serve: loopback` has changed on this node; everything that `arpeggio cleanup` has to undo. */
export type ServeState = z.infer<typeof schema>;

export type InterfaceRecord = ServeState['interfaces'][number];

/** A state without changes, owned by this process. */
export function emptyState(): ServeState {
  return {
    version: 1,
    bootId: bootId(),
    networkNamespace: networkNamespace(),
    owner: { pid: process.pid, startTicks: startTicksOf(process.pid)! },
    addresses: [],
    interfaces: [],
  };
}

/** @returns null without a file. @throws ArpeggioError ERR_SYSTEM when it cannot be read or understood */
export function readState(path: string): ServeState | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fileError('read', path, error as NodeJS.ErrnoException);
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new ArpeggioError(
      'ERR_SYSTEM',
      `${path} is damaged, so it is not known which addresses of lo are Arpeggio's; remove them by hand ` +
        '("ip addr del ADDRESS dev lo"), then delete the file',
      { cause: error },
    );
  }
}

/**
 * Replaces the file in one step. Not flushed to disk: it has to survive this process, and after a crash of the whole
 * machine there is nothing left to undo.
 */
export function writeState(path: string, state: ServeState): void {
  const temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, JSON.stringify(state), { mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    throw fileError('written', path, error as NodeJS.ErrnoException);
  }
}

export function removeState(path: string): void {
  rmSync(path, { force: true });
}

function fileError(what: string, path: string, error: NodeJS.ErrnoException): ArpeggioError {
  return new ArpeggioError(
    'ERR_SYSTEM',
    `the state file ${path} cannot be ${what}: ${error.message}; run with the right to do so, or name another file with --state-file`,
    { errno: -(error.errno ?? 0), syscall: error.syscall ?? 'open', cause: error },
  );
}

/** Whether the changes of a state can still be there, and are ours to undo from here. */
export type StatePlace = 'here' | 'earlier-boot' | 'other-namespace';

export function placeOf(state: ServeState): StatePlace {
  if (state.bootId !== bootId()) return 'earlier-boot';
  return state.networkNamespace === networkNamespace() ? 'here' : 'other-namespace';
}

/** Whether the process that wrote the state still runs, this one not counted. */
export function ownerRuns({ owner }: ServeState): boolean {
  return owner.pid !== process.pid && startTicksOf(owner.pid) === owner.startTicks;
}

export function addressesOf(state: ServeState): Set<Address> {
  return new Set(state.addresses as Address[]);
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function networkNamespace(): string {
  return readlinkSync('/proc/self/ns/net');
}

// Field 22 of proc_pid_stat(5); the second, the name in parentheses, may hold anything.
function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
