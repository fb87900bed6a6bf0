import type { Address } from '../net/address.js';
import { place } from '../placement/placement.js';
import type { PeerReport } from '../responder/types.js';
import type { PeerProcess } from './actions.js';
import { type Candidates, mayOwn, type Wanted } from './candidates.js';
import type { Ledger } from './ledger.js';
import type { Handover } from './message.js';
import type { Records } from './records.js';
import { splitRequest } from './split.js';

/** What an owner asked us to take before we knew that we may is kept in mind for this long after it asked last. */
const REMEMBER_MS = 1_000;

export interface TakingOptions {
  readonly ledger: Ledger;
  readonly candidates: Candidates;
  /** Of this node's process. */
  readonly incarnation: string;
  /** Whether this node could answer the address at once. */
  readonly canTake: (address: Address) => boolean;
  /** Whether the address is in place here; else it will be in a moment. */
  readonly isServed: (address: Address) => boolean;
  /** Whether this node takes anything now. */
  readonly mayTake: () => boolean;
  readonly records: Records;
}

/** How addresses become ours: from an owner that asks, from one that is lost, or because nobody has them. Pure. */
export class Taking {
  readonly #options: TakingOptions;
  /**
   * Asked for by their owner's process, by incarnation, while our own source did not let us, or before they were in place: nodes hear
   * of changes at different times.
   */
  readonly #asked = new Map<Address, { readonly from: string; readonly untilMs: number }>();

  constructor(options: TakingOptions) {
    this.#options = options;
  }

