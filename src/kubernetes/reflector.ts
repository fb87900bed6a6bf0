// A copy of one kind of objects, kept up to date: listed once, then watched, and never silently stale.
import { monotonicMs } from '../clock.js';
import type { Logger } from '../log.js';
import { type ApiClient, sleep } from './api_client.js';
import { ApiError, isGone } from './api_error.js';
import { backoffMs, DEFAULT_TIMINGS, idleMs, type ReflectorTimings, watchSeconds } from './reflector_timing.js';
import { same } from './same.js';
import type { Changes, ObjectKey, Projected, ReflectorStatus } from './types.js';
import { type ListPage, parseEvent, parsePage, rawKey } from './watch_event.js';

export interface ReflectorOptions<T> {
  api: Pick<ApiClient, 'list' | 'watch'>;
  /** Of the collection, such as /api/v1/services. */
  path: string;
  query?: { labelSelector?: string; fieldSelector?: string };
  /** What is kept of an object; null: nothing, it is not wanted. Called once per object read. */
  project: (raw: unknown) => Projected<T> | null;
  /**
   * What has changed since the last call, never empty but for the first, which follows the first complete list. `objects` is
   * up to date by then. What it throws is logged.
   */
  onChange: (changes: Changes<T>) => void;
  log: Logger;
  /** 0 <= x < 1, for jitter. Default: Math.random. */
  random?: () => number;
  /** Objects asked for at once. Default: 250. */
  pageSize?: number;
  /** For tests. */
  timings?: Partial<ReflectorTimings>;
}

/**
 * Lists in pages, consistently (each list is as new as the newest write before it), then watches from there. A watch ends by
 * itself after 5 to 10 minutes and goes on where it was; bookmarks keep that place young. What is lost is tried again after a
 * jittered pause that doubles, or after the server's Retry-After. 410 leads to a new list, of which only differences are told.
 * A watch that is silent for too long is begun anew: its connection may be dead, or there was nothing to say.
 */
export class Reflector<T> {
  private readonly held = new Map<ObjectKey, T>();
  private readonly abort = new AbortController();
  private readonly timings: ReflectorTimings;
  private readonly random: () => number;
  private readonly log: Logger;
  private running: Promise<void> | null = null;
  private synced = false;
  private state: ReflectorStatus['state'] = 'stopped';
  private reason: string | null = null;
  private heardMs: number | null = null;
  /** Where to watch from; empty: a list is needed. */
  private resourceVersion = '';
  /** Since a watch last went well. */
  private failures = 0;
  /** Of them those because our resourceVersion was too old. */
  private expirations = 0;
  /** A continuation expired: lists take longer than the server keeps versions, so the next one is not cut into pages. */
  private whole = false;

  constructor(private readonly options: ReflectorOptions<T>) {
    this.timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.random = options.random ?? Math.random;
    this.log = options.log.child({ module: 'reflector', resource: options.path.split('/').at(-1) });
  }

  get status(): ReflectorStatus {
    const { synced, state, heardMs } = this;
    return { synced, state, reason: state === 'waiting' ? this.reason : null, heardMs };
  }

  /** What is held, by key. */
  get objects(): ReadonlyMap<ObjectKey, T> {
    return this.held;
  }

  /** Begins, once; after stop() it does nothing. */
  start(): void {
    if (this.running || this.stopped) return;
    this.state = 'listing';
    this.running = this.run();
  }

  /** Resolves when all is over. No callback from the moment of the call on; what is held stays readable. */
  async stop(): Promise<void> {
    this.abort.abort();
    this.state = 'stopped';
    this.reason = null;
    await this.running;
  }

