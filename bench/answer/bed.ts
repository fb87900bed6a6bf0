import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type Family, NODE_ADDRESS } from './addresses.js';
import { Companion, killCompanions, run } from './process.js';

const PREFIX = 'arpeggio-bench-';

/** The responder, and the softirq of its interface, have this core to themselves. */
const RESPONDER_CORE = 1;
/** The generator and the softirq of its interface. */
const GENERATOR_CORE = 0;

/**
 * SCHED_FIFO priority of the generator at full load and of its interface's softirq thread. Equal, so that each works off
 * what it has before it gives the core to the other: the generator is then twice as fast, and no reply finds its queue full.
 */
export const GENERATOR_PRIORITY = 10;

const GENERATOR_MAC = '02:00:00:00:77:01';
export const RESPONDER_MAC = '02:00:00:00:77:02'; // known to bench/bpf/answer.c

/** Where the softirq work of the two interfaces is done, that is, who pays for receiving. */
export type Softirq =
  /** Each in a thread on its own side's core: for rates and CPU time. */
  | 'threads'
  /**
   * Requests in a thread on the responder's core, replies at the end of the responder's send, so that the generator may
   * spin on its ring without waiting for a thread: for latency under a storm.
   */
  | 'request-thread'
  /** Both at the end of the sender's send, as if an interrupt had come at once: for latency at rest. */
  | 'inline';

/**
 * One veth pair between two network namespaces. Its ends can take their softirq work to threads ("threaded NAPI"),
 * pinned so that the work of the responder's interface is done, and charged, on the responder's core.
 */
export class Bed {
  readonly #id = process.pid.toString(36);
  readonly #generatorNamespace = `${PREFIX}${process.pid}-generator`;
  readonly #responderNamespace = `${PREFIX}${process.pid}-responder`;
  readonly generatorInterface = `bg${this.#id}`;
  readonly responderInterface = `br${this.#id}`;
  #softirq: Softirq | null = null;
  #requestThread = 0;

  private constructor(readonly generatorProgram: string) {}

  static async create(generatorProgram: string): Promise<Bed> {
    sweep();
    const bed = new Bed(generatorProgram);
    process.once('exit', () => bed.close());
    try {
      await bed.#build();
    } catch (error) {
      bed.close();
      throw error;
    }
    return bed;
  }

