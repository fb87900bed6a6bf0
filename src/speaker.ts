import { Claim, type ClaimAction, type ClaimContext, type ClaimState } from './claim/claim.js';
import { FIRST_CLAIM_SCHEDULE, type Schedule, SINGLE_SCHEDULE } from './claim/timing.js';
import { type DesiredAddress, type DesiredState, desiredAddresses, type Probing } from './desired/desired.js';
import type { Address } from './net/address.js';
import type { RivalKind, Table } from './responder/types.js';
import { tableOf } from './table/table.js';

/** What happens to a speaker. */
export type SpeakerEvent =
  /** The complete wish of the source, and the interfaces it may use, in the node's order. */
  | { readonly type: 'desired'; readonly desired: DesiredState; readonly interfaces: readonly string[] }
  /** The interfaces that can carry frames now. */
  | { readonly type: 'usable'; readonly interfaces: ReadonlySet<string> }
  | {
      readonly type: 'rival';
      readonly kind: RivalKind;
      readonly address: Address;
      readonly interfaceName: string;
      readonly mac: string;
    }
  /** The addresses of the `serve` effect with this number are in place, and of all before it. */
  | { readonly type: 'served'; readonly generation: number }
  /** The time that `nextMs` named has come. */
  | { readonly type: 'tick' }
  /** Give up everything, in order. */
  | { readonly type: 'stop' };

/** What a speaker wants done. Carried out in order: a table is in force before what it answers is announced. */
export type Effect =
  | { readonly type: 'publish'; readonly table: Table }
  | {
      readonly type: 'probe';
      readonly interfaceName: string;
      readonly addresses: readonly Address[];
      readonly offsetsMs: readonly number[];
    }
  | {
      readonly type: 'announce';
      readonly interfaceName: string;
      readonly addresses: readonly Address[];
      readonly schedule: Schedule;
      /** False: a refresh, which waits for everything else. */
      readonly urgent: boolean;
    }
  /** The addresses whose traffic this node should serve: all of them, each time they change. */
  | { readonly type: 'serve'; readonly generation: number; readonly addresses: readonly Address[] }
  /** A claim changed its state, or the reason for it: for logs and events. */
  | {
      readonly type: 'changed';
      readonly address: Address;
      readonly interfaceName: string;
      readonly from: ClaimState;
      readonly to: ClaimState;
      readonly reason: string;
      readonly rivalMac: string | null;
    };

export interface SpeakerOptions {
  /** 0 <= random() < 1; the simulator's is seeded. */
  readonly random: () => number;
}

type Announcement = Extract<ClaimAction, { type: 'announce' }>['why'];

const ANNOUNCEMENTS: Record<Announcement, { schedule: Schedule; urgent: boolean }> = {
  'first-claim': { schedule: FIRST_CLAIM_SCHEDULE, urgent: true },
  defence: { schedule: SINGLE_SCHEDULE, urgent: true },
  refresh: { schedule: SINGLE_SCHEDULE, urgent: false },
};

/**
 * Every decision of a node: which addresses it claims, answers, announces, defends and holds back. Does no I/O and
 * reads no clock: `step(event, nowMs)` returns what is to be done. `nowMs` is monotonic and never goes back.
 */
export class Speaker {
  readonly #random: () => number;
  #probing: Probing = 'fast';
  #interfaces: readonly string[] = [];
  #usable: ReadonlySet<string> = new Set();
  #desired: ReadonlyMap<Address, DesiredAddress> = new Map();
  #claims = new Map<Address, readonly Claim[]>();
  /** The `serve` effect from which on an address is in place. */
  readonly #serveGeneration = new Map<Address, number>();
  #generation = 0;
  #servedGeneration = 0;
  #stopped = false;

  constructor(options: SpeakerOptions) {
    this.#random = options.random;
  }

  get desired(): ReadonlyMap<Address, DesiredAddress> {
    return this.#desired;
  }

  /** The claims of every desired address, one for each interface it may be announced on. */
  get claims(): ReadonlyMap<Address, readonly Claim[]> {
    return this.#claims;
  }

  get interfaces(): readonly string[] {
    return this.#interfaces;
  }

  /** When the next `tick` is due; null when only events matter. */
  nextMs(): number | null {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const claim of this.#all()) dueMs = Math.min(dueMs, claim.dueMs);
    return Number.isFinite(dueMs) ? dueMs : null;
  }

