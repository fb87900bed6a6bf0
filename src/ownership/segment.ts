import { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import { place } from '../placement/placement.js';
import type { Advertisement, NodeState, PeerReport, TakeoverPlan } from '../responder/types.js';
import { Accepted } from './accepted.js';
import type { Acquisition, PeerProcess, SegmentAction, SegmentOptions } from './actions.js';
import { Candidates, type Wanted } from './candidates.js';
import { Departure } from './departure.js';
import { Handovers } from './handovers.js';
import { History } from './history.js';
import { countsAlike, judge, type Verdict } from './judge.js';
import type { Handover, PeerMessage } from './message.js';
import { type Owner, Owners } from './owners.js';
import { takeoverPlans } from './plans.js';
import { Presence } from './presence.js';
import { moveRefusal } from './refusal.js';
import { Replication } from './replication.js';
import { splitRequest } from './split.js';
import { Unowned } from './unowned.js';

/**
 * Ownership of the addresses on one segment: who claims what, who shall, and how it moves. Pure: every method takes the
 * time, and {@link run} returns what is to be done.
 */
export class Segment {
  readonly #options: SegmentOptions;
  readonly members = new Membership();
  readonly #presence: Presence;
  readonly #replication: Replication;
  readonly handovers = new Handovers();
  readonly #candidates: Candidates;
  readonly #owners = new Owners();
  #wanted: ReadonlyMap<Address, Wanted> = new Map();
  #usable = false;
  readonly #departure: Departure;
  #left = false;
  #unheard = false;
  readonly #history = new History();
  readonly #unowned = new Unowned(this.members);
  readonly #accepted = new Accepted();
  /** Addresses of ours that another node announced too, by its MAC: whoever followed it is told again when it is gone. */
  readonly #disputed = new Map<Address, string>();
  /** A node is here that may have owned our addresses while we did not hear each other. */
  #healed = false;
  readonly #dirty = new Set<Address>();
  #placeDue = false;
  #actions: SegmentAction[] = [];
  #plansOutdated = true;

  constructor(options: SegmentOptions) {
    this.#options = options;
    this.#presence = new Presence(options.intervalMs);
    this.#replication = new Replication(this.members, options.intervalMs);
    this.#candidates = new Candidates(options.node, this.members);
    this.#departure = new Departure(options.node);
  }

  get firstHold(): number {
    return this.#presence.firstHold;
  }

  /** Whether all is given away, or nothing more can be. */
  get left(): boolean {
    return this.#left;
  }

  get state(): NodeState {
    if (this.#left) return 'leaving';
    if (this.#departure.all) return 'draining';
    return this.#presence.present ? 'ready' : 'joining';
  }

  owns(address: Address): boolean {
    return this.#replication.own.get(address) !== null;
  }

  get ownedCount(): number {
    return this.#replication.own.size;
  }

  ownerOf(address: Address): Owner | null {
    return this.#owners.get(address);
  }

  advertisement(): Advertisement {
    return { state: this.state, ...this.#replication.versions() };
  }

  setWanted(wanted: ReadonlyMap<Address, Wanted>): void {
    const before = this.#wanted;
    this.#wanted = wanted;
    this.#departure.setWanted(wanted);
    for (const address of before.keys()) if (!wanted.has(address)) this.#dirty.add(address);
    for (const address of wanted.keys()) if (!before.has(address)) this.#dirty.add(address);
    this.placeAnew();
  }

  setUsable(usable: boolean, nowMs: number): void {
    this.#usable = usable;
    if (usable) this.#presence.opened(nowMs);
    this.#placeDue = true;
  }

  /** Who may take what is another, or what `canTake` says. */
  placeAnew(): void {
    this.#placeDue = true;
    this.#plansOutdated = true;
  }

  setDraining(draining: boolean): void {
    this.#departure.setDraining(draining);
    this.placeAnew();
  }

  leave(nowMs: number): void {
    this.#departure.leave(nowMs);
    this.#plansOutdated = true;
  }

  /** We were the ones who could not be heard: what others took meanwhile is theirs, even where there are only two. */
  held(number: number, nowMs: number): void {
    this.#presence.held(number, nowMs, this.members);
    this.#touch(this.#replication.own.demote());
  }

  peer(report: PeerReport, nowMs: number): void {
    const previous = this.members.get(report.node);
    const before = this.members.update(report, nowMs);
    if (before === undefined) return;
    if (previous && previous.report.incarnation !== report.incarnation) {
      this.#touch(this.#replication.forget(previous.report.incarnation));
    }
    this.#replication.check(report.incarnation, report.claimsVersion, report.claimsDigest);
    if (!countsAlike(before?.report, report)) this.#touch(this.#replication.claimedBy(report.incarnation));
    if (report.link === before?.report.link && report.state === before.report.state) return;
    this.placeAnew();
    this.#departure.retryNow();
    this.#unowned.limitsChanged();
    this.#candidates.welcome(report.node);
    if (report.link === before?.report.link) return;
    if (report.link === 'two-way') {
      this.#replication.greet(nowMs);
      if (report.state !== 'joining') this.#healed = true;
    } else {
      this.handovers.endFor(report.node);
      // Whether or not it counted, some may have followed its claim.
      for (const address of this.#replication.claimedBy(report.incarnation)) this.contested(address);
      for (const [address, mac] of this.#disputed) {
        if (mac !== report.mac) continue;
        this.#disputed.delete(address);
        this.contested(address);
      }
    }
  }

  message(incarnation: string, message: PeerMessage, nowMs: number): void {
    switch (message.type) {
      case 'claims-change':
      case 'claims-page':
        this.#hear(incarnation, message);
        break;
      case 'handover':
        if (message.to === this.#options.incarnation) this.#accept(incarnation, message, nowMs);
        break;
      case 'decline':
        if (message.to === this.#options.incarnation) this.#declined(incarnation, message.addresses, nowMs);
        break;
      case 'move-request':
        this.move(message.address, message.node, nowMs);
    }
  }

  /** The packet thread has replaced a peer; its report that the peer is down may come later. */
  took(addresses: readonly Address[], { incarnation, node }: PeerProcess, nowMs: number): void {
    const report = this.members.byIncarnation(incarnation)?.report;
    if (report) this.peer({ ...report, link: 'down' }, nowMs);
    for (const address of addresses) {
      if (!this.#wanted.has(address) || this.owns(address)) continue;
      this.#acquire(address, 'took', `took over from ${node}`, nowMs);
    }
  }

  /** A frame of another node says that it has the address. While its claims are not known it is too early to object. */
  rival(address: Address, mac: string, nowMs: number): void {
    if (!this.owns(address)) return;
    this.#disputed.set(address, mac);
    const peer = this.members.byMac(mac);
    if (peer?.link === 'two-way' && this.#replication.holds(peer)) this.contested(address);
    else if (!this.#healed) {
      this.#healed = true;
      if (peer?.link === 'down') this.members.linksChangedMs = nowMs;
    }
  }

  /** Ours has to be the last word where it is ours. */
  contested(address: Address): void {
    if (this.handovers.successorOf(address) !== null) return;
    if (this.owns(address) && this.#presence.present) this.#actions.push({ type: 'announce', address });
  }

  /** Why an address cannot be moved to a node, in words; null where it can. */
  refusal(address: Address, node: string): string | null {
    return moveRefusal({
      address,
      node,
      self: { node: this.#options.node, state: this.state },
      wanted: this.#wanted.get(address) ?? null,
      owner: this.#owners.get(address)?.node ?? null,
      members: this.members,
    });
  }

  /** Begins a planned move if this node owns the address, else asks its owner to. */
  move(address: Address, node: string, nowMs: number, ask = false): void {
    if (!this.owns(address)) {
      if (ask) this.#actions.push({ type: 'send', message: { type: 'move-request', address, node } });
      return;
    }
    const peer = this.members.get(node)?.report;
    if (peer?.link === 'two-way' && peer.state === 'ready' && this.refusal(address, node) === null) {
      this.handovers.start(address, node, peer.incarnation, nowMs);
    }
  }

  /** Whether what the thread is armed with may be outdated. */
  get plansOutdated(): boolean {
    return this.#plansOutdated && this.members.size > 0;
  }

  /** What the thread shall take over by itself, for each peer that may die. */
  plans(): TakeoverPlan[] {
    this.#plansOutdated = false;
    if (!this.#mayTake()) return [];
    const { node, interfaceName, canTake } = this.#options;
    const input = { wanted: this.#wanted, owners: this.#owners, members: this.members, candidates: this.#candidates };
    return takeoverPlans({ node, interfaceName, canTake, ...input });
  }

  nextMs(nowMs: number): number {
    let nextMs = Math.min(
      this.#presence.nextMs(nowMs, this.members),
      this.#replication.nextMs(nowMs),
      this.handovers.nextMs(),
      this.#accepted.nextMs(),
      this.#candidates.nextMs(),
      this.members.oneWayDueMs(nowMs),
      this.#presence.present && !this.#left
        ? this.#departure.nextMs(this.#replication.own.addresses, this.#wanted)
        : Number.POSITIVE_INFINITY,
    );
    if (this.#mayTake()) nextMs = Math.min(nextMs, this.#unowned.nextMs());
    return nextMs;
  }

  /** Decides what follows from all that happened since the last call. */
  run(nowMs: number): SegmentAction[] {
    if (this.#presence.advance(nowMs, this.members, this.#replication.allHeld())) this.#arrive();
    this.#touch(this.#accepted.takeExpired(nowMs));
    this.#checkHeard(nowMs);
    this.#settle(nowMs);
    this.#heal(nowMs);
    this.#expire(nowMs);
    if (this.#placeDue && this.#mayTake()) this.#placeUnowned(nowMs);
    this.#giveAway(nowMs);
    this.#touch(this.#replication.confirm(nowMs));
    this.#settle(nowMs);
    this.#leaveWhenDone(nowMs);
    for (const message of [...this.handovers.takeMessages(nowMs), ...this.#replication.takeMessages(nowMs)]) {
      this.#actions.push({ type: 'send', message });
    }
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #hear(incarnation: string, message: Extract<PeerMessage, { type: 'claims-change' | 'claims-page' }>): void {
    const heldBefore = this.#replication.heldOf(incarnation);
    // The loser yields, and the winner has the last word, also where it never heard of that claim.
    const dropped = new Set(message.type === 'claims-change' ? message.yielded : []);
    for (const address of this.#replication.apply(incarnation, message)) {
      this.#dirty.add(address);
      if (this.#replication.claimOf(incarnation, address) === null) dropped.add(address);
    }
    for (const address of dropped) this.contested(address);
    // What was told before counts against ours only now that nothing is missing.
    for (const address of this.#replication.claimedBy(incarnation)) if (this.owns(address)) this.#dirty.add(address);
    // Two versions that we did not see: an address of ours may have been claimed in one and yielded in the other.
    if (this.#replication.heldOf(incarnation) - heldBefore > 1 && message.type === 'claims-page') this.#healed = true;
  }

  #accept(incarnation: string, { addresses }: Handover, nowMs: number): void {
    const from = this.members.byIncarnation(incarnation)?.report.node ?? null;
    const declined: Address[] = [];
    for (const address of addresses) {
      // It asks for what we own: it has not heard our claim. Where we do not know its term, ours would not count.
      if (this.owns(address)) this.#replication.greet(nowMs);
      if (this.owns(address) || this.#replication.claimOf(incarnation, address) === null) continue;
      const wanted = this.#wanted.get(address);
      const allowed = wanted !== undefined && (wanted.nodes === null || wanted.nodes.has(this.#options.node));
      if (!allowed || from === null || !this.#mayTake() || !this.#options.canTake(address)) {
        declined.push(address);
        continue;
      }
      this.#accepted.add(address, incarnation, nowMs);
      this.#acquire(address, 'handover', `handed over by ${from}`, nowMs);
    }
    const messages = declined.length > 0 ? splitRequest({ type: 'decline', to: incarnation, addresses: declined }) : [];
    for (const message of messages) {
      this.#actions.push({ type: 'send', message });
    }
  }

  #declined(incarnation: string, addresses: readonly Address[], nowMs: number): void {
    const node = this.members.byIncarnation(incarnation)?.report.node;
    if (node === undefined) return;
    for (const address of addresses) {
      if (this.handovers.successorOf(address) !== node) continue;
      this.handovers.end(address);
      this.#candidates.refuse(address, node, nowMs);
    }
    this.#departure.retryNow();
  }

  #acquire(address: Address, how: Acquisition, why: string, nowMs: number): void {
    const term = this.#history.term(address) + 1;
    this.#replication.own.set(address, term, false);
    this.#history.sawTerm(address, term);
    this.#actions.push({ type: 'own', address, how, why });
    this.#setOwner(address, { node: this.#options.node, term, firm: false }, why, nowMs);
    this.#unowned.delete(address);
    this.#dirty.add(address);
  }

  #yield(address: Address, why: string): void {
    this.#history.gaveUp(address, why);
    this.#replication.own.delete(address);
    this.handovers.end(address);
    this.#accepted.delete(address);
    this.#disputed.delete(address);
    this.#actions.push({ type: 'stand-by', address, why });
    this.#dirty.add(address);
  }

  /** Who owns the addresses about which something was heard. */
  #settle(nowMs: number): void {
    // Yielding makes them dirty once more; a set goes on with what is added meanwhile.
    for (const address of this.#dirty) {
      this.#dirty.delete(address);
      this.#judge(address, nowMs);
    }
  }

  #judge(address: Address, nowMs: number): void {
    const { node } = this.#options;
    const mine = this.#replication.own.get(address);
    const claims = this.#replication.claimsOn(address);
    for (const { term } of claims) this.#history.sawTerm(address, term);
    const verdict = judge({
      address,
      node,
      mine,
      claims,
      successor: this.handovers.successorOf(address),
      predecessor: this.#accepted.from(address),
    });
    if (verdict.type === 'lost') this.#yield(address, verdict.why);
    else if (!this.#wanted.has(address)) this.#drop(address, verdict, nowMs);
    else if (mine) this.#setOwner(address, { node, term: mine.term, firm: mine.firm }, '', nowMs);
    else if (verdict.type === 'theirs') {
      this.#unowned.delete(address);
      const why = this.#history.takeReason(address) ?? `claimed by ${verdict.claim.node}`;
      this.#setOwner(address, verdict.claim, why, nowMs);
    } else {
      this.#setOwner(address, null, 'nobody claims it', nowMs);
      if (!this.#unowned.has(address)) {
        this.#unowned.add(address, nowMs);
        this.#placeDue = true;
      }
    }
  }

  /** The address is none of ours any more. */
  #drop(address: Address, verdict: Verdict, nowMs: number): void {
    if (verdict.type === 'mine') {
      this.#yield(address, 'not wanted any more');
      return;
    }
    if (verdict.type === 'nobody') this.#history.released(address);
    this.#owners.set(address, null, nowMs);
    this.#unowned.delete(address);
    this.#plansOutdated = true;
  }

  #setOwner(address: Address, owner: Omit<Owner, 'sinceMs'> | null, why: string, nowMs: number): void {
    if (owner !== null) this.#history.owned(address);
    const from = this.#owners.set(address, owner, nowMs);
    if (from === undefined) return;
    this.#plansOutdated = true;
    if (from !== null) this.#history.lost(address, from);
    if (owner !== null && owner.node !== this.#options.node) {
      this.#actions.push({ type: 'stand-by', address, why: `${owner.node} owns it` });
    }
    this.#actions.push({ type: 'moved', address, from, to: owner?.node ?? null, why });
  }

  /** Listening is over. What is still ours was on hold: clients hear of it again. */
  #arrive(): void {
    this.placeAnew();
    this.#touch(this.#replication.own.addresses);
    for (const address of this.#replication.own.addresses) this.contested(address);
  }

  /** Whoever answered for our addresses beyond the cut has yielded by now. What we had to yield ourselves is gone too. */
  #heal(nowMs: number): void {
    if (!this.#healed || !this.#replication.isSettled(nowMs)) return;
    this.#healed = false;
    for (const address of this.#replication.own.addresses) this.contested(address);
  }

  #checkHeard(nowMs: number): void {
    const unheard = this.members.isUnheard(nowMs);
    if (unheard === this.#unheard) return;
    this.#unheard = unheard;
    this.placeAnew();
    if (!unheard) return;
    for (const address of [...this.#replication.own.addresses]) this.#yield(address, 'no other node hears this one');
  }

  #mayTake(): boolean {
    return this.state === 'ready' && this.#usable && !this.#unheard;
  }

  /** Who has not claimed what fell to it does not want it. */
  #expire(nowMs: number): void {
    if (this.#candidates.expire(nowMs)) {
      this.placeAnew();
    }
    if (!this.#mayTake()) return;
    for (const { address, node } of this.#unowned.takeOverdue(nowMs)) {
      if (node !== null) this.#candidates.refuse(address, node, nowMs);
      this.#placeDue = true;
    }
  }

  #placeUnowned(nowMs: number): void {
    this.#placeDue = false;
    if (this.#unowned.size === 0) return;
    const wanted = [...this.#unowned.addresses].flatMap((address): [Address, Wanted, boolean][] => {
      const wish = this.#wanted.get(address);
      return wish ? [[address, wish, this.#history.isNew(address)]] : [];
    });
    // What is new is put in place while it is probed.
    const self = (address: Address) => this.#history.isNew(address) || this.#options.canTake(address);
    const placed = place(this.#candidates.requests(wanted, { self }), this.#owners.loads);
    for (const [address, node] of placed) {
      if (node === this.#options.node) {
        const isNew = this.#history.isNew(address);
        const from = this.#history.lastOwner(address);
        const why = isNew ? 'first claim' : from === null ? 'nobody had it' : `took over from ${from}`;
        this.#acquire(address, isNew ? 'first' : 'takeover', why, nowMs);
      } else {
        this.#unowned.fallTo(address, node, nowMs);
      }
    }
  }

  #giveAway(nowMs: number): void {
    for (const { address, node } of this.handovers.takeOverdue(nowMs)) {
      this.#candidates.refuse(address, node, nowMs);
      this.#departure.retryNow();
    }
    if (!this.#presence.present || !this.#departure.isDue(nowMs)) return;
    const wanted: [Address, Wanted, boolean][] = [];
    for (const address of this.#departure.of(this.#replication.own.addresses, this.#wanted)) {
      const wish = this.#wanted.get(address);
      if (wish && this.handovers.successorOf(address) === null) wanted.push([address, wish, false]);
    }
    if (wanted.length === 0) return;
    const requests = this.#candidates.requests(wanted, { self: () => false });
    for (const [address, node] of place(requests, this.#owners.loads)) {
      const successor = node === null ? null : this.members.get(node);
      if (successor) this.handovers.start(address, successor.report.node, successor.report.incarnation, nowMs);
      else if (!this.#departure.all) this.#yield(address, 'this node may not own it any more');
    }
  }

  #leaveWhenDone(nowMs: number): void {
    if (!this.#departure.leaving || this.#left) return;
    const alone = !this.members.twoWay().some(({ state }) => state === 'ready');
    if (!alone && this.#presence.present && this.#replication.own.size > 0 && !this.#departure.isOver(nowMs)) return;
    this.#left = true;
    for (const address of [...this.#replication.own.addresses]) this.#yield(address, 'this node leaves');
    this.#settle(nowMs);
  }

  /** Who may own what has changed. */
  #touch(addresses: Iterable<Address>): void {
    for (const address of addresses) this.#dirty.add(address);
  }
}
