import type { ApiClient } from '../kubernetes/api_client.js';
import { isConflict, isNotFound } from '../kubernetes/api_error.js';
import { projectCustomResource } from '../kubernetes/projections.js';
import { Reflector } from '../kubernetes/reflector.js';
import type { Changes, CustomResource, ObjectKey } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import { l2StatusName, labelValue } from './names.js';
import { isOlder } from './resource_version.js';
import { WriteQueue } from './write_queue.js';

const API_VERSION = 'metallb.io/v1beta1';
const NODE_LABEL = 'metallb.io/node';
const SERVICE_LABEL = 'metallb.io/service-name';
const NAMESPACE_LABEL = 'metallb.io/service-namespace';
const ADDRESSES_ANNOTATION = 'arpeggio.io/addresses';
const SINCE_ANNOTATION = 'arpeggio.io/since';
const REASON_ANNOTATION = 'arpeggio.io/reason';

/** What MetalLB's definition has no field for. */
export interface AnnouncedDetails {
  /** Of the service, those that this node answers for. */
  readonly addresses: readonly string[];
  /** ISO 8601. */
  readonly since: string;
  /** For people. */
  readonly reason: string;
}

interface Wanted extends AnnouncedDetails {
  readonly interfaces: readonly string[];
}

const NO_DETAILS: AnnouncedDetails = { addresses: [], since: '', reason: '' };

interface Observed {
  readonly name: string;
  readonly resourceVersion: string;
  readonly service: ObjectKey;
  readonly interfaces: string;
  readonly addresses: string;
}

export interface ServiceL2StatusesOptions {
  readonly api: ApiClient;
  readonly namespace: string;
  readonly node: string;
  readonly log: Logger;
}

/**
 * MetalLB's ServiceL2Status objects of this node: one for each service that it announces. What an earlier process of the node
 * left is taken over, and what somebody deletes or changes comes back.
 */
export class ServiceL2Statuses {
  readonly #options: ServiceL2StatusesOptions;
  readonly #path: string;
  readonly #queue: WriteQueue;
  /** Nodes whose objects have to go. */
  readonly #cleared: WriteQueue;
  readonly #reflector: Reflector<Observed>;
  readonly #wanted = new Map<ObjectKey, Wanted>();
  /** By name of the object: MetalLB's own have others than ours. */
  readonly #observed = new Map<ObjectKey, Map<string, Observed>>();
  /** Which service an object was about, by its key. */
  readonly #services = new Map<ObjectKey, { service: ObjectKey; name: string }>();
  #complete = false;
  /** MetalLB's own definition has a subresource for the status, and leaves it out elsewhere. */
  #isSubresource = false;

