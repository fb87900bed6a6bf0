import type { Probing } from '../desired/desired.js';
import { type Address, type Family, familyOf } from '../net/address.js';
import type { RivalKind } from '../responder/types.js';
import {
  CONTESTED_MS,
  FAST_PROBE_OFFSETS_MS,
  FAST_PROBING_MS,
  FIRST_RETRY_MS,
  MLD_LEAD_MS,
  MOVED_PAUSE_MS,
  NEWCOMER_MS,
  REFRESH_JITTER,
  REFRESH_MS,
  RFC4861,
  RFC5227,
} from './timing.js';

/**
 * Where an address stands on an interface. waiting: the interface cannot be used yet, or other nodes are listened for;
 * standby: another node owns it; probing: asked whether somebody
 * uses it, not answered; tentative: answered with O=0 (IPv6, RFC 4429); newcomer: answered, yields to any other user;
 * owned: answered and defended; conflict: somebody else uses it, held back until the next try.
 */
export type ClaimState = 'waiting' | 'standby' | 'probing' | 'tentative' | 'newcomer' | 'owned' | 'conflict';

/** What a claim asks for when it moves on. */
export type ClaimAction =
  | { readonly type: 'probe'; readonly offsetsMs: readonly number[] }
  | { readonly type: 'announce'; readonly why: 'first-claim' | 'moved' | 'defence' | 'refresh' };

export interface ClaimContext {
  readonly probing: Probing;
  /** Whether this node owns the address on the segment; else it only watches. */
  readonly mine: boolean;
  /** Whether the interface can carry frames. */
  readonly usable: boolean;
  /** Whether traffic to the address would be served here (`serve: loopback` has put it on `lo`). */
  readonly served: boolean;
  /** 0 <= random() < 1. */
  readonly random: () => number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** An address on one interface, from the first probe to the last defence. Pure: time and chance are arguments. */
export class Claim {
  readonly family: Family;
  state: ClaimState = 'waiting';
  sinceMs: number;
  reason = 'new';
  /** MAC of the host that uses or used the address beside us; null when there is none. */
  rivalMac: string | null = null;
  #dueMs: number;
  #firstProbeMs = 0;
  #lastProbeMs = 0;
  #conflicts = 0;
  #lastDefenceMs = Number.NEGATIVE_INFINITY;
  #lastRivalMs = Number.NEGATIVE_INFINITY;
  /** Last probing ended well; only the address on `lo` is missing. */
  #probed = false;
  /** Taken over from another node, and answered as soon as traffic would be served here. */
  #takingOver: string | null = null;
  /** Ours before this process began, and answered as soon as traffic would be served here. */
  #resuming: string | null = null;
  #lastMovedMs = Number.NEGATIVE_INFINITY;
  /** When clients are to be told again that the address is here. */
  #movedDueMs = NEVER;

  constructor(
    readonly address: Address,
    readonly interfaceName: string,
    nowMs: number,
  ) {
    this.family = familyOf(address);
    this.sinceMs = nowMs;
    this.#dueMs = nowMs;
  }

