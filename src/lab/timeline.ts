// What the lab tells: events as they happen, expectations as they are decided, a summary at the end.
import type { Writable } from 'node:stream';

export type Tone = 'plain' | 'good' | 'bad' | 'quiet';

export interface Expectation {
  readonly scene: string;
  /** A sentence that holds or does not. */
  readonly expectation: string;
  readonly held: boolean;
  /** What was measured. */
  readonly figure: string;
}

export interface Summary {
  readonly held: number;
  readonly failed: number;
  /** What could not be tried on this machine, such as "arping (not installed)". */
  readonly notTried: readonly string[];
  readonly seconds: number;
}

/** Receives the lab's story. Times are milliseconds since the lab began. */
export interface Timeline {
  scene(atMs: number, title: string): void;
  event(atMs: number, actor: string, text: string, tone: Tone): void;
  expectation(atMs: number, expectation: Expectation): void;
  summary(expectations: readonly Expectation[], summary: Summary): void;
}

/** One JSON object per line. */
export class JsonTimeline implements Timeline {
  constructor(private readonly out: Writable) {}

  scene(atMs: number, title: string): void {
    this.write({ type: 'scene', atMs, title });
  }

  event(atMs: number, actor: string, text: string): void {
    this.write({ type: 'event', atMs, actor, text });
  }

  expectation(atMs: number, expectation: Expectation): void {
    this.write({ type: 'expectation', atMs, ...expectation });
  }

  summary(_expectations: readonly Expectation[], summary: Summary): void {
    this.write({ type: 'summary', ...summary });
  }

  private write(value: object): void {
    this.out.write(`${JSON.stringify(value)}\n`);
  }
}

const SGR: Readonly<Record<Tone | 'bold', string>> = {
  plain: '',
  good: '\x1b[32m',
  bad: '\x1b[31;1m',
  quiet: '\x1b[2m',
  bold: '\x1b[1m',
};
const RESET = '\x1b[0m';
const ACTOR_WIDTH = 10;

/** Lines for people. */
export class TextTimeline implements Timeline {
  constructor(
    private readonly out: Writable,
    private readonly colour: boolean,
  ) {}

  scene(_atMs: number, title: string): void {
    this.out.write(`\n${this.paint('bold', title)}\n`);
  }

  event(atMs: number, actor: string, text: string, tone: Tone): void {
    this.line(atMs, actor, text, tone);
  }

  expectation(atMs: number, { expectation, held, figure }: Expectation): void {
    this.line(atMs, held ? 'held' : 'FAILED', `${expectation}: ${figure}`, held ? 'good' : 'bad');
  }

  summary(expectations: readonly Expectation[], { held, failed, notTried, seconds }: Summary): void {
    const width = Math.max(...expectations.map(({ expectation }) => expectation.length), 0);
    this.out.write(`\n${this.paint('bold', 'Summary')}\n`);
    let scene = '';
    for (const row of expectations) {
      if (row.scene !== scene) this.out.write(`  ${row.scene}\n`);
      scene = row.scene;
      const result = row.held ? this.paint('good', 'held  ') : this.paint('bad', 'FAILED');
      this.out.write(`    ${result}  ${row.expectation.padEnd(width)}  ${row.figure}\n`);
    }
    for (const name of notTried) this.out.write(`    ${this.paint('quiet', `not tried: ${name}`)}\n`);
    const closing = `${held} expectations held, ${failed} failed, in ${seconds.toFixed(1)} s`;
    this.out.write(`\n${this.paint(failed === 0 ? 'good' : 'bad', closing)}\n`);
  }

  private line(atMs: number, actor: string, text: string, tone: Tone): void {
    const time = `${(atMs / 1000).toFixed(3).padStart(7)} s`;
    this.out.write(`${this.paint('quiet', time)}  ${actor.padEnd(ACTOR_WIDTH)}  ${this.paint(tone, text)}\n`);
  }

  private paint(tone: Tone | 'bold', text: string): string {
    return this.colour && SGR[tone] !== '' ? `${SGR[tone]}${text}${RESET}` : text;
  }
}
