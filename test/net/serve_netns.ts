import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const AGENT = fileURLToPath(new URL('./serve_agent.js', import.meta.url));

let count = 0;

/** Why network namespaces cannot be used here, or false. With CI=true nothing is skipped: the tests fail instead. */
export function netnsSkip(): string | false {
  if (process.env.CI === 'true') return false;
  try {
    const name = `arp-${process.pid}-probe`;
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
    execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `SKIPPED: no network namespaces here (${(error as Error).message.trim()})`;
  }
}

/** A network namespace with its own directory; both are removed by close(). */
export class Netns {
  readonly name = `arp-${process.pid}-${++count}`;
  readonly directory = mkdtempSync(join(tmpdir(), `${this.name}-`));
  readonly stateFile = join(this.directory, 'run', 'serve.json');
  private readonly agents: Agent[] = [];

  constructor() {
    execFileSync('ip', ['netns', 'add', this.name]);
  }

  /** Runs a program inside, returns its standard output. */
  run(...command: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, ...command], {
      encoding: 'utf8',
      stdio: 'pipe',
      maxBuffer: 1 << 26,
    });
  }

  /** The addresses on lo, without the loopback ones, as text with prefix length. */
  loopback(): string[] {
    const [link] = JSON.parse(this.run('ip', '-j', 'addr', 'show', 'dev', 'lo'));
    return link.addr_info
      .map(({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`)
      .filter((text: string) => text !== '127.0.0.1/8' && text !== '::1/128')
      .sort();
  }

  sysctl(interfaceName: string, name: string): number {
    return Number(this.run('cat', `/proc/sys/net/ipv4/conf/${interfaceName}/${name}`));
  }

  setSysctl(interfaceName: string, name: string, value: number): void {
    this.run('sh', '-c', `echo ${value} > /proc/sys/net/ipv4/conf/${interfaceName}/${name}`);
  }

  /** ifindex by name. */
  index(interfaceName: string): number {
    return JSON.parse(this.run('ip', '-j', 'link', 'show', 'dev', interfaceName))[0].ifindex;
  }

  ref(name: string): { name: string; index: number } {
    return { name, index: this.index(name) };
  }

  /** A process inside that runs a LoopbackServer; `wrapper` goes before the program. */
  agent(...wrapper: string[]): Agent {
    const agent = new Agent(this.name, this.stateFile, wrapper);
    this.agents.push(agent);
    return agent;
  }

  async close(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.stop()));
    execFileSync('ip', ['netns', 'del', this.name]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export interface Reply {
  value?: unknown;
  error?: { code?: string; message: string };
}

/** Calls a LoopbackServer in another process; see serve_agent.ts. */
export class Agent {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private readonly ended: Promise<never>;
  private sent = 0;

  constructor(namespace: string, stateFile: string, wrapper: string[]) {
    this.child = spawn('ip', ['netns', 'exec', namespace, ...wrapper, process.execPath, AGENT, stateFile], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.ended = once(this.child, 'exit').then(() => Promise.reject(new Error('the agent ended before it answered')));
    this.ended.catch(() => {});
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      const { id, ...reply } = JSON.parse(line);
      this.waiting.get(id)?.(reply);
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  call(method: string, ...args: unknown[]): Promise<Reply> {
    this.sent += 1;
    const id = this.sent;
    const reply = new Promise<Reply>((resolve) => this.waiting.set(id, resolve));
    this.child.stdin!.write(`${JSON.stringify({ id, method, args })}\n`);
    return Promise.race([reply, this.ended]);
  }

  /** Like call, but an error fails the test. */
  async ok(method: string, ...args: unknown[]): Promise<unknown> {
    const reply = await this.call(method, ...args);
    if (reply.error) throw new Error(`${method}: ${reply.error.code}: ${reply.error.message}`);
    return reply.value;
  }

  /** SIGKILL: a crash. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  /** End of input: the agent leaves by itself, as a speaker does on SIGTERM. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.stdin!.end();
    await once(this.child, 'exit');
  }
}
