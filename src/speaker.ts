import type { Claim, ClaimAction, ClaimContext } from './claim/claim.js';
import type { DesiredAddress, DesiredService, DesiredState, Probing } from './desired/desired.js';
import type { Peer } from './membership/membership.js';
import type { Address } from './net/address.js';
import type { SegmentAction } from './ownership/actions.js';
import { Fence } from './ownership/fence.js';
import type { Owner } from './ownership/owners.js';
import { Records } from './ownership/records.js';
import { Segment } from './ownership/segment.js';
import type { Advertisement, NodeState, PeerReport } from './responder/types.js';
import { sameAdvertisement } from './speaker/advertised.js';
import { Armed } from './speaker/armed.js';
import type { Effect, SpeakerEvent } from './speaker/events.js';
import { Fencing } from './speaker/fencing.js';
import type { SpeakerOptions } from './speaker/options.js';
import { ServeList } from './speaker/serve_list.js';
import { Step } from './speaker/step.js';
import { Wishes } from './speaker/wishes.js';
import { tableOf } from './table/table.js';

export type { Effect, SpeakerEvent } from './speaker/events.js';
export type { SpeakerOptions } from './speaker/options.js';

/**
 * How long others are told that this node is about to take part, though it does not know yet what is wanted: they leave new
 * addresses to it. After that it is silent until it knows.
 */
const ARRIVING_MS = 1_500;

/**
 * Every decision of a node: which addresses it claims, answers, announces, defends, holds back, takes over and gives
 * away. Does no I/O and reads no clock: `step(event, nowMs)` returns what is to be done. `nowMs` is monotonic and never
 * goes back.
 */
