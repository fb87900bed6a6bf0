import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ArpeggioError } from '../errors.js';
import type { Host } from './host.js';
import { monotonicMs } from './monotonic.js';
import { type NetProcess, UNDISTURBED } from './net_process.js';
import type { ClientRequest, ReportAnswer, StreamReport, TcpAnswer } from './programs/protocol.js';

const CLIENT = fileURLToPath(new URL('programs/client.js', import.meta.url));
/** How often a client sends to each address. */
export const STREAM_INTERVAL_MS = 2;
/** An echo that takes longer counts as lost. */
const ECHO_TIMEOUT_MS = 150;
const ANSWER_TIMEOUT_MS = 5000;

/** Linux asks again after a second by default; a client in a hurry sees sooner when somebody begins to answer. */
export const EAGER_RESOLUTION: Readonly<Record<string, string>> = Object.fromEntries(
  ['ipv4', 'ipv6'].flatMap((family) => [
    [`net.${family}.neigh.eth0.retrans_time_ms`, '20'],
    // So that a refresh by unicast has half a second to be answered, as usual.
    [`net.${family}.neigh.eth0.ucast_solicit`, '25'],
  ]),
);

type Question = ClientRequest extends infer R ? (R extends ClientRequest ? Omit<R, 'id'> : never) : never;

/** A host that uses the services: resolves addresses by its own kernel and talks to the backend behind them. */
export class LabClient {
  private readonly process: NetProcess;
  private readonly answers = new Map<number, (answer: never) => void>();
  private lastId = 0;

  constructor(
    readonly host: Host,
    port: number,
    intervalMs = STREAM_INTERVAL_MS,
  ) {
    const argv = [...UNDISTURBED, process.execPath, CLIENT, String(port), String(intervalMs)];
    this.process = host.spawn(argv, (line) => {
      const answer = JSON.parse(line) as { id: number };
      this.answers.get(answer.id)?.(answer as never);
      this.answers.delete(answer.id);
    });
  }

  get name(): string {
    return this.host.name;
  }

  /** Sends a datagram to each address every `intervalMs` from now on. */
  async stream(...addresses: readonly string[]): Promise<void> {
    await this.ask<object>({ do: 'stream', addresses });
  }

  /** Sends nothing any more, and forgets what was sent. */
  async silence(): Promise<void> {
    await this.ask<object>({ do: 'silence' });
  }

  /**
   * What became of the datagrams sent in [from, to), by address; waits until all could have come back. Times as
   * monotonicMs() of lab/monotonic.
   */
  async reports(from: number, to: number): Promise<Readonly<Record<string, StreamReport>>> {
    await delay(Math.max(0, to + ECHO_TIMEOUT_MS - monotonicMs()));
    const { reports } = await this.ask<ReportAnswer>({ do: 'report', from, to });
    return reports;
  }

  /** {@link reports} for one address that is sent to. */
  async report(address: string, from: number, to: number): Promise<StreamReport> {
    const report = (await this.reports(from, to))[address];
    if (report === undefined)
      throw new ArpeggioError('ERR_INVALID_ARGUMENT', `${this.name} sends nothing to ${address}`);
    return report;
  }

  /** When the first echo of a datagram sent at or after `from` arrived; null when none does within `timeoutMs`. */
  async firstEcho(address: string, from: number, timeoutMs: number): Promise<number | null> {
    for (;;) {
      const now = monotonicMs();
      const { reports } = await this.ask<ReportAnswer>({ do: 'report', from, to: now });
      const firstAnswerMs = reports[address]?.firstAnswerMs ?? null;
      if (firstAnswerMs !== null || now > from + timeoutMs) return firstAnswerMs;
      await delay(10);
    }
  }

  /** A TCP connection to the backend; null when what came back was what was sent, else why not. */
  async tcp(address: string): Promise<string | null> {
    return (await this.ask<TcpAnswer>({ do: 'tcp', address })).error;
  }

  stop(): Promise<unknown> {
    return this.process.finish();
  }

  private ask<T>(question: Question): Promise<T> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.answers.delete(id);
        const output = this.process.lastOutput;
        reject(new ArpeggioError('ERR_SYSTEM', `the client program on ${this.name} does not respond: ${output}`));
      }, ANSWER_TIMEOUT_MS);
      this.answers.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.process.write(`${JSON.stringify({ ...question, id })}\n`);
    });
  }
}