  /** An owner asked one of its peers to take addresses. */
  handover(from: string, { to, addresses }: Handover, nowMs: number): void {
    const { ledger, incarnation, mayTake, canTake, isServed } = this.#options;
    const { replication } = ledger;
    const known = ledger.members.byIncarnation(from) !== null;
    const declined: Address[] = [];
    const later: Address[] = [];
    for (const address of addresses) {
      if (this.#asked.get(address)?.from === from) this.#asked.delete(address);
      if (to !== incarnation) continue;
      // It asks for what we own: it has not heard our claim. Where we do not know its term, ours would not count.
      if (ledger.owns(address)) replication.greet(nowMs);
      if (ledger.owns(address) || replication.claimOf(from, address) === null) continue;
      if (!known || !mayTake()) declined.push(address);
      else if (!this.#isAllowed(address) || !isServed(address)) {
        this.#asked.set(address, { from, untilMs: nowMs + REMEMBER_MS });
        later.push(address);
      } else if (canTake(address) && !this.#isAnothers(address, from)) this.#accept(address, from, nowMs);
      else declined.push(address);
    }
    for (const [type, list] of [
      ['decline', declined],
      ['later', later],
    ] as const) {
      if (list.length === 0) continue;
      for (const message of splitRequest({ type, to: from, addresses: list })) ledger.act({ type: 'send', message });
    }
  }

  /** Who holds our claims and still lists its own had asked us long ago: it does not any more, and its claims count. */
  heard(report: PeerReport): void {
    const { accepted, replication } = this.#options.ledger;
    for (const address of accepted.of(report.incarnation)) {
      const { madeIn = 0 } = replication.own.get(address) ?? {};
      const knowsOurs = madeIn > 0 && report.heldVersion >= madeIn && replication.holds(report);
      if (!knowsOurs || replication.claimOf(report.incarnation, address) === null) continue;
      accepted.delete(address);
      this.#options.ledger.touch([address]);
    }
  }

  /** Takes what was asked for earlier and is allowed now. */
  advance(nowMs: number): void {
    if (this.#asked.size === 0) return;
    const { ledger, mayTake, canTake } = this.#options;
    for (const [address, { from, untilMs }] of this.#asked) {
      if (nowMs >= untilMs || ledger.owns(address) || ledger.replication.claimOf(from, address) === null) {
        this.#asked.delete(address);
      } else if (mayTake() && this.#isAllowed(address) && canTake(address)) {
        this.#asked.delete(address);
        if (ledger.members.byIncarnation(from)?.report.link === 'two-way') this.#accept(address, from, nowMs);
      }
    }
  }

  /** The packet thread has replaced a peer. */
  took(addresses: readonly Address[], { node }: PeerProcess, nowMs: number): void {
    const { ledger } = this.#options;
    for (const address of addresses) {
      if (!ledger.wanted.has(address) || ledger.owns(address)) continue;
      ledger.acquire(address, 'took', `took over from ${node}`, nowMs);
    }
  }

  /** Who has not claimed what fell to it does not want it; what still waits is placed. */
  place(nowMs: number): void {
    const { ledger } = this.#options;
    for (const { address, node } of ledger.unowned.takeOverdue(nowMs)) {
      if (node !== null) ledger.unwilling.add(address, node, nowMs);
      ledger.placeDue = true;
    }
    if (ledger.placeDue) this.#placeUnowned(nowMs);
  }

  #placeUnowned(nowMs: number): void {
    const { ledger, candidates, canTake, records } = this.#options;
    const { history, unowned } = ledger;
    ledger.placeDue = false;
    this.#takeBack(nowMs);
    const wanted = [...unowned.open].flatMap((address): [Address, Wanted, boolean][] => {
      const wish = ledger.wanted.get(address);
      return wish ? [[address, wish, history.isNew(address)]] : [];
    });
    if (wanted.length === 0) return;
    // What is new is put in place while it is probed.
    const self = (address: Address) => history.isNew(address) || canTake(address);
    const placed = place(candidates.requests(wanted, { self }), ledger.owners.loads);
    for (const [address, node] of placed) {
      if (node === ledger.node) {
        this.#doubtUnwilling(address);
        const from = history.lastOwner(address);
        if (!history.isNew(address)) {
          ledger.acquire(address, 'takeover', from === null ? 'nobody had it' : `took over from ${from}`, nowMs);
        } else if (history.term(address) === 0 && records.isResumable(address, nowMs)) {
          ledger.acquire(address, 'resumed', 'ours before the restart', nowMs);
        } else ledger.acquire(address, 'first', 'first claim', nowMs);
      } else {
        unowned.fallTo(address, node, nowMs);
      }
    }
  }

  /** Who did not take it may hang, and its packet thread may answer all the same: when it is gone, clients are told again. */
  #doubtUnwilling(address: Address): void {
    const { ledger } = this.#options;
    for (const node of ledger.unwilling.of(address).keys()) {
      const report = ledger.members.get(node)?.report;
      if (report?.link === 'two-way') ledger.disputed.set(address, report.mac);
    }
  }

  /** What is recorded of this node nobody else takes: it was ours before a restart, or a break. */
  #takeBack(nowMs: number): void {
    const { ledger, candidates, canTake, records } = this.#options;
    if (!records.fence || candidates.lastResort.has(ledger.node)) return;
    for (const address of [...ledger.unowned.open]) {
      if (!records.isOurs(address) || !this.#isAllowed(address)) continue;
      const { history } = ledger;
      const isNew = history.isNew(address);
      if (!isNew && !canTake(address)) continue;
      const resumed = history.term(address) === 0 && records.isResumable(address, nowMs);
      ledger.acquire(address, isNew ? (resumed ? 'resumed' : 'first') : 'takeover', 'recorded as ours', nowMs);
    }
  }

  #accept(address: Address, from: string, nowMs: number): void {
    const { ledger } = this.#options;
    const node = ledger.members.byIncarnation(from)?.report.node;
    ledger.accepted.add(address, from, nowMs);
    ledger.acquire(address, 'handover', `handed over by ${node}`, nowMs);
  }

  /** Within a fence: recorded of a node that did not ask, as far as is known here. It would be yielded again at once. */
  #isAnothers(address: Address, from: string): boolean {
    const { ledger, records } = this.#options;
    const holder = records.fence ? records.holderOf(address) : null;
    return holder !== null && holder.node !== ledger.members.byIncarnation(from)?.report.node;
  }

  #isAllowed(address: Address): boolean {
    const { ledger } = this.#options;
    return mayOwn(ledger.wanted.get(address), ledger.node);
  }
}
