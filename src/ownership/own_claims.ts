import type { Address } from '../net/address.js';
import { claimHash } from './digest.js';
import type { ClaimsChange, ClaimsPage, OwnershipClaim } from './message.js';
import { pagesOf, splitChange } from './split.js';

interface OwnClaim {
  readonly term: number;
  readonly firm: boolean;
  /** The first version that contains the claim; 0 until it was told. */
  readonly madeIn: number;
}

/** What this node claims on one segment, and which version of it the others have been told. Pure. */
export class OwnClaims {
  readonly #claims = new Map<Address, OwnClaim>();
  readonly #changed = new Set<Address>();
  /** Not yet acknowledged by most nodes. */
  readonly #provisional = new Set<Address>();
  #version = 0;
  #digest = 0;

  get version(): number {
    return this.#version;
  }

  /** Of all claims; that of `version` once no changes are left to be taken. */
  get digest(): number {
    return this.#digest;
  }

  get size(): number {
    return this.#claims.size;
  }

  get addresses(): Iterable<Address> {
    return this.#claims.keys();
  }

  get provisional(): ReadonlySet<Address> {
    return this.#provisional;
  }

  get(address: Address): OwnClaim | null {
    return this.#claims.get(address) ?? null;
  }

  set(address: Address, term: number, firm: boolean): void {
    const before = this.#claims.get(address);
    if (before) this.#digest ^= claimHash(address, before);
    this.#digest = (this.#digest ^ claimHash(address, { term, firm })) >>> 0;
    this.#claims.set(address, { term, firm, madeIn: firm && before ? before.madeIn : 0 });
    if (firm) this.#provisional.delete(address);
    else this.#provisional.add(address);
    this.#changed.add(address);
  }

  delete(address: Address): void {
    const before = this.#claims.get(address);
    if (!before) return;
    this.#digest = (this.#digest ^ claimHash(address, before)) >>> 0;
    this.#claims.delete(address);
    this.#provisional.delete(address);
    this.#changed.add(address);
  }

  /** All claims are provisional again. @returns those that were firm */
  demote(): Address[] {
    const firm = [...this.#claims].flatMap(([address, claim]) => (claim.firm ? [address] : []));
    for (const address of firm) this.set(address, this.#claims.get(address)?.term ?? 1, false);
    return firm;
  }

  /** What the others have to be told since the last call. */
  takeChanges(): readonly ClaimsChange[] {
    if (this.#changed.size === 0) return [];
    const claims: OwnershipClaim[] = [];
    const yielded: Address[] = [];
    for (const address of this.#changed) {
      const claim = this.#claims.get(address);
      if (claim) claims.push({ address, term: claim.term, firm: claim.firm });
      else yielded.push(address);
    }
    this.#changed.clear();
    const changes = splitChange(this.#version, claims, yielded);
    this.#version = changes.at(-1)?.version ?? this.#version;
    for (const change of changes) {
      for (const { address } of change.claims) this.#told(address, change.version);
    }
    return changes;
  }

  /** All claims, for who missed a change. Call with no changes left to be taken. */
  pages(): readonly ClaimsPage[] {
    const all = [...this.#claims].map(([address, { term, firm }]) => ({ address, term, firm }));
    return pagesOf(this.#version, all);
  }

  #told(address: Address, version: number): void {
    const claim = this.#claims.get(address);
    if (claim?.madeIn === 0) this.#claims.set(address, { ...claim, madeIn: version });
  }
}
