import { type DesiredState, desiredAddresses } from '../../../src/desired/desired.js';
import type { Address } from '../../../src/net/address.js';
import type { Checker, CheckerFactory } from '../checker.js';
import type { SimNode } from '../sim_node.js';

/**
 * Nothing is answered that is not in the node's desired state, or not in place on the node, or that the node may not
 * own (what it owned before is different: it keeps that until somebody takes it).
 */
export const undesired: CheckerFactory = (world): Checker => {
  const name = 'undesired';
  const merged = new Map<DesiredState, ReturnType<typeof desiredAddresses>>();
  const owned = new Map<SimNode, { incarnation: string; addresses: Set<Address> }>();

  /** What the speaker of the node was told last. */
  const wishOf = (node: SimNode): ReturnType<typeof desiredAddresses> => {
    const told = node.told!;
    let known = merged.get(told);
    if (known === undefined) {
      known = desiredAddresses(told.services);
      merged.set(told, known);
    }
    return known;
  };

  const ownedBy = (node: SimNode): Set<Address> => {
    const incarnation = node.process!.incarnation;
    let known = owned.get(node);
    if (known === undefined || known.incarnation !== incarnation) {
      known = { incarnation, addresses: new Set() };
      owned.set(node, known);
    }
    return known.addresses;
  };

  return {
    name,
    onAnswering(node, nic, address, on) {
      if (!on) return;
      const wish = wishOf(node).get(address);
      if (wish === undefined) world.fail(name, `${node.name} answers for ${address}, which nobody wants of it`);
      if (wish?.interfaces && !wish.interfaces.has(nic.name)) {
        world.fail(name, `${node.name} answers for ${address} on ${nic.name}, where it is not wanted`);
      }
      if (!node.served.has(address)) world.fail(name, `${node.name} answers for ${address}, which is not on lo`);
      const before = ownedBy(node);
      if (wish?.nodes && !wish.nodes.has(node.name) && !before.has(address)) {
        world.fail(name, `${node.name} answers for ${address}, which only ${[...wish.nodes].join(', ')} may own`);
      }
      before.add(address);
    },
    onConfigured(node) {
      const wanted = wishOf(node);
      for (const port of node.process!.thread.ports.values()) {
        for (const address of port.answering) {
          if (!wanted.has(address)) {
            world.fail(name, `${node.name} still answers for ${address}, which is wanted no more`);
          }
        }
      }
    },
  };
};
