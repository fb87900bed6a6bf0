import type { Address } from '../net/address.js';

/** How an address is checked for another user at its first claim. */
export type Probing = 'fast' | 'rfc5227' | 'none';

/** A service as its source describes it, already validated. */
export interface DesiredService {
  /** Name for people: "web", or "namespace/name" from Kubernetes. */
  readonly name: string;
  /** Canonical form (see net/address), no address twice. */
  readonly addresses: readonly Address[];
  /** Interfaces on which the service may be announced; null: all of the node's. */
  readonly interfaces: readonly string[] | null;
}

/** Everything a source wants of this node. A source always hands over the complete state, never a part. */
export interface DesiredState {
  readonly services: readonly DesiredService[];
  readonly probing: Probing;
}

/** What is wanted of one address, merged over all services that use it. */
export interface DesiredAddress {
  readonly address: Address;
  /** Names of the services, in source order. */
  readonly services: readonly string[];
  /** The wider choice counts: null as soon as one service names no interfaces. */
  readonly interfaces: ReadonlySet<string> | null;
}

/** Merges services into addresses. Services that share an address move together, so ownership is per address. */
export function desiredAddresses(services: readonly DesiredService[]): Map<Address, DesiredAddress> {
  const merged = new Map<Address, { services: string[]; interfaces: Set<string> | null }>();
  for (const service of services) {
    for (const address of service.addresses) {
      const entry = merged.get(address);
      if (!entry) {
        merged.set(address, {
          services: [service.name],
          interfaces: service.interfaces && new Set(service.interfaces),
        });
        continue;
      }
      entry.services.push(service.name);
      if (service.interfaces === null) entry.interfaces = null;
      else for (const name of service.interfaces) entry.interfaces?.add(name);
    }
  }
  return new Map([...merged].map(([address, entry]) => [address, { address, ...entry }]));
}
