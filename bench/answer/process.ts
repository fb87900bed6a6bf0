import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Runs a command to its end and returns what it printed; throws with its complaint when it fails. */
export function run(command: readonly string[], input = ''): Promise<string> {
  const [file, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = execFile(file!, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command.join(' ').slice(0, 200)}: ${stderr.trim() || error.message}`));
      else resolve(stdout);
    });
    // A command that reads no input may be gone by now; its exit code tells how it went.
    child.stdin?.on('error', () => {}).end(input);
  });
}

const running = new Set<ChildProcess>();

/** A program that runs beside the bench: a responder, or a listener. Speaks lines on stdout. */
export class Companion {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | null) => void)[] = [];
  #complaint = '';
  #ended = false;

  constructor(command: readonly string[]) {
    const [file, ...args] = command;
    this.#child = spawn(file!, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.#child.once('exit', () => {
      running.delete(this.#child);
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-4000);
    });
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => {
      const next = this.#waiting.shift();
      if (next) next(line);
      else this.#lines.push(line);
    });
    lines.on('close', () => {
      this.#ended = true;
      for (const next of this.#waiting.splice(0)) next(null);
    });
  }

  /** The id of the program itself: every wrapper in front of it ends in exec. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get complaint(): string {
    return this.#complaint;
  }

  get ended(): boolean {
    return this.#ended;
  }

  async line(): Promise<string> {
    const ready = this.#lines.shift();
    if (ready !== undefined) return ready;
    const line = this.#ended ? null : await new Promise<string | null>((resolve) => this.#waiting.push(resolve));
    if (line === null) throw new Error(`a program of the bench ended early: ${this.#complaint.trim()}`);
    return line;
  }

  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Ends it with SIGTERM, and with SIGKILL if it has not gone after five seconds. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(timer);
  }
}

/** For the end of the bench, however it comes. */
export function killCompanions(): void {
  for (const child of running) child.kill('SIGKILL');
}