  private get stopped(): boolean {
    return this.abort.signal.aborted;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        if (this.resourceVersion === '') await this.list();
        if (this.stopped) return;
        await this.watch();
      } catch (error) {
        if (this.stopped) return;
        await this.wait(error);
      }
    }
  }

  private async wait(error: unknown): Promise<void> {
    this.failures += 1;
    // The same line would be read again and again.
    const unreadable = error instanceof ApiError && error.reason === 'Malformed' && this.failures > 1;
    if (isGone(error) || unreadable) this.resourceVersion = '';
    if (isGone(error)) this.expirations += 1;
    // After an outage the server's first words are that our version is too old: no reason to wait as long as for its silence.
    const attempts = isGone(error) ? this.expirations : this.failures;
    const pauseMs = backoffMs(error, attempts, this.random(), this.timings);
    const reason = error instanceof Error ? error.message : String(error);
    const details = { ...(error instanceof ApiError ? { reason } : { err: error }), againInMs: Math.round(pauseMs) };
    // The first failure of a watch is everyday: the server restarts, a version is too old.
    const expected = this.synced && this.failures === 1;
    if (reason !== this.reason)
      this.log[expected ? 'debug' : 'warn'](details, 'cannot follow the API server at present');
    this.state = 'waiting';
    this.reason = reason;
    await sleep(pauseMs, [this.abort.signal]);
  }

  private wentWell(): void {
    if (this.failures > 1) this.log.info({ failures: this.failures }, 'following the API server again');
    this.failures = 0;
    this.expirations = 0;
    this.reason = null;
  }

  private async list(): Promise<void> {
    // Who waits goes on waiting until there is an answer.
    if (this.state !== 'waiting') this.state = 'listing';
    const found = new Map<ObjectKey, T>();
    let page: ListPage | null = null;
    do {
      const query: Record<string, string> = { ...this.options.query };
      if (!this.whole) query.limit = String(this.options.pageSize ?? 250);
      if (page) query.continue = page.continue;
      const answer = await this.page(query, (raw) => this.keep(raw, found));
      if (this.stopped) return;
      this.heardMs = monotonicMs();
      this.state = 'listing';
      page = parsePage(answer, this.options.path);
    } while (page.continue !== '');
    this.whole = false;
    this.resourceVersion = page.resourceVersion;
    this.adopt(found);
  }

  private async page(query: Readonly<Record<string, string>>, onItem: (raw: unknown) => void): Promise<unknown> {
    const further = query.continue !== undefined;
    try {
      const request = {
        query,
        timeoutMs: this.timings.pageTimeoutMs,
        // A list that has begun is not begun anew because the server is busy for a moment.
        retry: further,
        signal: this.abort.signal,
      };
      return await this.options.api.list(this.options.path, request, onItem);
    } catch (error) {
      if (further && isGone(error)) this.whole = true;
      throw error;
    }
  }

  /** Projects into `found`; what cannot be projected stays as it is held, if it is. */
  private keep(raw: unknown, found: Map<ObjectKey, T>): void {
    const projected = this.project(raw);
    if (projected === undefined) {
      const key = rawKey(raw);
      const value = key === null ? undefined : this.held.get(key);
      if (key !== null && value !== undefined) found.set(key, value);
    } else if (projected) found.set(projected.key, projected.value);
  }

  private project(raw: unknown): Projected<T> | null | undefined {
    try {
      return this.options.project(raw);
    } catch (error) {
      this.log.error({ err: error, object: rawKey(raw) }, 'an object cannot be read; it is passed over');
      return undefined;
    }
  }

  /** Takes over a complete list, and tells what differs. */
  private adopt(found: ReadonlyMap<ObjectKey, T>): void {
    const changes = new Map<ObjectKey, T | null>();
    for (const key of this.held.keys()) {
      if (found.has(key)) continue;
      this.held.delete(key);
      changes.set(key, null);
    }
    for (const [key, value] of found) this.put(key, value, changes);
    const first = !this.synced;
    this.synced = true;
    if (first || changes.size > 0) this.tell(changes);
  }

  private put(key: ObjectKey, value: T, changes: Map<ObjectKey, T | null>): void {
    const before = this.held.get(key);
    if (before !== undefined && same(before, value)) return;
    this.held.set(key, value);
    changes.set(key, value);
  }

  private async watch(): Promise<void> {
    let proved: NodeJS.Timeout | undefined;
    let well = false;
    const wentWell = () => {
      if (!well && !this.stopped) this.wentWell();
      well = true;
    };
    const watching = this.options.api.watch(
      this.options.path,
      {
        ...this.options.query,
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: this.resourceVersion,
        timeoutSeconds: String(watchSeconds(this.random(), this.timings)),
      },
      {
        idleTimeoutMs: idleMs(this.random(), this.timings),
        signal: this.abort.signal,
        onOpen: () => {
          if (this.stopped) return;
          this.heardMs = monotonicMs();
          this.state = 'watching';
          proved = setTimeout(wentWell, this.timings.shortWatchMs);
        },
        onHeard: () => {
          this.heardMs = monotonicMs();
        },
        onLines: (lines) => {
          if (this.stopped) return;
          this.take(lines);
          wentWell();
        },
      },
    );
    try {
      await watching;
    } catch (error) {
      if (!(well && error instanceof ApiError && error.reason === 'Idle')) throw error;
      this.log.debug({ reason: error.message }, 'a silent watch is begun anew');
    } finally {
      clearTimeout(proved);
    }
    // Not a word before its end: without a pause this would go round and round.
    if (!well && !this.stopped)
      throw new ApiError('the API server ends the watch at once', { status: 0, reason: 'Truncated' });
  }

  /** Events of one piece of the stream, told together. Each counts as soon as it is read, whatever follows it. */
  private take(lines: readonly string[]): void {
    const changes = new Map<ObjectKey, T | null>();
    try {
      for (const line of lines) this.takeLine(line, changes);
    } finally {
      if (changes.size > 0) this.tell(changes);
    }
  }

  private takeLine(line: string, changes: Map<ObjectKey, T | null>): void {
    const event = parseEvent(line, this.options.path);
    if (event.type !== 'BOOKMARK') {
      const key = rawKey(event.object);
      const projected = event.type === 'DELETED' ? null : this.project(event.object);
      if (projected) this.put(projected.key, projected.value, changes);
      else if (projected === null && key !== null && this.held.delete(key)) changes.set(key, null);
    }
    this.resourceVersion = event.resourceVersion;
  }

  private tell(changes: Changes<T>): void {
    if (this.stopped) return;
    try {
      this.options.onChange(changes);
    } catch (error) {
      this.log.error({ err: error }, 'a change could not be handled');
    }
  }
}
