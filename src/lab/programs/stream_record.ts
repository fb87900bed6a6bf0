import type { AnsweredBy, StreamReport } from './protocol.js';

const FIRST_CAPACITY = 4096;
const NOBODY = -1;

function grown(values: Float64Array): Float64Array {
  const larger = new Float64Array(values.length * 2);
  larger.set(values);
  return larger;
}

/** The datagrams sent to one address, by number, and what came back. */
export class StreamRecord {
  private sentMs: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** NaN: not answered. */
  private answeredMs: Float64Array = new Float64Array(FIRST_CAPACITY);
  private answeredBy: Int16Array = new Int16Array(FIRST_CAPACITY);
  private count = 0;
  private readonly nodes: string[] = [];

  /** Returns the number of the datagram. */
  sent(atMs: number): number {
    if (this.count === this.sentMs.length) {
      this.sentMs = grown(this.sentMs);
      this.answeredMs = grown(this.answeredMs);
      const larger = new Int16Array(this.sentMs.length);
      larger.set(this.answeredBy);
      this.answeredBy = larger;
    }
    const number = this.count;
    this.sentMs[number] = atMs;
    this.answeredMs[number] = Number.NaN;
    this.answeredBy[number] = NOBODY;
    this.count += 1;
    return number;
  }

  /** The first answer to a datagram counts. */
  answered(number: number, node: string, atMs: number): void {
    if (number >= this.count || this.answeredBy[number] !== NOBODY) return;
    let index = this.nodes.indexOf(node);
    if (index < 0) index = this.nodes.push(node) - 1;
    this.answeredMs[number] = atMs;
    this.answeredBy[number] = index;
  }

  report(fromMs: number, toMs: number): StreamReport {
    const first = this.firstAt(fromMs);
    const end = this.firstAt(toMs);
    const answers: number[] = [];
    const answeredBy: { -readonly [K in keyof AnsweredBy]: AnsweredBy[K] }[] = [];
    let longestPauseMs = 0;
    for (let number = first; number < end; number += 1) {
      const sentMs = this.sentMs[number] as number;
      if (number > first) longestPauseMs = Math.max(longestPauseMs, sentMs - (this.sentMs[number - 1] as number));
      const by = this.answeredBy[number] as number;
      if (by === NOBODY) continue;
      answers.push(this.answeredMs[number] as number);
      const node = this.nodes[by] as string;
      const last = answeredBy.at(-1);
      if (last?.node === node) last.packets += 1;
      else answeredBy.push({ node, sinceMs: sentMs, packets: 1 });
    }
    answers.sort((a, b) => a - b);
    const edges = [fromMs, ...answers, Math.max(toMs, answers.at(-1) ?? toMs)];
    const longestGapMs = edges.reduce((longest, at, index) => Math.max(longest, at - (edges[index - 1] ?? at)), 0);
    const sent = end - first;
    return {
      sent,
      lost: sent - answers.length,
      firstAnswerMs: answers[0] ?? null,
      longestGapMs,
      longestPauseMs,
      answeredBy,
    };
  }

  /** Number of the first datagram sent at or after a time. */
  private firstAt(atMs: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.sentMs[middle] as number) < atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
