import { Claim, type ClaimAction, type ClaimContext } from './claim/claim.js';
import { type DesiredAddress, type DesiredState, desiredAddresses, type Probing } from './desired/desired.js';
import type { Peer } from './membership/membership.js';
import type { Address } from './net/address.js';
import type { SegmentAction } from './ownership/actions.js';
import type { Owner } from './ownership/owners.js';
import { Segment } from './ownership/segment.js';
import type { Advertisement, NodeState, PeerReport, Table } from './responder/types.js';
import type { Effect, SpeakerEvent } from './speaker/events.js';
import { Step } from './speaker/step.js';
import { tableOf } from './table/table.js';

export type { Effect, SpeakerEvent } from './speaker/events.js';

/** Plans follow every change of ownership; they may lag this far behind, so that many changes make one table. */
const PLAN_DELAY_MS = 20;

export interface SpeakerOptions {
  /** Name of this node. */
  readonly node: string;
  /** Of this process: see HeartbeatOptions. */
  readonly incarnation: string;
  readonly heartbeat: { readonly intervalMs: number; readonly multiplier: number };
  /** 0 <= random() < 1; the simulator's is seeded. */
  readonly random: () => number;
}

/**
 * Every decision of a node: which addresses it claims, answers, announces, defends, holds back, takes over and gives
 * away. Does no I/O and reads no clock: `step(event, nowMs)` returns what is to be done. `nowMs` is monotonic and never
 * goes back.
 */
export class Speaker {
  readonly #options: SpeakerOptions;
  #probing: Probing = 'fast';
  #interfaces: readonly string[] = [];
  #usable: ReadonlySet<string> = new Set();
  #desired: ReadonlyMap<Address, DesiredAddress> = new Map();
  #claims = new Map<Address, readonly Claim[]>();
  readonly #segments = new Map<string, Segment>();
  readonly #advertised = new Map<string, Advertisement>();
  /** The `serve` effect from which on an address is in place. */
  readonly #serveGeneration = new Map<Address, number>();
  #generation = 0;
  #servedGeneration = 0;
  #draining = false;
  #stopping = false;
  #stopped = false;
  #tookSeen = 0;
  #lastHold = 0;
  #holdsLifted = 0;
  /** No claim has anything to do before. */
  #claimsDueMs = Number.POSITIVE_INFINITY;
  #plansDueMs = Number.POSITIVE_INFINITY;
  #plans: Table['plans'] = [];

