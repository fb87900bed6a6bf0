// One HTTP request to the API server, and its answer, whole or line by line.
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { wallMs } from '../clock.js';
import { ApiError, type LocalReason, retryAfterMs, statusError, transportError } from './api_error.js';
import type { Access } from './credentials.js';
import { LineSplitter } from './line_splitter.js';
import { ListSplitter } from './list_splitter.js';

/** A server that sends more than that as one object is not the API server. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Even what goes on for minutes begins at once. */
const FIRST_BYTE_MS = 30_000;

export interface ExchangeOptions {
  readonly access: Access;
  readonly method: string;
  /** Absolute path with query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly userAgent: string;
  readonly signal?: AbortSignal | undefined;
}

/** For the whole of an answer. */
export interface WholeOptions extends ExchangeOptions {
  readonly timeoutMs: number;
  /** Of a list: is given each item as it comes, also of an answer that turns out to be cut off. */
  readonly onItem?: (item: unknown) => void;
}

export interface LinesOptions extends ExchangeOptions {
  /** Between two bytes; the first must come within 30 s in any case. */
  readonly idleTimeoutMs: number;
  /** The server has accepted the request. */
  readonly onOpen: () => void;
  /** Bytes have come. */
  readonly onHeard: () => void;
  /** Complete lines of one piece of the answer. What it throws ends the exchange. */
  readonly onLines: (lines: readonly string[]) => void;
}

/** Sends a request, resolves with the parsed answer; of a list with `onItem`, without its items. @throws ApiError */
export function exchange(options: WholeOptions): Promise<unknown> {
  const what = `${options.method} ${options.path}`;
  return send(options, what, (response, settle, arm) => {
    arm(options.timeoutMs, `no complete answer within ${options.timeoutMs} ms`);
    const status = response.statusCode ?? 0;
    const good = status >= 200 && status <= 299;
    const body = good && options.onItem ? new ListSplitter(options.onItem) : new WholeBody();
    const guarded = guard(what, settle);
    response.on('data', (chunk: Buffer) => guarded(() => body.push(chunk)));
    response.on('end', () => {
      if (!response.complete) return settle(truncated(what));
      if (good) return guarded(() => settle(null, body.end()));
      const text = body instanceof WholeBody ? body.text() : '';
      settle(statusError(what, status, parsed(text) ?? text, waitOf(response)));
    });
  });
}

class WholeBody {
  private readonly chunks: Buffer[] = [];
  private bytes = 0;

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > MAX_ANSWER_BYTES) throw new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
    this.chunks.push(chunk);
  }

  text(): string {
    return Buffer.concat(this.chunks, this.bytes).toString();
  }

  end(): unknown {
    return JSON.parse(this.text());
  }
}

/** What is thrown at work on an answer ends the exchange. */
function guard(what: string, settle: Settle): (work: () => void) => void {
  return (work) => {
    try {
      work();
    } catch (error) {
      settle(error instanceof ApiError ? error : malformed(what, (error as Error).message));
    }
  };
}

/** Sends a request, hands over the lines of the answer as they come; resolves when the server has ended it. @throws ApiError */
export async function exchangeLines(options: LinesOptions): Promise<void> {
  const what = `${options.method} ${options.path}`;
  const { idleTimeoutMs } = options;
  await send(options, what, (response, settle, arm) => {
    const silent = `the server sent nothing for ${idleTimeoutMs} ms`;
    if (response.statusCode !== 200) {
      arm(idleTimeoutMs, silent);
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.length < 10_000) text += chunk;
      });
      const status = response.statusCode ?? 0;
      response.on('end', () => settle(statusError(what, status, parsed(text) ?? text, waitOf(response))));
      return;
    }
    const splitter = new LineSplitter();
    arm(idleTimeoutMs, silent, 'Idle');
    const guarded = guard(what, settle);
    guarded(options.onOpen);
    response.on('data', (chunk: Buffer) =>
      guarded(() => {
        arm(idleTimeoutMs, silent, 'Idle');
        options.onHeard();
        const lines = splitter.push(chunk);
        if (lines.length > 0) options.onLines(lines);
      }),
    );
    // What follows the last line end was cut off; the watch goes on from the last whole line.
    response.on('end', () => (response.complete ? settle(null) : settle(truncated(what))));
  });
}

type Settle = (error: ApiError | null, value?: unknown) => void;
/** (Re)starts the clock after which the request fails. */
type Arm = (ms: number, message: string, reason?: 'Timeout' | 'Idle') => void;

function send(
  options: ExchangeOptions & ({ timeoutMs: number } | { idleTimeoutMs: number }),
  what: string,
  receive: (response: IncomingMessage, settle: Settle, arm: Arm) => void,
): Promise<unknown> {
  const { access, method, path, body, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(what));
    const { server, agent, headers, auth } = access;
    const call = (server.protocol === 'http:' ? requestHttp : requestHttps)({
      protocol: server.protocol,
      hostname: server.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: server.port || (server.protocol === 'http:' ? 80 : 443),
      path: server.pathname.replace(/\/$/, '') + path,
      method,
      agent,
      headers: {
        ...headers,
        accept: 'application/json',
        'user-agent': options.userAgent,
        ...(body !== undefined && {
          'content-type': options.contentType ?? 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
      },
      ...(auth !== null && { auth }),
    });
    let settled = false;
    let answered = false;
    let timer: NodeJS.Timeout | undefined;
    let deadline = '';
    let lateness: LocalReason = 'Timeout';
    const settle: Settle = (error, value) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (error === null) return resolve(value);
      call.destroy();
      reject(error);
    };
    const onAbort = () => settle(aborted(what));
    const arm: Arm = (ms, message, reason = 'Timeout') => {
      if (settled) return;
      lateness = reason;
      if (timer && deadline === message) {
        timer.refresh();
        return;
      }
      clearTimeout(timer);
      deadline = message;
      timer = setTimeout(() => settle(local(what, lateness, `${deadline}; the connection is given up`)), ms);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const first = 'timeoutMs' in options ? options.timeoutMs : Math.min(options.idleTimeoutMs, FIRST_BYTE_MS);
    arm(first, `no answer within ${first} ms`);
    call.on('response', (response) => {
      answered = true;
      if (settled) return;
      response.on('error', (error) => settle(truncated(what, error)));
      receive(response, settle, arm);
    });
    call.on('error', (error: NodeJS.ErrnoException) => {
      const failure = transportError(what, error);
      settle(call.reusedSocket && !answered ? new StaleConnection(failure) : failure);
    });
    // A connection that waits for the server's word must notice that the server is gone.
    call.on('socket', (socket) => socket.setKeepAlive(true, 10_000));
    call.end(body);
  });
}

/** A kept connection was closed as the request went out: nobody has seen the request, most likely. */
export class StaleConnection extends ApiError {
  constructor(failure: ApiError) {
    super(failure.message, { status: 0, reason: 'Unreachable', cause: failure.cause });
  }
}

function waitOf(response: IncomingMessage): number | null {
  return retryAfterMs(response.headers['retry-after'], wallMs());
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function local(what: string, reason: LocalReason, message: string, cause?: unknown): ApiError {
  return new ApiError(`${what}: ${message}`, { status: 0, reason, cause });
}

const aborted = (what: string) => local(what, 'Aborted', 'given up');
const malformed = (what: string, message: string) => local(what, 'Malformed', message);
const truncated = (what: string, cause?: unknown) => local(what, 'Truncated', 'the answer was cut off', cause);
