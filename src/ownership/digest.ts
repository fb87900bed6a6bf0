import type { Address } from '../net/address.js';
import type { OwnershipClaim } from './message.js';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a of one claim. A set's digest is the exclusive or of its claims', so that it follows each change at no cost. */
export function claimHash(address: Address, { term, firm }: Pick<OwnershipClaim, 'term' | 'firm'>): number {
  let hash = FNV_OFFSET;
  for (const text of [address, ' ', String(term), firm ? ' firm' : ' provisional']) {
    for (let index = 0; index < text.length; index += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
    }
  }
  return hash >>> 0;
}
