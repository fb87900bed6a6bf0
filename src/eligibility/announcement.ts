import type { DesiredService } from '../desired/desired.js';
import type { EndpointSlice, Service } from '../kubernetes/types.js';
import { serviceRequest } from '../metallb/annotations.js';
import { poolOf } from '../metallb/configuration.js';
import { matchesAny } from '../metallb/selector.js';
import type { Advertisement } from '../metallb/types.js';
import { type Address, familyOf } from '../net/address.js';
import { addressesOf } from './addresses.js';
import { type Part, Selection } from './selection.js';
import type { Announcement, ClusterView, RefusalCode } from './types.js';

const NOBODY: readonly string[] = [];

/**
 * Who may announce a Service, and how. Pure. Whether a node is alive is left to those on the segment. Services
 * for which the same follows share its lists.
 *
 * @param slices of this Service, all
 */
export function announcementOf(service: Service, slices: readonly EndpointSlice[], view: ClusterView): Announcement {
  const judged = judgedBy(view);
  const addresses = addressesOf(service);
  const selection = judged.selectionOf(service, addresses);
  const advertisements = selection.names;
  const nobody = (reason: RefusalCode): Announcement => {
    return { addresses, eligible: NOBODY, refused: judged.all(reason), reason, advertisements, desired: null };
  };
  if (!slices.some(({ active }) => active)) return nobody('no-active-endpoint');
  if (advertisements.length === 0) return nobody('no-matching-advertisement');
  // The services that share an address have one owner; an advertisement that is for one of them only cannot say who.
  if (selection.forCertainServices && serviceRequest(service).sharingKey !== '')
    return nobody('shared-address-with-service-selector');
  const { eligible } = selection;
  if (service.externalTrafficPolicy === 'Local') {
    const local = localPart(slices, addresses, selection);
    if (local !== selection) return new LocalAnnouncement(service.key, addresses, local, selection);
  }
  if (eligible.length === 0) return { ...nobody(common(selection.refused)), refused: selection.refused };
  const desired = { name: service.key, addresses, ...selection.terms };
  return { addresses, eligible, refused: selection.refused, reason: null, advertisements, desired };
}

/**
 * Where endpoints serve: all families of the service, if there is such a node, else any. The slices of two families change one
 * after the other, and what is sent to a node without an endpoint of the family is lost.
 */
function localPart(slices: readonly EndpointSlice[], addresses: readonly Address[], selection: Selection): Part {
  const all = new Set(slices.flatMap(({ nodes }) => nodes));
  if (addresses.length > 1) {
    const families = [...new Set(addresses.map(familyOf))].map((family) => {
      return new Set(slices.flatMap((slice) => (slice.family === family ? slice.nodes : NOBODY)));
    });
    const served = families.filter(({ size }) => size > 0);
    const best = selection.among(new Set([...all].filter((node) => served.every((nodes) => nodes.has(node)))));
    if (best.eligible.length > 0) return best;
  }
  return selection.among(all);
}

/**
 * externalTrafficPolicy: Local, announced only where an endpoint serves. Who is refused is worked out when somebody asks: a list
 * of all nodes for each of thousands of services would be most of what a speaker has to remember.
 */
class LocalAnnouncement implements Announcement {
  readonly reason: RefusalCode | null;
  readonly eligible: readonly string[];
  readonly desired: DesiredService | null;
  readonly #selection: Selection;

  constructor(
    name: string,
    readonly addresses: readonly Address[],
    { eligible, terms }: Part,
    selection: Selection,
  ) {
    this.#selection = selection;
    this.eligible = eligible;
    const isAnnounced = eligible.length > 0;
    this.desired = isAnnounced ? { name, addresses, ...terms } : null;
    this.reason = isAnnounced ? null : common(this.refused);
  }

  get advertisements(): readonly string[] {
    return this.#selection.names;
  }

  get refused(): ReadonlyMap<string, RefusalCode> {
    const refused = new Map(this.#selection.refused);
    for (const name of this.#selection.eligible)
      if (!this.eligible.includes(name)) refused.set(name, 'no-local-endpoint');
    return refused;
  }
}

/** Weights of the nodes that advertisements select for a Service, summed; nodes without one are left out. */
export function preferenceScores(service: Service, view: ClusterView): ReadonlyMap<string, number> {
  return judgedBy(view).selectionOf(service, addressesOf(service)).weights;
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
