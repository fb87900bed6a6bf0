// A node of the lab: the real `arpeggio run`, as a process of its own in the node's namespace.
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ArpeggioError } from '../errors.js';
import type { Host } from './host.js';
import type { Exit, NetProcess } from './net_process.js';

const CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const MAX_SHOWN_OUTPUT = 2000;

export interface NodeService {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** A line of the node's log: what the lab reads of it. */
export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly module?: string;
  readonly address?: string;
  readonly interface?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
  readonly mac?: string;
}

/** The part of `arpeggio status --json` that the lab looks at. */
export interface NodeStatus {
  readonly state: string;
  readonly addresses: readonly {
    readonly address: string;
    readonly answering: boolean;
    readonly interfaces: readonly {
      readonly name: string;
      readonly state: string;
      readonly rivalMac: string | null;
      readonly retryAt: string | null;
    }[];
  }[];
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
    await mkdir(this.options.directory, { recursive: true });
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
    const argv = this.command('run', '--config', this.configPath, '--state-file', this.statePath);
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

  async status(): Promise<NodeStatus> {
    const { stdout } = await this.host.exec(this.command('status', '--json', '--socket', this.socketPath));
    return JSON.parse(stdout) as NodeStatus;
  }

  /** Has it read its configuration again. */
  reload(): void {
    this.process?.signal('SIGHUP');
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.process === null) throw new ArpeggioError('ERR_INVALID_ARGUMENT', `${this.name} was not started`);
    return this.process.stop(signal);
  }

  /** `arpeggio cleanup`: resolves with what it said. */
  async cleanup(): Promise<string> {
    const argv = this.command('cleanup', '--state-file', this.statePath, '--socket', this.socketPath);
    const { stdout, stderr } = await this.host.exec(argv);
    return `${stdout}${stderr}`.trim();
  }

  private get configPath(): string {
    return join(this.options.directory, 'arpeggio.yaml');
  }

  private get socketPath(): string {
    return join(this.options.directory, 'status.sock');
  }

  private get statePath(): string {
    return join(this.options.directory, 'serve.json');
  }

  private command(...args: readonly string[]): string[] {
    return [process.execPath, CLI, ...args];
  }

  private onLine(text: string): void {
    let line: LogLine;
    try {
      line = JSON.parse(text) as LogLine;
    } catch {
      // Not from the logger, as a crash of the process: NetProcess keeps it for messages.
      return;
    }
    this.log.push(line);
    this.options.onLog?.(line);
    for (const waiter of [...this.waiters]) {
      if (!waiter.matches(line)) continue;
      this.waiters.delete(waiter);
      waiter.resolve(line);
    }
  }
}
