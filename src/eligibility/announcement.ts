import type { EndpointSlice, Service } from '../kubernetes/types.js';
import { serviceRequest } from '../metallb/annotations.js';
import { poolOf } from '../metallb/configuration.js';
import { matchesAny } from '../metallb/selector.js';
import type { Advertisement } from '../metallb/types.js';
import type { Address } from '../net/address.js';
import { addressesOf } from './addresses.js';
import { Selection, type Terms } from './selection.js';
import type { Announcement, ClusterView, RefusalCode } from './types.js';

/**
 * Who may announce a Service, and how. Pure. Whether a node is alive is left to those on the segment. Equal lists of nodes
 * are one array as long as the view is the same.
 *
 * @param slices of this Service, all
 */
export function announcementOf(service: Service, slices: readonly EndpointSlice[], view: ClusterView): Announcement {
  const judged = judgedBy(view);
  const addresses = addressesOf(service);
  const selection = judged.selectionOf(service, addresses);
  const advertisements = selection.names;
  const nobody = (reason: RefusalCode, refused = judged.all(reason)): Announcement => {
    return { addresses, eligible: [], refused, reason, advertisements, desired: null };
  };
  if (!slices.some(({ active }) => active)) return nobody('no-active-endpoint');
  if (advertisements.length === 0) return nobody('no-matching-advertisement');
  // The services that share an address have one owner; an advertisement that is for one of them only cannot say who.
  if (selection.forCertainServices && serviceRequest(service).sharingKey !== '')
    return nobody('shared-address-with-service-selector');
  const { eligible, refused, terms } =
    service.externalTrafficPolicy === 'Local' ? withEndpoint(selection, slices) : selection;
  if (eligible.length === 0) return nobody(common(refused), refused);
  const desired = { name: service.key, addresses, ...terms };
  return { addresses, eligible, refused, reason: null, advertisements, desired };
}

/** Weights of the nodes that advertisements select for a Service, summed; nodes without one are left out. */
export function preferenceScores(service: Service, view: ClusterView): ReadonlyMap<string, number> {
  return judgedBy(view).selectionOf(service, addressesOf(service)).weights;
}

interface Eligible {
  readonly eligible: readonly string[];
  readonly refused: ReadonlyMap<string, RefusalCode>;
  readonly terms: Terms;
}

/** externalTrafficPolicy: Local, only where an endpoint serves. */
function withEndpoint(selection: Selection, slices: readonly EndpointSlice[]): Eligible {
  const serving = new Set(slices.flatMap(({ nodes }) => nodes));
  const eligible = selection.eligible.filter((name) => serving.has(name));
  if (eligible.length === selection.eligible.length) return selection;
  const refused = new Map(selection.refused);
  for (const name of selection.eligible) if (!serving.has(name)) refused.set(name, 'no-local-endpoint');
  return { eligible, refused, terms: selection.termsFor(eligible) };
}

/** The code that all nodes have. */
function common(refused: ReadonlyMap<string, RefusalCode>): RefusalCode {
  const codes = new Set(refused.values());
  const [code = 'no-eligible-node'] = codes;
  return codes.size === 1 ? code : 'no-eligible-node';
}

/** What follows from a view alone, worked out when it is first asked for: thousands of services have few advertisements. */
class Judged {
  readonly #view: ClusterView;
  /** By the name of a pool. */
  readonly #advertisements = new Map<string, Advertisement[]>();
  /** By the names of the advertisements. */
  readonly #selections = new Map<string, Selection>();
  readonly #all = new Map<RefusalCode, ReadonlyMap<string, RefusalCode>>();

  constructor(view: ClusterView) {
    this.#view = view;
    for (const advertisement of view.configuration.advertisements) {
      for (const pool of advertisement.pools) {
        const list = this.#advertisements.get(pool);
        if (list === undefined) this.#advertisements.set(pool, [advertisement]);
        else list.push(advertisement);
      }
    }
  }

  /** Of the advertisements that are for all of the addresses and for the Service. */
  selectionOf({ labels }: Service, addresses: readonly Address[]): Selection {
    const pools = new Set(addresses.map((address) => poolOf(this.#view.configuration, address)?.name ?? null));
    const [first = null, ...others] = pools;
    const applying = (first === null ? [] : (this.#advertisements.get(first) ?? [])).filter(
      (advertisement) =>
        others.every((pool) => pool !== null && advertisement.pools.includes(pool)) &&
        matchesAny(advertisement.serviceSelectors, labels),
    );
    const key = applying.map(({ name }) => name).join(' ');
    const known = this.#selections.get(key);
    if (known !== undefined) return known;
    const selection = new Selection(applying, this.#view);
    this.#selections.set(key, selection);
    return selection;
  }

  /** Every node is refused for the same reason. */
  all(code: RefusalCode): ReadonlyMap<string, RefusalCode> {
    const known = this.#all.get(code);
    if (known !== undefined) return known;
    const refused = new Map([...this.#view.nodes.keys()].map((name) => [name, code] as const));
    this.#all.set(code, refused);
    return refused;
  }
}

const judgedViews = new WeakMap<ClusterView, Judged>();

function judgedBy(view: ClusterView): Judged {
  const known = judgedViews.get(view);
  if (known !== undefined) return known;
  const judged = new Judged(view);
  judgedViews.set(view, judged);
  return judged;
}
