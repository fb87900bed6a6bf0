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
  /** Names of the nodes that may own the service's addresses; null or absent: all. */
  readonly nodes?: readonly string[] | null;
  /**
   * Where nodes differ in the interfaces they may announce it on; absent: every node may use all of `interfaces`. `interfaces`
   * and `nodes` are then what all scopes have together.
   */
  readonly scopes?: readonly Scope[];
  /** Where its addresses go when nobody owns them: the eligible node with the greatest weight. */
  readonly prefer?: readonly Preference[];
}

/** Nodes that may announce a service on interfaces; null: all. */
export interface Scope {
  readonly nodes: readonly string[] | null;
  readonly interfaces: readonly string[] | null;
}

/** MetalLB's weighted preferredNodeSelectors, by name. */
export interface Preference {
  readonly node: string;
  /** 1 to 100. */
  readonly weight: number;
}

/** Everything a source wants of this node. A source always hands over the complete state, never a part. */
export interface DesiredState {
  readonly services: readonly DesiredService[];
  readonly probing: Probing;
  /** Nodes that own something only where no other node may, such as cordoned ones; absent: none. */
  readonly lastResort?: readonly string[];
}

/** What is wanted of one address, merged over all services that use it. */
export interface DesiredAddress {
  readonly address: Address;
  /** Names of the services, in source order. */
  readonly services: readonly string[];
  /** The wider choice counts: null as soon as one service names no interfaces. */
  readonly interfaces: ReadonlySet<string> | null;
  /** Only a node that may own all of its services may own the address; null: all nodes. */
  readonly nodes: ReadonlySet<string> | null;
  /** Weight by node, added up over its services; nodes without a weight are left out. */
  readonly prefer: ReadonlyMap<string, number>;
}

interface Merged {
  services: string[];
  interfaces: Set<string> | null;
  nodes: Set<string> | null;
  prefer: Map<string, number>;
}

/** Merges services into addresses. Services that share an address move together, so ownership is per address. */
export function desiredAddresses(services: readonly DesiredService[]): Map<Address, DesiredAddress> {
  const merged = new Map<Address, Merged>();
  for (const service of services) {
    for (const address of service.addresses) {
      const entry = merged.get(address);
      if (entry) {
        entry.services.push(service.name);
        if (service.interfaces === null) entry.interfaces = null;
        else for (const name of service.interfaces) entry.interfaces?.add(name);
        entry.nodes = narrower(entry.nodes, service.nodes ?? null);
        addWeights(entry.prefer, service);
        continue;
      }
      const prefer = new Map<string, number>();
      addWeights(prefer, service);
      merged.set(address, {
        services: [service.name],
        interfaces: service.interfaces && new Set(service.interfaces),
        nodes: service.nodes ? new Set(service.nodes) : null,
        prefer,
      });
    }
  }
  return new Map([...merged].map(([address, entry]) => [address, { address, ...entry }]));
}

function narrower(allowed: Set<string> | null, nodes: readonly string[] | null): Set<string> | null {
  if (nodes === null) return allowed;
  return new Set(allowed === null ? nodes : nodes.filter((node) => allowed.has(node)));
}

function addWeights(prefer: Map<string, number>, { prefer: preferences = [] }: DesiredService): void {
  for (const { node, weight } of preferences) prefer.set(node, (prefer.get(node) ?? 0) + weight);
}
