import type { Membership } from '../membership/membership.js';

/** Before anything is taken: at least so long, and three intervals. */
const LISTEN_MS = 500;
const LISTEN_INTERVALS = 3;
/** How much longer we wait for the claims of a peer that is there but does not tell them. */
const CLAIMS_LIMIT_MS = 2_000;

type Phase =
  /** The interface was never open. */
  | { readonly name: 'closed' }
  | { readonly name: 'listening'; readonly sinceMs: number }
  /** We may have been replaced while we heard nothing; what we own we keep only where nobody better shows. */
  | { readonly name: 'resuming'; readonly sinceMs: number; readonly expected: readonly string[] }
  | { readonly name: 'present' };

type Listening = Exclude<Phase, { readonly name: 'closed' | 'present' }>;
type Expected = ReadonlySet<string> | null;

/** Whether this node may take and answer addresses on a segment, or has to listen first. Pure. */
export class Presence {
  #phase: Phase = { name: 'closed' };
  /** Number of the thread's last hold. */
  #lastHold = 0;
  #liftedHold = 0;

  constructor(private readonly intervalMs: number) {}

  /** Whether this node may answer here; else it listens, or what it owns is on hold. */
  get present(): boolean {
    return this.#phase.name === 'present';
  }

  /** Holds up to this number are to be lifted. */
  get liftedHold(): number {
    return this.#liftedHold;
  }

  opened(nowMs: number): void {
    if (this.#phase.name === 'closed') this.#phase = { name: 'listening', sinceMs: nowMs };
  }

  held(number: number, nowMs: number, members: Membership): void {
    this.#lastHold = number;
    if (this.#phase.name === 'closed' || this.#phase.name === 'listening') {
      this.#phase = { name: 'listening', sinceMs: nowMs };
      return;
    }
    this.#phase = { name: 'resuming', sinceMs: nowMs, expected: members.known() };
  }

  /** What was heard so far does not count: we were silent meanwhile, and others could not tell us anything. */
  listenAnew(nowMs: number): void {
    if (this.#phase.name === 'listening') this.#phase = { name: 'listening', sinceMs: nowMs };
  }

  /**
   * @param expected names of the nodes that take part, as somebody else knows; null: nobody does
   * @param allHeld whether we hold the claims of all that we hear; asked only where it matters, for it looks at each of them
   * @returns whether we have listened long enough just now
   */
  advance(nowMs: number, members: Membership, expected: Expected, allHeld: () => boolean): boolean {
    const phase = this.#phase;
    if (phase.name === 'closed' || phase.name === 'present') return false;
    const listenedMs = nowMs - phase.sinceMs;
    const enough = listenedMs >= this.#listenMs || this.#isEveryoneHeard(phase, listenedMs, members, expected);
    if (!enough || (listenedMs < this.#listenMs + CLAIMS_LIMIT_MS && !allHeld())) return false;
    this.#phase = { name: 'present' };
    this.#liftedHold = this.#lastHold;
    return true;
  }

  nextMs(nowMs: number, members: Membership): number {
    const phase = this.#phase;
    if (phase.name === 'closed' || phase.name === 'present') return Number.POSITIVE_INFINITY;
    const steps = [this.#soonestMs(phase, members), this.#listenMs, this.#listenMs + CLAIMS_LIMIT_MS];
    return phase.sinceMs + (steps.find((stepMs) => phase.sinceMs + stepMs > nowMs) ?? Number.POSITIVE_INFINITY);
  }

  get #listenMs(): number {
    return Math.max(LISTEN_MS, LISTEN_INTERVALS * this.intervalMs);
  }

  /**
   * Who takes part is heard, and hears us: there is nobody to wait for. Where nobody is expected, those who start with us are
   * given their time.
   */
  #isEveryoneHeard(phase: Listening, listenedMs: number, members: Membership, expected: Expected): boolean {
    if (listenedMs < this.#soonestMs(phase, members)) return false;
    if (phase.name === 'resuming') return phase.expected.every((node) => members.isTwoWay(node));
    if (expected === null || expected.size === 0 || !members.everyoneHearsUs) return false;
    for (const node of expected) if (!members.isTwoWay(node)) return false;
    return true;
  }

  /**
   * What a peer said before we heard nothing is old: each has to have spoken again. Of a node that starts nobody knows: whoever is
   * not heard within three intervals would count as gone in any case.
   */
  #soonestMs({ name }: Listening, members: Membership): number {
    const spokenMs = members.acknowledgementMs(this.intervalMs);
    const leastMs = name === 'resuming' ? spokenMs : Math.max(spokenMs, LISTEN_INTERVALS * this.intervalMs);
    return Math.min(this.#listenMs, leastMs);
  }
}
