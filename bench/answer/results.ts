import type { RunFacts } from '../machine.js';
import type { Family } from './addresses.js';
import type { PlainSample, SwapSample } from './further.js';
import type { PeerName } from './peers.js';
import type { Sample } from './rounds.js';

/** Everything one run saw, as written to .cache/bench/answer.json. */
export interface Results extends RunFacts {
  readonly rounds: number;
  readonly peers: readonly { readonly name: PeerName; readonly title: string }[];
  readonly missing: readonly string[];
  readonly samples: readonly Sample[];
  readonly announcementsMs: Readonly<Record<Family, readonly number[]>>;
  readonly swaps: readonly SwapSample[];
  readonly memoryMb: readonly { readonly addresses: number; readonly mb: number }[];
  readonly plain: readonly PlainSample[];
}
