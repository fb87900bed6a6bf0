import { ArpeggioError } from '../errors.js';

/** `reason` of failures for which no answer came; of all others it is the API server's own word, such as "Conflict". */
export type LocalReason = 'Unreachable' | 'Untrusted' | 'Timeout' | 'Idle' | 'Aborted' | 'Truncated' | 'Malformed';

export interface ApiErrorDetails {
  /** HTTP status; 0: no answer came. */
  status: number;
  /** `reason` of the Status object, or a {@link LocalReason}; empty where the answer had none. */
  reason: string;
  /** From the header Retry-After; null: the server said nothing. */
  retryAfterMs?: number | null;
  cause?: unknown;
}

/** A request to the API server that failed, in whatever way. */
export class ApiError extends ArpeggioError {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | null;

  constructor(message: string, { status, reason, retryAfterMs = null, cause }: ApiErrorDetails) {
    super('ERR_API', message, { cause });
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Somebody else was first: the object changed since it was read, or exists already. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

export function isAlreadyExists(error: unknown): boolean {
  return isConflict(error) && (error as ApiError).reason === 'AlreadyExists';
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** The resource version, or the continuation of a list, is too old: everything has to be read again. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired');
}

const MAX_TEXT = 300;

/** What a Status object (meta/v1) says, from an answer or from an ERROR event of a watch. `what` was asked, for people. */
export function statusError(what: string, status: number, body: unknown, retryAfterMs: number | null): ApiError {
  const { message, reason, code, details } = (typeof body === 'object' && body !== null ? body : {}) as {
    message?: unknown;
    reason?: unknown;
    code?: unknown;
    details?: { retryAfterSeconds?: unknown };
  };
  const text = typeof message === 'string' ? message : typeof body === 'string' ? body.trim() : '';
  const seconds = details?.retryAfterSeconds;
  return new ApiError(`${what}: HTTP status ${status}${text ? `: ${text.slice(0, MAX_TEXT)}` : ''}${hint(status)}`, {
    status: status === 200 && typeof code === 'number' ? code : status,
    reason: typeof reason === 'string' ? reason : '',
    retryAfterMs: retryAfterMs ?? (typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : null),
  });
}

function hint(status: number): string {
  if (status === 401) return '; the token or client certificate is not accepted: check the credentials';
  if (status === 403) return '; grant it with a Role or ClusterRole (deploy/ has them)';
  return '';
}

const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS|ERR_SSL/;

/** A request for which no answer, or none that can be read, came. */
export function transportError(what: string, cause: unknown): ApiError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  if (UNTRUSTED.test(code))
    return new ApiError(
      `${what}: no trusted connection (${message}); check certificate-authority and client certificate of the kubeconfig`,
      { status: 0, reason: 'Untrusted' satisfies LocalReason, cause },
    );
  return new ApiError(`${what}: no answer from the API server (${message || code})`, {
    status: 0,
    reason: 'Unreachable' satisfies LocalReason,
    cause,
  });
}

/** Of the header Retry-After (RFC 9110 10.2.3); null without one that can be read. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
