import type { Logger } from '../log.js';
import type { Address } from '../net/address.js';
import type { ResponderEvent } from '../responder/types.js';
import type { Effect } from '../speaker.js';
import type { MoveStatus } from '../status/schema.js';

export type Moved = Extract<Effect, { type: 'moved' }>;
type Took = Extract<ResponderEvent, { type: 'took' }>;
type Confirmed = Extract<ResponderEvent, { type: 'confirmed' }>;

/** An announcement whose clients are asked to follow. */
export interface Announced {
  readonly interfaceName: string;
  readonly addresses: readonly Address[];
  /** As `confirmed` events tell it again. */
  readonly number: number;
}

interface Counts {
  readonly asked: number;
  readonly confirmed: number;
  readonly final: boolean;
}

interface Move {
  readonly interfaceName: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly addresses: Set<Address>;
  readonly atMs: number;
  lastMs: number;
  why: string;
  afterMs: number | null;
  /** By cause, as keyOf() writes it; null until the first news. */
  readonly clients: Map<string, Counts | null>;
  told: boolean;
}

/** What follows each other within this time is one move: thousands of addresses come in many messages. */
const MERGE_MS = 200;
/** Nobody owns an address for a moment until its next owner is heard: that is one move too. */
const GAP_MS = 2_000;
/** The packet thread asks clients for 1.5 s; somewhat later there is no more to come. */
const CONFIRM_MS = 2_500;
const MAX_MOVES = 20;
const MAX_NAMED = 5;

export interface MoveRecordOptions {
  /** This node. */
  readonly node: string;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Calls `act` once, later. */
  readonly after: (ms: number, act: () => void) => void;
}

/** The changes of ownership that this node made or heard of: a line of the log for each, the last ones for the status. */
export class MoveRecord {
  readonly #options: MoveRecordOptions;
  /** The newest last. */
  #moves: Move[] = [];

  constructor(options: MoveRecordOptions) {
    this.#options = options;
  }

