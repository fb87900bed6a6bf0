import type { Membership } from '../membership/membership.js';
import type { Address } from '../net/address.js';
import type { NodeState } from '../responder/types.js';
import { mayOwn, type Wanted } from './candidates.js';

export interface MoveQuestion {
  readonly address: Address;
  /** Where it shall go. */
  readonly node: string;
  readonly self: { readonly node: string; readonly state: NodeState };
  /** null: not an address of the segment. */
  readonly wanted: Wanted | null;
  readonly owner: string | null;
  readonly members: Membership;
  /** Nodes that own something only where no other node may. */
  readonly lastResort: ReadonlySet<string>;
}

/** Why an address cannot be moved to a node, in words; null where it can. Pure. */
export function moveRefusal({ address, node, self, wanted, owner, members, lastResort }: MoveQuestion): string | null {
  if (!wanted) return `${address} is not a service IP of this node`;
  if (!mayOwn(wanted, node)) return `${node} is not among the nodes that may own ${address}`;
  if (owner === null) return `nobody owns ${address} at present`;
  if (owner === node) return `${node} owns ${address} already`;
  // It would go back at once.
  if (lastResort.has(node) && !lastResort.has(owner))
    return `${node} is cordoned or not ready, and ${owner} is neither`;
  if (node === self.node) return self.state === 'ready' ? null : `${node} is ${self.state}`;
  const peer = members.get(node);
  if (!peer) return `no node named ${node} was heard`;
  if (peer.report.link !== 'two-way') return `${node} is not heard in both directions`;
  return peer.report.state === 'ready' ? null : `${node} is ${peer.report.state}`;
}
