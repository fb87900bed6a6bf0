import type { Address } from '../net/address.js';
import type { PeerReport } from '../responder/types.js';
import type { Ledger } from './ledger.js';
import type { Presence } from './presence.js';

/** Whoever may have followed another node is told again that an address is here. Pure. */
export class LastWord {
  /** A node is here that may have owned our addresses while we did not hear each other. */
  #healed = false;

  constructor(
    private readonly ledger: Ledger,
    private readonly presence: Presence,
  ) {}

  /** Some node may have owned our addresses, or told so, without our hearing it. */
  doubt(): void {
    this.#healed = true;
  }

  /** A frame of another node says that it has the address. While its claims are not known it is too early to object. */
  rival(address: Address, mac: string, nowMs: number): void {
    const { ledger } = this;
    if (!ledger.owns(address)) return;
    ledger.disputed.set(address, mac);
    const peer = ledger.members.byMac(mac);
    if (peer?.link === 'two-way' && ledger.replication.holds(peer)) this.contested(address);
    else if (!this.#healed) {
      this.#healed = true;
      if (peer?.link === 'down') ledger.members.linksChangedMs = nowMs;
    }
  }

  /** A node is not heard in both directions any more. Whether or not its claims counted, some may have followed them. */
  lost({ node, incarnation, mac }: PeerReport): void {
    const { ledger } = this;
    for (const address of ledger.replication.claimedBy(incarnation)) this.yielded(address, node);
    for (const [address, by] of ledger.disputed) {
      if (by !== mac) continue;
      ledger.disputed.delete(address);
      this.yielded(address, node);
    }
  }

  /**
   * The node has the address no more. A successor of ours may speak at any moment, so that nothing is said; but who followed
   * another node must not wait for one that may never take it.
   */
  yielded(address: Address, node: string | undefined): void {
    const { handovers } = this.ledger;
    if (handovers.successorOf(address) !== node) handovers.speak(address);
    this.contested(address);
  }

  /** Ours has to be the last word where it is ours. */
  contested(address: Address): void {
    const { ledger } = this;
    if (ledger.handovers.isGoing(address)) return;
    if (ledger.owns(address) && this.presence.present) ledger.act({ type: 'announce', address });
  }

  /** Whoever answered for our addresses beyond the cut has yielded by now. What we had to yield ourselves is gone too. */
  heal(nowMs: number): void {
    const { replication } = this.ledger;
    if (!this.#healed || !replication.isSettled(nowMs)) return;
    this.#healed = false;
    for (const address of replication.own.addresses) this.contested(address);
  }
}
