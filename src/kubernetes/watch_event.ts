// Lists and watch events as the API server writes them.
import { ApiError, statusError } from './api_error.js';
import type { ObjectKey } from './types.js';

/** What a list says beside its items. */
export interface ListPage {
  readonly resourceVersion: string;
  /** Empty: this was the last page. */
  readonly continue: string;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: unknown;
  readonly resourceVersion: string;
}

interface RawMeta {
  readonly namespace?: unknown;
  readonly name?: unknown;
  readonly resourceVersion?: unknown;
  readonly continue?: unknown;
}

/** @throws ApiError when it is no list */
export function parsePage(answer: unknown, path: string): ListPage {
  const { items, metadata } = (answer ?? {}) as { items?: unknown; metadata?: RawMeta };
  const { resourceVersion } = metadata ?? {};
  // A list without items may come as null.
  if (typeof resourceVersion !== 'string' || resourceVersion === '' || !(Array.isArray(items) || items === null))
    throw new ApiError(`GET ${path}: the answer is no list`, { status: 0, reason: 'Malformed' });
  const next = metadata?.continue;
  return { resourceVersion, continue: typeof next === 'string' ? next : '' };
}

/** @throws ApiError when the line is no event, and with what an ERROR event says (410: the version is too old) */
export function parseEvent(line: string, path: string): WatchEvent {
  const what = `watch of ${path}`;
  let event: { type?: unknown; object?: { metadata?: RawMeta } };
  try {
    event = JSON.parse(line) ?? {};
  } catch (cause) {
    throw new ApiError(`${what}: a line is not JSON: ${line.slice(0, 60)}`, { status: 0, reason: 'Malformed', cause });
  }
  const { type, object } = event;
  if (type === 'ERROR') throw statusError(what, 200, object, null);
  const resourceVersion = object?.metadata?.resourceVersion;
  const known = type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK';
  if (!known || typeof resourceVersion !== 'string' || resourceVersion === '')
    throw new ApiError(`${what}: not an event: ${line.slice(0, 60)}`, { status: 0, reason: 'Malformed' });
  return { type, object, resourceVersion };
}

/** null: it has no name. */
export function rawKey(raw: unknown): ObjectKey | null {
  const { namespace, name } = (raw as { metadata?: RawMeta } | null)?.metadata ?? {};
  if (typeof name !== 'string' || name === '') return null;
  return typeof namespace === 'string' && namespace !== '' ? `${namespace}/${name}` : name;
}
