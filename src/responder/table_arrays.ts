import { ADDRESS_BYTES, type Address, writeAddress } from '../net/address.js';
import type { NativePlans } from './addon.js';
import type { TakeoverPlan } from './types.js';

type Masks = readonly [low: number, high: number];

/** Interface masks of a table, filled without a BigInt per entry. Equal arrays of names are looked up once. */
export class MaskArray {
  readonly masks: BigUint64Array;
  readonly #words: Uint32Array;
  readonly #slots: readonly string[];
  #lastNames: readonly string[] | null = null;
  #last: Masks = [0, 0];

  constructor(count: number, slots: readonly string[]) {
    this.masks = new BigUint64Array(count);
    this.#words = new Uint32Array(this.masks.buffer);
    this.#slots = slots;
  }

  set(index: number, names: readonly string[]): void {
    if (names !== this.#lastNames) {
      this.#lastNames = names;
      this.#last = this.#maskOf(names);
    }
    // Every machine that Node runs Linux on stores the low word first, but s390x.
    this.#words[index * 2 + LOW_WORD] = this.#last[0];
    this.#words[index * 2 + 1 - LOW_WORD] = this.#last[1];
  }

  #maskOf(names: readonly string[]): Masks {
    let low = 0;
    let high = 0;
    for (const name of names) {
      const slot = this.#slots.indexOf(name);
      if (slot < 0) continue;
      if (slot < 32) low |= 1 << slot;
      else high |= 1 << (slot - 32);
    }
    return [low >>> 0, high >>> 0];
  }
}

const LOW_WORD = new Uint32Array(new BigUint64Array([1n]).buffer)[0] === 1 ? 0 : 1;

export function packAddresses(addresses: readonly Address[]): Uint8Array {
  const packed = new Uint8Array(addresses.length * ADDRESS_BYTES);
  addresses.forEach((address, index) => {
    writeAddress(address, packed, index * ADDRESS_BYTES);
  });
  return packed;
}

/** @param positionOf where an address is in the table; undefined where it is not */
export function packPlans(
  plans: readonly TakeoverPlan[],
  slots: readonly string[],
  positionOf: (address: Address) => number | undefined,
): NativePlans {
  const used = plans.filter(({ interfaceName }) => slots.includes(interfaceName));
  const entries = used.map(({ addresses }) => addresses.map(positionOf).filter((position) => position !== undefined));
  return {
    slots: Uint32Array.from(used, ({ interfaceName }) => slots.indexOf(interfaceName)),
    incarnations: BigUint64Array.from(used, ({ incarnation }) => BigInt(`0x${incarnation}`)),
    sizes: Uint32Array.from(entries, ({ length }) => length),
    entries: Uint32Array.from(entries.flat()),
  };
}
