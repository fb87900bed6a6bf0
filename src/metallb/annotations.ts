// What a Service asks for, in MetalLB's annotations and in its spec.
import type { Service } from '../kubernetes/types.js';

const PREFIX = 'metallb.io/';
/** MetalLB's first prefix: still read, with a warning. */
const OLD_PREFIX = 'metallb.universe.tf/';

/** Name of the pool that the addresses shall come from. */
export const ADDRESS_POOL = `${PREFIX}address-pool`;
/** The addresses wanted: one of a family, with a comma between two. */
export const LOAD_BALANCER_IPS = `${PREFIX}loadBalancerIPs`;
/** Sharing key: services with the same one may have one address. */
export const ALLOW_SHARED_IP = `${PREFIX}allow-shared-ip`;
/** Written by the controller: the pool that the addresses come from. */
export const ALLOCATED_FROM_POOL = `${PREFIX}ip-allocated-from-pool`;

export interface ServiceRequest {
  /** null: any. */
  readonly pool: string | null;
  /** As they stand, without blanks around them; not checked. null: any. */
  readonly addresses: readonly string[] | null;
  /** Addresses are asked for by annotation and by spec.loadBalancerIP at once; `addresses` has those of the annotation. */
  readonly both: boolean;
  /** Empty: the addresses are for this service alone. */
  readonly sharingKey: string;
  /** For people: what still works but should be written otherwise. */
  readonly warnings: readonly string[];
}

export function serviceRequest(service: Service): ServiceRequest {
  const warnings: string[] = [];
  const read = (name: string): string => {
    const oldName = OLD_PREFIX + name.slice(PREFIX.length);
    const value = service.annotations[name] ?? '';
    const oldValue = service.annotations[oldName] ?? '';
    if (oldValue !== '') {
      const ignored = value !== '' && value !== oldValue ? ` It is ignored: ${name} says "${value}".` : '';
      warnings.push(`Annotation ${oldName} is deprecated; use ${name}.${ignored}`);
    }
    return value === '' ? oldValue : value;
  };
  const pool = read(ADDRESS_POOL);
  const listed = read(LOAD_BALANCER_IPS);
  const sharingKey = read(ALLOW_SHARED_IP);
  const single = service.loadBalancerIP ?? '';
  const wanted = listed === '' ? [single] : listed.split(',');
  return {
    pool: pool === '' ? null : pool,
    addresses: listed === '' && single === '' ? null : wanted.map((address) => address.trim()),
    both: listed !== '' && single !== '',
    sharingKey,
    warnings,
  };
}
