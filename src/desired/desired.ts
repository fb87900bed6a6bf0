import type { Address } from '../net/address.js';

/** How an address is checked for another user at its first claim. */
export type Probing = 'fast' | 'rfc5227' | 'none';

/** A service as its source describes it, already validated. */
export interface DesiredService {
  /** Name for people: "web", or "namespace/name" from Kubernetes. No two services have one name. */
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

/** Everything a source wants of this node. What it hands over first is complete; after that, whole again or changes of it. */
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
  /** Which of these nodes on which interfaces, where some service has scopes; null: each on all of `interfaces`. */
  readonly scopes: readonly Scope[] | null;
  /** Weight by node, added up over its services; nodes without a weight are left out. */
  readonly prefer: ReadonlyMap<string, number>;
}

const NO_WEIGHTS: ReadonlyMap<string, number> = new Map();

/** Merges services into addresses. Services that share an address move together, so ownership is per address. */
export function desiredAddresses(
  services: readonly DesiredService[],
  sets: NodeSets = new NodeSets(),
): Map<Address, DesiredAddress> {
  const users = new Map<Address, DesiredService[]>();
  for (const service of services) {
    for (const address of service.addresses) {
      const known = users.get(address);
      if (known) known.push(service);
      else users.set(address, [service]);
    }
  }
  return new Map([...users].map(([address, list]) => [address, desiredAddress(address, list, sets)]));
}

/** @param services those that use the address, at least one, in source order */
export function desiredAddress(
  address: Address,
  services: readonly DesiredService[],
  sets: NodeSets = new NodeSets(),
): DesiredAddress {
  let interfaces: Set<string> | null = new Set();
  let nodes: ReadonlySet<string> | null = null;
  for (const service of services) {
    if (service.interfaces === null) interfaces = null;
    else for (const name of service.interfaces) interfaces?.add(name);
    nodes = narrower(nodes, service.nodes ?? null, sets);
  }
  const scoped = services.some(({ scopes }) => scopes !== undefined);
  return {
    address,
    services: services.map(({ name }) => name),
    interfaces,
    nodes,
    scopes: scoped ? services.flatMap(scopesOf) : null,
    prefer: weights(services),
  };
}

/**
 * The nodes that may own the address on an interface of this name; null: all. Names are taken to mean the same on every
 * node. Empty: none of them may, there.
 */
export function nodesOn(
  { nodes, scopes, interfaces }: DesiredAddress,
  interfaceName: string,
  sets: NodeSets = new NodeSets(),
): ReadonlySet<string> | null {
  if (interfaces?.has(interfaceName) === false) return sets.of([]);
  if (scopes === null) return nodes;
  const inScope = new Set<string>();
  for (const scope of scopes) {
    if (scope.interfaces?.includes(interfaceName) === false) continue;
    if (scope.nodes === null) return nodes;
    for (const node of scope.nodes) inScope.add(node);
  }
  return narrower(nodes, [...inScope].sort(), sets);
}

/** What each node may do of a service that has no scopes of its own is one scope. */
function scopesOf({ scopes, nodes, interfaces }: DesiredService): readonly Scope[] {
  return scopes ?? [{ nodes: nodes ?? null, interfaces }];
}

function narrower(
  allowed: ReadonlySet<string> | null,
  nodes: readonly string[] | null,
  sets: NodeSets,
): ReadonlySet<string> | null {
  if (nodes === null) return allowed;
  return sets.of(allowed === null ? nodes : nodes.filter((node) => allowed.has(node)));
}

function weights(services: readonly DesiredService[]): ReadonlyMap<string, number> {
  if (services.every(({ prefer }) => prefer === undefined || prefer.length === 0)) return NO_WEIGHTS;
  const sums = new Map<string, number>();
  for (const { prefer = [] } of services) {
    for (const { node, weight } of prefer) sums.set(node, (sums.get(node) ?? 0) + weight);
  }
  return sums;
}

/** More different sets than this are rare; then all are forgotten, which costs only memory. */
const SETS_KEPT = 1_000;

/** Equal lists of nodes as one set: thousands of services share a few, which are told apart by identity. */
export class NodeSets {
  readonly #byList = new WeakMap<readonly string[], ReadonlySet<string>>();
  readonly #byNames = new Map<string, ReadonlySet<string>>();

  of(nodes: readonly string[]): ReadonlySet<string> {
    const known = this.#byList.get(nodes);
    if (known) return known;
    // No name of a node has a line break.
    const names = nodes.join('\n');
    let set = this.#byNames.get(names);
    if (!set) {
      set = new Set(nodes);
      if (this.#byNames.size >= SETS_KEPT) this.#byNames.clear();
      this.#byNames.set(names, set);
    }
    this.#byList.set(nodes, set);
    return set;
  }
}
