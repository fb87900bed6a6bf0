import type { Address } from '../net/address.js';
import type { TakeoverPlan } from '../responder/types.js';
import { samePlans } from './same_plans.js';

/**
 * Plans follow every change of ownership. They may lag this far behind, so that many changes make one table; further with many
 * addresses, for all of them are looked at.
 */
const DELAY_MS = 20;
const DELAY_MS_PER_ADDRESS = 0.01;

/** What is asked of a segment. */
export interface Planning {
  readonly plansOutdated: boolean;
  plans(): readonly TakeoverPlan[];
  /** What this node may not own any more since the last call. */
  takeForbidden(): ReadonlySet<Address>;
}

/** What the packet thread is armed with on all segments. Pure. */
export class Armed {
  #plans: readonly TakeoverPlan[] = [];
  #dueMs = Number.POSITIVE_INFINITY;

  get plans(): readonly TakeoverPlan[] {
    return this.#plans;
  }

  /** When plans are made anew. */
  get dueMs(): number {
    return this.#dueMs;
  }

  disarm(): void {
    this.#plans = [];
  }

  /** @returns whether the thread has to be armed anew */
  update(segments: ReadonlyMap<string, Planning>, addressCount: number, nowMs: number): boolean {
    const before = this.#plans;
    // A plan may come late, but not a node that takes what it knows it may not own.
    for (const [name, segment] of segments) this.#without(name, segment.takeForbidden());
    const all = [...segments.values()];
    if (this.#dueMs === Number.POSITIVE_INFINITY && all.some(({ plansOutdated }) => plansOutdated)) {
      this.#dueMs = nowMs + DELAY_MS + addressCount * DELAY_MS_PER_ADDRESS;
    }
    if (nowMs >= this.#dueMs) {
      this.#plans = all.flatMap((segment) => segment.plans());
      this.#dueMs = Number.POSITIVE_INFINITY;
    }
    return this.#plans !== before && !samePlans(before, this.#plans);
  }

  #without(interfaceName: string, forbidden: ReadonlySet<Address>): void {
    if (forbidden.size === 0) return;
    this.#plans = this.#plans.flatMap((plan) => {
      if (plan.interfaceName !== interfaceName) return [plan];
      const addresses = plan.addresses.filter((address) => !forbidden.has(address));
      return addresses.length > 0 ? [{ ...plan, addresses }] : [];
    });
  }
}
