// Which addresses a service may have, as pools and users of addresses stand. Changes nothing.
import type { Service } from '../kubernetes/types.js';
import { type Address, type Family, familyOf } from '../net/address.js';
import type { AddressUses } from './address_uses.js';
import type { PoolIndex } from './pool_index.js';
import type { PoolSpace } from './pool_space.js';
import { type Refusal, refusal } from './refusals.js';
import { type Chance, chanceOfAddress, chanceOfPool, chanceOfSharing } from './waiting.js';
import type { Wish } from './wish.js';

export interface Choice {
  /** All that the service shall have, with what it had. */
  readonly addresses: readonly Address[];
  /** Why it gets none; null: see addresses. */
  readonly refusal: Refusal | null;
  /** When it is worth to choose again. */
  readonly chances: readonly Chance[];
}

const chosen = (addresses: readonly Address[], chances: readonly Chance[] = []): Choice => ({
  addresses,
  refusal: null,
  chances,
});

const refused = (reason: Refusal, chances: readonly Chance[] = []): Choice => ({
  addresses: [],
  refusal: reason,
  chances,
});

export class Chooser {
  readonly #pools: PoolIndex;
  readonly #uses: AddressUses;

  constructor(pools: PoolIndex, uses: AddressUses) {
    this.#pools = pools;
    this.#uses = uses;
  }

  /**
   * Which of the addresses the service may use on: at most one of each family, all of one pool. Those that it does not show yet,
   * and are not `safe`, only if nobody else shows them.
   */
  keepable(service: Service, wish: Wish, addresses: readonly Address[], safe: readonly Address[]): Address[] {
    const kept: Address[] = [];
    let home: PoolSpace | null = null;
    // Where not all can stay, the first family of the service does.
    for (const family of wish.preference) {
      for (const address of addresses) {
        if (familyOf(address) !== family) continue;
        const space: PoolSpace | null = this.#pools.at(address);
        if (space === null || (home !== null && home !== space) || space.avoids(address)) continue;
        if (wish.addresses !== null && !wish.addresses.includes(address)) continue;
        if ((wish.pool !== null && wish.pool !== space.name) || !space.admits(service)) continue;
        const check = safe.includes(address) ? 'conflict' : 'obstacle';
        if (this.#uses[check](address, service.key, wish.use) !== null) continue;
        kept.push(address);
        home = space;
        break;
      }
    }
    return kept;
  }

  /** What the service shall have, where it may keep `held` and that may not be all. */
  choose(service: Service, wish: Wish, held: readonly Address[]): Choice {
    const missing = wish.families.filter((family) => !held.some((address) => familyOf(address) === family));
    if (missing.length === 0 || wish.leaving) return chosen(held);
    return wish.addresses === null
      ? this.#any(service, wish, held, missing)
      : this.#exactly(service, wish, wish.addresses, held);
  }

  #exactly(service: Service, wish: Wish, addresses: readonly Address[], held: readonly Address[]): Choice {
    const reason = this.#inadmissible(service, wish, addresses);
    if (reason !== null) return refused(reason);
    for (const address of addresses) {
      if (held.includes(address)) continue;
      if (this.#pools.at(address)?.reserves(address)) return refused(refusal.nodeAddress(address));
      const obstacle = this.#uses.obstacle(address, service.key, wish.use);
      if (obstacle !== null) return refused(obstacle, addresses.map(chanceOfAddress));
    }
    return chosen(addresses);
  }

  /** Why the pools do not let the service have these addresses, whoever uses them; null: they do. */
  #inadmissible(service: Service, wish: Wish, addresses: readonly Address[]): Refusal | null {
    const spaces: PoolSpace[] = [];
    for (const address of addresses) {
      const space = this.#pools.at(address);
      if (space === null) return refusal.notInAnyPool(address);
      if (space.avoids(address)) return refusal.avoided(address, space.name);
      spaces.push(space);
    }
    const space = spaces[0]!;
    if (spaces.some((other) => other !== space)) return refusal.differentPools(addresses);
    if (wish.pool !== null && wish.pool !== space.name)
      return this.#pools.named(wish.pool) === null
        ? refusal.unknownPool(wish.pool)
        : refusal.notInRequestedPool(addresses[0]!, space.name, wish.pool);
    return space.admits(service) ? null : refusal.poolNotForService(space.name);
  }

  #any(service: Service, wish: Wish, held: readonly Address[], missing: readonly Family[]): Choice {
    const [first] = held;
    if (first !== undefined) {
      const home = this.#pools.at(first)!;
      const found = this.#find(service, wish, home, missing);
      if (found !== null) return chosen([...held, ...found]);
      if (wish.oneWillDo) return chosen(held, chancesOf(wish, [home], missing));
    }
    const named = wish.pool === null ? null : this.#pools.named(wish.pool);
    if (wish.pool !== null && named === null) return refused(refusal.unknownPool(wish.pool));
    if (named !== null && !named.admits(service)) return refused(refusal.poolNotForService(named.name));
    const groups = named === null ? this.#pools.automatic(service) : [[named]];
    for (const group of groups) {
      for (const space of group) {
        const found = this.#find(service, wish, space, wish.families);
        if (found !== null) return chosen(found);
      }
      if (!wish.oneWillDo) continue;
      for (const family of wish.preference) {
        for (const space of group) {
          const found = this.#find(service, wish, space, [family]);
          if (found === null) continue;
          const other = wish.families.filter((each) => each !== family);
          return chosen(found, chancesOf(wish, [space], other));
        }
      }
    }
    return refused(refusal.poolExhausted(wish.families, wish.pool), chancesOf(wish, groups.flat(), wish.families));
  }

  /** An address of each family of the pool; null: it does not have them. */
  #find(service: Service, wish: Wish, space: PoolSpace, families: readonly Family[]): Address[] | null {
    const found: Address[] = [];
    for (const family of families) {
      const address = this.#shared(service, wish, space, family) ?? space.lowestFree(family, this.#uses.isUsed);
      if (address === null) return null;
      found.push(address);
    }
    return found;
  }

  /** An address of the pool that the service may share; who has a sharing key shares before it takes a free one. */
  #shared(service: Service, { use }: Wish, space: PoolSpace, family: Family): Address | null {
    if (use.sharingKey === '') return null;
    const candidates = this.#uses
      .shareable(service.key, use)
      .filter(
        (address) =>
          familyOf(address) === family &&
          this.#pools.at(address) === space &&
          !space.avoids(address) &&
          !space.reserves(address),
      );
    return space.lowest(candidates);
  }
}

function chancesOf(wish: Wish, spaces: readonly PoolSpace[], families: readonly Family[]): Chance[] {
  const chances = spaces.flatMap((space) =>
    families.filter((family) => space.has(family)).map((family) => chanceOfPool(space.name, family)),
  );
  if (wish.use.sharingKey !== '') chances.push(chanceOfSharing(wish.use.sharingKey));
  return chances;
}
