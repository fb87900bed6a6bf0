import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { startError, toolEnvironment } from './command.js';

const MAX_KEPT_OUTPUT = 20_000;

/**
 * Before a command that measures: what else runs on the machine shall not be taken for an outage. Where the priority is not
 * permitted, `nice` says so and runs the command all the same.
 */
export const UNDISTURBED: readonly string[] = ['nice', '-n', '-10'];

export interface Exit {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A long-running process inside a namespace. It dies with us, however we die. */
export class NetProcess {
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private output = '';
  private running = true;

  /**
   * @param argv the program and its arguments
   * @param onLine gets every line of its standard output
   */
  constructor(
    readonly namespace: string,
    readonly argv: readonly string[],
    onLine: (line: string) => void = () => {},
  ) {
    // Each program of this chain replaces itself by the next, so the pid stays; PDEATHSIG survives that. A session of
    // its own keeps a Ctrl-C on the terminal from the children: we end them in order.
    const chain = ['--pdeathsig', 'KILL', 'ip', 'netns', 'exec', namespace, ...argv];
    this.child = spawn('setpriv', chain, { stdio: 'pipe', detached: true, env: toolEnvironment() });
    this.child.stdin.on('error', () => {});
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.keep(`${line}\n`);
      onLine(line);
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => this.keep(text));
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', (error) => {
        this.running = false;
        reject(startError('setpriv', error));
      });
      this.child.once('close', (code, signal) => {
        this.running = false;
        resolve({ code, signal });
      });
    });
    // Whoever waits for the exit gets the error; nobody has to wait.
    this.exited.catch(() => {});
  }

  get pid(): number | null {
    return this.child.pid ?? null;
  }

  get isRunning(): boolean {
    return this.running;
  }

  /** The end of what it wrote to standard output and standard error, for messages about its failure. */
  get lastOutput(): string {
    return this.output;
  }

  write(text: string): void {
    this.child.stdin.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  /** Asks it to end; after `graceMs` it is ended. Resolves with how it went. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 3000): Promise<Exit> {
    this.signal(signal);
    return this.endWithin(graceMs);
  }

  /** Closes its standard input, which a program that reads commands takes for the end. */
  async finish(graceMs = 3000): Promise<Exit> {
    this.child.stdin.end();
    return this.endWithin(graceMs);
  }

  private async endWithin(graceMs: number): Promise<Exit> {
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  private keep(text: string): void {
    this.output = (this.output + text).slice(-MAX_KEPT_OUTPUT);
  }
}
