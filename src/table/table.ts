import type { Claim } from '../claim/claim.js';
import type { Address } from '../net/address.js';
import type { Table, TableEntry } from '../responder/types.js';

/**
 * The table that answers exactly what the claims say. An address without claims is watched nowhere.
 * @param isGoingAway whether the address is being handed over there: it is answered until its successor has it, but
 *   announced no more
 */
export function tableOf(
  interfaces: readonly string[],
  claims: ReadonlyMap<Address, readonly Claim[]>,
  isGoingAway: (claim: Claim) => boolean = () => false,
): Table {
  const shared = new NameLists();
  const entries: TableEntry[] = [];
  for (const [address, onInterfaces] of claims) {
    const quiet = shared.of(onInterfaces, (claim) => claim.answered && isGoingAway(claim));
    entries.push({
      address,
      selected: shared.of(onInterfaces, () => true),
      answer: shared.of(onInterfaces, (claim) => claim.answered),
      tentative: shared.of(onInterfaces, (claim) => claim.state === 'tentative'),
      ...(quiet.length > 0 && { quiet }),
    });
  }
  return { interfaces, entries };
}

/** Equal lists of names as one array: thousands of entries share a few, and are recognized by identity. */
class NameLists {
  readonly #known = new Map<string, readonly string[]>();

  of(claims: readonly Claim[], include: (claim: Claim) => boolean): readonly string[] {
    const names: string[] = [];
    for (const claim of claims) if (include(claim)) names.push(claim.interfaceName);
    const key = names.join('/');
    const known = this.#known.get(key);
    if (known) return known;
    this.#known.set(key, names);
    return names;
  }
}
