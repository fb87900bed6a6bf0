import type { Address } from '../../src/net/address.js';
import { reaches } from './segment.js';
import type { SimHost } from './sim_host.js';
import type { NodeNic } from './sim_node.js';
import type { World } from './world.js';

/** Whether a packet from the host to the address would arrive, and be served, now. */
export function arrives(host: SimHost, address: Address): boolean {
  const mac = host.macOf(address);
  const nic = mac === null ? undefined : host.segment.nicOf(mac);
  if (nic === undefined || !nic.isNode) return false;
  const { node } = nic as NodeNic;
  if (!node.machine.powered || node.machine.frozen || !node.served.has(address)) return false;
  return reaches(host, nic) && reaches(nic, host);
}

export interface Outage {
  /** The longest time for which packets of one host to one address were lost. */
  readonly longestMs: number;
  readonly host: string;
  readonly address: Address | null;
}

/** Sends, in thought, a packet from each host to each address every `everyMs`, and finds the longest gap. */
export class Traffic {
  #longest: Outage = { longestMs: 0, host: '', address: null };
  readonly #lostSince = new Map<string, number>();
  #on = true;

  constructor(
    readonly world: World,
    readonly hosts: readonly SimHost[],
    readonly addresses: readonly Address[],
    readonly everyMs: number,
  ) {
    this.#look();
  }

  /** What was lost since the start; stops looking. */
  stop(): Outage {
    this.#on = false;
    return this.#longest;
  }

  readonly #look = (): void => {
    if (!this.#on) return;
    const { nowMs } = this.world;
    for (const host of this.hosts) {
      for (const address of this.addresses) {
        const key = `${host.name} ${address}`;
        if (arrives(host, address)) {
          this.#lostSince.delete(key);
          continue;
        }
        const sinceMs = this.#lostSince.get(key) ?? nowMs;
        this.#lostSince.set(key, sinceMs);
        const longestMs = nowMs - sinceMs + this.everyMs;
        if (longestMs > this.#longest.longestMs) this.#longest = { longestMs, host: host.name, address };
      }
    }
    this.world.queue.after(this.everyMs, this.#look);
  };
}
