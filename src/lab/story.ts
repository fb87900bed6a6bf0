// What a lab tells and expects while scenes are played on it.
import { setTimeout as delay } from 'node:timers/promises';
import type { LogLine } from './arpeggio_node.js';
import type { LabClient } from './client.js';
import { runCommand } from './command.js';
import type { Expectation, Timeline, Tone } from './timeline.js';

/** States of an address on its way to be owned: three nodes have many. */
const UNEVENTFUL = new Set(['waiting', 'standby', 'tentative', 'newcomer', 'owned']);

const ASKED_MS = 200;

export interface Scene<Stage> {
  readonly title: string;
  play(stage: Stage): Promise<void>;
}

export abstract class Story {
  readonly expectations: Expectation[] = [];
  readonly notTried: string[] = [];
  private readonly startedAt = Date.now();
  private over = false;
  private title = '';

  protected constructor(private readonly timeline: Timeline) {}

  /** One on each switch. */
  abstract get clients(): readonly LabClient[];

  tell(actor: string, text: string, tone: Tone = 'plain'): void {
    this.timeline.event(this.elapsedMs(), actor, text, tone);
  }

  /** Records whether something that had to hold did. */
  expect(expectation: string, held: boolean, figure: string): void {
    const row: Expectation = { scene: this.title, expectation, held, figure };
    this.expectations.push(row);
    this.timeline.expectation(this.elapsedMs(), row);
  }

  /** Every client asks anew who has the addresses: a node that has just started hears of them. */
  async askAnew(): Promise<void> {
    this.tell('clients', 'ask anew for the MACs, so that a node that has just started knows whom to inform');
    await Promise.all(this.clients.map(({ host }) => host.batch(['neigh flush dev eth0'])));
    await delay(ASKED_MS);
  }

  /** Asks again and again until the answer is yes; resolves with the time it took, null after `timeoutMs`. */
  async until(condition: () => Promise<boolean>, timeoutMs: number, stepMs = 20): Promise<number | null> {
    const start = performance.now();
    for (;;) {
      if (await condition()) return Math.round(performance.now() - start);
      if (performance.now() - start > timeoutMs) return null;
      await delay(stepMs);
    }
  }

  /** Whether a program is there on this machine; if not, the summary says that it was not tried. */
  async isInstalled(program: string): Promise<boolean> {
    const { code } = await runCommand(['sh', '-c', `command -v ${program}`], { allowFailure: true });
    if (code !== 0) {
      this.notTried.push(`${program} (not installed)`);
      this.tell('lab', `${program} is not installed: not tried`, 'quiet');
    }
    return code === 0;
  }

  /** Scenes of `stage`, in order. One that breaks off counts as a failed expectation, and those after it are not played. */
  protected async playAll<Stage>(scenes: readonly Scene<Stage>[], stage: Stage): Promise<void> {
    for (const scene of scenes) {
      this.title = scene.title;
      this.timeline.scene(this.elapsedMs(), scene.title);
      try {
        await scene.play(stage);
      } catch (error) {
        this.expect('the scene is played to its end', false, error instanceof Error ? error.message : String(error));
        break;
      }
    }
    const failed = this.expectations.filter(({ held }) => !held).length;
    const held = this.expectations.length - failed;
    const seconds = this.elapsedMs() / 1000;
    this.over = true;
    this.timeline.summary(this.expectations, { held, failed, notTried: this.notTried, seconds });
  }

  /** What a speaker or a controller logs, as far as it tells something. */
  protected tellLog(actor: string, { level, msg, to }: LogLine): void {
    if (this.over || (to !== undefined && UNEVENTFUL.has(to))) return;
    const bad = level === 'error' || level === 'fatal';
    this.tell(actor, msg, bad ? 'bad' : 'quiet');
  }

  private elapsedMs(): number {
    return Date.now() - this.startedAt;
  }
}
