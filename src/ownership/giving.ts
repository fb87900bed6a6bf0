import type { Address } from '../net/address.js';
import { place } from '../placement/placement.js';
import { type Candidates, mayOwn, type Wanted } from './candidates.js';
import { Departure } from './departure.js';
import type { Ledger } from './ledger.js';

/** How what is ours goes to other nodes in order: nothing is given up before its successor answers. Pure. */
export class Giving {
  readonly departure = new Departure();
  #left = false;

  constructor(
    private readonly ledger: Ledger,
    private readonly candidates: Candidates,
    /** Whether anything may be given away now. */
    private readonly mayGive: () => boolean,
  ) {}

  /** Whether all is given away, or nothing more can be. */
  get left(): boolean {
    return this.#left;
  }

  /** A successor cannot take these. */
  declined(incarnation: string, addresses: readonly Address[], nowMs: number): void {
    for (const [address, node] of this.#askedOf(incarnation, addresses)) {
      this.ledger.handovers.end(address);
      this.ledger.unwilling.add(address, node, nowMs);
      this.departure.consider(address);
    }
  }

  /** A successor was not told yet that it may have these. Another that was goes first; else it is waited for. */
  postponed(incarnation: string, addresses: readonly Address[], nowMs: number): void {
    const uninformed = new Map<Address, ReadonlySet<string>>();
    for (const [address] of this.#askedOf(incarnation, addresses)) {
      // This node said nothing about the address since it asked; now clients hear of it again.
      if (this.ledger.handovers.isGoing(address)) this.ledger.act({ type: 'announce', address });
      const nodes = this.ledger.handovers.postpone(address, nowMs);
      if (nodes) uninformed.set(address, nodes);
    }
    this.#offer(uninformed.keys(), nowMs, (address) => uninformed.get(address) ?? null);
  }

  /** Who was asked and has not taken an address in time is waited for no more; also while this node is on hold. */
  endOverdue(nowMs: number): void {
    for (const { address, node } of this.ledger.handovers.takeOverdue(nowMs)) {
      this.ledger.unwilling.add(address, node, nowMs);
      this.departure.consider(address);
    }
  }

  /** Looks for successors of what shall go. */
  giveAway(nowMs: number): void {
    const { ledger, departure } = this;
    if (!this.mayGive()) return;
    const due: Address[] = [];
    for (const address of departure.takeDue(ledger.replication.own.addresses, nowMs)) {
      if (ledger.handovers.successorOf(address) === null) due.push(address);
    }
    const forbidden = this.#offer(due, nowMs);
    if (!departure.all) for (const address of forbidden) ledger.yield(address, 'this node may not own it any more');
  }

  /**
   * What is not answered cannot be handed over: what this node may not own is for others to take.
   * @param present whether this node answers anything; not where it is on hold
   */
  giveUpForbidden(present: boolean): void {
    const { ledger, departure } = this;
    for (const address of departure.considered) {
      if (!ledger.owns(address) || mayOwn(ledger.wanted.get(address), ledger.node)) continue;
      if (!present || !ledger.holds(address)) ledger.yield(address, 'this node may not own it any more');
    }
  }

  /** @param present whether this node takes part; else there is nobody to wait for */
  leaveWhenDone(nowMs: number, present: boolean): void {
    const { ledger, departure } = this;
    if (!departure.leaving || this.#left) return;
    const alone = !ledger.members.twoWay().some(({ state }) => state === 'ready');
    const isDone = ledger.replication.own.size === 0 && departure.knowsAll(nowMs);
    if (!alone && present && !isDone && !departure.isOver(nowMs)) return;
    this.#left = true;
    for (const address of ledger.owned()) ledger.yield(address, 'this node leaves');
    ledger.settle(nowMs);
  }

  /** Asks a successor each to take those that shall go. @returns those that must go, and that nobody may take */
  #offer(
    addresses: Iterable<Address>,
    nowMs: number,
    except?: (address: Address) => ReadonlySet<string> | null,
  ): Address[] {
    const { ledger, departure } = this;
    if (!this.mayGive()) return [];
    const must: [Address, Wanted, boolean][] = [];
    const may: [Address, Wanted, boolean][] = [];
    for (const address of addresses) {
      const wish = ledger.wanted.get(address);
      if (!wish || !ledger.owns(address)) continue;
      if (departure.all || !mayOwn(wish, ledger.node)) must.push([address, wish, false]);
      else if (departure.lastResort) may.push([address, wish, false]);
    }
    const left: Address[] = [];
    for (const [list, better] of [
      [must, false],
      [may, true],
    ] as const) {
      if (list.length === 0) continue;
      const requests = this.candidates.requests(list, { self: () => false, better, ...(except && { except }) });
      for (const [address, node] of place(requests, ledger.owners.loads)) {
        const successor = node === null ? null : ledger.members.get(node);
        if (successor) ledger.handovers.start(address, successor.report.node, successor.report.incarnation, nowMs);
        else if (!better) left.push(address);
      }
    }
    return left;
  }

  /** The addresses that the process was asked to take, with its node. */
  #askedOf(incarnation: string, addresses: readonly Address[]): [Address, string][] {
    const node = this.ledger.members.byIncarnation(incarnation)?.report.node;
    if (node === undefined) return [];
    return addresses.flatMap((address): [Address, string][] =>
      this.ledger.handovers.successorOf(address) === node ? [[address, node]] : [],
    );
  }
}
