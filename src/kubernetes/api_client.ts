import { setMaxListeners } from 'node:events';
import { monotonicMs } from '../clock.js';
import { VERSION } from '../version.js';
import { ApiError } from './api_error.js';
import { Credentials, type CredentialsOptions } from './credentials.js';
import { type ExchangeOptions, exchange, exchangeLines, type LinesOptions, StaleConnection } from './exchange.js';
import type { Api, ApiRequest } from './types.js';

const DEFAULT_TIMEOUT_MS = 10_000;
/** Where the server says "later" but not when. */
const DEFAULT_RETRY_MS = 1000;
/** Where it says "at once". */
const MIN_RETRY_MS = 100;
const MAX_ATTEMPTS = 10;

export type WatchOptions = Pick<LinesOptions, 'idleTimeoutMs' | 'onOpen' | 'onHeard' | 'onLines'> & {
  readonly signal?: AbortSignal;
};

export type ConnectOptions = Omit<CredentialsOptions, 'kubeconfig'> & {
  /** A file; null or absent: KUBECONFIG, else the pod's service account, else ~/.kube/config. */
  kubeconfig?: string | null;
  /** Of the program, for the API server's audit log. Default: arpeggio. */
  program?: string;
};

/** The API server by HTTPS: kept connections, credentials that are read again as they change, requests tried again. */
export class ApiClient implements Api {
  private closed = false;
  private readonly closing = new AbortController();

  private constructor(
    private readonly credentials: Credentials,
    private readonly userAgent: string,
  ) {
    // One listener for each request under way.
    setMaxListeners(0, this.closing.signal);
  }

  /** Reads where the server is; does not ask it anything. @throws ArpeggioError ERR_KUBECONFIG that says what is missing */
  static async connect({ kubeconfig = null, program = 'arpeggio', ...options }: ConnectOptions): Promise<ApiClient> {
    const credentials = new Credentials({ kubeconfig, ...options, log: options.log.child({ module: 'kubernetes' }) });
    return new ApiClient(credentials, `${program}/${VERSION}`);
  }

  get namespace(): string {
    return this.credentials.namespace;
  }

  get server(): string {
    return this.credentials.server;
  }

  get(path: string, request: ApiRequest = {}): Promise<unknown> {
    return this.send('GET', path, request, request.body);
  }

  /**
   * A list, or a page of it: `onItem` is given the items as they come, the answer has none. An answer may turn out to be cut off
   * after items were given. What onItem throws ends the request.
   */
  list(path: string, request: ApiRequest, onItem: (item: unknown) => void): Promise<unknown> {
    return this.send('GET', path, request, undefined, onItem);
  }

  create(path: string, body: unknown, request: ApiRequest = {}): Promise<unknown> {
    return this.send('POST', path, request, body);
  }

  replace(path: string, body: unknown, request: ApiRequest = {}): Promise<unknown> {
    return this.send('PUT', path, request, body);
  }

  patch(path: string, body: unknown, request: ApiRequest = {}): Promise<unknown> {
    return this.send('PATCH', path, { contentType: 'application/merge-patch+json', ...request }, body);
  }

  delete(path: string, request: ApiRequest = {}): Promise<unknown> {
    return this.send('DELETE', path, request, request.body);
  }

  /**
   * Hands over the lines of an answer that does not end, such as a watch; resolves when the server has ended it.
   * @throws ApiError
   */
  async watch(path: string, query: Readonly<Record<string, string>>, options: WatchOptions): Promise<void> {
    const { idleTimeoutMs, onOpen, onHeard, onLines } = options;
    await this.attempt('GET', path, { query, ...(options.signal && { signal: options.signal }) }, (common) =>
      exchangeLines({ ...common, idleTimeoutMs, onOpen, onHeard, onLines }),
    );
  }

  /** Ends all requests and watches: they reject. */
  close(): void {
    this.closed = true;
    this.closing.abort();
    this.credentials.close();
  }

  private async send(
    method: string,
    path: string,
    request: ApiRequest,
    body: unknown,
    onItem?: (item: unknown) => void,
  ): Promise<unknown> {
    const until = monotonicMs() + (request.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const text = body === undefined ? undefined : JSON.stringify(body);
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await this.attempt(method, path, request, (common) =>
          exchange({
            ...common,
            timeoutMs: Math.max(1, Math.ceil(until - monotonicMs())),
            ...(text !== undefined && { body: text }),
            ...(onItem && { onItem }),
            ...(request.contentType && { contentType: request.contentType }),
          }),
        );
      } catch (error) {
        const waitMs = retryIn(method, error);
        if (waitMs === null || request.retry === false || attempts >= MAX_ATTEMPTS || monotonicMs() + waitMs >= until)
          throw error;
        await sleep(waitMs, [request.signal, this.closing.signal]);
      }
    }
  }

  /** One request with the present credentials; once more with new ones where the server does not know us any longer. */
  private async attempt<T>(
    method: string,
    path: string,
    request: ApiRequest,
    run: (common: ExchangeOptions) => Promise<T>,
  ): Promise<T> {
    const target = path + queryText(request.query);
    const signal = joined(request.signal, this.closing.signal);
    try {
      for (let refreshed = false, reconnected = false; ; ) {
        if (this.closed)
          throw new ApiError(`${method} ${path}: the client is closed`, { status: 0, reason: 'Aborted' });
        try {
          const access = await this.access(method, path);
          return await run({ access, method, path: target, userAgent: this.userAgent, signal: signal.signal });
        } catch (error) {
          if (error instanceof StaleConnection && !reconnected && method !== 'POST') reconnected = true;
          else if (error instanceof ApiError && error.status === 401 && !refreshed) {
            refreshed = true;
            this.credentials.reload();
          } else throw error;
        }
      }
    } finally {
      signal.release();
    }
  }

  private async access(method: string, path: string) {
    try {
      return await this.credentials.access();
    } catch (cause) {
      const message = `${method} ${path}: no credentials for ${this.server}: ${(cause as Error).message}`;
      throw new ApiError(message, { status: 0, reason: 'Untrusted', cause });
    }
  }
}

function queryText(query: Readonly<Record<string, string>> | undefined): string {
  const text = new URLSearchParams(query).toString();
  return text && `?${text}`;
}

/** When to try again, in ms; null: not at all. 429 is refused before anything is done, so that it may be repeated always. */
function retryIn(method: string, error: unknown): number | null {
  if (!(error instanceof ApiError)) return null;
  const { status, retryAfterMs } = error;
  const asked = retryAfterMs === null ? null : Math.max(retryAfterMs, MIN_RETRY_MS);
  if (status === 429) return asked ?? DEFAULT_RETRY_MS;
  return status >= 500 && method !== 'POST' ? asked : null;
}

/** AbortSignal.any keeps what it returns for as long as its longest-lived source; this one can be released. */
function joined(first: AbortSignal | undefined, second: AbortSignal): { signal: AbortSignal; release: () => void } {
  if (first === undefined) return { signal: second, release: () => {} };
  const controller = new AbortController();
  const abort = () => controller.abort();
  setMaxListeners(0, first);
  if (first.aborted || second.aborted) abort();
  first.addEventListener('abort', abort, { once: true });
  second.addEventListener('abort', abort, { once: true });
  const release = () => {
    first.removeEventListener('abort', abort);
    second.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, release };
}

/** Ends early, without an error, when one of the signals says so: what follows finds out. */
export function sleep(ms: number, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    for (const signal of signals) signal?.addEventListener('abort', finish, { once: true });
    if (signals.some((signal) => signal?.aborted)) finish();
  });
}
