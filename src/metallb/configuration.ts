// All pools and advertisements together: judged, resolved, or refused with the reasons.
import type { CustomResource, Labels, Namespace, Node } from '../kubernetes/types.js';
import { type Address, parseAddress } from '../net/address.js';
import { unusableReason } from '../net/service_address.js';
import { type AdvertisementDraft, type PoolDraft, problemWith, readAdvertisement, readPool } from './objects.js';
import { bigintToAddress, type OwnedRange, overlaps, RangeIndex } from './ranges.js';
import { matchesAny } from './selector.js';
import type {
  Advertisement,
  Configuration,
  ConfigurationProblem,
  ConfigurationVerdict,
  Pool,
  ServiceAllocation,
} from './types.js';

/** Of long lists in messages, so many are named. */
const MAX_NAMED = 3;

export interface ConfigurationInput {
  readonly pools: readonly CustomResource[];
  readonly advertisements: readonly CustomResource[];
  readonly namespaces: readonly Namespace[];
  readonly nodes: readonly Node[];
  /** Where we run; objects of other namespaces are refused and do not count. */
  readonly namespace: string;
}

/**
 * Judges everything that the users wrote. One object with an error spoils the whole, as in MetalLB: the configuration in force is
 * to stay. Objects in other namespaces are told as errors but spoil nothing: whoever may write to some namespace must not be able
 * to stop the configuration of all.
 */
export function judgeConfiguration(input: ConfigurationInput): ConfigurationVerdict {
  const problems: ConfigurationProblem[] = [];
  const ownPools = ownObjects('IPAddressPool', input.pools, input.namespace, problems);
  const ownAdvertisements = ownObjects('L2Advertisement', input.advertisements, input.namespace, problems);
  const errorsBefore = problems.filter(spoils).length;
  const pools = ownPools.flatMap((resource) => keep(readPool(resource), problems));
  const advertisements = ownAdvertisements.flatMap((resource) => keep(readAdvertisement(resource), problems));
  reportOverlaps(pools, problems);
  if (errorsBefore > 0 || problems.some(spoils)) return { configuration: null, problems };
  const reserved = nodeAddressesIn(pools, input.nodes, problems);
  const namespaces = new Map(input.namespaces.map((namespace) => [namespace.name, namespace]));
  return {
    configuration: {
      pools: pools.map((draft) => resolvePool(draft, namespaces, problems)),
      advertisements: advertisements.map((draft) => resolveAdvertisement(draft, pools, problems)),
      reserved,
    },
    problems,
  };
}

function spoils({ severity, reason }: ConfigurationProblem): boolean {
  return severity === 'error' && reason !== 'wrong-namespace';
}

function keep<T>(
  { draft, problems: found }: { draft: T | null; problems: readonly ConfigurationProblem[] },
  problems: ConfigurationProblem[],
): T[] {
  problems.push(...found);
  return draft === null ? [] : [draft];
}

