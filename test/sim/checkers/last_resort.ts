import { desiredAddresses } from '../../../src/desired/desired.js';
import type { Checker, CheckerFactory } from '../checker.js';

/** When all is calm, a node of last resort owns only what no other node may. */
export const lastResort: CheckerFactory = (world): Checker => {
  const name = 'last-resort';
  return {
    name,
    onSettled() {
      for (const segment of world.segments) {
        const running = world.nodes.filter((node) => node.running && node.nics.some((nic) => nic.segment === segment));
        const desired = running[0]?.desired;
        const isLast = (node: string): boolean => desired?.lastResort?.includes(node) ?? false;
        for (const [address, { nodes }] of desiredAddresses(desired?.services ?? [])) {
          for (const { node: owner } of world.answerersOf(segment, address)) {
            if (!isLast(owner.name)) continue;
            const better = running.find(
              (node) => !isLast(node.name) && !node.draining && (nodes === null || nodes.has(node.name)),
            );
            if (better === undefined) continue;
            world.fail(name, `${owner.name} owns ${address} on ${segment.name}, and ${better.name} should`);
          }
        }
      }
    },
  };
};
