// Watches the clients while something happens, and tells what they saw.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../src/lab/monotonic.js';
import type { StreamReport } from '../../src/lab/programs/protocol.js';
import type { Asker, AskReport } from '../../test/net/harness/asker.js';
import type { Bed } from './bed.js';
import type { CaseName } from './cases.js';
import type { AnswerSample, Sample } from './results.js';
import { familyOf } from './services.js';
import type { SystemName } from './system.js';

/** Calm is what was calm for so long. */
const CALM_MS = 400;
const STEP_MS = 50;
const SETTLE_LIMIT_MS = 20_000;
const WATCH_LIMIT_MS = 20_000;

interface Stream {
  readonly client: number;
  readonly address: string;
  readonly report: StreamReport;
}

export interface Question {
  readonly repetition: number;
  readonly system: SystemName;
  readonly case: CaseName;
  readonly owner: string;
  /** The watch goes on for so long at least, and until all is calm. */
  readonly leastMs: number;
}

export class Watch {
  private constructor(
    private readonly bed: Bed,
    private readonly asker: Asker,
  ) {}

  /** From now on the clients send, and the asker asks. */
  static async begin(bed: Bed, addresses: readonly string[]): Promise<Watch> {
    await Promise.all(bed.clients.map((client) => client.stream(...addresses)));
    return new Watch(bed, await bed.ask(addresses));
  }

  /** Whether, sooner or later, every client is served at every address and loses nothing any more. */
  async served(): Promise<boolean> {
    return this.until((streams) => (streams.every(isCalm) ? true : null)).then((calm) => calm ?? false);
  }

  /** The node that serves all addresses to every client, once nothing is lost any more; null when that does not come. */
  async settled(): Promise<string | null> {
    return this.until((streams) => {
      const [owner, ...others] = new Set(streams.map(({ report }) => report.answeredBy.at(-1)?.node));
      return owner !== undefined && others.length === 0 && streams.every(isCalm) ? owner : null;
    });
  }

  /** Has something happen and watches until all is calm again. */
  async during(
    question: Question,
    act: () => Promise<void>,
  ): Promise<{ readonly samples: Sample[]; readonly answers: AnswerSample[] }> {
    const start = monotonicMs();
    await act();
    await delay(Math.max(0, start + question.leastMs - monotonicMs()));
    let calm = false;
    let end = monotonicMs();
    while (!calm && end - start < WATCH_LIMIT_MS) {
      end = monotonicMs();
      calm = (await this.streams(end - CALM_MS, end)).every(isCalm);
    }
    const streams = await this.streams(start, end);
    const asked = await this.asker.reports(start, end);
    const { repetition, system } = question;
    const common = { repetition, system, case: question.case };
    return {
      samples: streams.map(({ client, address, report }) => ({
        ...common,
        client: this.bed.isNear(client, question.owner) ? 'near' : 'far',
        family: familyOf(address),
        sent: report.sent,
        lost: report.lost,
        outageMs: report.lost === 0 ? 0 : report.longestGapMs,
        ownerChanges: Math.max(0, report.answeredBy.length - 1),
        clientPauseMs: report.longestPauseMs,
        calm,
      })),
      answers: Object.entries(asked).map(([address, report]) => ({
        ...common,
        family: familyOf(address),
        longestWaitMs: report.longestWaitMs,
        askerPauseMs: report.longestPauseMs,
        overlapMs: overlapMs(report),
      })),
    };
  }

  private async until<T>(look: (streams: readonly Stream[]) => T | null): Promise<T | null> {
    const deadline = monotonicMs() + SETTLE_LIMIT_MS;
    while (monotonicMs() < deadline) {
      const now = monotonicMs();
      const found = look(await this.streams(now - CALM_MS, now));
      if (found !== null) return found;
      await delay(STEP_MS);
    }
    return null;
  }

  private async streams(from: number, to: number): Promise<Stream[]> {
    const all = await Promise.all(this.bed.clients.map((client) => client.reports(from, to)));
    return all.flatMap((reports, client) =>
      Object.entries(reports).map(([address, report]) => ({ client, address, report })),
    );
  }
}

function isCalm({ report }: Stream): boolean {
  return report.sent > 0 && report.lost === 0 && report.answeredBy.length === 1;
}

/** Who answers in turn with another does so within as long; after that it is another story. */
const APART_MS = 250;

/** How long a node went on answering after the next one had begun, at one occasion. */
export function overlapMs({ answeredBy }: Pick<AskReport, 'answeredBy'>): number {
  let longest = 0;
  for (const [index, { sinceMs }] of answeredBy.entries()) {
    const earlier = answeredBy[index - 1];
    let latestMs = sinceMs;
    for (const later of answeredBy.slice(index)) {
      if (later.sinceMs - latestMs > APART_MS) break;
      latestMs = later.sinceMs;
      if (later.mac === earlier?.mac) longest = Math.max(longest, latestMs - sinceMs);
    }
  }
  return longest;
}
