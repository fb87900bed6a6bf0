// Who is to take up what stands in the objects first, after a restart.
import type { ObjectKey } from '../kubernetes/types.js';
import type { Address } from '../net/address.js';
import { compareText } from './sorted_list.js';
import type { Use } from './wish.js';

export interface Claim {
  readonly key: ObjectKey;
  readonly addresses: readonly Address[];
  readonly use: Use;
}

/**
 * Orders services whose objects name addresses. Two that share one can have come to contradict each other only by a change of
 * one of them that was not acted upon any more: most likely of the one that stands alone with its sharing key, or has none.
 */
export function adoptionOrder<T extends Claim>(claims: readonly T[]): T[] {
  const companions = new Map<string, number>();
  const groupOf = (address: Address, { sharingKey, backendKey }: Use) =>
    JSON.stringify([address, sharingKey, backendKey]);
  for (const { addresses, use } of claims) {
    if (use.sharingKey === '') continue;
    for (const address of addresses) {
      const group = groupOf(address, use);
      companions.set(group, (companions.get(group) ?? 0) + 1);
    }
  }
  const ranked = claims.map((claim) => ({
    claim,
    companions: Math.max(0, ...claim.addresses.map((address) => companions.get(groupOf(address, claim.use)) ?? 0)),
  }));
  return ranked
    .sort((a, b) => b.companions - a.companions || compareText(a.claim.key, b.claim.key))
    .map(({ claim }) => claim);
}
