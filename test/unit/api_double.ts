// What the API server does with objects, in memory: versions, conflicts, merge patches, lists and watches. No validation.
import { ApiError } from '../../src/kubernetes/api_error.js';
import type { ApiRequest } from '../../src/kubernetes/types.js';

export interface Stored {
  metadata: { name: string; namespace?: string; resourceVersion: string; uid: string; [field: string]: unknown };
  [field: string]: unknown;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** Looks at a request before it is carried out; what it throws or never resolves is the answer. */
export type Hook = (call: Call) => Promise<void> | void;

interface Watch {
  readonly collection: RegExp;
  readonly name: string | null;
  readonly onLines: (lines: readonly string[]) => void;
}

const COLLECTIONS = new Set([
  ...['services', 'namespaces', 'nodes', 'leases', 'ipaddresspools', 'l2advertisements', 'servicel2statuses'],
]);

type Json = { [field: string]: unknown };

/** One storage, seen by any number of clients. */
export class ApiStore {
  readonly objects = new Map<string, Stored>();
  readonly calls: Call[] = [];
  readonly #watches = new Set<Watch>();
  #version = 1_000;

  /** Created or replaced by somebody else. */
  put(collection: string, object: Json): Stored {
    const { name, namespace } = object.metadata as { name: string; namespace?: string };
    const path = pathOf(collection, name, namespace);
    const before = this.objects.get(path);
    return this.#store(path, { ...object, metadata: { ...(object.metadata as object) } }, before ?? null);
  }

  remove(path: string): void {
    const object = this.objects.get(path);
    if (!object) throw new Error(`${path} is not there`);
    this.objects.delete(path);
    this.#version += 1;
    this.#tell(path, 'DELETED', object);
  }

  client(hook: Hook = () => {}): ApiDouble {
    return new ApiDouble(this, hook);
  }

  /** Writes among the calls, by method and resource. */
  writes(pattern = /./): Call[] {
    return this.calls.filter(({ method, path }) => method !== 'GET' && pattern.test(path));
  }

  run({ method, path, body }: Call): unknown {
    if (method === 'POST') return this.#create(path, body as Json);
    const target = path.replace(/\/status$/, '');
    const before = this.objects.get(target);
    if (method === 'GET' && before) return structuredClone(before);
    const ofCollection = COLLECTIONS.has(path.split('/').at(-1)!);
    if (method === 'GET' && ofCollection) return this.#list(path);
    if (method === 'DELETE' && ofCollection) return this.#deleteAll(path);
    if (!before) throw failure(404, 'NotFound', path);
    if (method === 'DELETE') return this.remove(target);
    const { resourceVersion } = ((body as Json).metadata ?? {}) as { resourceVersion?: string };
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion)
      throw failure(409, 'Conflict', path);
    const after = method === 'PATCH' ? (merge(structuredClone(before), body) as Stored) : (body as Stored);
    if (JSON.stringify(after) === JSON.stringify(before)) return structuredClone(before);
    return structuredClone(this.#store(target, after, before));
  }

  watch(path: string, name: string | null, from: string, onLines: Watch['onLines']): () => void {
    const watch = { collection: collectionPattern(path), name, onLines };
    // Nothing is forgotten: whoever was late is told what is newer than what it has.
    for (const [key, object] of this.objects) {
      if (Number(object.metadata.resourceVersion) > Number(from)) this.#tellOne(watch, key, 'ADDED', object);
    }
    this.#watches.add(watch);
    return () => this.#watches.delete(watch);
  }