  constructor(options: SpeakerOptions) {
    this.#options = options;
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

  get draining(): boolean {
    return this.#draining;
  }

  /** After `stop`: nothing is answered any more, and nothing more will happen. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** How this node takes part on an interface: joining, as long as it listens. */
  stateOf(interfaceName: string): NodeState {
    return this.#segments.get(interfaceName)?.state ?? 'joining';
  }

  /** Every node that was heard on the interface, by its last process; those that are down included. */
  peers(interfaceName: string): readonly PeerReport[] {
    const peers: Iterable<Peer> = this.#segments.get(interfaceName)?.members.peers ?? [];
    return Array.from(peers, ({ report }) => report);
  }

  /** null: nobody, as far as this node knows. */
  ownerOf(address: Address, interfaceName: string): Owner | null {
    return this.#segments.get(interfaceName)?.ownerOf(address) ?? null;
  }

  /** How many addresses this node owns, each segment counted. */
  get ownedCount(): number {
    let count = 0;
    for (const segment of this.#segments.values()) count += segment.ownedCount;
    return count;
  }

  /** Why `move` would do nothing, in words; null where some segment can do it. */
  moveRefusal(address: Address, node: string): string | null {
    let refusal: string | null = this.#desired.has(address) ? null : `${address} is not a service IP of this node`;
    for (const { interfaceName } of this.#claims.get(address) ?? []) {
      const reason = this.#segments.get(interfaceName)?.refusal(address, node) ?? null;
      if (reason === null) return null;
      refusal ??= reason;
    }
    return refusal;
  }

  /** When the next `tick` is due; null when only events matter. */
  nextMs(nowMs: number): number | null {
    if (this.#stopped) return null;
    let dueMs = Math.min(this.#plansDueMs, this.#claimsDueMs);
    for (const segment of this.#segments.values()) dueMs = Math.min(dueMs, segment.nextMs(nowMs));
    return Number.isFinite(dueMs) ? dueMs : null;
  }

  step(event: SpeakerEvent, nowMs: number): Effect[] {
    if (this.#stopped) return [];
    const step = new Step();
    let tableChanged = this.#handle(event, nowMs, step);
    if (event.type === 'served' || step.conflictsChanged) {
      for (const segment of this.#segments.values()) segment.placeAnew();
    }
    for (const [interfaceName, segment] of this.#segments) {
      for (const action of segment.run(nowMs)) this.#carryOut(interfaceName, segment, action, nowMs, step);
      // Whoever is asked to take an address announces it at once: by then this node announces it no more.
      tableChanged = segment.handovers.takeChanged() || tableChanged;
    }
    this.#claimsDueMs = Math.min(this.#claimsDueMs, step.dueMs);
    if (this.#stopping && [...this.#segments.values()].every(({ left }) => left)) {
      this.#stopped = true;
      this.#setDesired({ services: [], probing: this.#probing }, this.#interfaces, nowMs);
      tableChanged = true;
    }
    tableChanged = this.#liftHolds() || tableChanged;
    // Nothing else changes what is to be served, and to find out takes a look at every address.
    const serve = event.type === 'desired' || step.conflictsChanged ? this.#serve() : null;
    return [
      ...(serve ? [serve] : []),
      ...this.#publish(tableChanged || step.answersChanged, nowMs),
      ...step.effects(),
      ...this.#advertise(),
    ];
  }

  /** Returns whether the table has to be published in any case. */
  #handle(event: SpeakerEvent, nowMs: number, step: Step): boolean {
    switch (event.type) {
      case 'desired':
        this.#setDesired(event.desired, event.interfaces, nowMs);
        this.#advanceAll(nowMs, step, () => true);
        return true;
      case 'usable':
        this.#usable = event.interfaces;
        for (const [name, segment] of this.#segments) segment.setUsable(event.interfaces.has(name), nowMs);
        this.#advanceAll(nowMs, step, ({ state }) => state === 'waiting' || state === 'probing');
        return false;
      case 'served':
        this.#servedGeneration = Math.max(this.#servedGeneration, event.generation);
        this.#advanceAll(nowMs, step, ({ state }) => state === 'probing' || state === 'waiting');
        return false;
      case 'rival':
        this.#onRival(event, nowMs, step);
        return false;
      case 'peer':
        this.#onPeer(event.peer, nowMs, step);
        return false;
      case 'message':
        this.#segments.get(event.interfaceName)?.message(event.incarnation, event.message, nowMs);
        return false;
      case 'took':
        this.#tookSeen = event.number;
        this.#segments.get(event.interfaceName)?.took(event.addresses, event, nowMs);
        return true;
      case 'held':
        this.#lastHold = event.number;
        this.#segments.get(event.interfaceName)?.held(event.number, nowMs);
        return false;
      case 'drain':
      case 'undrain':
        this.#draining = event.type === 'drain';
        for (const segment of this.#segments.values()) segment.setDraining(this.#draining);
        return false;
      case 'move':
        for (const segment of this.#segments.values()) segment.move(event.address, event.node, nowMs, true);
        return false;
      case 'tick':
        if (nowMs >= this.#claimsDueMs) this.#advanceDue(nowMs, step);
        return false;
      case 'stop':
        this.#stopping = true;
        for (const segment of this.#segments.values()) segment.leave(nowMs);
        return false;
    }
  }

  #onPeer(peer: PeerReport, nowMs: number, step: Step): void {
    const segment = this.#segments.get(peer.interfaceName);
    const isNew = segment?.members.byMac(peer.mac) === null;
    segment?.peer(peer, nowMs);
    if (!isNew) return;
    for (const claim of this.#all()) {
      if (claim.interfaceName !== peer.interfaceName) continue;
      step.run(claim, () => claim.notForeign(peer.mac, nowMs, this.#contextOf(claim)));
    }
  }

  #onRival(event: Extract<SpeakerEvent, { type: 'rival' }>, nowMs: number, step: Step): void {
    const claim = this.#claimOf(event.address, event.interfaceName);
    if (!claim) return;
    const segment = this.#segments.get(event.interfaceName);
    // A node of the cluster is no foreign host: the claims settle who owns it.
    // But who is heard and does not hear us, as a host with our name, tells us no claims: its answer to a probe is an answer.
    const peer = segment?.members.byMac(event.mac) ?? null;
    const deaf = claim.state === 'probing' && peer?.link === 'one-way';
    if (segment && peer && !deaf) {
      // Who only asks moves no client.
      if (event.kind !== 'arp-probe' && event.kind !== 'dad') segment.rival(event.address, event.mac, nowMs);
      return;
    }
    step.run(claim, () => claim.rival(event.kind, event.mac, nowMs, this.#contextOf(claim)));
  }

  #setDesired(desired: DesiredState, interfaces: readonly string[], nowMs: number): void {
    this.#probing = desired.probing;
    this.#interfaces = interfaces;
    this.#desired = desiredAddresses(desired.services);
    const previous = this.#claims;
    this.#claims = new Map();
    const wanted = new Map(interfaces.map((name) => [name, new Map<Address, DesiredAddress>()]));
    for (const [address, wish] of this.#desired) {
      const kept = previous.get(address);
      const names = wish.interfaces ? interfaces.filter((name) => wish.interfaces?.has(name)) : interfaces;
      for (const name of names) wanted.get(name)?.set(address, wish);
      this.#claims.set(
        address,
        names.map(
          (name) => kept?.find(({ interfaceName }) => interfaceName === name) ?? new Claim(address, name, nowMs),
        ),
      );
    }
    for (const name of this.#segments.keys()) if (!wanted.has(name)) this.#segments.delete(name);
    for (const [name, addresses] of wanted) this.#segmentOf(name, nowMs).setWanted(addresses);
  }

  #segmentOf(interfaceName: string, nowMs: number): Segment {
    const known = this.#segments.get(interfaceName);
    if (known) return known;
    const { node, incarnation, heartbeat } = this.#options;
    const made = new Segment({
      node,
      incarnation,
      interfaceName,
      intervalMs: heartbeat.intervalMs,
      canTake: (address) => {
        const claim = this.#claimOf(address, interfaceName);
        return claim !== null && claim.state !== 'conflict' && this.#isServed(address);
      },
    });
    if (this.#draining) made.setDraining(true);
    if (this.#stopping) made.leave(nowMs);
    made.setUsable(this.#usable.has(interfaceName), nowMs);
    this.#segments.set(interfaceName, made);
    return made;
  }

  #carryOut(interfaceName: string, segment: Segment, action: SegmentAction, nowMs: number, step: Step): void {
    if (action.type === 'send') {
      step.send(interfaceName, action.message);
      return;
    }
    const { address } = action;
    if (action.type === 'moved') {
      step.moved(interfaceName, address, action.from, action.to, action.why);
      return;
    }
    const claim = this.#claimOf(address, interfaceName);
    if (claim) step.run(claim, () => this.#follow(claim, segment.owns(address), action, nowMs));
  }

  /** @param mine as it is at the end of the step: what was gained may have been lost again */
  #follow(
    claim: Claim,
    mine: boolean,
    action: Extract<SegmentAction, { type: 'own' | 'stand-by' | 'announce' }>,
    nowMs: number,
  ): readonly ClaimAction[] {
    switch (action.type) {
      case 'own': {
        if (!mine) return [];
        const context = this.#contextOf(claim);
        if (action.how === 'first') return claim.begin(nowMs, context);
        return claim.takeOver(nowMs, context, action.why, action.how === 'took');
      }
      case 'stand-by':
        if (!mine && claim.state !== 'standby') claim.standBy(nowMs, action.why);
        return [];
      case 'announce':
        return claim.announceMoved(nowMs);
    }
  }

  #advanceAll(nowMs: number, step: Step, include: (claim: Claim) => boolean): void {
    for (const claim of this.#all()) {
      if (include(claim)) step.run(claim, () => claim.advance(nowMs, this.#contextOf(claim)));
    }
  }

  /** Thousands of claims are looked at only when one of them may have something to do. */
  #advanceDue(nowMs: number, step: Step): void {
    this.#claimsDueMs = Number.POSITIVE_INFINITY;
    for (const claim of this.#all()) {
      if (claim.dueMs <= nowMs) step.run(claim, () => claim.advance(nowMs, this.#contextOf(claim)));
      this.#claimsDueMs = Math.min(this.#claimsDueMs, claim.dueMs);
    }
  }

  #contextOf({ address, interfaceName }: Claim): ClaimContext {
    return {
      probing: this.#probing,
      mine: this.#segments.get(interfaceName)?.owns(address) ?? false,
      usable: this.#usable.has(interfaceName),
      served: this.#isServed(address),
      random: this.#options.random,
    };
  }

  #isServed(address: Address): boolean {
    return (this.#serveGeneration.get(address) ?? Number.POSITIVE_INFINITY) <= this.#servedGeneration;
  }

  #claimOf(address: Address, interfaceName: string): Claim | null {
    return this.#claims.get(address)?.find((claim) => claim.interfaceName === interfaceName) ?? null;
  }

  /** Returns whether there are holds that the next table lifts. */
  #liftHolds(): boolean {
    let lifted = this.#lastHold;
    for (const { firstHold } of this.#segments.values()) lifted = Math.min(lifted, firstHold - 1);
    if (lifted <= this.#holdsLifted) return false;
    this.#holdsLifted = lifted;
    return true;
  }

  #publish(needed: boolean, nowMs: number): Effect[] {
    const outdated = [...this.#segments.values()].some(({ plansOutdated }) => plansOutdated);
    if (outdated && this.#plansDueMs === Number.POSITIVE_INFINITY) this.#plansDueMs = nowMs + PLAN_DELAY_MS;
    if (!needed && nowMs < this.#plansDueMs) return [];
    let changed = needed;
    if (outdated) {
      const plans = [...this.#segments.values()].flatMap((segment) => segment.plans());
      changed ||= plans.length > 0 || (this.#plans?.length ?? 0) > 0;
      this.#plans = plans;
    }
    this.#plansDueMs = Number.POSITIVE_INFINITY;
    if (!changed) return [];
    const table = tableOf(
      this.#interfaces,
      this.#claims,
      ({ address, interfaceName }) => this.#segments.get(interfaceName)?.handovers.successorOf(address) != null,
    );
    return [
      {
        type: 'publish',
        table: { ...table, plans: this.#plans ?? [], tookSeen: this.#tookSeen, holdsLifted: this.#holdsLifted },
      },
    ];
  }

  #advertise(): Effect[] {
    const effects: Effect[] = [];
    for (const [interfaceName, segment] of this.#segments) {
      const advertisement = segment.advertisement();
      if (sameAdvertisement(this.#advertised.get(interfaceName), advertisement)) continue;
      this.#advertised.set(interfaceName, advertisement);
      effects.push({ type: 'advertise', interfaceName, advertisement });
    }
    return effects;
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

function sameAdvertisement(before: Advertisement | undefined, now: Advertisement): boolean {
  return (
    before !== undefined &&
    before.state === now.state &&
    before.claimsVersion === now.claimsVersion &&
    before.claimsDigest === now.claimsDigest &&
    sameHeld(before.held, now.held)
  );
}

function sameHeld(before: Advertisement['held'], now: Advertisement['held']): boolean {
  if (before === now) return true;
  return (
    before.length === now.length &&
    before.every(([incarnation, version], index) => {
      const [other, held] = now[index] ?? [];
      return incarnation === other && version === held;
    })
  );
}
