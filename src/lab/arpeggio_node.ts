// A node of the lab: the real `arpeggio run`, as a process of its own in the node's namespace.
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ArpeggioError } from '../errors.js';
import type { Host } from './host.js';
import type { Exit, NetProcess } from './net_process.js';
import { parseLogLine, readStatus } from './node_output.js';

const CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const ASK_TIMEOUT_MS = 20_000;
const MAX_SHOWN_OUTPUT = 2000;

export interface NodeService {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Where it is announced; default on all interfaces of the node. */
  readonly interfaces?: readonly string[];
  /** Nodes that may own it; default all. */
  readonly nodes?: readonly string[];
  readonly prefer?: readonly { readonly node: string; readonly weight: number }[];
}

/** A line of the node's log: what the lab reads of it. */
export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly module?: string;
  readonly address?: string;
  readonly service?: string;
  readonly interface?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
  readonly mac?: string;
}

/** The part of `arpeggio status --json` that the lab looks at. */
export interface NodeStatus {
  readonly node: string;
  readonly state: string;
  readonly peers: readonly {
    readonly node: string;
    readonly interface: string;
    readonly state: string;
    readonly link: string;
  }[];
  readonly addresses: readonly {
    readonly address: string;
    readonly owner: string | null;
    readonly answering: boolean;
    readonly term: number;
    readonly interfaces: readonly {
      readonly name: string;
      readonly state: string;
      readonly rivalMac: string | null;
      readonly retryAt: string | null;
    }[];
  }[];
  readonly moves: readonly MoveStatus[];
  readonly counters: { readonly heartbeatsRefused: number; readonly drops: Readonly<Record<string, number>> };
  readonly warnings: readonly string[];
}

/** Addresses that changed their owner together; the newest move comes first. */
export interface MoveStatus {
  readonly time: string;
  readonly interface: string;
  /** How many they are; `addresses` may name only the first. */
  readonly count: number;
  readonly addresses: readonly string[];
  readonly from: string | null;
  readonly to: string | null;
  readonly reason: string;
  readonly afterMs: number | null;
  readonly clients: { readonly asked: number; readonly confirmed: number } | null;
}

interface LogWaiter {
  readonly matches: (line: LogLine) => boolean;
  readonly resolve: (line: LogLine) => void;
}

export interface ArpeggioNodeOptions {
  /** For its configuration, its socket and its state; made when it is missing. */
  readonly directory: string;
  /** Further top-level keys of the configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Further environment variables of the speaker. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLog?: (line: LogLine) => void;
}

export class ArpeggioNode {
  readonly log: LogLine[] = [];
  private process: NetProcess | null = null;
  private readonly waiters = new Set<LogWaiter>();

  constructor(
    readonly host: Host,
    private readonly options: ArpeggioNodeOptions,
  ) {}

  get name(): string {
    return this.host.name;
  }

  get mac(): string {
    return this.host.mac;
  }

  get directory(): string {
    return this.options.directory;
  }

  get pid(): number | null {
    return this.process?.pid ?? null;
  }

  get isRunning(): boolean {
    return this.process?.isRunning ?? false;
  }

  /** The end of what it wrote, for messages about its failure. */
  get lastOutput(): string {
    return this.process?.lastOutput.slice(-MAX_SHOWN_OUTPUT) ?? 'it was not started';
  }

  /** Replaces the configuration file in one step, as careful editors do. A running node follows by itself. */
  async configure(services: readonly NodeService[]): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    const config = {
      node: this.name,
      interfaces: ['eth0'],
      status: { socket: this.socketPath },
      ...this.options.settings,
      services,
    };
    const draft = `${this.configPath}.new`;
    // JSON is YAML.
    await writeFile(draft, `${JSON.stringify(config, null, 2)}\n`);
    await rename(draft, this.configPath);
  }

  start(): void {
    const variables = Object.entries(this.options.environment ?? {}).map(([name, value]) => `${name}=${value}`);
    const argv = ['env', ...variables, ...command('run', '--config', this.configPath, '--state-file', this.statePath)];
    this.process = this.host.spawn(argv, (text) => this.onLine(text));
  }

  /** The first line of the log, past or to come, that matches. */
  waitForLog(what: string, matches: (line: LogLine) => boolean, timeoutMs = 5000): Promise<LogLine> {
    const found = this.log.find(matches);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const waiter: LogWaiter = {
        matches,
        resolve: (line) => {
          clearTimeout(timer);
          resolve(line);
        },
      };
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        const message = `${this.name} logged no ${what} within ${timeoutMs} ms:\n${this.lastOutput}`;
        reject(new ArpeggioError('ERR_SYSTEM', message));
      }, timeoutMs);
      this.waiters.add(waiter);
    });
  }

  /** What GET /api/v1/status says. */
  status(): Promise<NodeStatus> {
    return readStatus(this.socketPath);
  }

  /** Runs a command that asks the speaker for something, such as "drain". Resolves with what it said. */
  async ask(...args: readonly string[]): Promise<string> {
    const { stdout, stderr } = await this.host.exec(command(...args, '--socket', this.socketPath), {
      timeoutMs: ASK_TIMEOUT_MS,
    });
    return `${stdout}${stderr}`.trim();
  }

  /** Has it read its configuration again. */
  reload(): void {
    this.process?.signal('SIGHUP');
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.signal(signal);
  }

  /** Forgets what an earlier process has left on the host, as a machine does that starts anew. */
  async reboot(): Promise<void> {
    await this.host.batch(['addr flush dev lo scope global']);
    for (const path of [this.statePath, join(this.directory, 'serve.drained')]) await rm(path, { force: true });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.process === null) throw new ArpeggioError('ERR_INVALID_ARGUMENT', `${this.name} was not started`);
    return this.process.stop(signal);
  }

  /** `arpeggio cleanup`: resolves with what it said. */
  cleanup(): Promise<string> {
    return this.ask('cleanup', '--state-file', this.statePath);
  }

  private get configPath(): string {
    return join(this.directory, 'arpeggio.yaml');
  }

  private get socketPath(): string {
    return join(this.directory, 'status.sock');
  }

  private get statePath(): string {
    return join(this.directory, 'serve.json');
  }

  private onLine(text: string): void {
    const line = parseLogLine(text);
    if (line === null) return;
    this.log.push(line);
    this.options.onLog?.(line);
    for (const waiter of [...this.waiters]) {
      if (!waiter.matches(line)) continue;
      this.waiters.delete(waiter);
      waiter.resolve(line);
    }
  }
}

function command(...args: readonly string[]): string[] {
  return [process.execPath, CLI, ...args];
}
