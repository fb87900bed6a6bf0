// Services that did not get what they want, by what would have to change for them.
import type { ObjectKey } from '../kubernetes/types.js';
import type { Address, Family } from '../net/address.js';
import { compareText, SortedList } from './sorted_list.js';

/** Something that may become possible: a pool gets a free address, an address a place, a sharing key an address. */
export type Chance = string & { readonly __brand: 'Chance' };

export const chanceOfPool = (pool: string, family: Family) => `pool ${family} ${pool}` as Chance;
export const chanceOfAddress = (address: Address) => `address ${address}` as Chance;
export const chanceOfSharing = (key: string) => `sharing ${key}` as Chance;

/** The pool and family of a {@link chanceOfPool}; null for others. */
export function poolOfChance(chance: Chance): { readonly pool: string; readonly family: Family } | null {
  const found = /^pool (ipv4|ipv6) (.*)$/s.exec(chance);
  return found === null ? null : { family: found[1] as Family, pool: found[2]! };
}

export class Waiting {
  readonly #byChance = new Map<Chance, SortedList<ObjectKey>>();
  readonly #chances = new Map<ObjectKey, readonly Chance[]>();

  /** Services that wait for it, in order of key; null: nobody. */
  for(chance: Chance): SortedList<ObjectKey> | null {
    return this.#byChance.get(chance) ?? null;
  }

  add(key: ObjectKey, chances: readonly Chance[]): void {
    this.delete(key);
    if (chances.length === 0) return;
    this.#chances.set(key, chances);
    for (const chance of chances) {
      const keys = this.#byChance.get(chance) ?? new SortedList(compareText);
      keys.add(key);
      this.#byChance.set(chance, keys);
    }
  }

  delete(key: ObjectKey): void {
    for (const chance of this.#chances.get(key) ?? []) {
      const keys = this.#byChance.get(chance);
      keys?.delete(key);
      if (keys?.size === 0) this.#byChance.delete(chance);
    }
    this.#chances.delete(key);
  }
}
