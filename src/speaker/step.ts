import type { Claim, ClaimAction } from '../claim/claim.js';
import { FIRST_CLAIM_SCHEDULE, MOVED_SCHEDULE, type Schedule, SINGLE_SCHEDULE } from '../claim/timing.js';
import type { Address } from '../net/address.js';
import type { PeerMessage } from '../ownership/message.js';
import type { AnnounceEffect, ChangedEffect, Effect, MovedEffect } from './events.js';
import type { ServeList } from './serve_list.js';

type Announcement = Extract<ClaimAction, { type: 'announce' }>['why'];

const ANNOUNCEMENTS: Record<Announcement, { schedule: Schedule; urgent: boolean; confirm: boolean }> = {
  // It may have been ours before, and some may still send to who had it then.
  'first-claim': { schedule: FIRST_CLAIM_SCHEDULE, urgent: true, confirm: true },
  moved: { schedule: MOVED_SCHEDULE, urgent: true, confirm: true },
  defence: { schedule: SINGLE_SCHEDULE, urgent: true, confirm: false },
  refresh: { schedule: SINGLE_SCHEDULE, urgent: false, confirm: false },
};

interface Probe {
  type: 'probe';
  interfaceName: string;
  addresses: Address[];
  offsetsMs: readonly number[];
}

type Growing<T extends { readonly addresses: readonly Address[] }> = T & { addresses: Address[] };

/** Collects what the claims of one step ask for, so that thousands make a few effects. */
export class Step {
  answersChanged = false;
  /** Whether an address came to be held back, or is no longer. */
  conflictsChanged = false;
  /** The addresses whose services may be others. */
  desiredChanged: Iterable<Address> | 'all' | null = null;
  /** When the first of the claims that were touched has something to do. */
  dueMs = Number.POSITIVE_INFINITY;
  readonly #changes: ChangedEffect[] = [];
  readonly #probes = new Map<string, Probe>();
  readonly #announcements = new Map<string, Growing<AnnounceEffect>>();
  readonly #moves = new Map<string, Growing<MovedEffect>>();
  readonly #messages: Effect[] = [];

  run(claim: Claim, act: () => readonly ClaimAction[]): void {
    const { state, reason, answered } = claim;
    for (const action of act()) this.#add(claim, action);
    this.dueMs = Math.min(this.dueMs, claim.dueMs);
    if (claim.state === state && claim.reason === reason) return;
    const { address, interfaceName, rivalMac } = claim;
    this.#changes.push({
      type: 'changed',
      address,
      interfaceName,
      from: state,
      to: claim.state,
      reason: claim.reason,
      rivalMac,
    });
    if ((claim.state === 'conflict') !== (state === 'conflict')) this.conflictsChanged = true;
    if (claim.answered !== answered || (claim.state === 'tentative') !== (state === 'tentative')) {
      this.answersChanged = true;
    }
  }

  /** Nothing else changes what is to be served, and to find out may take a look at every address. */
  serveEffect(serving: ServeList, claims: ReadonlyMap<Address, readonly Claim[]>): Effect | null {
    if (this.conflictsChanged || this.desiredChanged === 'all') return serving.update(claims, null);
    return this.desiredChanged === null ? null : serving.update(claims, this.desiredChanged);
  }

  send(interfaceName: string, message: PeerMessage): void {
    this.#messages.push({ type: 'send', interfaceName, message });
  }

  moved(interfaceName: string, address: Address, from: string | null, to: string | null, why: string): void {
    group(this.#moves, [interfaceName, from, to, why].join('\n'), () => ({
      type: 'moved' as const,
      interfaceName,
      addresses: [],
      from,
      to,
      why,
    })).addresses.push(address);
  }

  /** Clients hear of a new owner before the old one does: it answers until then. */
  effects(): Effect[] {
    return [
      ...this.#probes.values(),
      ...this.#announcements.values(),
      ...this.#messages,
      ...this.#changes,
      ...this.#moves.values(),
    ];
  }

  #add({ address, interfaceName }: Claim, action: ClaimAction): void {
    if (action.type === 'probe') {
      const { offsetsMs } = action;
      group(this.#probes, `${interfaceName} ${offsetsMs.join()}`, () => ({
        type: 'probe' as const,
        interfaceName,
        addresses: [],
        offsetsMs,
      })).addresses.push(address);
      return;
    }
    group(this.#announcements, `${interfaceName} ${action.why}`, () => ({
      type: 'announce' as const,
      interfaceName,
      addresses: [],
      ...ANNOUNCEMENTS[action.why],
    })).addresses.push(address);
  }
}

function group<T>(groups: Map<string, T>, key: string, make: () => T): T {
  const known = groups.get(key);
  if (known) return known;
  const made = make();
  groups.set(key, made);
  return made;
}
