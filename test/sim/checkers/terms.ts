import type { Address } from '../../../src/net/address.js';
import type { OwnershipClaim } from '../../../src/ownership/message.js';
import type { Checker, CheckerFactory } from '../checker.js';
import type { SimNode } from '../sim_node.js';

interface Told {
  term: number;
  claimed: boolean;
}

/** Terms never go back: a node that claims an address anew claims it with a higher term than it had before. */
export const terms: CheckerFactory = (world): Checker => {
  const name = 'terms';
  /** By process and interface. */
  const told = new Map<string, Map<Address, Told>>();

  const check = (node: SimNode, claims: readonly OwnershipClaim[], known: Map<Address, Told>): void => {
    for (const { address, term } of claims) {
      const before = known.get(address);
      if (before && (term < before.term || (!before.claimed && term <= before.term))) {
        world.fail(name, `${node.name} claims ${address} with term ${term} after term ${before.term}`);
      }
      known.set(address, { term, claimed: true });
    }
  };

  return {
    name,
    onSent(node, interfaceName, message) {
      if (message.type !== 'claims-change' && message.type !== 'claims-page') return;
      const key = `${node.process!.incarnation} ${interfaceName}`;
      let known = told.get(key);
      if (known === undefined) {
        known = new Map();
        told.set(key, known);
      }
      if (message.type === 'claims-change') {
        for (const address of message.yielded) {
          const before = known.get(address);
          if (before) before.claimed = false;
        }
      }
      check(node, message.claims, known);
    },
  };
};
