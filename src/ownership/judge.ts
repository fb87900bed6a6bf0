import type { Address } from '../net/address.js';
import type { PeerReport } from '../responder/types.js';
import type { OwnershipClaim } from './message.js';
import { compareClaims } from './order.js';

/** A claim of a peer, and how we hear that peer. */
export interface PeerClaim extends OwnershipClaim {
  readonly node: string;
  readonly incarnation: string;
  readonly link: PeerReport['link'];
  /** False: the peer has changed its claims since, and we do not know how. */
  readonly current: boolean;
  /** How many other nodes that peer hears. */
  readonly hears: number;
}

export type Verdict =
  | { readonly type: 'mine' }
  /** Our claim is not the best: it is to be given up. */
  | { readonly type: 'lost'; readonly why: string }
  | { readonly type: 'theirs'; readonly claim: PeerClaim }
  | { readonly type: 'nobody' };

export interface Case {
  readonly address: Address;
  /** This node. */
  readonly node: string;
  readonly mine: Pick<OwnershipClaim, 'term' | 'firm'> | null;
  readonly claims: readonly PeerClaim[];
  /** The node that we asked to take it; null: none. */
  readonly successor: string | null;
  /** The process, by incarnation, that asked us to take it; null: none. */
  readonly predecessor: string | null;
  /** Whether a fence stands around ours: no claim beats it, but that of who was asked to take it. */
  readonly confirmed: boolean;
}

/** Who owns an address, given all claims to it. Pure. */
export function judge({ address, node, mine, claims, successor, predecessor, confirmed }: Case): Verdict {
  let best: PeerClaim | null = null;
  for (const claim of claims) {
    if (!counts(claim)) continue;
    // Nothing is given up for a claim that may be gone: it is told again in a moment.
    if (mine && claim.current) {
      // Within a fence also one that was asked before: it has the better claim, and would let nobody else have it.
      if (successor !== null && (successor === claim.node || confirmed) && claim.term > mine.term) {
        return { type: 'lost', why: `handed over to ${claim.node}` };
      }
      const askedUs = predecessor === claim.incarnation && claim.term < mine.term;
      if (!confirmed && !askedUs && compareClaims(address, mine, node, claim, claim.node) < 0) {
        return { type: 'lost', why: `${claim.node} has the better claim` };
      }
    }
    if (best === null || compareClaims(address, claim, claim.node, best, best.node) > 0) best = claim;
  }
  if (mine) return { type: 'mine' };
  return best ? { type: 'theirs', claim: best } : { type: 'nobody' };
}

/**
 * Who does not hear us counts only where most of the others acknowledged its claim and it still hears some of them: then
 * it is we who are cut off. Who hears nobody is cut off itself.
 */
function counts({ link, firm, hears }: PeerClaim): boolean {
  return link === 'two-way' || (link === 'one-way' && firm && hears > 0);
}

/** Whether the claims of a peer count after this report as they did before. */
export function countsAlike(before: PeerReport | undefined, after: PeerReport): boolean {
  return before?.link === after.link && before.hears > 0 === after.hears > 0;
}
