// What was decided about a service, and how it compares.
import type { Service } from '../kubernetes/types.js';
import { ALLOCATED_FROM_POOL } from '../metallb/annotations.js';
import type { Address } from '../net/address.js';
import type { Refusal } from './refusals.js';
import type { Allocation } from './types.js';
import { addressOrNull } from './wish.js';

export function granted(addresses: readonly Address[], pool: string | null, warnings: readonly string[]): Allocation {
  return { addresses, pool, error: null, message: null, warnings };
}

export function none({ error, message }: Refusal, warnings: readonly string[]): Allocation {
  return { addresses: [], pool: null, error, message, warnings };
}

/** Whether status and annotation of the object say the same; the order of addresses does not matter. */
export function standsIn(service: Service, { addresses, pool }: Allocation): boolean {
  if (service.ingress.length !== addresses.length) return false;
  if ((service.annotations[ALLOCATED_FROM_POOL] ?? null) !== pool) return false;
  const recorded = service.ingress.map(addressOrNull);
  return addresses.every((address) => recorded.includes(address));
}

/** Whether there is something to do or to say that there was not before; null: nothing was decided before. */
export function isNews(before: Allocation | null, now: Allocation): boolean {
  if (before === null) return now.error !== null || now.warnings.length > 0;
  return (
    before.pool !== now.pool ||
    before.error !== now.error ||
    before.message !== now.message ||
    before.addresses.length !== now.addresses.length ||
    before.addresses.some((address, index) => address !== now.addresses[index]) ||
    now.warnings.some((warning) => !before.warnings.includes(warning))
  );
}