export class Speaker {
  readonly #options: SpeakerOptions;
  #probing: Probing = 'fast';
  readonly #wishes = new Wishes();
  readonly #records: Records;
  readonly #fencing: Fencing | null;
  #lastResort: ReadonlySet<string> = new Set();
  #usable: ReadonlySet<string> = new Set();
  readonly #segments = new Map<string, Segment>();
  readonly #advertised = new Map<string, Advertisement>();
  readonly #serving: ServeList;
  /** When it began to listen; null: it did not. */
  #listeningSinceMs: number | null = null;
  /** Whether what is wanted is known. */
  #wished = false;
  #draining = false;
  #stopping = false;
  #stopped = false;
  #tookSeen = 0;
  /** By interface. */
  #holdsLifted: Readonly<Record<string, number>> = {};
  /** No claim has anything to do before. */
  #claimsDueMs = Number.POSITIVE_INFINITY;
  readonly #armed = new Armed();

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#serving = new ServeList(options.servedElsewhere ?? false);
    const { node, takeover = 'fast' } = options;
    const fence = takeover === 'fenced' ? new Fence() : null;
    this.#records = new Records(node, fence, (peer, address) =>
      [...this.#segments.values()].some((segment) => segment.isClaimedBy(peer, address)),
    );
    this.#fencing = fence && new Fencing(node, fence, this.#records, this.#segments);
  }

  get desired(): ReadonlyMap<Address, DesiredAddress> {
    return this.#wishes.desired;
  }

  /** The claims of every desired address, one for each interface it may be announced on. */
  get claims(): ReadonlyMap<Address, readonly Claim[]> {
    return this.#wishes.claims;
  }

  get interfaces(): readonly string[] {
    return this.#wishes.interfaces;
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

  /** Names of the nodes whose session lasts, and which are not heard on any segment: records decide between us and them. */
  get unheard(): readonly string[] {
    return this.#records.unheard();
  }

  /** Whether no other node may answer the address, as its record and the session of that node say. */
  isFree(address: Address): boolean {
    return this.#records.holderOf(address) === null;
  }

  /** Whether the record of the address is known to name this node; always, where nothing waits for it. */
  isConfirmed(address: Address): boolean {
    return this.#records.fence?.isConfirmed(address) ?? true;
  }

  /** Until when a table may be in force that nobody renews, beside its own life. */
  get answerUntilMs(): number {
    return this.#records.fence?.answerUntilMs ?? Number.POSITIVE_INFINITY;
  }

  /** How many addresses this node owns, each segment counted. */
  get ownedCount(): number {
    let count = 0;
    for (const segment of this.#segments.values()) count += segment.ownedCount;
    return count;
  }

  /** Why `move` would do nothing, in words; null where some segment can do it. */
  moveRefusal(address: Address, node: string): string | null {
    let refusal: string | null = this.desired.has(address) ? null : `${address} is not a service IP of this node`;
    for (const { interfaceName } of this.claims.get(address) ?? []) {
      const reason = this.#segments.get(interfaceName)?.refusal(address, node) ?? null;
      if (reason === null) return null;
      refusal ??= reason;
    }
    return refusal;
  }

  /** When the next `tick` is due; null when only events matter. */
  nextMs(nowMs: number): number | null {
    if (this.#stopped) return null;
    let dueMs = Math.min(this.#armed.dueMs, this.#claimsDueMs);
    if (nowMs < this.#silentFromMs) dueMs = Math.min(dueMs, this.#silentFromMs);
    if (this.#records.fence) dueMs = Math.min(dueMs, this.#records.fence.nextMs());
    for (const segment of this.#segments.values()) dueMs = Math.min(dueMs, segment.nextMs(nowMs));
    return Number.isFinite(dueMs) ? dueMs : null;
  }

  step(event: SpeakerEvent, nowMs: number): Effect[] {
    if (this.#stopped) return [];
    const step = new Step();
    this.#fencing?.look(nowMs);
    let tableChanged = this.#handle(event, nowMs, step);
    this.#fencing?.look(nowMs);
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
      this.#setDesired({ services: [], probing: this.#probing }, this.interfaces, nowMs);
      tableChanged = true;
    }
    tableChanged = this.#liftHolds() || tableChanged;
    // A stop takes nothing away: late clients still send to this node.
    const serve = this.#stopped ? null : step.serveEffect(this.#serving, this.claims);
    return [
      ...(serve ? [serve] : []),
      ...this.#publish(tableChanged || step.answersChanged, nowMs),
      ...step.effects(),
      ...this.#advertise(nowMs),
    ];
  }

  /** Returns whether the table has to be published in any case. */
  #handle(event: SpeakerEvent, nowMs: number, step: Step): boolean {
    switch (event.type) {
      case 'listen':
        this.#listeningSinceMs = nowMs;
        this.#wishes.setInterfaces(event.interfaces, nowMs);
        this.#wantAll(nowMs);
        return true;
      case 'desired':
        this.#setDesired(event.desired, event.interfaces, nowMs);
        for (const segment of this.#segments.values()) segment.begin(nowMs < this.#silentFromMs, nowMs);
        this.#wished = true;
        step.desiredChanged = 'all';
        this.#advanceAll(nowMs, step, () => true);
        return true;
      case 'interfaces':
        this.#wishes.setInterfaces(event.interfaces, nowMs);
        this.#wantAll(nowMs);
        step.desiredChanged = 'all';
        this.#advanceAll(nowMs, step, () => true);
        return true;
      case 'services':
        return this.#changeServices(event.changed, event.removed, nowMs, step);
      case 'last-resort':
        this.#lastResort = new Set(event.nodes);
        for (const segment of this.#segments.values()) segment.setLastResort(this.#lastResort, nowMs);
        return false;
      case 'record':
        this.#fencing?.seen(event.records);
        this.#recorded(this.#records.seen(event.records));
        return false;
      case 'renewed':
        this.#fencing?.renewed(event.untilMs, nowMs);
        return false;
      case 'sessions':
        this.#recorded(this.#records.setLive(event.live, event.ended));
        for (const segment of this.#segments.values()) segment.sessionsChanged();
        return false;
      case 'resume':
        this.#records.resume(nowMs);
        return false;
      case 'usable':
        this.#usable = event.interfaces;
        for (const [name, segment] of this.#segments) segment.setUsable(event.interfaces.has(name), nowMs);
        this.#advanceAll(nowMs, step, ({ state }) => state === 'waiting' || state === 'probing');
        return false;
      case 'served':
        this.#serving.served(event.generation);
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
        this.#heard(event.node, this.#segments.get(event.interfaceName));
        return false;
      case 'took':
        this.#tookSeen = event.number;
        this.#segments.get(event.interfaceName)?.took(event.addresses, event, nowMs);
        return true;
      case 'held':
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
    const before = segment?.members.byMac(peer.mac) ?? null;
    segment?.peer(peer, nowMs);
    this.#heard(peer.node, segment);
    // Who is new, or hears us only now: until then it told no claims, and its probe counted as that of a foreign host.
    if (before && (peer.link !== 'two-way' || before.link === 'two-way')) return;
    for (const claim of this.#wishes.all()) {
      if (claim.interfaceName !== peer.interfaceName) continue;
      step.run(claim, () => claim.notForeign(peer.mac, nowMs, this.#contextOf(claim)));
    }
  }

  #onRival(event: Extract<SpeakerEvent, { type: 'rival' }>, nowMs: number, step: Step): void {
    const claim = this.#wishes.claimOf(event.address, event.interfaceName);
    if (!claim) return;
    const segment = this.#segments.get(event.interfaceName);
    // A node of the cluster is no foreign host: the claims settle who owns it.
    // But who is heard and does not hear us, as a host with our name, tells us no claims: its answer to a probe is an answer.
    const peer = segment?.members.byMac(event.mac) ?? null;
    const deaf = claim.state === 'probing' && peer?.link === 'one-way';
    if (segment && peer && !deaf) {
      // The switches let its frames through, but not its heartbeats.
      if (!this.#hears(peer.node)) this.#recorded(this.#records.frameOf(peer.node, nowMs));
      // Who only asks moves no client.
      if (event.kind !== 'arp-probe' && event.kind !== 'dad') segment.rival(event.address, event.mac, nowMs);
      return;
    }
    step.run(claim, () => claim.rival(event.kind, event.mac, nowMs, this.#contextOf(claim)));
  }

  #setDesired(desired: DesiredState, interfaces: readonly string[], nowMs: number): void {
    this.#probing = desired.probing;
    this.#wishes.replace(desired.services, interfaces, nowMs);
    this.#lastResort = new Set(desired.lastResort);
    this.#wantAll(nowMs);
  }

  #wantAll(nowMs: number): void {
    const { interfaces } = this.#wishes;
    for (const name of this.#segments.keys()) if (!interfaces.includes(name)) this.#segments.delete(name);
    for (const name of interfaces) {
      const segment = this.#segmentOf(name, nowMs);
      segment.setWanted(this.#wishes.allWantedOn(name));
      segment.setLastResort(this.#lastResort, nowMs);
    }
  }

  /** Looks at nothing but what is named. @returns whether the table is another */
  #changeServices(changed: readonly DesiredService[], removed: readonly string[], nowMs: number, step: Step): boolean {
    const { addresses, selected } = this.#wishes.change(changed, removed, nowMs);
    step.desiredChanged = addresses;
    for (const address of addresses) {
      for (const [name, segment] of this.#segments) segment.want(address, this.#wishes.wantedOn(address, name));
      for (const claim of this.claims.get(address) ?? []) {
        step.run(claim, () => claim.advance(nowMs, this.#contextOf(claim)));
      }
    }
    return selected;
  }

  /** From when on a node's claims are known they count, and not what is recorded of it. */
  #heard(node: string, segment: Segment | undefined): void {
    if (segment?.knows(node)) this.#recorded(this.#records.heard(node));
  }

  #recorded(addresses: readonly Address[]): void {
    if (addresses.length > 0) for (const segment of this.#segments.values()) segment.recorded(addresses);
  }

  #hears(node: string): boolean {
    return [...this.#segments.values()].some(({ members }) => (members.get(node)?.report.link ?? 'down') !== 'down');
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
      records: this.#records,
      canTake: (address) => {
        const claim = this.#wishes.claimOf(address, interfaceName);
        return claim !== null && claim.state !== 'conflict' && this.#serving.isServed(address);
      },
      isServed: (address) => this.#serving.isServed(address),
    });
    if (this.#wished) made.begin(true, nowMs);
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
    if (action.type === 'stand-by') this.#fencing?.yielded(address);
    const claim = this.#wishes.claimOf(address, interfaceName);
    if (claim) step.run(claim, () => this.#follow(claim, segment.holds(address), action, nowMs));
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
        if (action.how === 'resumed') return claim.resume(nowMs, context, action.why);
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
    for (const claim of this.#wishes.all()) {
      if (include(claim)) step.run(claim, () => claim.advance(nowMs, this.#contextOf(claim)));
    }
  }

  /** Thousands of claims are looked at only when one of them may have something to do. */
  #advanceDue(nowMs: number, step: Step): void {
    this.#claimsDueMs = Number.POSITIVE_INFINITY;
    for (const claim of this.#wishes.all()) {
      if (claim.dueMs <= nowMs) step.run(claim, () => claim.advance(nowMs, this.#contextOf(claim)));
      this.#claimsDueMs = Math.min(this.#claimsDueMs, claim.dueMs);
    }
  }

  #contextOf({ address, interfaceName }: Claim): ClaimContext {
    return {
      probing: this.#probing,
      mine: this.#segments.get(interfaceName)?.holds(address) ?? false,
      usable: this.#usable.has(interfaceName),
      served: this.#serving.isServed(address),
      random: this.#options.random,
    };
  }

  /** Returns whether there are holds that the next table lifts. */
  #liftHolds(): boolean {
    const before = this.#holdsLifted;
    for (const [name, { liftedHold }] of this.#segments) {
      if (liftedHold > (this.#holdsLifted[name] ?? 0)) this.#holdsLifted = { ...this.#holdsLifted, [name]: liftedHold };
    }
    return this.#holdsLifted !== before;
  }

  #publish(needed: boolean, nowMs: number): Effect[] {
    if (this.#stopped) this.#armed.disarm();
    const changed = !this.#stopped && this.#armed.update(this.#segments, this.desired.size, nowMs);
    if (!needed && !changed) return [];
    const table = tableOf(
      this.interfaces,
      this.claims,
      ({ address, interfaceName }) => this.#segments.get(interfaceName)?.handovers.isGoing(address) === true,
    );
    return [
      {
        type: 'publish',
        table: { ...table, plans: this.#armed.plans, tookSeen: this.#tookSeen, holdsLifted: this.#holdsLifted },
      },
    ];
  }

  /** Infinity: it has something to say, or need not. */
  get #silentFromMs(): number {
    const sinceMs = this.#wished ? null : this.#listeningSinceMs;
    return sinceMs === null ? Number.POSITIVE_INFINITY : sinceMs + ARRIVING_MS;
  }

  #advertise(nowMs: number): Effect[] {
    const effects: Effect[] = [];
    const silent = nowMs >= this.#silentFromMs;
    for (const [interfaceName, segment] of this.#segments) {
      const { state, ...rest } = segment.advertisement();
      const advertisement: Advertisement = { state: silent ? 'leaving' : state, ...rest };
      if (sameAdvertisement(this.#advertised.get(interfaceName), advertisement)) continue;
      this.#advertised.set(interfaceName, advertisement);
      effects.push({ type: 'advertise', interfaceName, advertisement });
    }
    return effects;
  }
}
