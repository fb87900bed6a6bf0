import type { Checker, CheckerFactory } from '../checker.js';
import type { NodeNic } from '../sim_node.js';

/**
 * Nodes that know the same decide the same: once all is calm they agree about every owner, and for each node that might
 * die exactly one other is armed for each of its addresses.
 */
export const placement: CheckerFactory = (world): Checker => {
  const name = 'placement';
  const plans = new Map<string, ReadonlyMap<string, ReadonlySet<string>>>();

  const armed = (nic: NodeNic, peer: NodeNic, address: string): boolean =>
    plans.get(nic.node.process!.incarnation)?.get(`${nic.name} ${peer.node.process!.incarnation}`)?.has(address) ??
    false;

  return {
    name,
    onPublished(node, table) {
      plans.set(
        node.process!.incarnation,
        new Map(
          (table.plans ?? []).map(({ interfaceName, incarnation, addresses }) => [
            `${interfaceName} ${incarnation}`,
            new Set<string>(addresses),
          ]),
        ),
      );
    },
    onSettled() {
      for (const segment of world.segments) {
        const nics = world.nodes.flatMap((node) => node.nics.filter((nic) => nic.segment === segment && node.running));
        for (const [address, answerers] of world.answerers.get(segment)!) {
          const [owner] = answerers as Set<NodeNic>;
          if (owner === undefined) continue;
          for (const nic of nics) {
            const seen = nic.node.process!.core.ownerOf(address, nic.name)?.node;
            if (seen !== owner.node.name) {
              world.fail(
                name,
                `${nic.node.name} thinks that ${seen} owns ${address} on ${segment.name}: ${owner.node.name} does`,
              );
            }
          }
          const others = nics.filter((nic) => nic !== owner);
          const allowed = owner.node.desired.services.find(({ addresses }) => addresses.includes(address))?.nodes;
          const mayTake = ({ node }: NodeNic): boolean => !node.draining && (!allowed || allowed.includes(node.name));
          if (!others.some(mayTake)) continue;
          const heirs = others.filter((nic) => armed(nic, owner, address)).map(({ node }) => node.name);
          if (heirs.length !== 1) {
            world.fail(
              name,
              `should ${owner.node.name} die, ${heirs.join(' and ') || 'nobody'} would take ${address} on ${segment.name}`,
            );
          }
        }
      }
    },
  };
};
