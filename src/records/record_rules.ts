import type { OwnershipRecord } from '../ownership/records.js';

/** What this node wants recorded of itself. */
export interface Owning {
  /** As the claim on the segment has it. */
  readonly term: number;
}

export interface RuleInput {
  readonly node: string;
  readonly owning: Owning;
  /** What the Lease says; null: there is none. */
  readonly record: OwnershipRecord | null;
  /** Whether that node's session lasts. */
  readonly isLive: (node: string) => boolean;
  /** Whether that node is heard on the segment, where claims decide. */
  readonly isHeard: (node: string) => boolean;
}

/**
 * The term to write; null: nothing. The record follows the claims of the segment. Only where its holder lives but is not heard,
 * so that no claim of ours was ever compared with its own, the older record stands.
 */
export function termToWrite({ node, owning, record, isLive, isHeard }: RuleInput): number | null {
  if (record === null) return owning.term;
  const { node: holder, term } = record;
  if (holder === node) return owning.term > term ? owning.term : null;
  const stands = holder !== null && owning.term <= term && isLive(holder) && !isHeard(holder);
  // Terms begin anew when all nodes start at once; the record counts on.
  return stands ? null : Math.max(owning.term, term + 1);
}

export interface FencedRuleInput {
  readonly node: string;
  readonly owning: Owning;
  /** What the Lease says; null: there is none. */
  readonly record: OwnershipRecord | null;
  /** Whether its holder can answer no more, as far as the core knows; who asks for a write asks the API server as well. */
  readonly isFree: boolean;
  /** Whether the core knows that a write of this process has made the record. */
  readonly isConfirmed: boolean;
}

/** The same where a record comes before the answer (`--takeover fenced`): what another node holds is never written over. */
export function fencedTermToWrite({ node, owning, record, isFree, isConfirmed }: FencedRuleInput): number | null {
  if (record === null) return owning.term;
  const { node: holder, term } = record;
  if (holder === node ? isConfirmed : holder !== null && !isFree) return null;
  return Math.max(owning.term, term + 1);
}