  step(event: SpeakerEvent, nowMs: number): Effect[] {
    // A link or a configuration that changes while the process ends must not begin anything.
    if (this.#stopped) return [];
    const step = new Step();
    const tableChanged = this.#handle(event, nowMs, step);
    // Nothing else changes what is to be served, and to find out takes a look at every address.
    const serve = event.type === 'desired' || step.conflictsChanged ? this.#serve() : null;
    return [
      ...(serve ? [serve] : []),
      ...(tableChanged || step.answersChanged
        ? [{ type: 'publish' as const, table: tableOf(this.#interfaces, this.#claims) }]
        : []),
      ...step.effects(),
    ];
  }

  /** Returns whether the table's addresses or interfaces changed. */
  #handle(event: SpeakerEvent, nowMs: number, step: Step): boolean {
    switch (event.type) {
      case 'desired':
        this.#setDesired(event.desired, event.interfaces, nowMs);
        this.#advanceAll(nowMs, step, () => true);
        return true;
      case 'usable':
        this.#usable = event.interfaces;
        this.#advanceAll(nowMs, step, ({ state }) => state === 'waiting' || state === 'probing');
        return false;
      case 'served':
        this.#servedGeneration = Math.max(this.#servedGeneration, event.generation);
        this.#advanceAll(nowMs, step, ({ state }) => state === 'probing');
        return false;
      case 'rival': {
        const claim = this.#claims
          .get(event.address)
          ?.find(({ interfaceName }) => interfaceName === event.interfaceName);
        if (claim) {
          step.run(claim, () => claim.rival(event.kind, event.mac, nowMs, this.#contextOf(claim)));
        }
        return false;
      }
      case 'tick':
        this.#advanceAll(nowMs, step, ({ dueMs }) => dueMs <= nowMs);
        return false;
      case 'stop':
        this.#stopped = true;
        this.#setDesired({ services: [], probing: this.#probing }, [], nowMs);
        return true;
    }
  }

  #setDesired(desired: DesiredState, interfaces: readonly string[], nowMs: number): void {
    this.#probing = desired.probing;
    this.#interfaces = interfaces;
    this.#desired = desiredAddresses(desired.services);
    const previous = this.#claims;
    this.#claims = new Map();
    for (const [address, wanted] of this.#desired) {
      const kept = previous.get(address);
      const names = wanted.interfaces ? interfaces.filter((name) => wanted.interfaces?.has(name)) : interfaces;
      this.#claims.set(
        address,
        names.map(
          (name) => kept?.find(({ interfaceName }) => interfaceName === name) ?? new Claim(address, name, nowMs),
        ),
      );
    }
  }

  #advanceAll(nowMs: number, step: Step, include: (claim: Claim) => boolean): void {
    for (const claim of this.#all()) {
      if (include(claim)) step.run(claim, () => claim.advance(nowMs, this.#contextOf(claim)));
    }
  }

  #contextOf(claim: Claim): ClaimContext {
    const generation = this.#serveGeneration.get(claim.address) ?? Number.POSITIVE_INFINITY;
    return {
      probing: this.#probing,
      usable: this.#usable.has(claim.interfaceName),
      served: generation <= this.#servedGeneration,
      random: this.#random,
    };
  }

  /**
   * Every desired address, owner or not, so that a move loses nothing; but not one that somebody else uses. A stop takes
   * none away: late clients still send to this node.
   */
  #serve(): Effect | null {
    if (this.#stopped) return null;
    const wanted = new Set<Address>();
    for (const [address, claims] of this.#claims) {
      if (claims.length === 0 || claims.some(({ state }) => state !== 'conflict')) wanted.add(address);
    }
    let changed = false;
    for (const address of this.#serveGeneration.keys()) {
      if (wanted.has(address)) continue;
      this.#serveGeneration.delete(address);
      changed = true;
    }
    for (const address of wanted) {
      if (this.#serveGeneration.has(address)) continue;
      this.#serveGeneration.set(address, this.#generation + 1);
      changed = true;
    }
    if (!changed) return null;
    this.#generation += 1;
    return { type: 'serve', generation: this.#generation, addresses: [...wanted] };
  }

  *#all(): Iterable<Claim> {
    for (const claims of this.#claims.values()) yield* claims;
  }
}

/** Collects what the claims of one step ask for, so that thousands make a few effects. */
class Step {
  answersChanged = false;
  /** Whether an address came to be held back, or is no longer. */
  conflictsChanged = false;
  readonly #changes: Effect[] = [];
  readonly #probes = new Map<
    string,
    { type: 'probe'; interfaceName: string; addresses: Address[]; offsetsMs: readonly number[] }
  >();
  readonly #announcements = new Map<
    string,
    { type: 'announce'; interfaceName: string; addresses: Address[]; schedule: Schedule; urgent: boolean }
  >();

  run(claim: Claim, act: () => ClaimAction[]): void {
    const { state, reason, answered } = claim;
    for (const action of act()) this.#add(claim, action);
    if (claim.state === state && claim.reason === reason) return;
    const { address, interfaceName, rivalMac } = claim;
    this.#changes.push({
      type: 'changed',
      address,
      interfaceName,
      from: state,
      to: claim.state,
      reason: claim.reason,
      rivalMac,
    });
    if ((claim.state === 'conflict') !== (state === 'conflict')) this.conflictsChanged = true;
    if (claim.answered !== answered || (claim.state === 'tentative') !== (state === 'tentative')) {
      this.answersChanged = true;
    }
  }

  effects(): Effect[] {
    return [...this.#probes.values(), ...this.#announcements.values(), ...this.#changes];
  }

  #add({ address, interfaceName }: Claim, action: ClaimAction): void {
    if (action.type === 'probe') {
      const { offsetsMs } = action;
      group(this.#probes, `${interfaceName} ${offsetsMs.join()}`, () => ({
        type: 'probe' as const,
        interfaceName,
        addresses: [],
        offsetsMs,
      })).addresses.push(address);
      return;
    }
    group(this.#announcements, `${interfaceName} ${action.why}`, () => ({
      type: 'announce' as const,
      interfaceName,
      addresses: [],
      ...ANNOUNCEMENTS[action.why],
    })).addresses.push(address);
  }
}

function group<T>(groups: Map<string, T>, key: string, make: () => T): T {
  const known = groups.get(key);
  if (known) return known;
  const made = make();
  groups.set(key, made);
  return made;
}