  /** A command line on the generator's side, on its core. */
  onGenerator(...command: string[]): string[] {
    return ['ip', 'netns', 'exec', this.#generatorNamespace, 'taskset', '-c', `${GENERATOR_CORE}`, ...command];
  }

  /** A command line on the responder's side, on its core. */
  onResponder(...command: string[]): string[] {
    return ['ip', 'netns', 'exec', this.#responderNamespace, 'taskset', '-c', `${RESPONDER_CORE}`, ...command];
  }

  /** As onResponder, with a /run of its own, so that state files of other instances on this machine stay alone. */
  onResponderWithRun(...command: string[]): string[] {
    const script = 'mount -t tmpfs arpeggio-bench /run && exec "$@"';
    const enter = ['ip', 'netns', 'exec', this.#responderNamespace, 'sh', '-c', script, 'sh'];
    return [...enter, 'taskset', '-c', `${RESPONDER_CORE}`, ...command];
  }

  /**
   * Keeps the responder's core from halting, without taking time from anybody: on a virtual machine the wake-up of a
   * halted core costs more than all that is to be measured, and the same for everybody.
   */
  keepAwake(): Companion {
    return new Companion(['chrt', '-i', '0', 'taskset', '-c', `${RESPONDER_CORE}`, this.generatorProgram, 'spin']);
  }

  /** Runs `ip` in the responder's namespace. */
  ip(...args: string[]): Promise<string> {
    return run(['ip', '-n', this.#responderNamespace, ...args]);
  }

  async ipBatch(lines: readonly string[]): Promise<void> {
    await run(['ip', '-n', this.#responderNamespace, '-batch', '-'], `${lines.join('\n')}\n`);
  }

  async tc(...args: string[]): Promise<string> {
    return run(['ip', 'netns', 'exec', this.#responderNamespace, 'tc', ...args]);
  }

  async sysctl(...settings: string[]): Promise<void> {
    await run(['ip', 'netns', 'exec', this.#responderNamespace, 'sysctl', '-qw', ...settings]);
  }

  /** Kernel threads whose run time is part of a reply's cost. */
  get responderThreads(): number[] {
    return [this.#requestThread, ...kernelThreads((name) => name === `ksoftirqd/${RESPONDER_CORE}`)];
  }

  async setSoftirq(where: Softirq): Promise<void> {
    if (this.#softirq === where) return;
    this.#softirq = where;
    // The kernel makes a new thread each time, which is not pinned.
    await this.#setThreaded(this.#responderNamespace, this.responderInterface, where !== 'inline');
    if (where !== 'inline') this.#requestThread = await this.#pinSoftirq(this.responderInterface, RESPONDER_CORE);
    await this.#setThreaded(this.#generatorNamespace, this.generatorInterface, where === 'threads');
    if (where !== 'threads') return;
    const thread = await this.#pinSoftirq(this.generatorInterface, GENERATOR_CORE);
    await run(['chrt', '-f', '-p', `${GENERATOR_PRIORITY}`, `${thread}`]);
  }

  /** Puts the responder's side back to what it was before a responder used it. */
  async reset(): Promise<void> {
    await run(['ip', '-n', this.#responderNamespace, 'addr', 'flush', 'dev', 'lo', 'scope', 'global']);
    await this.sysctl(
      'net.ipv4.conf.all.arp_ignore=0',
      'net.ipv4.conf.all.arp_announce=0',
      `net.ipv4.conf.${this.responderInterface}.arp_ignore=0`,
      `net.ipv4.conf.${this.responderInterface}.arp_announce=0`,
    );
  }

  async setNodeAddress(family: Family): Promise<void> {
    if (family === 'arp') await this.ip('addr', 'replace', NODE_ADDRESS.arp, 'dev', this.responderInterface);
    else await this.ip('-6', 'addr', 'replace', NODE_ADDRESS.ndp, 'dev', this.responderInterface, 'nodad');
  }

  /** Removes namespaces and programs. Synchronous, so that it also runs when the bench is interrupted. */
  close(): void {
    killCompanions();
    for (const namespace of [this.#generatorNamespace, this.#responderNamespace]) {
      if (namespaces().includes(namespace)) execFileSync('ip', ['netns', 'del', namespace]);
    }
  }

  async #build(): Promise<void> {
    const generator = this.#generatorNamespace;
    const responder = this.#responderNamespace;
    await run(['ip', 'netns', 'add', generator]);
    await run(['ip', 'netns', 'add', responder]);
    const near = ['name', this.generatorInterface, 'address', GENERATOR_MAC];
    const far = ['name', this.responderInterface, 'address', RESPONDER_MAC, 'netns', responder];
    await run(['ip', '-n', generator, 'link', 'add', ...near, 'type', 'veth', 'peer', ...far]);
    // The generator's kernel neither answers nor asks by itself.
    const silent = `net.ipv6.conf.${this.generatorInterface}.disable_ipv6=1`;
    await run(['ip', 'netns', 'exec', generator, 'sysctl', '-qw', silent]);
    await run(['ip', '-n', generator, 'link', 'set', this.generatorInterface, 'arp', 'off', 'up']);
    for (const [namespace, name] of [
      [generator, this.generatorInterface],
      [responder, this.responderInterface],
    ] as const) {
      await run(['ip', 'netns', 'exec', namespace, this.generatorProgram, 'tune', '--interface', name]);
    }
    await this.sysctl('net.ipv6.conf.all.accept_dad=0', `net.ipv6.conf.${this.responderInterface}.accept_dad=0`);
    await this.ip('link', 'set', 'lo', 'up');
    await this.ip('link', 'set', this.responderInterface, 'up');
    await this.setNodeAddress('arp');
    await this.setNodeAddress('ndp');
    await this.setSoftirq('threads');
  }

  async #setThreaded(namespace: string, name: string, threaded: boolean): Promise<void> {
    const script = `echo ${threaded ? 1 : 0} > /sys/class/net/${name}/threaded`;
    await run(['ip', 'netns', 'exec', namespace, 'sh', '-c', script]);
  }

  async #pinSoftirq(name: string, core: number): Promise<number> {
    const [thread, ...more] = kernelThreads((comm) => comm.startsWith(`napi/${name}-`));
    if (thread === undefined || more.length > 0) throw new Error(`${name} has no softirq thread of its own`);
    await run(['taskset', '-p', '-c', `${core}`, `${thread}`]);
    return thread;
  }
}

function kernelThreads(wanted: (name: string) => boolean): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return wanted(readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
      } catch {
        return false; // ended meanwhile
      }
    });
}

function namespaces(): string[] {
  const output = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  return output.split('\n').map((line) => line.split(' ')[0] ?? '');
}

/** Removes the namespaces of runs that crashed: their process is gone. */
function sweep(): void {
  for (const namespace of namespaces()) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(namespace)?.[1];
    if (pid === undefined) continue;
    try {
      process.kill(Number(pid), 0);
    } catch {
      execFileSync('ip', ['netns', 'del', namespace]);
    }
  }
}
