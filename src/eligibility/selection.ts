import type { DesiredService, Preference, Scope } from '../desired/desired.js';
import type { Node } from '../kubernetes/types.js';
import { matches, matchesAny } from '../metallb/selector.js';
import type { Advertisement } from '../metallb/types.js';
import type { ClusterView, RefusalCode } from './types.js';

/** Well-known label of Kubernetes; its value does not count. */
export const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** How a service is to be announced, its name and addresses left out. */
export type Terms = Omit<DesiredService, 'name' | 'addresses'>;

/** A node that is selected by one of the advertisements. */
interface Selected {
  /** Sorted; null: all. */
  readonly interfaces: readonly string[] | null;
  /** 0: not preferred. */
  readonly weight: number;
}

/** Some of the nodes that may announce, and the terms for them. */
export interface Part {
  /** Sorted. */
  readonly eligible: readonly string[];
  readonly terms: Terms;
}

/** Parts remembered: thousands of services have their endpoints on few different sets of nodes. */
const MAX_PARTS = 1_000;

/** What a set of advertisements means for the nodes: the same for all services that they apply to. Pure. */
export class Selection implements Part {
  /** Names of the advertisements; sorted. */
  readonly names: readonly string[];
  /** Whether one of them is for certain services only. */
  readonly forCertainServices: boolean;
  /** Nodes that may announce, as far as endpoints do not matter; sorted. */
  readonly eligible: readonly string[];
  /** The other nodes. */
  readonly refused: ReadonlyMap<string, RefusalCode>;
  /** Terms for all of `eligible`. */
  readonly terms: Terms;
  readonly #selected: ReadonlyMap<string, Selected>;
  /** By the names of the nodes. */
  readonly #parts = new Map<string, Part>();

  constructor(advertisements: readonly Advertisement[], { nodes, ignoreExcludeLB }: ClusterView) {
    const refused = new Map<string, RefusalCode>();
    const selected = new Map<string, Selected>();
    for (const node of [...nodes.values()].sort(byName)) {
      const selecting = advertisements.filter(({ nodeSelectors }) => matchesAny(nodeSelectors, node.labels));
      if (selecting.length > 0) {
        selected.set(node.name, { interfaces: together(selecting), weight: weightOf(node, advertisements) });
      }
      const code = selecting.length === 0 ? 'no-matching-advertisement' : refusal(node, ignoreExcludeLB);
      if (code !== null) refused.set(node.name, code);
    }
    this.names = advertisements.map(({ name }) => name).sort();
    this.forCertainServices = advertisements.some(({ serviceSelectors }) => serviceSelectors.length > 0);
    this.#selected = selected;
    this.refused = refused;
    this.eligible = [...selected.keys()].filter((name) => !refused.has(name));
    this.terms = this.#termsFor(this.eligible);
  }

  /** Weight by node, of every selected node that has one, whether it may announce or not. */
  get weights(): ReadonlyMap<string, number> {
    const weighted = [...this.#selected].filter(([, { weight }]) => weight > 0);
    return new Map(weighted.map(([name, { weight }]) => [name, weight]));
  }

  /** Those of `eligible` that are named. */
  among(names: ReadonlySet<string>): Part {
    const eligible = this.eligible.filter((name) => names.has(name));
    if (eligible.length === this.eligible.length) return this;
    const key = eligible.join(' ');
    const known = this.#parts.get(key);
    if (known !== undefined) return known;
    const part = { eligible, terms: this.#termsFor(eligible) };
    if (this.#parts.size >= MAX_PARTS) this.#parts.clear();
    this.#parts.set(key, part);
    return part;
  }

  /** @param nodes some of `eligible`, in that order */
  #termsFor(nodes: readonly string[]): Terms {
    const scopes = new Map<string | undefined, { nodes: string[]; interfaces: readonly string[] | null }>();
    const prefer: Preference[] = [];
    for (const node of nodes) {
      const { interfaces, weight } = this.#selected.get(node)!;
      if (weight > 0) prefer.push({ node, weight });
      // A name of an interface has no blank.
      const key = interfaces?.join(' ');
      const scope = scopes.get(key) ?? { nodes: [], interfaces };
      scope.nodes.push(node);
      scopes.set(key, scope);
    }
    return {
      interfaces: together(scopes.values()),
      nodes,
      ...(scopes.size > 1 && { scopes: [...scopes.values()] }),
      ...(prefer.length > 0 && { prefer }),
    };
  }
}

function byName(a: Node, b: Node): number {
  return a.name < b.name ? -1 : 1;
}

function refusal({ networkUnavailable, labels }: Node, ignoreExcludeLB: boolean): RefusalCode | null {
  if (networkUnavailable) return 'network-unavailable';
  return !ignoreExcludeLB && Object.hasOwn(labels, EXCLUDE_LABEL) ? 'node-excluded' : null;
}

/** The preferences of all advertisements count for every node, also of those that select other nodes. */
function weightOf({ labels }: Node, advertisements: readonly Advertisement[]): number {
  let sum = 0;
  for (const { preferredNodeSelectors } of advertisements) {
    for (const { weight, preference } of preferredNodeSelectors) if (matches(preference, labels)) sum += weight;
  }
  return sum;
}

function together(parts: Iterable<Pick<Scope, 'interfaces'>>): readonly string[] | null {
  const names = new Set<string>();
  for (const { interfaces } of parts) {
    if (interfaces === null) return null;
    for (const name of interfaces) names.add(name);
  }
  return [...names].sort();
}
