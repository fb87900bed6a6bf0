// Datagrams of clients to service IPs for minutes, beside datagrams to the pods' own addresses on the same way through the same
// nodes: what both lose in one second the machine has lost, not Arpeggio. And questions by ARP and NS: a client that knows the way
// would not notice for long that nobody answers any more.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { BACKEND_PORT } from '../../../src/lab/backend.js';
import { LabClient } from '../../../src/lab/client.js';
import type { Bed } from '../../../src/lab/kubernetes/bed.js';
import { CLIENT_NAMES, type NodeName } from '../../../src/lab/kubernetes/stage.js';
import { STRAIGHT, sendBeside } from '../../../src/lab/kubernetes/straight.js';
import { monotonicMs } from '../../../src/lab/monotonic.js';
import type { StreamReport } from '../../../src/lab/programs/protocol.js';
import { Asker } from '../../net/harness/asker.js';

const INTERVAL_MS = 10;
const SECOND_MS = 1000;
const WARM_UP_MS = 500;
/** Far more than any failover takes: this machine may be busy, and the thread that answers has no priority here. */
const SILENCE_LIMIT_MS = 2000;

/** What clients saw of some addresses. */
export interface Witnessed {
  readonly sent: number;
  /** Datagrams that never came back, of seconds in which all came back from the pods' own addresses. */
  readonly lost: number;
  /** The longest time without an answer of an address that lost any; 0 where none did. */
  readonly longestGapMs: number;
  readonly seconds: number;
  /** Seconds in which datagrams from the pods' own addresses were lost too. */
  readonly disturbedSeconds: number;
  /** The longest time from a question by ARP or NS to the next answer. */
  readonly silentMs: number;
  /** "client address since ... ms: n lost", for a message. */
  readonly losses: readonly string[];
}

export interface Question {
  /** Default all. */
  readonly addresses?: readonly string[];
  /** A node that is down: what comes through it says nothing about the machine. */
  readonly dead?: NodeName;
}

export class Traffic {
  private constructor(
    private readonly clients: readonly LabClient[],
    private readonly asker: Asker,
    private readonly addresses: readonly string[],
  ) {}

  /** Both clients send to each address every 10 ms from now on. */
  static async start(bed: Bed, addresses: readonly string[]): Promise<Traffic> {
    const clients = CLIENT_NAMES.map((name) => new LabClient(bed.host(name), BACKEND_PORT, INTERVAL_MS));
    const asker = await Asker.start(bed.host('client-2'), addresses, INTERVAL_MS);
    const traffic = new Traffic(clients, asker, addresses);
    try {
      await sendBeside(clients, addresses);
      // Neighbours are resolved, conntrack knows the streams.
      await delay(WARM_UP_MS);
      return traffic;
    } catch (error) {
      await traffic.stop();
      throw error;
    }
  }

  /** What became of the datagrams sent in [fromMs, toMs). */
  async seen(fromMs: number, toMs: number, { addresses = this.addresses, dead }: Question = {}): Promise<Witnessed> {
    let [sent, lost, longestGapMs, seconds, disturbedSeconds] = [0, 0, 0, 0, 0];
    const losses: string[] = [];
    const straight = STRAIGHT.filter(({ node }) => node !== dead).map(({ address }) => address);
    for (let beginMs = fromMs; beginMs < toMs; beginMs += SECOND_MS) {
      const endMs = Math.min(toMs, beginMs + SECOND_MS);
      seconds += 1;
      const reports = await this.reports(beginMs, endMs);
      const disturbed = reports.some((of) => straight.some((address) => of(address).lost > 0));
      if (disturbed) disturbedSeconds += 1;
      for (const [index, of] of reports.entries()) {
        for (const address of addresses) {
          const { sent: asked, lost: missing } = of(address);
          sent += asked;
          if (missing === 0 || disturbed) continue;
          lost += missing;
          losses.push(`${CLIENT_NAMES[index]} ${address} from ${Math.round(beginMs - fromMs)} ms: ${missing} lost`);
        }
      }
    }
    for (const of of await this.reports(fromMs, toMs))
      for (const address of addresses)
        if (of(address).lost > 0) longestGapMs = Math.max(longestGapMs, of(address).longestGapMs);
    const asked = await this.asker.reports(fromMs, toMs);
    const silentMs = Math.max(...addresses.map((address) => asked[address]?.longestWaitMs ?? Number.POSITIVE_INFINITY));
    return { sent, lost, longestGapMs, silentMs, seconds, disturbedSeconds, losses };
  }

  /** {@link seen} while `act` happens and `afterMs` more. */
  async during(act: () => Promise<unknown>, afterMs: number, question: Question = {}): Promise<Witnessed> {
    const fromMs = monotonicMs();
    await act();
    await delay(afterMs);
    return this.seen(fromMs, monotonicMs(), question);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.clients, this.asker].map((part) => part.stop()));
  }

  private async reports(fromMs: number, toMs: number): Promise<((address: string) => StreamReport)[]> {
    const all = await Promise.all(this.clients.map((client) => client.reports(fromMs, toMs)));
    return all.map((byAddress) => (address: string) => byAddress[address] as StreamReport);
  }
}

/** Fails where anything was lost that the machine did not lose, and where the machine was too busy to tell. */
export function assertNothingLost(witnessed: Witnessed, when: string): void {
  const { sent, losses, silentMs, seconds, disturbedSeconds } = witnessed;
  assert.ok(sent > 0, `${when}: nothing was sent`);
  assert.deepEqual(losses, [], when);
  assert.ok(silentMs < SILENCE_LIMIT_MS, `${when}: nobody answered for ${silentMs} ms`);
  assert.ok(disturbedSeconds <= seconds / 2, `${when}: ${disturbedSeconds} of ${seconds} s tell nothing`);
}
