import type { EventQueue, Timer } from './event_queue.js';

/** Beyond this a frozen machine's receive rings are full. */
const RING_FRAMES = 512;

/**
 * A computer that can stand still as a whole (VM stop), with a monotonic clock of its own, which may stand still as
 * well, and a wall clock that anybody may set.
 */
export class Machine {
  frozen = false;
  /** Without power nothing runs and nothing is forwarded. */
  powered = true;
  /** Of the wall clock, against the world's. */
  wallSkewMs = 0;
  #offsetMs: number;
  #frozenMs = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #ring: (() => void)[] = [];

  constructor(
    readonly queue: EventQueue,
    offsetMs: number,
  ) {
    this.#offsetMs = offsetMs;
  }

  /** CLOCK_MONOTONIC. */
  get nowMs(): number {
    return this.queue.nowMs + this.#offsetMs;
  }

  get wallMs(): number {
    return 1_790_000_000_000 + this.queue.nowMs + this.wallSkewMs;
  }

  /** Runs after so long on this machine's clock; late if it stands still then. */
  later(delayMs: number, run: () => void, timer: Timer = { cancelled: false }): Timer {
    if (this.frozen) {
      // What comes to a machine that stands still is noticed when it goes on, whatever its clock did meanwhile.
      this.#waiting.push(() => this.later(delayMs, run, timer));
      return timer;
    }
    const dueMs = this.nowMs + delayMs;
    const fire = (): void => {
      if (timer.cancelled || !this.powered) return;
      if (this.frozen) {
        this.#waiting.push(fire);
        return;
      }
      // The clock stood still with the machine.
      const restMs = dueMs - this.nowMs;
      if (restMs > 1e-6) this.queue.after(restMs, fire);
      else run();
    };
    this.queue.after(delayMs, fire);
    return timer;
  }

  /** A frame has arrived. */
  receive(handle: () => void): void {
    if (!this.powered) return;
    if (!this.frozen) handle();
    else if (this.#ring.length < RING_FRAMES) this.#ring.push(handle);
  }

  freeze(): void {
    this.frozen = true;
    this.#frozenMs = this.queue.nowMs;
  }

  /**
   * `beforeFrames` learns how long the clock says that it was, before anything that waited happens.
   * @param clockStood whether the monotonic clock did not notice either
   */
  thaw(clockStood: boolean, beforeFrames: (pauseMs: number) => void): void {
    if (!this.frozen) return;
    const pauseMs = this.queue.nowMs - this.#frozenMs;
    this.frozen = false;
    if (clockStood) this.#offsetMs -= pauseMs;
    if (!this.powered) return;
    beforeFrames(clockStood ? 0 : pauseMs);
    for (const handle of this.#ring.splice(0)) handle();
    for (const fire of this.#waiting.splice(0)) fire();
  }

  powerOff(): void {
    this.powered = false;
    this.frozen = false;
    this.#ring.length = 0;
    this.#waiting.length = 0;
  }
}
