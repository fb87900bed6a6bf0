// What a run of the lab has made on this machine, written down before it is made, so that a later run can remove
// what a crashed one left. Never touches namespaces or processes that no record names.
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArpeggioError } from '../errors.js';
import { toolEnvironment } from './command.js';
import { identify, isAlive, type ProcessIdentity, pidNamespace } from './process_identity.js';

const RECORDS = '/run/arpeggio-lab';
const NAMED_NAMESPACES = '/run/netns';
const PREFIX = 'arpg';

interface Owner extends ProcessIdentity {
  readonly pidNamespace: string;
  readonly namespaces: readonly string[];
}

let runs = 0;

/** Makes the directory too. A process of another PID namespace may have the same pid as we. */
function freeId(): string {
  mkdirSync(RECORDS, { recursive: true, mode: 0o755 });
  for (;;) {
    const id = `${process.pid.toString(36)}.${runs}`;
    runs += 1;
    try {
      mkdirSync(join(RECORDS, id), { mode: 0o700 });
      return id;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** One network that this process has built. */
export class RunRecord {
  /** Unique on this machine while this process lives: its pid in base 36 and a number. */
  readonly id: string;
  /** A directory for the run's files; removed with the run. */
  readonly directory: string;
  private readonly namespaces: string[];

  /** @param names of the namespaces that the run is about to make, without prefix. */
  constructor(names: readonly string[]) {
    this.id = freeId();
    this.directory = join(RECORDS, this.id);
    this.namespaces = names.map((name) => this.namespace(name));
    const self = identify(process.pid);
    if (self === null) throw new Error('this process is not in /proc');
    const owner: Owner = { ...self, pidNamespace: pidNamespace(), namespaces: this.namespaces };
    writeFileSync(join(this.directory, 'owner.json'), JSON.stringify(owner));
  }

  /** The full name of one of the run's namespaces. */
  namespace(name: string): string {
    return `${PREFIX}-${this.id}-${name}`;
  }

  addProcess(pid: number): void {
    const identity = identify(pid);
    if (identity !== null) appendFileSync(join(this.directory, 'processes'), `${pid} ${identity.startTime}\n`);
  }

  /** Ends every process of the run that still lives, removes its namespaces and its files. Synchronous: usable while exiting. */
  remove(): void {
    removeRun(this.directory, this.namespaces);
  }
}

function processesOf(directory: string): ProcessIdentity[] {
  const path = join(directory, 'processes');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([pid, startTime]) => ({ pid: Number(pid), startTime: startTime ?? '' }));
}

function removeRun(directory: string, namespaces: readonly string[]): void {
  for (const child of processesOf(directory).filter(isAlive)) {
    try {
      process.kill(child.pid, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }
  const existing = () => namespaces.filter((name) => existsSync(join(NAMED_NAMESPACES, name)));
  const batch = existing().map((name) => `netns del ${name}\n`);
  // Its exit code says little: another sweep may have been faster.
  if (batch.length > 0) spawnSync('ip', ['-force', '-batch', '-'], { input: batch.join(''), env: toolEnvironment() });
  const left = existing();
  if (left.length > 0)
    throw new ArpeggioError('ERR_SYSTEM', `cannot remove the namespaces ${left.join(', ')}; try: ip netns del NAME`);
  rmSync(directory, { recursive: true, force: true });
}

function readOwner(directory: string): Owner | null {
  try {
    return JSON.parse(readFileSync(join(directory, 'owner.json'), 'utf8')) as Owner;
  } catch {
    return null;
  }
}

/** Removes what crashed runs left: namespaces, processes, files. Returns the ids of those runs. */
export function sweep(): string[] {
  const swept: string[] = [];
  for (const id of existsSync(RECORDS) ? readdirSync(RECORDS) : []) {
    const directory = join(RECORDS, id);
    const owner = readOwner(directory);
    if (owner === null) {
      // Somebody is just writing it, or died before making anything: only an empty shell of a dead pid can go.
      if (identify(Number.parseInt(id, 36)) === null) rmSync(directory, { recursive: true, force: true });
      continue;
    }
    if (owner.pidNamespace !== pidNamespace() || isAlive(owner)) continue;
    removeRun(directory, owner.namespaces);
    swept.push(id);
  }
  return swept;
}