/** Those of our namespace, sorted by name; without a name, or with one that another has, they are refused. */
function ownObjects(
  kind: ConfigurationProblem['kind'],
  resources: readonly CustomResource[],
  namespace: string,
  problems: ConfigurationProblem[],
): CustomResource[] {
  const names = new Set<string>();
  const own: CustomResource[] = [];
  for (const resource of resources) {
    if (resource.namespace !== namespace) {
      const message = `is in namespace ${resource.namespace}, where it has no effect; create it in ${namespace}`;
      problems.push(problemWith(kind, resource, 'wrong-namespace', 'metadata.namespace', message));
    } else if (resource.name === '') {
      problems.push(problemWith(kind, resource, 'missing-name', 'metadata.name', 'has no name; give it one'));
    } else if (names.has(resource.name)) {
      const message = `another ${kind} has this name; rename one of them`;
      problems.push(problemWith(kind, resource, 'duplicate-name', 'metadata.name', message));
    } else {
      names.add(resource.name);
      own.push(resource);
    }
  }
  return own.sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Place {
  readonly pool: PoolDraft;
  readonly index: number;
}

function placesOf(pools: readonly PoolDraft[]): OwnedRange<Place>[] {
  return pools.flatMap((pool) => pool.ranges.map((range, index) => ({ range, owner: { pool, index } })));
}

function reportOverlaps(pools: readonly PoolDraft[], problems: ConfigurationProblem[]): void {
  for (const pair of overlaps(placesOf(pools))) {
    // Told at the object that comes later by name, so that the same mistake is always told in the same place.
    const [other, here] = comesBefore(pair[0].owner, pair[1].owner) ? pair : [pair[1], pair[0]];
    const { pool, index } = here.owner;
    const where =
      other.owner.pool === pool ? `spec.addresses[${other.owner.index}]` : `pool ${nameOf(other.owner.pool)}`;
    const message = `"${here.range.text}" overlaps with "${other.range.text}" of ${where}; take the addresses out of one of them`;
    problems.push(problemWith('IPAddressPool', pool.resource, 'overlap', `spec.addresses[${index}]`, message));
  }
}

function comesBefore(a: Place, b: Place): boolean {
  return a.pool === b.pool ? a.index < b.index : nameOf(a.pool) < nameOf(b.pool);
}

function nameOf(draft: PoolDraft | AdvertisementDraft): string {
  return draft.resource.name;
}

/** Addresses of pools that nodes have; sorted. A warning, not an error: a node that joins must not spoil what works. */
function nodeAddressesIn(
  pools: readonly PoolDraft[],
  nodes: readonly Node[],
  problems: ConfigurationProblem[],
): Address[] {
  const index = new RangeIndex(placesOf(pools));
  const byPool = new Map<PoolDraft, { address: Address; node: string }[]>(pools.map((pool) => [pool, []]));
  for (const { name, addresses } of nodes) {
    // As kubelet writes them, which need not be the canonical form.
    for (const address of addresses.map(parseAddress)) {
      const place = index.find(address)?.owner;
      if (place !== undefined) byPool.get(place.pool)?.push({ address, node: name });
    }
  }
  const found: Address[] = [];
  for (const [{ resource }, here] of byPool) {
    if (here.length === 0) continue;
    // The message must not depend on the order in which the nodes came.
    here.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.node < b.node ? -1 : 1));
    found.push(...here.map(({ address }) => address));
    const message = `holds addresses of nodes: ${some(here.map(({ address, node }) => `${address} (${node})`))}; no service is given these, better take them out`;
    problems.push(
      problemWith('IPAddressPool', resource, 'overlaps-node-address', 'spec.addresses', message, 'warning'),
    );
  }
  return [...new Set(found)].sort();
}

function some(texts: readonly string[]): string {
  const more = texts.length > MAX_NAMED ? ` and ${texts.length - MAX_NAMED} more` : '';
  return `${texts.slice(0, MAX_NAMED).join(', ')}${more}`;
}

function resolvePool(
  draft: PoolDraft,
  namespaces: ReadonlyMap<string, Namespace>,
  problems: ConfigurationProblem[],
): Pool {
  const { resource, ranges, autoAssign, avoidBuggyIPs, serviceAllocation } = draft;
  const warn = (reason: ConfigurationProblem['reason'], path: string, message: string) =>
    problems.push(problemWith('IPAddressPool', resource, reason, path, message, 'warning'));
  ranges.forEach(({ first, last, family, text }, index) => {
    for (const end of new Set([first, last])) {
      const address = bigintToAddress(end, family);
      const why = unusableReason(address);
      if (why !== null)
        warn('invalid-address', `spec.addresses[${index}]`, `"${text}" cannot be served: ${address} ${why}`);
    }
  });
  let allocation: ServiceAllocation | null = null;
  if (serviceAllocation !== null) {
    const { priority, namespaces: named, namespaceSelectors, serviceSelectors } = serviceAllocation;
    if (priority < 0)
      warn('wrong-field', 'spec.serviceAllocation.priority', `${priority} counts as no priority; use 1 or more`);
    named.forEach((name, index) => {
      if (namespaces.has(name)) return;
      warn('unknown-namespace', `spec.serviceAllocation.namespaces[${index}]`, `there is no namespace "${name}"`);
    });
    const all = named.length === 0 && namespaceSelectors.length === 0;
    const selected = [...namespaces.values()]
      .filter(({ labels }) => namespaceSelectors.length > 0 && matchesAny(namespaceSelectors, labels))
      .map(({ name }) => name);
    allocation = {
      priority: priority > 0 ? priority : Number.POSITIVE_INFINITY,
      namespaces: all ? null : [...new Set([...named, ...selected])].sort(),
      serviceSelectors,
    };
  }
  return { name: resource.name, ranges, autoAssign, avoidBuggyIPs, serviceAllocation: allocation };
}

