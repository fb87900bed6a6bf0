import type { Allocation } from '../allocation/types.js';
import { inNamespace, PATHS } from '../kubernetes/projections.js';
import type { Service } from '../kubernetes/types.js';
import { ALLOCATED_FROM_POOL } from '../metallb/annotations.js';
import { type Address, parseAddress } from '../net/address.js';

/** Stands on a service only while a new leader makes sure that nothing of the last one can still reach it. */
export const FENCE_ANNOTATION = 'arpeggio.io/allocation-fence';

export interface ServicePatch {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly annotations: Readonly<Record<string, string | null>>;
  };
  readonly status: { readonly loadBalancer: { readonly ingress: readonly { readonly ip: string }[] | null } };
}

/** Path of the subresource that all our writes to a service go to; its annotations may be changed there too. */
export function statusPath(service: Service): string {
  return `${inNamespace(PATHS.services, service.namespace)}/${service.name}/status`;
}

/**
 * A JSON merge patch that makes the service say what was decided; null where it does already. `allocation` null: the service
 * is not ours. It carries the version that was decided on, so that the API server refuses it (409) once the object has changed.
 */
export function servicePatch(service: Service, allocation: Allocation | null): ServicePatch | null {
  if (allocation === null && !wasOurs(service)) return null;
  const addresses = allocation?.addresses ?? [];
  const pool = addresses.length > 0 ? (allocation?.pool ?? null) : null;
  const annotations: Record<string, string | null> = {};
  if ((service.annotations[ALLOCATED_FROM_POOL] ?? null) !== pool) annotations[ALLOCATED_FROM_POOL] = pool;
  if (service.annotations[FENCE_ANNOTATION] !== undefined) annotations[FENCE_ANNOTATION] = null;
  const same = sameAddresses(service.ingress, addresses);
  if (same && Object.keys(annotations).length === 0) return null;
  return {
    metadata: { resourceVersion: service.resourceVersion, annotations },
    status: { loadBalancer: { ingress: addresses.length > 0 ? addresses.map((ip) => ({ ip })) : null } },
  };
}

/** Changes nothing but the version of the object, so that a write decided on an older one is refused. */
export function fencePatch(service: Service, term: number): object {
  const { resourceVersion } = service;
  return { metadata: { resourceVersion, annotations: { [FENCE_ANNOTATION]: String(term) } } };
}

/**
 * A service that is no load balancer any more carries our annotation still. One of another class is never touched: it may be
 * another controller's, which may write the same annotation.
 */
function wasOurs({ type, annotations }: Service): boolean {
  return (
    type !== 'LoadBalancer' &&
    (annotations[ALLOCATED_FROM_POOL] !== undefined || annotations[FENCE_ANNOTATION] !== undefined)
  );
}

function sameAddresses(ingress: readonly string[], addresses: readonly Address[]): boolean {
  if (ingress.length !== addresses.length) return false;
  return ingress.every((text, index) => canonical(text) === addresses[index]);
}

function canonical(text: string): string {
  try {
    return parseAddress(text);
  } catch {
    return text;
  }
}
