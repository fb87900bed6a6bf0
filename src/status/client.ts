import { request } from 'node:http';
import { ArpeggioError } from '../errors.js';
import { STATUS_PATH } from './paths.js';
import { type Status, statusSchema } from './schema.js';

export interface AskOptions {
  socket: string;
  /** Default: 5000 */
  timeoutMs?: number;
}

export interface FetchedStatus {
  readonly status: Status;
  /** The body as it came: a newer speaker may send fields that `status` does not have. */
  readonly text: string;
}

/**
 * Asks the speaker behind a unix socket for its status.
 * @throws ArpeggioError ERR_STATUS_UNREACHABLE that says what to do
 */
export async function fetchStatus(options: AskOptions): Promise<FetchedStatus> {
  const { socket } = options;
  const { code, text } = await ask('GET', STATUS_PATH, options);
  if (code !== 200)
    throw unreachable(`${socket} answered with HTTP status ${code}, not with a status: ${text.trim().slice(0, 200)}`);
  try {
    return { status: statusSchema.parse(JSON.parse(text)), text };
  } catch (error) {
    throw unreachable(`what ${socket} answered is not a status that this version understands; ${SAME_VERSION}`, error);
  }
}

/**
 * Gives a command to the speaker behind a unix socket, or asks for its progress; see commands.ts for paths and answers.
 * @throws ArpeggioError ERR_REFUSED with the speaker's reason, ERR_STATUS_UNREACHABLE that says what to do
 */
export async function command<T>(
  method: 'GET' | 'POST',
  path: string,
  options: AskOptions & { body?: unknown },
): Promise<T> {
  const { code, text } = await ask(method, path, options);
  const answer = parsed(text) as (T & { error?: { message?: unknown } }) | null;
  if (code === 200 && answer) return answer;
  const reason = answer?.error?.message;
  if ((code === 400 || code === 409) && typeof reason === 'string') throw new ArpeggioError('ERR_REFUSED', reason);
  throw unreachable(
    `${options.socket} answered ${method} ${path} with HTTP status ${code}: ${text.trim().slice(0, 200)}; ${SAME_VERSION}`,
  );
}

const SAME_VERSION = 'use the "arpeggio" of the same version as the speaker';

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function ask(
  method: string,
  path: string,
  { socket, timeoutMs = 5000, body }: AskOptions & { body?: unknown },
): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({
      socketPath: socket,
      path,
      method,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', (error) => reject(connectError(socket, timeoutMs, error)));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    call.on('error', (error) => reject(connectError(socket, timeoutMs, error)));
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function connectError(socket: string, timeoutMs: number, error: NodeJS.ErrnoException): ArpeggioError {
  switch (error.code) {
    case 'ENOENT':
      return unreachable(
        `no speaker serves ${socket}; start one with "arpeggio run", or name its socket with --socket`,
        error,
      );
    case 'ECONNREFUSED':
      return unreachable(
        `the speaker of ${socket} is gone without having removed its socket; see its log, and start it again`,
        error,
      );
    case 'EACCES':
      return unreachable(`you may not use ${socket}; run as root, or as a member of the socket's group`, error);
    case 'ABORT_ERR':
      return unreachable(`the speaker of ${socket} did not answer within ${timeoutMs} ms; see its log`, error);
    default:
      return unreachable(`the speaker cannot be asked at ${socket}: ${error.message}; see its log`, error);
  }
}

function unreachable(message: string, cause?: unknown): ArpeggioError {
  const { errno, syscall } = (cause ?? {}) as NodeJS.ErrnoException;
  return new ArpeggioError('ERR_STATUS_UNREACHABLE', message, {
    ...(typeof errno === 'number' && { errno: -errno }),
    ...(syscall !== undefined && { syscall }),
    cause,
  });
}
