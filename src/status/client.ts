import { request } from 'node:http';
import { ArpeggioError } from '../errors.js';
import { STATUS_PATH } from './paths.js';
import { type Status, statusSchema } from './schema.js';

export interface FetchStatusOptions {
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
export async function fetchStatus({ socket, timeoutMs = 5000 }: FetchStatusOptions): Promise<FetchedStatus> {
  const { code, text } = await get(socket, timeoutMs);
  if (code !== 200)
    throw unreachable(`${socket} answered with HTTP status ${code}, not with a status: ${text.trim().slice(0, 200)}`);
  try {
    return { status: statusSchema.parse(JSON.parse(text)), text };
  } catch (error) {
    throw unreachable(
      `what ${socket} answered is not a status that this version understands; use the "arpeggio" of the same version as the speaker`,
      error,
    );
  }
}

function get(socket: string, timeoutMs: number): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({
      socketPath: socket,
      path: STATUS_PATH,
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
    call.end();
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