  /** What one step of the speaker brought. */
  add(moved: readonly Moved[], announced: readonly Announced[]): void {
    for (const { interfaceName, addresses, from, to, why } of moved) {
      for (const address of addresses) {
        const before = from ?? this.#resume(interfaceName, address);
        // A first claim moves nothing away from anybody.
        if (before !== null && before !== to) this.#moveOf(interfaceName, before, to, why).addresses.add(address);
      }
    }
    for (const { interfaceName, addresses, number } of announced) {
      const move = this.#moves.findLast(
        (candidate) =>
          this.#isOpenHere(candidate, interfaceName) && addresses.some((address) => candidate.addresses.has(address)),
      );
      move?.clients.set(keyOf('announce', number), null);
    }
  }

  /** The packet thread has taken addresses over by itself; the speaker says so too, before or after. */
  took({ interfaceName, node, addresses, afterMs, number }: Took): void {
    for (const address of addresses) this.#resume(interfaceName, address);
    const move = this.#moveOf(interfaceName, node, this.#options.node, `${node} is down`);
    for (const address of addresses) move.addresses.add(address);
    move.afterMs ??= afterMs;
    move.clients.set(keyOf('took', number), null);
  }

  confirmed({ interfaceName, cause, number, clients, confirmed, final }: Confirmed): void {
    const key = keyOf(cause, number);
    const move = this.#moves.findLast(
      (candidate) => candidate.interfaceName === interfaceName && candidate.clients.has(key),
    );
    if (!move) return;
    move.clients.set(key, { asked: clients, confirmed, final });
    this.#tellIfDue(move);
  }

  /** The node that lost the address just now, where nobody had it since; the loss is no move of its own then. */
  #resume(interfaceName: string, address: Address): string | null {
    const loss = this.#moves.findLast(
      (move) =>
        !move.told && move.to === null && move.interfaceName === interfaceName && move.addresses.delete(address),
    );
    if (!loss) return null;
    if (loss.addresses.size === 0) {
      loss.told = true;
      this.#moves = this.#moves.filter((move) => move !== loss);
    }
    return loss.from;
  }

  /** Newest first. */
  list(iso: (monotonicMs: number) => string): MoveStatus[] {
    return this.#moves.toReversed().map((move) => {
      const { atMs, interfaceName, addresses, from, to, why, afterMs } = move;
      return {
        time: iso(atMs),
        interface: interfaceName,
        count: addresses.size,
        addresses: firstOf(addresses),
        from,
        to,
        reason: why,
        afterMs,
        clients: countsOf(move),
      };
    });
  }

  /** Writes what waits for confirmations. */
  flush(): void {
    for (const move of this.#moves) this.#tell(move);
  }

  #moveOf(interfaceName: string, from: string | null, to: string | null, why: string): Move {
    const { nowMs, after } = this.#options;
    const now = nowMs();
    const open = this.#moves.findLast(
      (move) =>
        !move.told &&
        move.interfaceName === interfaceName &&
        move.from === from &&
        move.to === to &&
        now - move.lastMs <= MERGE_MS,
    );
    if (open) {
      open.lastMs = now;
      return open;
    }
    const move: Move = {
      interfaceName,
      from,
      to,
      why,
      addresses: new Set(),
      atMs: now,
      lastMs: now,
      afterMs: null,
      clients: new Map(),
      told: false,
    };
    this.#moves = [...this.#moves.slice(1 - MAX_MOVES), move];
    const check = (): void => {
      this.#tellIfDue(move);
      if (!move.told) after(MERGE_MS, check);
    };
    after(MERGE_MS, check);
    return move;
  }

  #isOpenHere(move: Move, interfaceName: string): boolean {
    return !move.told && move.interfaceName === interfaceName && move.to === this.#options.node;
  }

  #tellIfDue(move: Move): void {
    const ageMs = this.#options.nowMs() - move.lastMs;
    if (ageMs < (move.to === null ? GAP_MS : MERGE_MS)) return;
    const waits = move.to === this.#options.node && !isFinal(move) && ageMs < CONFIRM_MS;
    if (!waits) this.#tell(move);
  }

  #tell(move: Move): void {
    if (move.told || move.addresses.size === 0) return;
    move.told = true;
    const { interfaceName, addresses, from, to, afterMs, why } = move;
    const clients = countsOf(move);
    this.#options.log.info(
      {
        interface: interfaceName,
        from,
        to,
        count: addresses.size,
        addresses: firstOf(addresses),
        reason: why,
        ...(afterMs !== null && { afterMs: Math.round(afterMs) }),
        ...(clients && { clients }),
      },
      moveText(move, this.#options.node),
    );
  }
}

/** `took 3 addresses from host-a in 128 ms, 41/42 clients confirmed`. */
function moveText(move: Move, node: string): string {
  const { addresses, from, to, afterMs, interfaceName, why } = move;
  const [first = ''] = addresses;
  const what = addresses.size === 1 ? first : `${addresses.size} addresses`;
  if (to === node) {
    const clients = countsOf(move);
    const within = afterMs === null ? '' : ` in ${Math.round(afterMs)} ms`;
    const followed = clients && clients.asked > 0 ? `, ${clients.confirmed}/${clients.asked} clients confirmed` : '';
    return `took ${what} from ${from}${within}${followed}`;
  }
  if (from === node && to === null) return `gave up ${what} (${why})`;
  if (from === node)
    return why === `handed over to ${to}` ? `handed over ${what} to ${to}` : `yielded ${what} to ${to} (${why})`;
  return to === null
    ? `${from} gave up ${what} on ${interfaceName}`
    : `${to} took ${what} from ${from} on ${interfaceName}`;
}

function keyOf(cause: Confirmed['cause'], number: number): string {
  return `${cause} ${number}`;
}

function isFinal({ clients }: Move): boolean {
  return clients.size > 0 && [...clients.values()].every((counts) => counts?.final === true);
}

function countsOf({ clients }: Move): { asked: number; confirmed: number } | null {
  let asked = 0;
  let confirmed = 0;
  let known = false;
  for (const counts of clients.values()) {
    if (!counts) continue;
    known = true;
    asked += counts.asked;
    confirmed += counts.confirmed;
  }
  return known ? { asked, confirmed } : null;
}

function firstOf(addresses: Iterable<Address>): Address[] {
  return [...addresses].slice(0, MAX_NAMED);
}
