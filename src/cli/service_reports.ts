// What the cluster is told of services: which node announces them, where, and why nobody can.
import type { Announcement, RefusalCode } from '../eligibility/types.js';
import type { ObjectKey, Service } from '../kubernetes/types.js';
import { type Address, AddressError, parseAddress } from '../net/address.js';
import type { AnnouncedDetails } from '../records/service_l2_statuses.js';
import type { Effect } from '../speaker.js';
import type { SpeakerView } from './status_report.js';

/** What follows each other within this time is one report: an address that is answered goes through several states. */
const GATHER_MS = 100;

/** A speaker that is restarted is back within this time. */
const RESTART_MS = 10_000;

/** What users have to mend; the other reasons come and go with the endpoints. */
const FAILURES: Partial<Record<RefusalCode, string>> = {
  'no-matching-advertisement':
    'no L2Advertisement is for its pool, this service and a node; create or widen one, or nobody answers for it',
  'shared-address-with-service-selector':
    'it shares an address, and every L2Advertisement for it has serviceSelectors, which cannot tell the services apart',
  'node-excluded':
    'every node carries the label node.kubernetes.io/exclude-from-external-load-balancers; take it off those that shall announce, or give the speakers --ignore-exclude-lb',
  'network-unavailable': 'the condition NetworkUnavailable of every node is True; look at the network plugin',
  'no-local-endpoint':
    'externalTrafficPolicy is Local, and its endpoints name no node of the cluster; use Cluster, or endpoints with a nodeName',
  'no-eligible-node': 'each node has a reason of its own',
  'not-alive':
    'no speaker runs on a node that may announce it; let the DaemonSet schedule one there, or select other nodes',
};

/** Of long lists, so many are named. */
const MAX_NAMED = 3;

function failureText(reason: RefusalCode | null, { eligible, refused }: Announcement): string | null {
  const text = reason === null ? undefined : FAILURES[reason];
  if (text === undefined) return null;
  if (reason === 'not-alive') return `${text}: ${some(eligible)}`;
  if (reason !== 'no-eligible-node' || refused.size === 0) return text;
  const nodes = new Map<RefusalCode, string[]>();
  for (const [node, code] of refused) nodes.set(code, [...(nodes.get(code) ?? []), node]);
  const parts = Array.from(nodes, ([code, names]) => `${code} ${some(names)}`);
  return `${text}: ${parts.join('; ')}`;
}

function some(names: readonly string[]): string {
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return `${names.slice(0, MAX_NAMED).join(', ')}${more}`;
}

export interface ServiceReportsOptions {
  readonly node: string;
  readonly speaker: Pick<SpeakerView, 'claims' | 'desired' | 'ownerOf'>;
  /** Interfaces that can carry frames now. */
  readonly usable: () => ReadonlySet<string>;
  readonly services: () => ReadonlyMap<ObjectKey, Service>;
  readonly announcements: () => ReadonlyMap<ObjectKey, Announcement>;
  /** Names of the nodes that have a speaker; null: that is not known. */
  readonly alive: () => ReadonlySet<string> | null;
  readonly statuses: {
    /** Whether it is known what an earlier process left, or that it cannot be known. */
    readonly isRead: boolean;
    isRecorded(service: ObjectKey): boolean;
    announced(service: ObjectKey, interfaces: readonly string[] | null, details?: AnnouncedDetails): void;
  };
  readonly event: (service: Service, type: 'Normal' | 'Warning', reason: string, message: string) => void;
  /** A monotonic time as ISO 8601. */
  readonly iso: (monotonicMs: number) => string;
  /** Whether this node speaks for all where one event is enough. */
  readonly isSpokesman: () => boolean;
}

/** Looks at a service whenever something about it may have changed, and reports what did. */
export class ServiceReports {
  readonly #options: ServiceReportsOptions;
  readonly #dirty = new Set<ObjectKey>();
  /** Services that this node announces. */
  readonly #announced = new Set<ObjectKey>();
  readonly #failures = new Map<ObjectKey, RefusalCode>();
  /** Since when no node that may announce the service has a speaker. */
  readonly #lonelySinceMs = new Map<ObjectKey, number>();
  /** Of these, those whose speakers are no longer expected back. */
  readonly #lonely = new Set<ObjectKey>();
  #timer: NodeJS.Timeout | null = null;
  #ended = false;

  constructor(options: ServiceReportsOptions) {
    this.#options = options;
  }