  #list(path: string): unknown {
    const pattern = collectionPattern(path);
    const items = [...this.objects].filter(([key]) => pattern.test(key)).map(([, object]) => structuredClone(object));
    return { kind: 'List', metadata: { resourceVersion: String(this.#version) }, items };
  }

  /** Whatever its selector says. */
  #deleteAll(path: string): void {
    const pattern = collectionPattern(path);
    for (const key of [...this.objects.keys()]) if (pattern.test(key)) this.remove(key);
  }

  #create(path: string, body: Json): Stored {
    const { name } = body.metadata as { name: string };
    if (this.objects.has(`${path}/${name}`)) throw failure(409, 'AlreadyExists', path);
    return structuredClone(this.#store(`${path}/${name}`, structuredClone(body), null));
  }

  #store(path: string, object: Json, before: Stored | null): Stored {
    this.#version += 1;
    const uid = before?.metadata.uid ?? `uid-${this.#version}`;
    const metadata = { ...(object.metadata as object), uid, resourceVersion: String(this.#version) };
    const stored = { ...object, metadata } as Stored;
    this.objects.set(path, stored);
    this.#tell(path, before ? 'MODIFIED' : 'ADDED', stored);
    return stored;
  }

  #tell(path: string, type: string, object: Stored): void {
    for (const watch of this.#watches) this.#tellOne(watch, path, type, object);
  }

  #tellOne(watch: Watch, path: string, type: string, object: Stored): void {
    if (!watch.collection.test(path) || (watch.name !== null && watch.name !== object.metadata.name)) return;
    const metadata = { ...object.metadata };
    if (type === 'DELETED') metadata.resourceVersion = String(this.#version);
    const line = JSON.stringify({ type, object: { ...object, metadata } });
    setImmediate(() => watch.onLines([line]));
  }
}

/** A client of the storage; what it sends passes the hook first. */
export class ApiDouble {
  readonly namespace = 'metallb-system';
  readonly server = 'memory';

  constructor(
    private readonly store: ApiStore,
    private readonly hook: Hook,
  ) {}

  get = (path: string, request?: ApiRequest) => this.#send('GET', path, undefined, request);
  list = async (path: string, request: ApiRequest, onItem: (item: unknown) => void) => {
    const { items, ...page } = (await this.#send('GET', path, undefined, request)) as { items: unknown[] };
    for (const item of items) onItem(item);
    return { ...page, items: [] };
  };
  create = (path: string, body: unknown, request?: ApiRequest) => this.#send('POST', path, body, request);
  replace = (path: string, body: unknown, request?: ApiRequest) => this.#send('PUT', path, body, request);
  patch = (path: string, body: unknown, request?: ApiRequest) => this.#send('PATCH', path, body, request);
  delete = (path: string, request?: ApiRequest) => this.#send('DELETE', path, request?.body ?? {}, request);

  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    options: { signal?: AbortSignal; onOpen: () => void; onLines: (lines: readonly string[]) => void },
  ): Promise<void> {
    const name = /^metadata\.name=(.*)$/.exec(query.fieldSelector ?? '')?.[1] ?? null;
    options.onOpen();
    const end = this.store.watch(path, name, query.resourceVersion ?? '0', options.onLines);
    return new Promise((_resolve, reject) => {
      const abort = () => {
        end();
        reject(failure(0, 'Aborted', path));
      };
      if (options.signal?.aborted) abort();
      options.signal?.addEventListener('abort', abort, { once: true });
    });
  }

  async #send(method: string, path: string, body: unknown, request: ApiRequest = {}): Promise<unknown> {
    const { signal, timeoutMs = 10_000 } = request;
    const call = { method, path, body: body === undefined ? undefined : structuredClone(body) };
    const { store, hook } = this;
    const carried = (async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await hook(call);
      store.calls.push(call);
      return store.run(call);
    })();
    let timer: NodeJS.Timeout | undefined;
    const ended = new Promise<never>((_resolve, reject) => {
      if (signal?.aborted) reject(failure(0, 'Aborted', path));
      signal?.addEventListener('abort', () => reject(failure(0, 'Aborted', path)), { once: true });
      timer = setTimeout(() => reject(failure(0, 'Timeout', path)), timeoutMs);
    });
    return await Promise.race([carried, ended]).finally(() => clearTimeout(timer));
  }
}

export function failure(status: number, reason: string, path: string): ApiError {
  return new ApiError(`${path}: ${reason}`, { status, reason });
}

function pathOf(collection: string, name: string, namespace: string | undefined): string {
  if (namespace === undefined) return `${collection}/${name}`;
  const slash = collection.lastIndexOf('/');
  return `${collection.slice(0, slash)}/namespaces/${namespace}${collection.slice(slash)}/${name}`;
}

/** Matches the objects of a collection, in one namespace or in all. */
function collectionPattern(path: string): RegExp {
  const slash = path.lastIndexOf('/');
  const anywhere = path.includes('/namespaces/') ? '' : '(/namespaces/[^/]+)?';
  return new RegExp(`^${path.slice(0, slash)}${anywhere}${path.slice(slash)}/[^/]+$`);
}

/** RFC 7396. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Json = typeof target === 'object' && target !== null && !Array.isArray(target) ? (target as Json) : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}
