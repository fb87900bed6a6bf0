import type { RunFacts } from '../machine.js';
import type { CaseName } from './cases.js';
import type { AddressFamily } from './services.js';
import type { SystemName } from './system.js';

/** What one client saw of one address in one step. */
export interface Sample {
  readonly repetition: number;
  readonly system: SystemName;
  readonly case: CaseName;
  /** On the owner's switch, or on the other one. */
  readonly client: 'near' | 'far';
  readonly family: AddressFamily;
  readonly sent: number;
  readonly lost: number;
  /** The longest time without an echo; 0 when none was lost. */
  readonly outageMs: number;
  /** How often another node served than before. */
  readonly ownerChanges: number;
  /** Longest time in which the client itself sent nothing. */
  readonly clientPauseMs: number;
  /** False: still not calm when the watch ended. */
  readonly calm: boolean;
}

/** What a host that asks by ARP or NDP every 5 ms saw of one address in one step. */
export interface AnswerSample {
  readonly repetition: number;
  readonly system: SystemName;
  readonly case: CaseName;
  readonly family: AddressFamily;
  /** The longest time from a request to the next answer. */
  readonly longestWaitMs: number;
  /** Longest time in which the asking host itself asked nothing. */
  readonly askerPauseMs: number;
  /** How long two nodes answered. */
  readonly overlapMs: number;
}

/** 10,000 addresses whose owner is cut off. */
export interface ManySample {
  readonly addresses: number;
  /** How many the watcher saw announced by the heirs. */
  readonly announced: number;
  /** From the cut to the first announcement, and from that to the last address's first one. */
  readonly detectionMs: number;
  readonly takeoverMs: number;
  /** Of an address that was another node's all the time: longest time without an answer, before and in the takeover. */
  readonly quietGapMs: number;
  readonly answerGapMs: number;
  /** Longest time in the takeover in which the asking host itself asked nothing. */
  readonly askerPauseMs: number;
  /** Longest time between two heartbeats of the heirs, in the takeover. */
  readonly heartbeatGapMs: number;
}

/** Time under a load in which nothing happened to any node. */
export interface CalmSample {
  readonly what: 'hogs' | 'publish';
  readonly system: SystemName;
  readonly seconds: number;
  /** Addresses taken from a node that was there all the time. */
  readonly falseTakeovers: number;
  /** What was done meanwhile, such as "4 hogs" or "120 tables of 10,000 entries". */
  readonly load: string;
}

/** Everything one run saw, as written to .cache/bench/failover.json. */
export interface FailoverResults extends RunFacts {
  readonly repetitions: number;
  readonly systems: readonly { readonly name: SystemName; readonly title: string }[];
  /** What was left out, and why. */
  readonly missing: readonly string[];
  /** What went otherwise than planned, such as a system that did not settle. */
  readonly notes: readonly string[];
  readonly samples: readonly Sample[];
  readonly answers: readonly AnswerSample[];
  readonly many: readonly ManySample[];
  readonly calm: readonly CalmSample[];
}
