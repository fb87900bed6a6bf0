import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ArpeggioError } from '../../errors.js';
import { toolEnvironment } from '../command.js';

const SHOWN_OUTPUT = 4000;
const STEP_MS = 20;

/** A long-running program, such as a part of the control plane. It dies with us, however we die; what it writes goes to a file. */
export class Background {
  readonly exited: Promise<number | null>;
  private readonly child: ChildProcess;
  private running = true;

  constructor(
    readonly name: string,
    argv: readonly string[],
    private readonly logFile: string,
  ) {
    const log = openSync(logFile, 'a');
    // Each program of the chain replaces itself by the next, so the pid stays.
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      stdio: ['ignore', log, log],
      detached: true,
      env: toolEnvironment(),
    });
    closeSync(log);
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (code) => {
        this.running = false;
        resolve(code);
      });
    });
    this.exited.catch(() => {});
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.running;
  }

  /** The end of what it wrote. */
  get lastOutput(): string {
    return readFileSync(this.logFile, 'utf8').slice(-SHOWN_OUTPUT);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 3000): Promise<void> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until `holds` resolves with true; fails with the program's output when it ends before or after `timeoutMs`. */
  async until(what: string, holds: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await holds())) {
      if (!this.running)
        throw new ArpeggioError('ERR_SYSTEM', `${this.name} ended before ${what}:\n${this.lastOutput}`);
      if (performance.now() > deadline)
        throw new ArpeggioError(
          'ERR_SYSTEM',
          `not after ${timeoutMs} ms: ${what} of ${this.name}:\n${this.lastOutput}`,
        );
      await delay(STEP_MS);
    }
  }
}
