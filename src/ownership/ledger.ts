import { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import { Accepted } from './accepted.js';
import type { Acquisition, SegmentAction } from './actions.js';
import { mayOwn, type Wanted } from './candidates.js';
import { Handovers } from './handovers.js';
import { History } from './history.js';
import { judge, type Verdict } from './judge.js';
import { type Owner, Owners } from './owners.js';
import { Plans } from './plans.js';
import type { Records } from './records.js';
import { Replication } from './replication.js';
import { Unowned } from './unowned.js';
import { Unwilling } from './unwilling.js';

/**
 * Who owns the addresses of one segment, by all claims that are known; and how a claim of ours begins and ends. Pure.
 * What follows from a change waits in `dirty` for {@link settle}, and in `actions` to be taken.
 */
export class Ledger {
  readonly members: Membership;
  readonly replication: Replication;
  readonly owners = new Owners();
  readonly history = new History();
  readonly unowned: Unowned;
  readonly unwilling = new Unwilling();
  readonly accepted = new Accepted();
  readonly handovers = new Handovers();
  readonly wanted = new Map<Address, Wanted>();
  /** Addresses of ours that another node announced too, by its MAC: whoever followed it is told again when it is gone. */
  readonly disputed = new Map<Address, string>();
  /** Whether what nobody owns is to be placed. */
  placeDue = false;
  readonly plans = new Plans();
  readonly #dirty = new Set<Address>();
  #gained: Address[] = [];
  /** Claims of ours that are answered when their record names us, with how they came to be. */
  readonly #awaiting = new Map<Address, { readonly how: Acquisition; readonly why: string }>();
  #actions: SegmentAction[] = [];

  constructor(
    readonly node: string,
    intervalMs: number,
    private readonly records: Records,
  ) {
    this.members = new Membership(() => records.strangers());
    this.unowned = new Unowned(this.members);
    this.replication = new Replication(this.members, intervalMs);
  }

  owns(address: Address): boolean {
    return this.replication.own.get(address) !== null;
  }

  /** Whether this node owns the address, and may answer for it. */
  holds(address: Address): boolean {
    return this.owns(address) && this.#isConfirmed(address);
  }

  /** Claims of ours that wait for their record. */
  get awaiting(): Address[] {
    return [...this.#awaiting.keys()];
  }

  /** A copy: who yields them all changes what is listed. */
  owned(): Address[] {
    return [...this.replication.own.addresses];
  }

  act(action: SegmentAction): void {
    this.#actions.push(action);
  }

  takeActions(): SegmentAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** What became ours since the last call. */
  takeGained(): Address[] {
    const gained = this.#gained;
    this.#gained = [];
    return gained;
  }

  /** Who may take what is another, or whether we could. */
  placeAnew(): void {
    this.unowned.reopenAll();
    this.placeDue = true;
    this.plans.setAllOutdated();
  }

  /** Who may own what has changed. */
  touch(addresses: Iterable<Address>): void {
    for (const address of addresses) this.#dirty.add(address);
  }

  acquire(address: Address, how: Acquisition, why: string, nowMs: number): void {
    const term = Math.max(this.history.term(address), this.records.termOf(address)) + 1;
    this.replication.own.set(address, term, false);
    this.history.sawTerm(address, term);
    this.#gained.push(address);
    if (this.records.fence) this.#awaiting.set(address, { how, why });
    else this.#actions.push({ type: 'own', address, how, why });
    this.#setOwner(address, { node: this.node, term, firm: false }, why, nowMs);
    this.unowned.delete(address);
    this.#dirty.add(address);
  }

  yield(address: Address, why: string): void {
    this.history.gaveUp(address, why);
    this.replication.own.delete(address);
    this.handovers.end(address);
    this.accepted.delete(address);
    this.disputed.delete(address);
    this.#awaiting.delete(address);
    this.#actions.push({ type: 'stand-by', address, why });
    this.#dirty.add(address);
  }

  /** Who owns the addresses about which something was heard. */
  settle(nowMs: number): void {
    // Yielding makes them dirty once more; a set goes on with what is added meanwhile.
    for (const address of this.#dirty) {
      this.#dirty.delete(address);
      this.#judge(address, nowMs);
    }
  }

  #judge(address: Address, nowMs: number): void {
    const { node, replication, history, unowned } = this;
    const mine = replication.own.get(address);
    const claims = replication.claimsOn(address);
    for (const { term } of claims) history.sawTerm(address, term);
    const verdict = judge({
      address,
      node,
      mine,
      claims,
      successor: this.handovers.successorOf(address),
      predecessor: this.accepted.from(address),
      confirmed: this.records.fence !== null && this.#isConfirmed(address),
    });
    const wish = this.wanted.get(address);
    const recorded = this.records.holderOf(address);
    // Who may not own it any more gives it up by itself; within a fence its record says when.
    const outdated = recorded !== null && !this.records.fence && wish !== undefined && !mayOwn(wish, recorded.node);
    const holder = outdated ? null : recorded;
    if (verdict.type === 'lost') this.yield(address, verdict.why);
    else if (!wish) this.#drop(address, verdict, nowMs);
    else if (mine && holder && this.#stands(holder, address, mine.term)) {
      const unheard = this.members.isTwoWay(holder.node) ? '' : ', which is not heard,';
      this.yield(address, `${holder.node}${unheard} is recorded as its owner`);
    } else if (holder && this.#isRecordFirst(verdict, holder.node)) {
      unowned.delete(address);
      this.#setOwner(address, { ...holder, firm: false }, `recorded as owned by ${holder.node}`, nowMs);
      // When its session is over it may still answer, unheard as it is: then the address is probed. Within a fence it does not.
      if (!this.records.fence) history.released(address, holder.node);
    } else if (mine) {
      this.#setOwner(address, { node, term: mine.term, firm: mine.firm }, '', nowMs);
      if (this.records.fence) this.#checkRecord(address);
    } else if (verdict.type === 'theirs') {
      unowned.delete(address);
      const why = history.takeReason(address) ?? `claimed by ${verdict.claim.node}`;
      this.#setOwner(address, verdict.claim, why, nowMs);
    } else {
      this.#clearSuspect(address);
      this.#setOwner(address, null, 'nobody claims it', nowMs);
      // What no node at all may own waits for nobody: thousands may, whose services have no endpoints.
      if (wish.nodes?.size === 0) unowned.delete(address);
      else if (!unowned.has(address)) {
        unowned.add(address, nowMs);
        this.placeDue = true;
      }
    }
  }

  /** Who is heard, and does not claim the address, does not answer: there is nothing to probe, and all nodes place it alike. */
  #clearSuspect(address: Address): void {
    const suspect = this.history.suspectOf(address);
    if (suspect !== null && this.members.isTwoWay(suspect)) this.history.owned(address);
  }

  #isConfirmed(address: Address): boolean {
    return this.records.fence?.isConfirmed(address) ?? true;
  }

  /** Whether the record is older than our claim, or the only one that counts; not where its holder has asked us to take it. */
  #stands(holder: { readonly node: string; readonly term: number }, address: Address, term: number): boolean {
    if (!this.records.fence) return holder.term >= term;
    const from = this.accepted.from(address);
    return from === null || this.members.byIncarnation(from)?.report.node !== holder.node;
  }

  /** Whether the owner is the one recorded, whoever claims the address. */
  #isRecordFirst(verdict: Verdict, holder: string): boolean {
    if (verdict.type === 'nobody') return true;
    return this.records.fence !== null && verdict.type === 'theirs' && verdict.claim.node !== holder;
  }

  /** What is ours is answered as long as its record says so. */
  #checkRecord(address: Address): void {
    const awaited = this.#awaiting.get(address);
    if (this.#isConfirmed(address)) {
      this.#awaiting.delete(address);
      if (awaited) this.#actions.push({ type: 'own', address, ...awaited });
    } else if (!awaited) {
      this.#awaiting.set(address, { how: 'takeover', why: 'recorded again' });
      this.#actions.push({ type: 'stand-by', address, why: 'its record does not name this node any more' });
    }
  }

  /** The address is none of ours any more. */
  #drop(address: Address, verdict: Verdict, nowMs: number): void {
    if (verdict.type === 'mine') {
      this.yield(address, 'not wanted any more');
      return;
    }
    if (verdict.type === 'nobody') this.history.released(address);
    this.owners.set(address, null, nowMs);
    this.unowned.delete(address);
    this.plans.setAllOutdated();
  }

  #setOwner(address: Address, owner: Omit<Owner, 'sinceMs'> | null, why: string, nowMs: number): void {
    if (owner !== null) this.history.owned(address);
    const from = this.owners.set(address, owner, nowMs);
    if (from === undefined) return;
    if (owner !== null) this.unwilling.taken(address);
    this.plans.setAllOutdated();
    if (from !== null) this.history.lost(address, from);
    if (owner !== null && owner.node !== this.node) {
      this.#actions.push({ type: 'stand-by', address, why: `${owner.node} owns it` });
    }
    this.#actions.push({ type: 'moved', address, from, to: owner?.node ?? null, why });
  }
}
