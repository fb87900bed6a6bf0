import type { PoolUsage } from '../allocation/types.js';
import { monotonicMs } from '../clock.js';
import { isNotFound } from '../kubernetes/api_error.js';
import { inNamespace, PATHS } from '../kubernetes/projections.js';
import type { CustomResource, ObjectKey } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import { KeyedQueue } from './keyed_queue.js';
import type { ControllerApi } from './types.js';

export interface PoolStatusOptions {
  readonly api: ControllerApi;
  readonly namespace: string;
  readonly pools: () => ReadonlyMap<ObjectKey, CustomResource>;
  readonly usage: () => readonly PoolUsage[];
  readonly mayWrite: () => boolean;
  readonly log: Logger;
}

/** Two hundred services that come in a row cost a handful of writes, not two hundred. */
const GATHER_MS = 1_000;
/** From one look at the pools to the next, however long services go on to come. */
const PAUSE_MS = 5_000;

/** The largest number that a double holds below 2^63, where the fields are int64. */
const MAX_COUNT = 2n ** 63n - 1024n;

type Counts = Record<'assignedIPv4' | 'assignedIPv6' | 'availableIPv4' | 'availableIPv6', number>;

/** As it stands in status of an IPAddressPool; counts above 2^53 lose their last digits, those above 2^63 are cut. */
export function poolCounts(usage: PoolUsage): Counts {
  const count = (value: bigint) => Number(value > MAX_COUNT ? MAX_COUNT : value);
  return {
    assignedIPv4: count(usage.assignedIPv4),
    assignedIPv6: count(usage.assignedIPv6),
    availableIPv4: count(usage.availableIPv4),
    availableIPv6: count(usage.availableIPv6),
  };
}

/** Keeps the status of the IPAddressPools true, and writes seldom. */
export class PoolStatusWriter {
  readonly #options: PoolStatusOptions;
  readonly #queue: KeyedQueue;
  readonly #written = new Map<string, string>();
  #timer: NodeJS.Timeout | null = null;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: PoolStatusOptions) {
    this.#options = options;
    this.#queue = new KeyedQueue({
      work: (name) => this.#write(name),
      concurrency: 2,
      log: options.log,
      name: 'writing the status of an IPAddressPool',
    });
  }

  /** What is in use has changed, or the pools have. */
  changed(): void {
    if (this.#stopped) return;
    const waitMs = Math.max(GATHER_MS, this.#lookedMs + PAUSE_MS - monotonicMs());
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#lookedMs = monotonicMs();
      for (const { name } of this.#options.usage()) this.#queue.add(name);
    }, waitMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#queue.stop();
  }

  async #write(name: string): Promise<void> {
    const { api, namespace, pools, mayWrite } = this.#options;
    const pool = pools().get(`${namespace}/${name}`);
    const usage = this.#options.usage().find((entry) => entry.name === name);
    if (!pool || !usage || !mayWrite()) return;
    const counts = poolCounts(usage);
    const text = JSON.stringify([pool.uid, counts]);
    if (this.#written.get(name) === text || shows(pool.status, counts)) return;
    try {
      const path = `${inNamespace(PATHS.ipAddressPools, namespace)}/${name}/status`;
      await api.patch(path, { status: counts });
      this.#written.set(name, text);
    } catch (error) {
      // Older CRDs of MetalLB have no status; or the pool is gone.
      if (!isNotFound(error)) throw error;
      this.#written.set(name, text);
      this.#options.log.debug({ pool: name }, 'this IPAddressPool has no status');
    }
  }
}

function shows(status: unknown, counts: Counts): boolean {
  if (typeof status !== 'object' || status === null) return false;
  return Object.entries(counts).every(([name, count]) => (status as Record<string, unknown>)[name] === count);
}
