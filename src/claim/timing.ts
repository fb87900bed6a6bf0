import type { Family } from '../net/address.js';

/** RFC 5227 section 1.1, under its names; milliseconds. */
export const RFC5227 = {
  PROBE_WAIT: 1_000,
  PROBE_NUM: 3,
  PROBE_MIN: 1_000,
  PROBE_MAX: 2_000,
  ANNOUNCE_WAIT: 2_000,
  ANNOUNCE_NUM: 2,
  ANNOUNCE_INTERVAL: 2_000,
  MAX_CONFLICTS: 10,
  RATE_LIMIT_INTERVAL: 60_000,
  DEFEND_INTERVAL: 10_000,
} as const;

/** RFC 4861 section 10 and RFC 4862 section 5.1, under their names; milliseconds. */
export const RFC4861 = {
  MAX_RTR_SOLICITATION_DELAY: 1_000,
  RETRANS_TIMER: 1_000,
  MAX_NEIGHBOR_ADVERTISEMENT: 3,
  DUP_ADDR_DETECT_TRANSMITS: 1,
} as const;

/**
 * The kernel reports a joined group two timer ticks later, 20 ms at most. The report has to be out before the first
 * solicitation (RFC 4862 5.4.2), or snooping switches keep the answers from us.
 */
export const MLD_LEAD_MS = 20;

/** `probing: fast`: probes at these offsets, and the address is answered at {@link FAST_PROBING_MS}. */
export const FAST_PROBE_OFFSETS_MS: Schedule = { ipv4: [0, 40, 80], ipv6: [MLD_LEAD_MS, 50, 80] };
export const FAST_PROBING_MS = 120;

/**
 * From the first probe on, an address probed fast is a newcomer for as long as RFC 5227's own probing takes on average:
 * whoever turns up meanwhile keeps it.
 */
export const NEWCOMER_MS = 7_000;

/** First pause after a conflict; doubled each time up to RATE_LIMIT_INTERVAL (RFC 5227 2.1.1 asks it after the tenth). */
export const FIRST_RETRY_MS = 5_000;

/** A rival not seen for this long no longer makes an address contested. */
export const CONTESTED_MS = 60_000;

/** Refreshes stay below the 300 s after which switches forget a MAC: this long, give or take the jitter. */
export const REFRESH_MS = 150_000;
export const REFRESH_JITTER = 0.2;

/** Offsets in milliseconds at which an announcement is sent, per family. */
export type Schedule = Readonly<Record<Family, readonly number[]>>;

// RFC 4861 7.2.6: at most MAX_NEIGHBOR_ADVERTISEMENT, RetransTimer apart.
const IPV6_BURST = Array.from(
  { length: RFC4861.MAX_NEIGHBOR_ADVERTISEMENT },
  (_, index) => index * RFC4861.RETRANS_TIMER,
);

/** Nobody had the address before (RFC 5227 2.3). */
export const FIRST_CLAIM_SCHEDULE: Schedule = {
  ipv4: Array.from({ length: RFC5227.ANNOUNCE_NUM }, (_, index) => index * RFC5227.ANNOUNCE_INTERVAL),
  ipv6: IPV6_BURST,
};

/**
 * Clients may hold another MAC for it: an interface came back, or its MAC changed. Repeated soon against loss, and
 * after 1.1 s for kernels that ignore a change within a second of the last one (Linux's locktime).
 */
export const MOVED_SCHEDULE: Schedule = { ipv4: [0, 20, 100, 300, 1_100], ipv6: IPV6_BURST };

/** Frames of rivals come in bursts; one answer to all of them is enough, for the schedule repeats it. */
export const MOVED_PAUSE_MS = 50;

/** One announcement: a defence (RFC 5227 2.4) or a refresh. */
export const SINGLE_SCHEDULE: Schedule = { ipv4: [0], ipv6: [0] };