  constructor(options: ServiceL2StatusesOptions) {
    const { api, namespace, node, log } = options;
    this.#options = options;
    this.#path = `/apis/${API_VERSION}/namespaces/${namespace}/servicel2statuses`;
    const write = (service: string) => this.#write(service);
    const ofUs = log.child({ module: 'records' });
    // MetalLB's speaker, left running beside ours, takes them for its own.
    this.#queue = new WriteQueue({ what: 'ServiceL2Status objects', log: ofUs, write, paced: true });
    this.#cleared = new WriteQueue({
      what: 'ServiceL2Status objects of nodes that are gone',
      log: ofUs,
      write: async (gone) => void (await api.delete(this.#path, { query: ofNode(gone) })),
    });
    this.#reflector = new Reflector<Observed>({
      api,
      path: this.#path,
      query: ofNode(node),
      project: observe,
      onChange: (changes) => this.#onChange(changes),
      log,
    });
  }

  start(): void {
    this.#reflector.start();
  }

  /** Whether it is known what there is, or that it cannot be known at present. */
  get isRead(): boolean {
    const { synced, state } = this.#reflector.status;
    return synced || state === 'waiting';
  }

  /** Whether an object says already that this node announces the service. */
  isRecorded(service: ObjectKey): boolean {
    return (this.#observed.get(service)?.size ?? 0) > 0;
  }

  /**
   * @param interfaces where this node announces the service, in the node's order; null: nowhere
   * @param details written when interfaces or addresses change, not when only these do
   */
  announced(service: ObjectKey, interfaces: readonly string[] | null, details: AnnouncedDetails = NO_DETAILS): void {
    if (interfaces) this.#wanted.set(service, { interfaces, ...details });
    else if (!this.#wanted.delete(service) && !this.isRecorded(service)) return;
    this.#addIfReady(service);
  }

  /** From now on an object of a service that was not `announced` is wrong: this node has taken up what it is to announce. */
  complete(): void {
    if (this.#complete) return;
    this.#complete = true;
    for (const service of this.#observed.keys()) this.#addIfReady(service);
  }

  /** Takes away what another node has left, in one request. */
  clear(node: string): void {
    this.#cleared.add(node);
  }

  /** The API server is heard again. */
  retryNow(): void {
    this.#queue.retryNow();
    this.#cleared.retryNow();
  }

  /** Takes this node's objects away, in one request of at most `limitMs`; nothing is written any more. */
  async stop(limitMs: number): Promise<void> {
    this.#queue.stop();
    this.#cleared.stop();
    await this.#reflector.stop();
    if (this.#observed.size + this.#wanted.size === 0) return;
    const { api, node } = this.#options;
    await api.delete(this.#path, { query: ofNode(node), timeoutMs: limitMs });
  }

  #onChange(changes: Changes<Observed>): void {
    for (const [key, observed] of changes) {
      const before = this.#services.get(key);
      const known = before && this.#observed.get(before.service)?.get(before.name);
      if (observed && known && isOlder(observed.resourceVersion, known.resourceVersion)) continue;
      if (before) this.#forget(before.service, before.name);
      this.#services.delete(key);
      if (observed) {
        const { service, name } = observed;
        this.#services.set(key, { service, name });
        this.#observed.set(service, (this.#observed.get(service) ?? new Map()).set(name, observed));
      }
      for (const service of new Set([before?.service, observed?.service])) if (service) this.#addIfReady(service);
    }
    for (const service of this.#wanted.keys()) this.#addIfReady(service);
  }

  #forget(service: ObjectKey, name: string): void {
    const objects = this.#observed.get(service);
    objects?.delete(name);
    if (objects?.size === 0) this.#observed.delete(service);
  }

  /** Nothing is written before it is known what there is, and only what would change something. */
  #addIfReady(service: ObjectKey): void {
    if (this.#reflector.status.synced && this.#differs(service)) this.#queue.add(service);
  }

  #differs(service: ObjectKey): boolean {
    const wanted = this.#wanted.get(service);
    const observed = [...(this.#observed.get(service)?.values() ?? [])];
    if (!wanted) return this.#complete && observed.length > 0;
    const [only] = observed;
    return observed.length !== 1 || !only || !isSame(only, wanted);
  }

  /** @returns whether anything was to be written */
  async #write(service: ObjectKey): Promise<boolean> {
    if (!this.#differs(service)) return false;
    const wanted = this.#wanted.get(service) ?? null;
    const objects = [...(this.#observed.get(service)?.values() ?? [])];
    const name = l2StatusName(service, this.#options.node);
    const kept = wanted === null ? undefined : (objects.find((object) => object.name === name) ?? objects[0]);
    if (wanted !== null || this.#complete) {
      for (const object of objects) if (object !== kept) await this.#delete(service, object.name);
    }
    if (wanted === null) return true;
    if (!kept) await this.#create(service, name, wanted);
    else if (!isSame(kept, wanted)) await this.#update(service, kept.name, wanted);
    return true;
  }

  async #create(service: ObjectKey, name: string, wanted: Wanted): Promise<void> {
    const { api, namespace, node } = this.#options;
    const [serviceNamespace = '', serviceName = ''] = service.split('/');
    const metadata = {
      name,
      namespace,
      labels: {
        [NODE_LABEL]: labelValue(node),
        [SERVICE_LABEL]: labelValue(serviceName),
        [NAMESPACE_LABEL]: labelValue(serviceNamespace),
      },
      annotations: annotationsOf(wanted),
    };
    const status = this.#statusOf(service, wanted);
    const body = { apiVersion: API_VERSION, kind: 'ServiceL2Status', metadata, spec: {}, status };
    try {
      const raw = await api.create(this.#path, body);
      this.#keep(raw);
      this.#isSubresource = !showsInterfaces(raw, wanted);
      if (!this.#isSubresource) return;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    return this.#update(service, name, wanted);
  }

  async #update(service: ObjectKey, name: string, wanted: Wanted): Promise<void> {
    const { api } = this.#options;
    const status = this.#statusOf(service, wanted);
    const known = this.#observed.get(service)?.get(name);
    try {
      // Annotations cannot be written with a status that is a subresource.
      if (!this.#isSubresource || known?.addresses !== wanted.addresses.join()) {
        const body = { metadata: { annotations: annotationsOf(wanted) }, ...(!this.#isSubresource && { status }) };
        const raw = await api.patch(`${this.#path}/${name}`, body);
        this.#keep(raw);
        this.#isSubresource ||= !showsInterfaces(raw, wanted);
        if (!this.#isSubresource || showsInterfaces(raw, wanted)) return;
      }
      this.#keep(await api.patch(`${this.#path}/${name}/status`, { status }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // The object is gone, or the definition is another one.
      this.#isSubresource = false;
      this.#forget(service, name);
      this.#queue.add(service);
    }
  }

  async #delete(service: ObjectKey, name: string): Promise<void> {
    try {
      await this.#options.api.delete(`${this.#path}/${name}`);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.#forget(service, name);
  }

  /** What was written is known before the watch tells of it: nothing is written twice. */
  #keep(raw: unknown): void {
    const projected = observe(raw);
    if (!projected) return;
    const { service, name } = projected.value;
    this.#services.set(projected.key, { service, name });
    this.#observed.set(service, (this.#observed.get(service) ?? new Map()).set(name, projected.value));
  }

  #statusOf(service: ObjectKey, { interfaces }: Wanted): object {
    const [serviceNamespace = '', serviceName = ''] = service.split('/');
    return {
      node: this.#options.node,
      serviceName,
      serviceNamespace,
      interfaces: interfaces.map((name) => ({ name })),
    };
  }
}

function ofNode(node: string): { labelSelector: string } {
  return { labelSelector: `${NODE_LABEL}=${labelValue(node)}` };
}

function isSame(observed: Observed, { interfaces, addresses }: Wanted): boolean {
  return observed.interfaces === interfaces.join() && observed.addresses === addresses.join();
}

function showsInterfaces(raw: unknown, { interfaces }: Wanted): boolean {
  return observe(raw)?.value.interfaces === interfaces.join();
}

function annotationsOf({ addresses, since, reason }: Wanted): Record<string, string> {
  if (addresses.length === 0) return {};
  return { [ADDRESSES_ANNOTATION]: addresses.join(), [SINCE_ANNOTATION]: since, [REASON_ANNOTATION]: reason };
}

interface Status {
  readonly serviceName?: string;
  readonly serviceNamespace?: string;
  readonly interfaces?: readonly { readonly name?: string }[];
}

function observe(raw: unknown): { key: ObjectKey; value: Observed } | null {
  const projected = projectCustomResource(raw);
  if (!projected) return null;
  const { key, value } = projected;
  const { name, labels, resourceVersion } = value satisfies CustomResource;
  const status = (value.status ?? {}) as Status;
  const namespace = status.serviceNamespace ?? labels[NAMESPACE_LABEL] ?? '';
  const service = `${namespace}/${status.serviceName ?? labels[SERVICE_LABEL] ?? ''}`;
  const interfaces = (status.interfaces ?? []).map((entry) => entry.name ?? '').join();
  const { annotations } = (raw as { metadata: { annotations?: Readonly<Record<string, unknown>> } }).metadata;
  const addresses = String(annotations?.[ADDRESSES_ANNOTATION] ?? '');
  return { key, value: { name, resourceVersion, service, interfaces, addresses } };
}
