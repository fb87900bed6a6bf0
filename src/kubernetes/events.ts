import { monotonicMs, wallMs } from '../clock.js';
import type { Logger } from '../log.js';
import { inNamespace } from './projections.js';
import type { Api } from './types.js';

export interface EventRecorderOptions {
  api: Pick<Api, 'create'>;
  /** Such as "arpeggio-speaker". */
  component: string;
  /** Where it runs; absent: it does not matter. */
  node?: string;
  log: Logger;
  /** Milliseconds, only forward. Default: the system's. */
  now?: () => number;
}

/** What an event is about. */
export interface EventObject {
  readonly kind: string;
  readonly apiVersion: string;
  /** Empty for what has none. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

type EventType = 'Normal' | 'Warning';

interface Waiting {
  readonly identity: string;
  readonly dueMs: number;
  readonly object: EventObject;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  /** metav1.Time */
  readonly at: string;
}

/** People may wait; the service that it is about, which is being set up at that moment, shall not. */
const WAIT_MS = 250;
const REPEAT_MS = 600_000;
const MAX_REMEMBERED = 10_000;
/** Hundreds of services that come at once need no hundreds of events that say that all is well. */
const LIMITS = { Normal: { burst: 25, perSecond: 2 }, Warning: { burst: 50, perSecond: 5 } } as const;
/** While the API server is away. */
const MAX_WAITING = 200;
/** The API server refuses longer ones. */
const MAX_MESSAGE = 1024;

/**
 * Writes events (core/v1) that users see with "kubectl describe". Equal ones are sent once in ten minutes; of warnings at most
 * 5 a second after a burst of 50, of others 2 after 25, the rest is dropped and counted. An event that cannot be written harms
 * nobody, so nothing waits for it: it is sent a quarter of a second later, one after the other.
 */
export class EventRecorder {
  /** Not sent: too many at once, or for too long. Equal ones within ten minutes are not counted. */
  dropped = 0;
  private readonly sentMs = new Map<string, number>();
  private readonly waiting: Waiting[] = [];
  private running: Promise<void> | null = null;
  /** Ends the present wait. */
  private wake: () => void = () => {};
  private hurry = false;
  private readonly now: () => number;
  private readonly budgets: Record<EventType, { tokens: number; filledMs: number }>;
  private serial = 0;

  constructor(private readonly options: EventRecorderOptions) {
    this.now = options.now ?? monotonicMs;
    const filledMs = this.now();
    this.budgets = {
      Normal: { tokens: LIMITS.Normal.burst, filledMs },
      Warning: { tokens: LIMITS.Warning.burst, filledMs },
    };
  }

  /** Never throws, never waits. */
  event(object: EventObject, type: EventType, reason: string, message: string): void {
    const identity = JSON.stringify([object.kind, object.namespace, object.name, object.uid, reason, message]);
    const nowMs = this.now();
    const before = this.sentMs.get(identity);
    if (before !== undefined && nowMs - before < REPEAT_MS) return;
    if (this.waiting.length >= MAX_WAITING || !this.isAffordable(type, nowMs)) {
      this.dropped += 1;
      return;
    }
    this.remember(identity, nowMs);
    const at = new Date(wallMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    this.waiting.push({ identity, dueMs: monotonicMs() + WAIT_MS, object, type, reason, message, at });
    this.running ??= this.run();
  }

  private isAffordable(type: EventType, nowMs: number): boolean {
    const budget = this.budgets[type];
    const { burst, perSecond } = LIMITS[type];
    budget.tokens = Math.min(burst, budget.tokens + ((nowMs - budget.filledMs) * perSecond) / 1000);
    budget.filledMs = nowMs;
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    return true;
  }

  /** Sends at once what still waits; resolves when all has been answered, or has failed. */
  async flush(): Promise<void> {
    this.hurry = true;
    this.wake();
    await this.running;
    this.hurry = false;
  }

  private async run(): Promise<void> {
    for (let next = this.waiting[0]; next; next = this.waiting[0]) {
      await this.until(next.dueMs);
      this.waiting.shift();
      try {
        await this.send(next);
      } catch (error) {
        // It may be said again: nobody has heard it.
        this.sentMs.delete(next.identity);
        const { reason, object } = next;
        this.options.log.debug({ err: error, reason, object: object.name }, 'an event was not written');
      }
    }
    this.running = null;
  }

  private until(dueMs: number): Promise<void> {
    const waitMs = dueMs - monotonicMs();
    if (this.hurry || waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      timer.unref();
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private remember(identity: string, nowMs: number): void {
    // Put at the end, so that the first is always the oldest.
    this.sentMs.delete(identity);
    this.sentMs.set(identity, nowMs);
    for (const [oldest, atMs] of this.sentMs) {
      if (this.sentMs.size <= MAX_REMEMBERED && nowMs - atMs < REPEAT_MS) break;
      this.sentMs.delete(oldest);
    }
  }

  private async send({ object, type, reason, message, at }: Waiting): Promise<void> {
    const { api, component, node } = this.options;
    const namespace = object.namespace || 'default';
    this.serial += 1;
    const unique = `${wallMs().toString(16)}${process.pid.toString(16)}${this.serial.toString(16)}`;
    await api.create(inNamespace('/api/v1/events', namespace), {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: `${object.name.slice(0, 200)}.${unique}` },
      involvedObject: {
        kind: object.kind,
        apiVersion: object.apiVersion,
        ...(object.namespace && { namespace: object.namespace }),
        name: object.name,
        ...(object.uid && { uid: object.uid }),
      },
      type,
      reason,
      message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 3)}...` : message,
      source: { component, ...(node && { host: node }) },
      reportingComponent: component,
      reportingInstance: node ?? component,
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    });
  }
}
