import type { PeerReport, Advertisement, NodeState, TakeoverPlan } from '../responder/types.js';
import type { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import type { PeerProcess, SegmentAction, SegmentOptions } from './actions.js';
import { Candidates, mayOwn, type Wanted } from './candidates.js';
import { Giving } from './giving.js';
import type { Handovers } from './handovers.js';
import { countsAlike } from './judge.js';
import { LastWord } from './last_word.js';
import { Ledger } from './ledger.js';
import type { PeerMessage } from './message.js';
import type { Owner } from './owners.js';
import { Presence } from './presence.js';
import { moveRefusal } from './refusal.js';
import { Taking } from './taking.js';

/**
 * Ownership of the addresses on one segment: who claims what, who shall, and how it moves. Pure: every method takes the
 * time, and {@link run} returns what is to be done.
 */
export class Segment {
  readonly #options: SegmentOptions;
  readonly #ledger: Ledger;
  readonly #presence: Presence;
  readonly #candidates: Candidates;
  readonly #lastWord: LastWord;
  readonly #taking: Taking;
  readonly #giving: Giving;
  #usable = false;
  /** Until what is wanted is known, this node listens. */
  #wished = false;
  #unheard = false;
  /** What this node may not own any more, since that was asked last. */
  #forbidden = new Set<Address>();
  /** Reports about processes that the packet thread has replaced since, by incarnation: their loss is told later, or was already. */
  readonly #replaced = new Map<string, PeerReport>();

  constructor(options: SegmentOptions) {
    const { node, intervalMs, records } = options;
    this.#options = options;
    this.#ledger = new Ledger(node, intervalMs, records);
    this.#presence = new Presence(intervalMs);
    this.#candidates = new Candidates(node, this.members, this.#ledger.unwilling, records);
    this.#lastWord = new LastWord(this.#ledger, this.#presence);
    const [ledger, candidates] = [this.#ledger, this.#candidates];
    this.#taking = new Taking({ ...options, ledger, candidates, mayTake: () => this.#mayTake() });
    this.#giving = new Giving(ledger, candidates, () => this.#mayGive());
  }

  get members(): Membership {
    return this.#ledger.members;
  }

  get handovers(): Handovers {
    return this.#ledger.handovers;
  }

  get liftedHold(): number {
    return this.#presence.liftedHold;
  }

  /** Whether all is given away, or nothing more can be. */
  get left(): boolean {
    return this.#giving.left;
  }

  get state(): NodeState {
    if (this.left) return 'leaving';
    if (this.#giving.departure.all) return 'draining';
    return this.#presence.present ? 'ready' : 'joining';
  }

  owns(address: Address): boolean {
    return this.#ledger.owns(address);
  }

  /** Whether this node owns the address, and may answer for it. */
  holds(address: Address): boolean {
    return this.#ledger.holds(address);
  }

  /** Whether a node that was heard here claims the address, by the last that it told. */
  isClaimedBy(node: string, address: Address): boolean {
    const { incarnation } = this.members.get(node)?.report ?? {};
    return incarnation !== undefined && this.#ledger.replication.claimOf(incarnation, address) !== null;
  }

  get ownedCount(): number {
    return this.#ledger.replication.own.size;
  }

  ownerOf(address: Address): Owner | null {
    return this.#ledger.owners.get(address);
  }

  advertisement(): Advertisement {
    return { state: this.state, ...this.#ledger.replication.versions() };
  }

  /** From now on what is wanted is known. @param heard whether this node was heard while it listened */
  begin(heard: boolean, nowMs: number): void {
    if (!this.#wished && !heard) this.#presence.listenAnew(nowMs);
    this.#wished = true;
  }

  /** All that is wanted here, in place of what was. */
  setWanted(wanted: ReadonlyMap<Address, Wanted>): void {
    for (const address of [...this.#ledger.wanted.keys()]) if (!wanted.has(address)) this.want(address, null);
    for (const [address, wish] of wanted) this.want(address, wish);
    this.#ledger.placeAnew();
  }

  /** What is wanted of one address here; null: nothing any more. */
  want(address: Address, wish: Wanted | null): void {
    const { wanted } = this.#ledger;
    const before = wanted.get(address);
    if (wish) wanted.set(address, wish);
    else wanted.delete(address);
    if (before && wish && before.nodes === wish.nodes && sameWeights(before.prefer, wish.prefer)) return;
    if (mayOwn(wish, this.#options.node)) this.#forbidden.delete(address);
    else this.#forbidden.add(address);
    this.#ledger.touch([address]);
    this.#ledger.unowned.reopen(address);
    this.#ledger.placeDue = true;
    this.#giving.departure.consider(address);
    // What nobody owns, or this node, is in no plan of its own.
    const owner = this.ownerOf(address)?.node ?? this.#options.node;
    if (owner !== this.#options.node) this.#ledger.plans.setOutdated(owner);
  }

  /** Nodes that own something only where no other node may. */
  setLastResort(nodes: ReadonlySet<string>, nowMs: number): void {
    if (sameNames(nodes, this.#candidates.lastResort)) return;
    this.#candidates.lastResort = nodes;
    this.#giving.departure.setLastResort(nodes.has(this.#options.node), nowMs);
    this.#ledger.placeAnew();
  }

  /** What the API server knows of the owners of these has changed. */
  recorded(addresses: readonly Address[]): void {
    this.#ledger.touch(addresses.filter((address) => this.#ledger.wanted.has(address)));
  }

  /** Whether this node and we hear each other, and we hold what it claims. */
  knows(node: string): boolean {
    const report = this.members.get(node)?.report;
    return report?.link === 'two-way' && this.#ledger.replication.holds(report);
  }

  setUsable(usable: boolean, nowMs: number): void {
    if (this.#usable && !usable) {
      // Others wait for the record to be released.
      if (this.#options.records.fence) this.#yieldAll('the interface cannot be used');
      // Nobody hears us now: what others take meanwhile is theirs, and they have to hear so before they compare claims.
      this.#ledger.touch(this.#ledger.replication.own.demote());
    }
    this.#usable = usable;
    if (usable) this.#presence.opened(nowMs);
    this.#ledger.unowned.reopenAll();
    this.#ledger.placeDue = true;
  }

  /** Who may take what is another, or what `canTake` says. */
  placeAnew(): void {
    this.#ledger.placeAnew();
  }

  /** Other nodes have a session that lasts: with a fence, others may be given something. */
  sessionsChanged(): void {
    this.#ledger.placeAnew();
    if (this.#options.records.fence) this.#giving.departure.retryNow();
  }

  setDraining(draining: boolean): void {
    this.#giving.departure.setDraining(draining);
    this.#ledger.placeAnew();
  }

  leave(nowMs: number): void {
    this.#giving.departure.leave(nowMs);
    this.#ledger.plans.setAllOutdated();
  }

  /** We were the ones who could not be heard: what others took meanwhile is theirs, even where there are only two. */
  held(number: number, nowMs: number): void {
    this.#presence.held(number, nowMs, this.members);
    this.#ledger.touch(this.#ledger.replication.own.demote());
  }

  peer(report: PeerReport, nowMs: number): void {
    const { members, replication, handovers, unowned, unwilling } = this.#ledger;
    this.#replaced.delete(report.incarnation);
    const previous = members.get(report.node);
    const before = members.update(report, nowMs);
    if (before === undefined) {
      // Newer than the process that we know: heard for the first time as it leaves.
      if (previous && report.incarnation > previous.report.incarnation) this.#lastWord.doubt();
      return;
    }
    if (previous && previous.report.incarnation !== report.incarnation) {
      this.#ledger.touch(replication.forget(previous.report.incarnation));
    }
    replication.check(report.incarnation, report.claimsVersion, report.claimsDigest);
    if (report.link === 'two-way') replication.heldBy(report, nowMs);
    this.#taking.heard(report);
    if (!countsAlike(before?.report, report)) this.#ledger.touch(replication.claimedBy(report.incarnation));
    if (report.link === before?.report.link && report.state === before.report.state) return;
    this.#ledger.placeAnew();
    this.#giving.departure.retryNow();
    unowned.limitsChanged();
    unwilling.welcome(report.node);
    if (report.link === before?.report.link) {
      // What it answered before, whatever its claims, it does not while it listens.
      if (report.state === 'joining') this.#lastWord.lost(report);
      return;
    }
    if (report.link === 'two-way') {
      replication.greet(nowMs);
      if (report.state !== 'joining') this.#lastWord.doubt();
    } else {
      handovers.endFor(report.node);
      this.#lastWord.lost(report);
      // It may have answered, and never could tell us what it claimed.
      const tookPart = before?.report.state !== 'joining';
      if (report.link === 'down' && tookPart && !before?.wasTwoWay) this.#lastWord.doubt();
    }
  }

  message(incarnation: string, message: PeerMessage, nowMs: number): void {
    // It is back, and this was told before we heard that it had been replaced: nothing tells it again.
    const back = this.#replaced.get(incarnation);
    if (back) this.peer(back, nowMs);
    switch (message.type) {
      case 'claims-change':
      case 'claims-page':
        this.#hear(incarnation, message);
        break;
      case 'handover':
        this.#taking.handover(incarnation, message, nowMs);
        break;
      case 'decline':
        if (message.to === this.#options.incarnation) this.#giving.declined(incarnation, message.addresses, nowMs);
        break;
      case 'later':
        if (message.to === this.#options.incarnation) this.#giving.postponed(incarnation, message.addresses, nowMs);
        break;
      case 'move-request':
        this.move(message.address, message.node, nowMs);
    }
  }

  /** The packet thread has replaced a peer; its report that the peer is down may come later. */
  took(addresses: readonly Address[], process: PeerProcess, nowMs: number): void {
    const report = this.members.byIncarnation(process.incarnation)?.report;
    if (report && report.link !== 'down') {
      this.peer({ ...report, link: 'down' }, nowMs);
      this.#replaced.set(process.incarnation, report);
    }
    this.#taking.took(addresses, process, nowMs);
  }

  /** The session has lapsed: what is not recorded cannot be. @param all nothing may be answered any more */
  lapsed(all: boolean): void {
    if (all) this.#yieldAll('the API server is not reached, and not every node is heard');
    else for (const address of this.#ledger.awaiting) this.#ledger.yield(address, 'the API server is not reached');
  }

  /** A frame of another node says that it has the address. */
  rival(address: Address, mac: string, nowMs: number): void {
    this.#lastWord.rival(address, mac, nowMs);
  }

  /** Why an address cannot be moved to a node, in words; null where it can. */
  refusal(address: Address, node: string): string | null {
    return moveRefusal({
      address,
      node,
      self: { node: this.#options.node, state: this.state },
      wanted: this.#ledger.wanted.get(address) ?? null,
      owner: this.ownerOf(address)?.node ?? null,
      members: this.members,
      lastResort: this.#candidates.lastResort,
    });
  }

  /** Begins a planned move if this node owns the address, else asks its owner to. */
  move(address: Address, node: string, nowMs: number, ask = false): void {
    if (!this.owns(address)) {
      if (ask) this.#ledger.act({ type: 'send', message: { type: 'move-request', address, node } });
      return;
    }
    const peer = this.members.get(node)?.report;
    if (this.#mayGive() && peer?.link === 'two-way' && peer.state === 'ready' && this.refusal(address, node) === null) {
      this.handovers.start(address, node, peer.incarnation, nowMs);
    }
  }

  /** Whether what the thread is armed with may be outdated. */
  get plansOutdated(): boolean {
    return this.#ledger.plans.outdated && this.members.size > 0;
  }

  /** What the thread shall take over by itself, for each peer that may die. */
  plans(): TakeoverPlan[] {
    const { wanted, owners, members, plans } = this.#ledger;
    if (!this.#mayTake() || this.#options.records.fence) {
      plans.clear();
      return [];
    }
    const { node, interfaceName, canTake } = this.#options;
    return plans.make({ node, interfaceName, canTake, wanted, owners, members, candidates: this.#candidates });
  }

  /** What this node may not own any more since the last call; it may be armed with it. */
  takeForbidden(): ReadonlySet<Address> {
    const forbidden = this.#forbidden;
    if (forbidden.size > 0) this.#forbidden = new Set();
    return forbidden;
  }

  nextMs(nowMs: number): number {
    const { replication, handovers, accepted, unowned, unwilling, members } = this.#ledger;
    let nextMs = Math.min(
      this.#wished ? this.#presence.nextMs(nowMs, members) : Number.POSITIVE_INFINITY,
      replication.nextMs(nowMs),
      handovers.nextMs(),
      accepted.nextMs(),
      unwilling.nextMs(),
      members.oneWayDueMs(nowMs),
      this.#presence.present && !this.left
        ? this.#giving.departure.nextMs(this.ownedCount > 0 && this.#mayGive(), nowMs)
        : Number.POSITIVE_INFINITY,
    );
    if (this.#mayTake()) nextMs = Math.min(nextMs, unowned.nextMs());
    return nextMs;
  }

  /** Decides what follows from all that happened since the last call. */
  run(nowMs: number): SegmentAction[] {
    const ledger = this.#ledger;
    const { replication, handovers, accepted, unwilling } = ledger;
    if (this.#hasListened(nowMs)) this.#arrive();
    ledger.touch(accepted.takeExpired(nowMs));
    this.#checkHeard(nowMs);
    ledger.settle(nowMs);
    this.#lastWord.heal(nowMs);
    if (unwilling.expire(nowMs)) {
      ledger.placeAnew();
      this.#giving.departure.retryNow();
    }
    this.#taking.advance(nowMs);
    if (this.#mayTake()) this.#taking.place(nowMs);
    for (const address of ledger.takeGained()) this.#giving.departure.consider(address);
    this.#giving.endOverdue(nowMs);
    this.#giving.giveUpForbidden(this.#presence.present);
    if (this.#presence.present) this.#giving.giveAway(nowMs);
    ledger.touch(replication.confirm(nowMs));
    ledger.settle(nowMs);
    for (const address of handovers.takeEnded()) this.#lastWord.contested(address);
    this.#giving.leaveWhenDone(nowMs, this.#presence.present);
    for (const message of [...handovers.takeMessages(nowMs), ...replication.takeMessages(nowMs)]) {
      ledger.act({ type: 'send', message });
    }
    return ledger.takeActions();
  }

  #hear(incarnation: string, message: Extract<PeerMessage, { type: 'claims-change' | 'claims-page' }>): void {
    const { replication } = this.#ledger;
    const heldBefore = replication.heldOf(incarnation);
    // The loser yields, and the winner has the last word, also where it never heard of that claim.
    const dropped = new Set(message.type === 'claims-change' ? message.yielded : []);
    const changed = replication.apply(incarnation, message);
    this.#ledger.touch(changed);
    for (const address of changed) if (replication.claimOf(incarnation, address) === null) dropped.add(address);
    const node = this.members.byIncarnation(incarnation)?.report.node;
    for (const address of dropped) this.#lastWord.yielded(address, node);
    // What was told before counts against ours only now that nothing is missing.
    for (const address of replication.claimedBy(incarnation)) if (this.owns(address)) this.#ledger.touch([address]);
    // Two versions that we did not see: an address of ours may have been claimed in one and yielded in the other.
    if (replication.heldOf(incarnation) - heldBefore > 1 && message.type === 'claims-page') this.#lastWord.doubt();
  }

  #hasListened(nowMs: number): boolean {
    if (!this.#wished || this.#presence.present) return false;
    const { records, isServed } = this.#options;
    // Who says to be ready before all is in place is given what it cannot take yet.
    const expected = [...this.#ledger.wanted.keys()].every(isServed) ? records.sessions : null;
    return this.#presence.advance(nowMs, this.members, expected, () => this.#ledger.replication.allHeld());
  }

  /** Listening is over. What is still ours was on hold: clients hear of it again. */
  #arrive(): void {
    const ledger = this.#ledger;
    ledger.placeAnew();
    ledger.touch(ledger.replication.own.addresses);
    for (const address of ledger.replication.own.addresses) this.#lastWord.contested(address);
  }

  #checkHeard(nowMs: number): void {
    const unheard = this.members.isUnheard(nowMs);
    if (unheard === this.#unheard) return;
    this.#unheard = unheard;
    this.#ledger.placeAnew();
    if (!unheard) return;
    this.#yieldAll('no other node hears this one');
  }

  #yieldAll(why: string): void {
    for (const address of this.#ledger.owned()) this.#ledger.yield(address, why);
  }

  #mayTake(): boolean {
    const { fence } = this.#options.records;
    return this.state === 'ready' && this.#usable && !this.#unheard && (fence === null || fence.mayTake);
  }

  #mayGive(): boolean {
    return this.#options.records.fence?.mayGive ?? true;
  }
}

function sameWeights(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  if (a === b) return true;
  return a.size === b.size && [...a].every(([node, weight]) => b.get(node) === weight);
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name));
}
