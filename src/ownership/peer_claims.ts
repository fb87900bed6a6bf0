import type { Address } from '../net/address.js';
import { claimHash } from './digest.js';
import type { ClaimsChange, ClaimsPage, OwnershipClaim } from './message.js';

/** What one process of a peer claims on a segment, as far as we have been told. Pure. */
export class PeerClaims {
  #claims = new Map<Address, OwnershipClaim>();
  #held = 0;
  #digest = 0;
  #assembling: { version: number; pages: (readonly OwnershipClaim[] | undefined)[]; missing: number } | null = null;

  /** The version of its claims that we hold. */
  get held(): number {
    return this.#held;
  }

  get addresses(): Iterable<Address> {
    return this.#claims.keys();
  }

  get(address: Address): OwnershipClaim | null {
    return this.#claims.get(address) ?? null;
  }

  /** @returns the addresses whose claim changed */
  applyChange(change: ClaimsChange): Address[] {
    // What came before it is missing: its sender sees that we do not hold it, and sends all pages.
    if (change.baseVersion !== this.#held) return [];
    this.#held = change.version;
    for (const claim of change.claims) this.#set(claim.address, claim);
    for (const address of change.yielded) this.#set(address, null);
    return [...change.claims.map(({ address }) => address), ...change.yielded];
  }

  /** @returns the addresses whose claim changed; none before the last page is here */
  applyPage({ version, page, pages, claims }: ClaimsPage): Address[] {
    if (version <= this.#held || page >= pages) return [];
    if (this.#assembling?.version !== version || this.#assembling.pages.length !== pages) {
      this.#assembling = { version, pages: new Array(pages), missing: pages };
    }
    const assembling = this.#assembling;
    if (assembling.pages[page]) return [];
    assembling.pages[page] = claims;
    assembling.missing -= 1;
    if (assembling.missing > 0) return [];
    this.#assembling = null;
    const before = this.#claims;
    this.#claims = new Map(
      assembling.pages.flatMap((all) => (all ?? []).map((claim) => [claim.address, claim] as const)),
    );
    this.#held = version;
    this.#digest = 0;
    for (const [address, claim] of this.#claims) this.#digest = (this.#digest ^ claimHash(address, claim)) >>> 0;
    return [...new Set([...before.keys(), ...this.#claims.keys()])];
  }

  /** Forgets what it holds if that cannot be what the peer means: it is sent again. @returns whether it is right */
  check(version: number, digest: number): boolean {
    if (this.#held !== version || this.#digest === digest) return true;
    this.#held = 0;
    return false;
  }

  #set(address: Address, claim: OwnershipClaim | null): void {
    const before = this.#claims.get(address);
    if (before) this.#digest = (this.#digest ^ claimHash(address, before)) >>> 0;
    if (claim) {
      this.#digest = (this.#digest ^ claimHash(address, claim)) >>> 0;
      this.#claims.set(address, claim);
    } else {
      this.#claims.delete(address);
    }
  }
}