  /** When there is something to do next; Infinity: only when something happens. */
  get dueMs(): number {
    return Math.min(this.#dueMs, this.#movedDueMs);
  }

  get answered(): boolean {
    return this.state === 'tentative' || this.state === 'newcomer' || this.state === 'owned';
  }

  /** When a held back address is tried again; null in other states. */
  get retryMs(): number | null {
    return this.state === 'conflict' ? this.#dueMs : null;
  }

  /** Does what is due. Call when time has come, and when the context has changed. */
  advance(nowMs: number, context: ClaimContext): ClaimAction[] {
    const moved = nowMs >= this.#movedDueMs ? this.announceMoved(nowMs) : [];
    return [...moved, ...this.#advance(nowMs, context)];
  }

  #advance(nowMs: number, context: ClaimContext): ClaimAction[] {
    switch (this.state) {
      case 'waiting':
        return this.#start(nowMs, context);
      case 'standby':
        return [];
      case 'probing':
        if (!context.usable) {
          // Nobody can have heard the probes.
          this.#enter('waiting', nowMs, 'the interface went away while probing', NEVER);
          return [];
        }
        if (nowMs >= this.#dueMs || this.#probed) return this.#afterProbing(nowMs, context);
        return [];
      case 'tentative':
        if (nowMs < this.#dueMs) return [];
        this.#enter('newcomer', nowMs, 'nobody objected', this.#newcomerDue(nowMs, context));
        return [{ type: 'announce', why: 'first-claim' }];
      case 'newcomer':
        return nowMs < this.#dueMs ? [] : this.#asNewcomer(nowMs, context);
      case 'owned':
        return nowMs < this.#dueMs ? [] : this.#asOwner(nowMs, context);
      case 'conflict':
        if (nowMs < this.#dueMs) return [];
        this.#enter('waiting', nowMs, 'trying again', nowMs);
        return this.#start(nowMs, context);
    }
  }

  /** The address is this node's now, and was nobody's before: it is probed. */
  begin(nowMs: number, context: ClaimContext): ClaimAction[] {
    this.#enter('waiting', nowMs, 'new', nowMs);
    return this.#start(nowMs, context);
  }

  /**
   * The address is this node's again, and was so until its process began: answered at once, as a newcomer that yields to any other
   * user, and announced only when nobody has answered the probes. With the RFC's pace or without probing as at any beginning.
   */
  resume(nowMs: number, context: ClaimContext, reason: string): ClaimAction[] {
    this.#resuming = null;
    if (context.probing !== 'fast' || !context.usable) return this.begin(nowMs, context);
    if (!context.served) {
      this.#enter('waiting', nowMs, `${reason}; it has to be put in place first`, NEVER);
      this.#resuming = reason;
      return [];
    }
    this.rivalMac = null;
    this.#probed = false;
    this.#firstProbeMs = nowMs;
    this.#enter('newcomer', nowMs, reason, this.#newcomerDue(nowMs, context));
    this.#movedDueMs = nowMs + FAST_PROBING_MS;
    return [{ type: 'probe', offsetsMs: FAST_PROBE_OFFSETS_MS[this.family] }];
  }

  /**
   * The address is this node's now, and was another node's before. That one has probed it.
   * @param announced whether the packet thread has announced it already
   */
  takeOver(nowMs: number, context: ClaimContext, reason: string, announced: boolean): ClaimAction[] {
    this.#takingOver = null;
    if (!context.served) {
      this.#enter('waiting', nowMs, `${reason}; it has to be put in place first`, NEVER);
      this.#takingOver = reason;
      return [];
    }
    this.rivalMac = null;
    this.#own(nowMs, context, reason);
    if (!announced) return this.announceMoved(nowMs);
    this.#lastMovedMs = nowMs;
    return [];
  }

  /** Clients may send elsewhere: tells them again, but once in {@link MOVED_PAUSE_MS}; what comes earlier, then. */
  announceMoved(nowMs: number): ClaimAction[] {
    this.#movedDueMs = NEVER;
    if (this.state !== 'owned' && this.state !== 'newcomer') return [];
    if (nowMs < this.#lastMovedMs + MOVED_PAUSE_MS) {
      this.#movedDueMs = this.#lastMovedMs + MOVED_PAUSE_MS;
      return [];
    }
    this.#lastMovedMs = nowMs;
    return [{ type: 'announce', why: 'moved' }];
  }

  /** The host of a conflict turns out to be a node of the cluster: the claims settle who owns the address. */
  notForeign(mac: string, nowMs: number, context: ClaimContext): ClaimAction[] {
    if (this.state !== 'conflict' || this.rivalMac !== mac) return [];
    this.#conflicts = 0;
    this.rivalMac = null;
    this.#enter('waiting', nowMs, `${mac} is a node of the cluster`, nowMs);
    return this.#start(nowMs, context);
  }

  /** Another node owns the address, or shall: it is watched, not answered. */
  standBy(nowMs: number, reason: string): void {
    this.#conflicts = 0;
    this.#probed = false;
    this.#takingOver = null;
    this.#resuming = null;
    this.#movedDueMs = NEVER;
    this.rivalMac = null;
    this.#enter('standby', nowMs, reason, NEVER);
  }

  /** Somebody else seems to use the address. */
  rival(kind: RivalKind, mac: string, nowMs: number, context: ClaimContext): ClaimAction[] {
    const onlyAsks = kind === 'arp-probe' || kind === 'dad';
    switch (this.state) {
      case 'waiting':
      case 'standby':
        return [];
      case 'probing':
      case 'tentative':
        this.#yieldTo(mac, nowMs, context, onlyAsks ? 'claims it at the same time' : 'uses it');
        return [];
      case 'newcomer':
        // Who asks for it has had our answer, which is the defence (RFC 5227 2.1.1).
        if (!onlyAsks) this.#yieldTo(mac, nowMs, context, 'uses it');
        return [];
      case 'owned':
        return onlyAsks ? [] : this.#defend(mac, nowMs);
      case 'conflict':
        this.rivalMac = mac;
        return [];
    }
  }

  #start(nowMs: number, context: ClaimContext): ClaimAction[] {
    if (!context.usable || !context.mine) {
      this.#dueMs = NEVER;
      return [];
    }
    if (this.#resuming !== null) return this.resume(nowMs, context, this.#resuming);
    if (this.#takingOver !== null) return this.takeOver(nowMs, context, this.#takingOver, false);
    this.#probed = false;
    if (context.probing === 'none') {
      this.#enter('probing', nowMs, 'probing is switched off', nowMs);
      return this.#afterProbing(nowMs, context);
    }
    const { offsetsMs, durationMs } =
      context.probing === 'fast'
        ? { offsetsMs: FAST_PROBE_OFFSETS_MS[this.family], durationMs: FAST_PROBING_MS }
        : rfcProbes(this.family, context.random);
    this.#firstProbeMs = nowMs + (offsetsMs[0] ?? 0);
    this.#lastProbeMs = nowMs + (offsetsMs.at(-1) ?? 0);
    this.#enter('probing', nowMs, 'asking whether somebody uses it', nowMs + durationMs);
    return [{ type: 'probe', offsetsMs }];
  }

  #afterProbing(nowMs: number, context: ClaimContext): ClaimAction[] {
    if (!context.served) {
      this.#probed = true;
      this.#dueMs = NEVER;
      return [];
    }
    this.rivalMac = null;
    if (context.probing !== 'fast') {
      this.#own(nowMs, context, context.probing === 'none' ? 'first claim, not probed' : 'first claim');
      return [{ type: 'announce', why: 'first-claim' }];
    }
    if (this.family === 'ipv6') {
      // RFC 4429 3.3: answered as an optimistic address until the time of DAD is over.
      const dadEndMs = this.#lastProbeMs + RFC4861.RETRANS_TIMER;
      this.#enter('tentative', nowMs, 'first claim', dadEndMs);
      return [];
    }
    this.#enter('newcomer', nowMs, 'first claim', this.#newcomerDue(nowMs, context));
    return [{ type: 'announce', why: 'first-claim' }];
  }

  /** Goes on asking at the RFC's pace until the newcomer's time is over. */
  #asNewcomer(nowMs: number, context: ClaimContext): ClaimAction[] {
    if (nowMs >= this.#firstProbeMs + NEWCOMER_MS) {
      this.#own(nowMs, context, 'first claim');
      return [];
    }
    this.#dueMs = this.#newcomerDue(nowMs, context);
    return [{ type: 'probe', offsetsMs: [0] }];
  }

  /** Only now are earlier conflicts over: a rival that shows late each time must not be met every 5 s. */
  #own(nowMs: number, context: ClaimContext, reason: string): void {
    this.#conflicts = 0;
    this.#enter('owned', nowMs, reason, refreshDue(nowMs, context));
  }

  #newcomerDue(nowMs: number, { random }: ClaimContext): number {
    const pauseMs = RFC5227.PROBE_MIN + random() * (RFC5227.PROBE_MAX - RFC5227.PROBE_MIN);
    return Math.min(nowMs + pauseMs, this.#firstProbeMs + NEWCOMER_MS);
  }

  #asOwner(nowMs: number, context: ClaimContext): ClaimAction[] {
    if (this.rivalMac !== null && nowMs - this.#lastRivalMs >= CONTESTED_MS) {
      this.#enter('owned', nowMs, `not contested any more by ${this.rivalMac}`, this.#dueMs);
      this.rivalMac = null;
    }
    this.#dueMs = refreshDue(nowMs, context);
    return [{ type: 'announce', why: 'refresh' }];
  }

  /** RFC 5227 2.4 (c): service IPs are kept, and defended at most once per DEFEND_INTERVAL. */
  #defend(mac: string, nowMs: number): ClaimAction[] {
    this.#lastRivalMs = nowMs;
    const due = nowMs - this.#lastDefenceMs >= RFC5227.DEFEND_INTERVAL;
    // Several rivals in turn make no more noise than one.
    if (this.rivalMac === null || (due && this.rivalMac !== mac)) {
      this.rivalMac = mac;
      this.#enter('owned', nowMs, `contested by ${mac}, defended`, this.#dueMs);
    }
    if (!due) return [];
    this.#lastDefenceMs = nowMs;
    return [{ type: 'announce', why: 'defence' }];
  }

