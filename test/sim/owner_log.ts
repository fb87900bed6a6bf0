import type { Address } from '../../src/net/address.js';
import type { Checker } from './checker.js';
import type { NodeNic } from './sim_node.js';
import type { World } from './world.js';

/** Counts, for hand-written scenarios, how owners change, and for how long an address has none or two. */
export class OwnerLog implements Checker {
  readonly name = 'owner-log';
  /** As "address segment: from > to". */
  readonly changes: string[] = [];
  longestNoneMs = 0;
  longestTwoMs = 0;
  readonly #owners = new Map<string, { nic: NodeNic; noneSinceMs: number | null; twoSinceMs: number | null }>();

  constructor(readonly world: World) {}

  /** Forgets what was counted, not who owns what. */
  reset(): void {
    this.changes.length = 0;
    this.longestNoneMs = 0;
    this.longestTwoMs = 0;
  }

  onAnswering(_node: unknown, nic: NodeNic, address: Address): void {
    const { nowMs } = this.world;
    const key = `${address} ${nic.segment.name}`;
    const answerers = this.world.answerersOf(nic.segment, address);
    const [first] = answerers as Set<NodeNic>;
    const known = this.#owners.get(key);
    if (known === undefined) {
      if (first !== undefined) this.#owners.set(key, { nic: first, noneSinceMs: null, twoSinceMs: null });
      return;
    }
    if (answerers.size > 0 && known.noneSinceMs !== null) {
      this.longestNoneMs = Math.max(this.longestNoneMs, nowMs - known.noneSinceMs);
      known.noneSinceMs = null;
    }
    if (answerers.size < 2 && known.twoSinceMs !== null) {
      this.longestTwoMs = Math.max(this.longestTwoMs, nowMs - known.twoSinceMs);
      known.twoSinceMs = null;
    }
    if (answerers.size === 0) known.noneSinceMs ??= nowMs;
    if (answerers.size > 1) known.twoSinceMs ??= nowMs;
    if (answerers.size === 1 && first !== known.nic) {
      this.changes.push(`${key}: ${known.nic.node.name} > ${first!.node.name}`);
      known.nic = first!;
    }
  }
}