  /** What the speaker did. */
  onEffects(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'changed') {
        this.#markAddress(effect.address);
        if (effect.to === 'conflict') this.#tellConflict(effect);
      } else if (effect.type === 'moved') for (const address of effect.addresses) this.#markAddress(address);
    }
  }

  /** What the source said about services, or that they are gone. */
  mark(services: Iterable<ObjectKey>): void {
    for (const service of services) this.#dirty.add(service);
    this.#schedule();
  }

  /** Anything may be different. */
  markAll(): void {
    this.mark([...this.#options.services().keys(), ...this.#announced, ...this.#failures.keys()]);
  }

  /** To be called every second or so: nobody tells of services that nothing is wanted for. */
  lookForFailures(nowMs: number): void {
    const announcements = this.#options.announcements();
    const alive = this.#options.alive();
    // What the API server says of sessions when it comes back is old for a moment.
    if (!alive) this.#lonelySinceMs.clear();
    for (const [key, announcement] of announcements) {
      if (alive) this.#lookForSpeaker(key, announcement, alive, nowMs);
      const reason = this.#reasonOf(key, announcement);
      if (reason !== null && FAILURES[reason] !== undefined && this.#failures.get(key) !== reason) this.mark([key]);
    }
    for (const key of this.#lonelySinceMs.keys()) if (!announcements.has(key)) this.#accompanied(key);
    for (const key of this.#failures.keys()) {
      const announcement = announcements.get(key);
      if (!announcement || this.#reasonOf(key, announcement) === null) this.mark([key]);
    }
  }

  /** Of services that nobody announces until users mend something: why, for people. */
  get failures(): ReadonlyMap<ObjectKey, string> {
    const failures = new Map<ObjectKey, string>();
    for (const key of this.#failures.keys()) {
      const announcement = this.#options.announcements().get(key);
      const text = announcement ? failureText(this.#reasonOf(key, announcement), announcement) : null;
      if (text !== null) failures.set(key, text);
    }
    return failures;
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer ?? undefined);
  }

  #lookForSpeaker(key: ObjectKey, { eligible }: Announcement, alive: ReadonlySet<string>, nowMs: number): void {
    if (eligible.length === 0 || eligible.some((node) => alive.has(node))) {
      this.#accompanied(key);
      return;
    }
    const sinceMs = this.#lonelySinceMs.get(key) ?? nowMs;
    this.#lonelySinceMs.set(key, sinceMs);
    if (nowMs - sinceMs >= RESTART_MS) this.#lonely.add(key);
  }

  #accompanied(key: ObjectKey): void {
    this.#lonelySinceMs.delete(key);
    this.#lonely.delete(key);
  }

  #reasonOf(key: ObjectKey, { reason }: Announcement): RefusalCode | null {
    return reason ?? (this.#lonely.has(key) ? 'not-alive' : null);
  }

  #markAddress(address: Address): void {
    this.mark(this.#options.speaker.desired.get(address)?.services ?? []);
  }

  #schedule(): void {
    if (this.#dirty.size === 0 || this.#ended) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (!this.#options.statuses.isRead) return this.#schedule();
      const services = [...this.#dirty];
      this.#dirty.clear();
      for (const service of services) this.#look(service);
    }, GATHER_MS);
  }

  #look(key: ObjectKey): void {
    const { node, statuses, services, announcements, event, isSpokesman } = this.#options;
    const service = services().get(key) ?? null;
    const announced = service ? this.#announcedOf(service) : null;
    if (announced === null) this.#announced.delete(key);
    else if (service && !this.#announced.has(key)) {
      this.#announced.add(key);
      // After a restart of this process nothing has changed.
      if (!statuses.isRecorded(key))
        event(service, 'Normal', 'nodeAssigned', `announcing from node "${node}" with protocol "layer2"`);
    }
    if (announced === null) statuses.announced(key, null);
    else statuses.announced(key, announced.interfaces, announced);

    const announcement = announcements().get(key);
    const reason = announcement ? this.#reasonOf(key, announcement) : null;
    const failure = announcement ? failureText(reason, announcement) : null;
    if (!service || reason === null || failure === null) this.#failures.delete(key);
    else if (this.#failures.get(key) !== reason) {
      this.#failures.set(key, reason);
      if (isSpokesman()) event(service, 'Warning', 'announceFailed', `not announced: ${failure}`);
    }
  }

  /** null: this node answers for none of its addresses. */
  #announcedOf({ ingress }: Service): (AnnouncedDetails & { readonly interfaces: readonly string[] }) | null {
    const { speaker, usable, node, iso } = this.#options;
    const open = usable();
    const interfaces = new Set<string>();
    const addresses: Address[] = [];
    const reasons = new Set<string>();
    let sinceMs = Number.NEGATIVE_INFINITY;
    for (const address of ingress.flatMap(readable)) {
      const answered = (speaker.claims.get(address) ?? []).filter(
        (claim) => claim.answered && open.has(claim.interfaceName),
      );
      if (answered.length === 0) continue;
      addresses.push(address);
      for (const { interfaceName, reason, sinceMs: claimedMs } of answered) {
        interfaces.add(interfaceName);
        reasons.add(reason);
        const owner = speaker.ownerOf(address, interfaceName);
        sinceMs = Math.max(sinceMs, owner?.node === node ? owner.sinceMs : claimedMs);
      }
    }
    if (interfaces.size === 0) return null;
    return { interfaces: [...interfaces].sort(), addresses, since: iso(sinceMs), reason: [...reasons].join('; ') };
  }

  #tellConflict({ address, interfaceName, rivalMac }: Extract<Effect, { type: 'changed' }>): void {
    const { speaker, services, event, node } = this.#options;
    for (const key of speaker.desired.get(address)?.services ?? []) {
      const service = services().get(key);
      if (!service) continue;
      const text = `${address} is used by another host, ${rivalMac ?? 'MAC unknown'}, on ${interfaceName} of node "${node}"`;
      event(service, 'Warning', 'announceFailed', `${text}; it is announced when that host gives it up`);
    }
  }
}

function readable(text: string): Address[] {
  try {
    return [parseAddress(text)];
  } catch (error) {
    if (error instanceof AddressError) return [];
    throw error;
  }
}