  #yieldTo(mac: string, nowMs: number, { random }: ClaimContext, what: string): void {
    const backOffMs = Math.min(FIRST_RETRY_MS * 2 ** this.#conflicts, RFC5227.RATE_LIMIT_INTERVAL);
    this.#conflicts += 1;
    this.rivalMac = mac;
    this.#probed = false;
    // Upwards only, so that the limit of tries per interval holds; two newcomers then do not meet again.
    this.#enter('conflict', nowMs, `${mac} ${what}`, nowMs + backOffMs * (1 + random() * 0.2));
  }

  #enter(state: ClaimState, nowMs: number, reason: string, dueMs: number): void {
    this.state = state;
    this.sinceMs = nowMs;
    this.reason = reason;
    this.#dueMs = dueMs;
  }
}

/** RFC 5227 2.1.1 for IPv4, RFC 4862 5.4 for IPv6. */
function rfcProbes(family: Family, random: () => number): { offsetsMs: number[]; durationMs: number } {
  if (family === 'ipv6') {
    const firstMs = MLD_LEAD_MS + random() * (RFC4861.MAX_RTR_SOLICITATION_DELAY - MLD_LEAD_MS);
    const offsetsMs = Array.from(
      { length: RFC4861.DUP_ADDR_DETECT_TRANSMITS },
      (_, index) => firstMs + index * RFC4861.RETRANS_TIMER,
    );
    return { offsetsMs, durationMs: (offsetsMs.at(-1) ?? 0) + RFC4861.RETRANS_TIMER };
  }
  const offsetsMs = [random() * RFC5227.PROBE_WAIT];
  while (offsetsMs.length < RFC5227.PROBE_NUM) {
    const pauseMs = RFC5227.PROBE_MIN + random() * (RFC5227.PROBE_MAX - RFC5227.PROBE_MIN);
    offsetsMs.push((offsetsMs.at(-1) ?? 0) + pauseMs);
  }
  return { offsetsMs, durationMs: (offsetsMs.at(-1) ?? 0) + RFC5227.ANNOUNCE_WAIT };
}

// To whole seconds, so that thousands of refreshes need one look at the claims a second, not one each.
function refreshDue(nowMs: number, { random }: ClaimContext): number {
  const pauseMs = REFRESH_MS * (1 + (random() * 2 - 1) * REFRESH_JITTER);
  return Math.ceil((nowMs + pauseMs) / 1_000) * 1_000;
}
