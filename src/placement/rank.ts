import type { Address } from '../net/address.js';

/** FNV-1a over UTF-16 units, then {@link mixed}: names that differ in their last letter differ in every bit. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mixed(hash);
}

/** MurmurHash3's finalizer: a bijection of 32 bits in which each input bit changes half of the output bits. */
export function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * How well the node suits the address: rendezvous hashing, 0 to 2^32 - 1, the same on every node. Equal ranks are told
 * apart by name (the smaller one first).
 */
export function rank(address: Address, node: string): number {
  return mixed(hashText(address) ^ hashText(node));
}
