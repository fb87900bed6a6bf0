// What the lab and the tests ask of the API server themselves, apart from Arpeggio's own client: with other eyes.
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { ArpeggioError } from '../../errors.js';

const TIMEOUT_MS = 15_000;
const FIELD_MANAGER = 'lab';

/** An object of the API, to be looked into as needed. */
// biome-ignore lint/suspicious/noExplicitAny: objects of any kind
export type ApiObject = any;

interface Resource {
  readonly path: string;
  readonly namespaced: boolean;
}

export interface LabRequest {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
}

/** The server refused; `status` is 0 where no answer came. */
export class LabApiError extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

export class LabApi {
  private readonly agent: Agent;
  private readonly resources = new Map<string, Resource>();

  constructor(
    readonly server: string,
    ca: string,
    private readonly token: string,
  ) {
    this.agent = new Agent({ ca, keepAlive: true, maxSockets: 8 });
  }

  get(path: string, query: Readonly<Record<string, string>> = {}): Promise<ApiObject> {
    return this.request('GET', path, { query });
  }

  /** The items of a list. */
  async list(path: string, query: Readonly<Record<string, string>> = {}): Promise<ApiObject[]> {
    return (await this.get(path, query)).items;
  }

  create(path: string, body: unknown): Promise<ApiObject> {
    return this.request('POST', path, { body });
  }

  /** A merge patch; `path` may end in /status. */
  patch(path: string, body: unknown): Promise<ApiObject> {
    return this.request('PATCH', path, { body, contentType: 'application/merge-patch+json' });
  }

  async delete(path: string): Promise<void> {
    await this.request('DELETE', path);
  }

  /** Where an object of this kind is: its path, by the server's discovery. */
  async pathOf({ apiVersion, kind, metadata }: ApiObject): Promise<string> {
    const { path, namespaced } = await this.resource(apiVersion, kind);
    const base = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const scope = namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
    return `${base}${scope}/${path}/${metadata.name}`;
  }

  /** Server-side apply of one object, with every unknown or doubled field refused. */
  async apply(object: ApiObject): Promise<ApiObject> {
    const query = { fieldManager: FIELD_MANAGER, force: 'true', fieldValidation: 'Strict' };
    const path = await this.pathOf(object);
    return this.request('PATCH', path, { query, body: object, contentType: 'application/apply-patch+yaml' });
  }

  /** Each document of a YAML text, in order. What needs a kind that an earlier document defines waits for it. */
  async applyYaml(text: string): Promise<ApiObject[]> {
    const applied: ApiObject[] = [];
    for (const document of parseAllDocuments(text)) {
      const object = document.toJS();
      if (object === null) continue;
      applied.push(await this.apply(object));
      if (object.kind === 'CustomResourceDefinition') await this.established(object.metadata.name);
    }
    return applied;
  }

  /** Asks again and again until it holds; what the server refuses counts as not yet. */
  async eventually<T>(what: string, ask: () => Promise<T | null | undefined | false>, timeoutMs = 10_000): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (let last = ''; ; ) {
      try {
        const found = await ask();
        if (found !== null && found !== undefined && found !== false) return found;
      } catch (error) {
        last = ` (${(error as Error).message})`;
      }
      if (performance.now() > deadline)
        throw new ArpeggioError('ERR_SYSTEM', `not so after ${timeoutMs} ms: ${what}${last}`);
      await delay(25);
    }
  }

  request(method: string, path: string, { query = {}, body, contentType }: LabRequest = {}): Promise<ApiObject> {
    const search = new URLSearchParams(query).toString();
    const url = `${this.server}${path}${search === '' ? '' : `?${search}`}`;
    const headers: Record<string, string> = { authorization: `Bearer ${this.token}`, accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = contentType ?? 'application/json';
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(new LabApiError(0, '', `${method} ${path}: ${error.message}`));
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const call = request(url, { method, headers, agent: this.agent, signal });
      call.on('error', failed).on('response', async (response) => {
        try {
          const text = Buffer.concat(await response.toArray()).toString();
          const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
          const answer = isJson ? JSON.parse(text) : text;
          const status = response.statusCode ?? 0;
          if (status < 300) resolve(answer);
          else
            reject(
              new LabApiError(status, answer.reason ?? '', `${method} ${path}: ${status} ${answer.message ?? text}`),
            );
        } catch (error) {
          failed(error as Error);
        }
      });
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private async resource(apiVersion: string, kind: string): Promise<Resource> {
    const key = `${apiVersion} ${kind}`;
    if (!this.resources.has(key)) {
      const { resources } = await this.get(apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`);
      for (const { name, kind: found, namespaced } of resources) {
        // A subresource may have another kind's name, as pods/eviction.
        if (!name.includes('/')) this.resources.set(`${apiVersion} ${found}`, { path: name, namespaced });
      }
    }
    const found = this.resources.get(key);
    if (found === undefined) throw new ArpeggioError('ERR_SYSTEM', `the API server knows no ${kind} in ${apiVersion}`);
    return found;
  }

  /** A new kind can be used a moment after it is defined. */
  private async established(name: string): Promise<void> {
    await this.eventually(`${name} is established`, async () => {
      const definition = await this.get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`);
      const { group, versions, names } = definition.spec;
      const { resources } = await this.get(`/apis/${group}/${versions[0].name}`);
      return resources.some((resource: ApiObject) => resource.name === names.plural);
    });
  }
}
