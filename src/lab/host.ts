import { setTimeout as delay } from 'node:timers/promises';
import { ArpeggioError } from '../errors.js';
import { type CommandOptions, type CommandResult, runCommand } from './command.js';
import { batch, execIn, readSysctls, setSysctls } from './namespace.js';
import { NetProcess } from './net_process.js';
import { type BuiltInterface, DEFAULT_INTERFACE } from './network_spec.js';

const READY_TIMEOUT_MS = 5000;
const READY_STEP_MS = 10;

/** The part of `ip -j neigh` that matters. */
export interface Neighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
}

interface IpAddress {
  readonly ifname: string;
  readonly operstate: string;
  readonly addr_info: readonly { readonly local: string; readonly tentative?: boolean }[];
}

/** A machine of the lab: a namespace with interfaces on switches. */
export class Host {
  /** @param onSpawn is told the pid of every process started on this host. */
  constructor(
    readonly name: string,
    readonly namespace: string,
    private readonly interfaces: readonly BuiltInterface[],
    private readonly onSpawn: (pid: number) => void,
  ) {}

  interface(name: string = DEFAULT_INTERFACE): BuiltInterface {
    const found = this.interfaces.find((candidate) => candidate.name === name);
    if (found === undefined)
      throw new ArpeggioError('ERR_INVALID_ARGUMENT', `the host "${this.name}" has no interface "${name}"`);
    return found;
  }

  /** MAC of eth0. */
  get mac(): string {
    return this.interface().mac;
  }

  exec(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return execIn(this.namespace, argv, options);
  }

  /** Runs `ip` commands, one per entry, such as "link set eth0 down". */
  batch(commands: readonly string[]): Promise<void> {
    return batch(this.namespace, commands);
  }

  /** Output of `ip -j ...`, parsed. */
  async query<T>(...args: readonly string[]): Promise<T> {
    const { stdout } = await runCommand(['ip', '-n', this.namespace, '-j', ...args]);
    return JSON.parse(stdout.trim() || '[]') as T;
  }

  /** The kernel's entry for an address, or null. */
  async neighbour(address: string): Promise<Neighbour | null> {
    const family = address.includes(':') ? '-6' : '-4';
    const entries = await this.query<Neighbour[]>(family, 'neigh', 'show', address);
    return entries[0] ?? null;
  }

  setSysctls(values: Readonly<Record<string, string>>): Promise<void> {
    return setSysctls(this.namespace, values);
  }

  readSysctls(names: readonly string[]): Promise<string[]> {
    return readSysctls(this.namespace, names);
  }

  /** Starts a long-running program; it ends with the network at the latest. */
  spawn(argv: readonly string[], onLine?: (line: string) => void): NetProcess {
    const started = new NetProcess(this.namespace, argv, onLine);
    if (started.pid !== null) this.onSpawn(started.pid);
    return started;
  }

  /** Sets addresses and brings everything up. */
  async configure(): Promise<void> {
    const commands = ['link set lo up'];
    for (const { name, addresses } of this.interfaces) {
      commands.push(...addresses.map((address) => `addr add ${address} dev ${name}`));
      commands.push(`link set ${name} up`);
    }
    await this.batch(commands);
  }

  /** Resolves when every interface has a carrier and no address is tentative any more. */
  async ready(): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      const state = await this.query<IpAddress[]>('addr', 'show');
      const waiting = state.filter(
        ({ ifname, operstate, addr_info }) =>
          this.interfaces.some(({ name }) => name === ifname) &&
          (operstate !== 'UP' || addr_info.some(({ tentative }) => tentative === true)),
      );
      if (waiting.length === 0) return;
      if (performance.now() > deadline)
        throw new ArpeggioError('ERR_SYSTEM', `${this.name}: ${waiting[0]?.ifname} is not usable after 5 s`);
      await delay(READY_STEP_MS);
    }
  }
}