function resolveAdvertisement(
  draft: AdvertisementDraft,
  pools: readonly PoolDraft[],
  problems: ConfigurationProblem[],
): Advertisement {
  const { resource, ipAddressPools, ipAddressPoolSelectors, nodeSelectors, interfaces } = draft;
  const warn = (reason: ConfigurationProblem['reason'], path: string, message: string) =>
    problems.push(problemWith('L2Advertisement', resource, reason, path, message, 'warning'));
  ipAddressPools.forEach((name, index) => {
    if (pools.some((pool) => nameOf(pool) === name)) return;
    warn('unknown-pool', `spec.ipAddressPools[${index}]`, `there is no IPAddressPool "${name}"`);
  });
  const all = ipAddressPools.length === 0 && ipAddressPoolSelectors.length === 0;
  const takes = (name: string, labels: Labels) =>
    all ||
    ipAddressPools.includes(name) ||
    (ipAddressPoolSelectors.length > 0 && matchesAny(ipAddressPoolSelectors, labels));
  return {
    name: resource.name,
    // They are sorted already.
    pools: pools.filter((pool) => takes(nameOf(pool), pool.resource.labels)).map(nameOf),
    nodeSelectors,
    interfaces,
    serviceSelectors: draft.serviceSelectors,
    preferredNodeSelectors: draft.preferredNodeSelectors,
  };
}

const indexes = new WeakMap<Configuration, RangeIndex<Pool>>();

/** The pool that the address belongs to, whether it would give it out or not. */
export function poolOf(configuration: Configuration, address: Address): Pool | null {
  let index = indexes.get(configuration);
  if (index === undefined) {
    const ranges = configuration.pools.flatMap((pool) => pool.ranges.map((range) => ({ range, owner: pool })));
    index = new RangeIndex(ranges);
    indexes.set(configuration, index);
  }
  return index.find(address)?.owner ?? null;
}

/**
 * Warnings for one node: advertisements that select it and name interfaces of which it has none. Another node may have them.
 *
 * @param present the interfaces that the node can use
 * @param namespace of the advertisements
 */
export function missingInterfaces(
  { advertisements }: Configuration,
  node: Node,
  present: readonly string[],
  namespace: string,
): ConfigurationProblem[] {
  return advertisements.flatMap(({ name, interfaces, nodeSelectors }) => {
    if (interfaces === null || interfaces.some((wanted) => present.includes(wanted))) return [];
    if (!matchesAny(nodeSelectors, node.labels)) return [];
    const message = `${node.name} has none of the interfaces ${interfaces.join(', ')}, so it announces nothing of this`;
    const object = { namespace, name };
    return [problemWith('L2Advertisement', object, 'unknown-interface', 'spec.interfaces', message, 'warning')];
  });
}

/** Names of the pools whose addresses nobody will announce; sorted. */
export function unadvertisedPools({ pools, advertisements }: Configuration): string[] {
  const advertised = new Set(advertisements.flatMap((advertisement) => advertisement.pools));
  return pools.map(({ name }) => name).filter((name) => !advertised.has(name));
}
