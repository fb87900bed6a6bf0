import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Host } from '../../../src/lab/host.js';
import { monotonicMs } from '../../../src/lab/monotonic.js';
import { type NetProcess, UNDISTURBED } from '../../../src/lab/net_process.js';

// Compiled code is three directories deeper below the root, and python stays where it is written.
const ASKER_PY = fileURLToPath(new URL('../../../../test/net/asker.py', import.meta.url));
const ANSWER_TIMEOUT_MS = 15_000;
/** A question that is open for longer than this at the end of a window counts with the time until then. */
const LAST_ANSWER_MS = 200;

/** What asker.py says about one address: see there. */
export interface AskReport {
  readonly asked: number;
  readonly unanswered: number;
  readonly longestWaitMs: number;
  readonly longestPauseMs: number;
  readonly answeredBy: readonly { readonly mac: string; readonly sinceMs: number; readonly answers: number }[];
}

export type AskReports = Readonly<Record<string, AskReport>>;

/** Asks for addresses by ARP and NS, again and again, in the name of a host that has an IPv4 and an IPv6 address. */
export class Asker {
  private readonly process: NetProcess;
  private readonly waiting: ((reports: AskReports) => void)[] = [];
  private onReady: () => void = () => {};

  private constructor(host: Host, addresses: readonly string[], intervalMs: number, prefix: readonly string[]) {
    const { name, mac, addresses: own } = host.interface();
    const source = (six: boolean) =>
      own.find((address) => address.includes(':') === six)?.split('/')[0] ?? (six ? '::' : '0.0.0.0');
    const argv = [
      ...prefix,
      'python3',
      ASKER_PY,
      name,
      String(intervalMs),
      mac,
      source(false),
      source(true),
      ...addresses,
    ];
    this.process = host.spawn(argv, (line) => {
      const message = JSON.parse(line) as { ready?: true; reports?: AskReports };
      if (message.ready) this.onReady();
      if (message.reports) this.waiting.shift()?.(message.reports);
    });
  }

  /**
   * @param intervalMs between two questions for the same address
   * @param prefix goes before the command, such as chrt with its options
   */
  static async start(
    host: Host,
    addresses: readonly string[],
    intervalMs = 5,
    prefix: readonly string[] = UNDISTURBED,
  ): Promise<Asker> {
    const asker = new Asker(host, addresses, intervalMs, prefix);
    await asker.within('ready', (resolve: (value: null) => void) => {
      asker.onReady = () => resolve(null);
    });
    return asker;
  }

  /** About the questions asked in [from, to), by address. Times as monotonicMs() of lab/monotonic. */
  async reports(from: number, to: number): Promise<AskReports> {
    await delay(Math.max(0, to + LAST_ANSWER_MS - monotonicMs()));
    this.process.write(`${JSON.stringify({ report: [from, to] })}\n`);
    return this.within('reports', (resolve: (reports: AskReports) => void) => this.waiting.push(resolve));
  }

  async stop(): Promise<void> {
    await this.process.finish();
  }

  private within<T>(what: string, wait: (resolve: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new Error(`asker.py: no ${what}: ${this.process.lastOutput}`));
      const timer = setTimeout(fail, ANSWER_TIMEOUT_MS);
      wait((value) => {
        clearTimeout(timer);
        resolve(value);
      });
    });
  }
}
