import type { Address } from '../net/address.js';
import { rank } from '../placement/placement.js';
import type { OwnershipClaim } from './message.js';

/**
 * Which of two claims to one address counts: firm before provisional, then the higher term, then the higher rank. Firm
 * comes first because a provisional claim was made by somebody who may have been cut off: what it took meanwhile, term
 * by term, it does not take along.
 * @returns > 0 where `a` counts, < 0 where `b` does; never 0 for two nodes
 */
export function compareClaims(
  address: Address,
  a: Pick<OwnershipClaim, 'term' | 'firm'>,
  nodeOfA: string,
  b: Pick<OwnershipClaim, 'term' | 'firm'>,
  nodeOfB: string,
): number {
  if (a.firm !== b.firm) return a.firm ? 1 : -1;
  if (a.term !== b.term) return a.term - b.term;
  const ranks = rank(address, nodeOfA) - rank(address, nodeOfB);
  if (ranks !== 0) return ranks;
  return nodeOfA < nodeOfB ? -1 : nodeOfA > nodeOfB ? 1 : 0;
}
