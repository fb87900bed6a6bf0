// `curl` on the clients, again and again, each time with a connection of its own.
import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from '../../../src/lab/kubernetes/bed.js';
import { CLIENT_NAMES } from '../../../src/lab/kubernetes/stage.js';
import { monotonicMs } from '../../../src/lab/monotonic.js';
import type { NetProcess } from '../../../src/lab/net_process.js';

const PAUSE_SECONDS = 0.1;
/** More than any test needs: a loop that nobody ends does not go on for ever. */
const MOST = 20_000;
const FIRST_ANSWERS_MS = 10_000;

// $1 is the URL, $2 the time that a connection may take; curl's own exit code goes to standard output, 0 for an answer.
const LOOP = `
n=0
while [ $n -lt ${MOST} ]; do
  curl --silent --fail --output /dev/null --globoff --connect-timeout "$2" --max-time 5 --write-out '%{exitcode}\\n' "$1" || :
  n=$((n + 1))
  sleep ${PAUSE_SECONDS}
done
`;

/** What the loops saw meanwhile. */
export interface Curled {
  readonly answered: number;
  /** No connection came about. */
  readonly unreached: number;
  /**
   * A connection ended without an answer. One that is under way while its address moves does: what kube-proxy knows of it is on
   * the old node.
   */
  readonly broken: number;
  /** The longest time between two answers to one loop. */
  readonly longestGapMs: number;
}

/** Of curl(1), "EXIT CODES": failed to connect, and timed out. */
const NOT_CONNECTED = new Set([7, 28]);

interface Answer {
  readonly atMs: number;
  readonly exitCode: number;
}

const isServed = ({ exitCode }: Answer) => exitCode === 0;

interface Loop {
  readonly process: NetProcess;
  readonly answers: Answer[];
}

export class CurlLoad {
  private constructor(private readonly loops: readonly Loop[]) {}

  /**
   * Begins on both clients and waits until each has an answer from each address.
   * @param connectSeconds a connection that takes longer has failed; Linux repeats a SYN after a second.
   */
  static async start(bed: Bed, addresses: readonly string[], connectSeconds: number): Promise<CurlLoad> {
    const loops = CLIENT_NAMES.flatMap((client) =>
      addresses.map((address): Loop => {
        const answers: Answer[] = [];
        const url = address.includes(':') ? `http://[${address}]/` : `http://${address}/`;
        const process = bed
          .host(client)
          .spawn(['sh', '-c', LOOP, 'sh', url, String(connectSeconds)], (line) =>
            answers.push({ atMs: monotonicMs(), exitCode: Number(line) }),
          );
        return { process, answers };
      }),
    );
    const load = new CurlLoad(loops);
    const deadline = monotonicMs() + FIRST_ANSWERS_MS;
    while (!loops.every(({ answers }) => answers.some(isServed))) {
      if (monotonicMs() > deadline) {
        await load.stop();
        throw new Error('curl gets no answer from some address');
      }
      await delay(20);
    }
    return load;
  }

  /** What was answered in [fromMs, toMs); waits for what was asked until then. */
  async seen(fromMs: number, toMs: number): Promise<Curled> {
    await delay(Math.max(0, toMs + 2000 * PAUSE_SECONDS - monotonicMs()));
    let [answered, unreached, broken, longestGapMs] = [0, 0, 0, 0];
    for (const { answers } of this.loops) {
      const inside = answers.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
      const served = inside.filter(isServed);
      const without = inside.filter(({ exitCode }) => NOT_CONNECTED.has(exitCode)).length;
      answered += served.length;
      unreached += without;
      broken += inside.length - served.length - without;
      const edges = [fromMs, ...served.map(({ atMs }) => atMs), toMs];
      for (const [index, atMs] of edges.entries())
        longestGapMs = Math.max(longestGapMs, atMs - (edges[index - 1] ?? atMs));
    }
    return { answered, unreached, broken, longestGapMs };
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map(({ process }) => process.stop('SIGKILL')));
  }
}
