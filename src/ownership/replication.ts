import type { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import type { Advertisement, PeerReport } from '../responder/types.js';
import type { PeerClaim } from './judge.js';
import type { ClaimsChange, ClaimsPage, OwnershipClaim, PeerMessage } from './message.js';
import { OwnClaims } from './own_claims.js';
import { PeerClaims } from './peer_claims.js';

const MAX_REPAIR_MS = 1_000;

/**
 * The claims on a segment: ours, told and told again until each peer holds them, and those of each peer's process as far
 * as told to us. Pure.
 */
export class Replication {
  readonly own = new OwnClaims();
  /** By incarnation. */
  readonly #peers = new Map<string, PeerClaims>();
  /** Who claims an address, by incarnation. */
  readonly #claimants = new Map<Address, Set<string>>();
  #repairMs = Number.POSITIVE_INFINITY;
  #repairPauseMs = 0;
  #heldChanges = 0;
  #held: { readonly changes: string; readonly list: Advertisement['held'] } = { changes: '', list: [] };
  /** Claims of ours up to this version were looked at: those that most nodes hold are firm. */
  #confirmedVersion = 0;

  constructor(
    private readonly members: Membership,
    private readonly intervalMs: number,
  ) {}

  /** @returns the addresses whose claims changed */
  apply(incarnation: string, message: ClaimsChange | ClaimsPage): Address[] {
    const claims = this.#peers.get(incarnation) ?? new PeerClaims();
    this.#peers.set(incarnation, claims);
    const changed = message.type === 'claims-change' ? claims.applyChange(message) : claims.applyPage(message);
    for (const address of changed) this.#index(address, incarnation, claims.get(address) !== null);
    this.#heldChanges += 1;
    return changed;
  }

  /** What a process that is gone for good had claimed. */
  forget(incarnation: string): Address[] {
    const addresses = [...(this.#peers.get(incarnation)?.addresses ?? [])];
    this.#peers.delete(incarnation);
    this.#heldChanges += 1;
    for (const address of addresses) this.#index(address, incarnation, false);
    return addresses;
  }

  claimedBy(incarnation: string): Iterable<Address> {
    return this.#peers.get(incarnation)?.addresses ?? [];
  }

  claimOf(incarnation: string, address: Address): OwnershipClaim | null {
    return this.#peers.get(incarnation)?.get(address) ?? null;
  }

  /** All claims to an address that we were told of, those of peers that are down included. */
  claimsOn(address: Address): PeerClaim[] {
    const claims: PeerClaim[] = [];
    for (const incarnation of this.#claimants.get(address) ?? []) {
      const claim = this.claimOf(incarnation, address);
      const report = this.members.byIncarnation(incarnation)?.report;
      if (!claim || !report) continue;
      const { node, link, hears, claimsVersion } = report;
      claims.push({ ...claim, incarnation, node, link, hears, current: this.heldOf(incarnation) >= claimsVersion });
    }
    return claims;
  }

  /** For the heartbeats: what we claim, and what we hold of others' claims; the same list until that changes. */
  versions(): Omit<Advertisement, 'state'> {
    const changes = `${this.members.linkChanges} ${this.#heldChanges}`;
    if (this.#held.changes !== changes) {
      const list: (readonly [incarnation: string, version: number])[] = [];
      for (const { report } of this.members.peers) {
        const version = this.heldOf(report.incarnation);
        if (report.link !== 'down' && version > 0) list.push([report.incarnation, version]);
      }
      this.#held = { changes, list };
    }
    return { claimsVersion: this.own.version, claimsDigest: this.own.digest, held: this.#held.list };
  }

  /** Whether we hold what every peer says it claims. */
  allHeld(): boolean {
    return this.members.twoWay().every((report) => this.holds(report));
  }

  holds({ incarnation, claimsVersion }: PeerReport): boolean {
    return this.heldOf(incarnation) === claimsVersion;
  }

  /** The version of a process's claims that we hold. */
  heldOf(incarnation: string): number {
    return this.#peers.get(incarnation)?.held ?? 0;
  }

  /** A peer said which version it has. */
  check(incarnation: string, version: number, digest: number): void {
    if (this.#peers.get(incarnation)?.check(version, digest) === false) this.#heldChanges += 1;
  }

  /**
   * Makes firm what most of the nodes known hold and nobody disputes. After every change of who is heard that takes a
   * while: a node that was cut off has to hear the better claims before others have heard its own.
   * @returns the addresses whose claims became firm
   */
  confirm(nowMs: number): Address[] {
    const { own, members } = this;
    if (own.provisional.size === 0 || !this.isSettled(nowMs)) return [];
    const held = members
      .twoWay()
      .map(({ heldVersion }) => heldVersion)
      .sort((a, b) => b - a);
    const version = held[members.majority - 1] ?? 0;
    if (version <= this.#confirmedVersion) return [];
    this.#confirmedVersion = version;
    const confirmed: Address[] = [];
    for (const address of [...own.provisional]) {
      const claim = own.get(address);
      if (!claim || claim.madeIn === 0 || claim.madeIn > version) continue;
      own.set(address, claim.term, true);
      confirmed.push(address);
    }
    return confirmed;
  }

  /** Whether nobody came or went of late, and we hold the claims of all. */
  isSettled(nowMs: number): boolean {
    return nowMs >= this.#settledMs() && this.members.allTwoWay(nowMs) && this.allHeld();
  }

  /** A peer said which version of our claims it holds. It may have dropped what it held: then all are told again. */
  heldBy({ heldVersion }: PeerReport, nowMs: number): void {
    if (heldVersion === this.own.version || this.#repairMs !== Number.POSITIVE_INFINITY) return;
    this.#repairMs = nowMs + this.#pauseMs();
    this.#repairPauseMs = 0;
  }

  /** A peer is new here, or back: it hears our claims at once. */
  greet(nowMs: number): void {
    this.#repairMs = Math.min(this.#repairMs, nowMs);
    this.#repairPauseMs = 0;
  }

  /** What is to be told now. */
  takeMessages(nowMs: number): readonly PeerMessage[] {
    const changes = this.own.takeChanges();
    if (changes.length > 0) {
      this.#repairPauseMs = 0;
      const alone = this.members.twoWay().length === 0;
      this.#repairMs = alone ? Number.POSITIVE_INFINITY : nowMs + this.#pauseMs();
      return changes;
    }
    if (nowMs < this.#repairMs) return [];
    const { version } = this.own;
    if (this.members.twoWay().every(({ heldVersion }) => heldVersion === version)) {
      this.#repairMs = Number.POSITIVE_INFINITY;
      return [];
    }
    this.#repairPauseMs = Math.min(MAX_REPAIR_MS, Math.max(this.#pauseMs(), this.#repairPauseMs * 2));
    this.#repairMs = nowMs + this.#repairPauseMs;
    return this.own.pages();
  }

  nextMs(nowMs: number): number {
    const settledMs = this.#settledMs();
    return settledMs > nowMs ? Math.min(this.#repairMs, settledMs) : this.#repairMs;
  }

  #settledMs(): number {
    return this.members.linksChangedMs + this.#pauseMs();
  }

  #pauseMs(): number {
    return this.members.acknowledgementMs(this.intervalMs);
  }

  #index(address: Address, incarnation: string, claimed: boolean): void {
    const known = this.#claimants.get(address);
    if (claimed) {
      if (known) known.add(incarnation);
      else this.#claimants.set(address, new Set([incarnation]));
    } else if (known?.delete(incarnation) && known.size === 0) {
      this.#claimants.delete(address);
    }
  }
}
