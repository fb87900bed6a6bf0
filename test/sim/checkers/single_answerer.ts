import type { Checker, CheckerFactory } from '../checker.js';

/**
 * `--takeover fenced`: never two nodes answer for one address on one segment, not for a moment: whoever hears whom, and whatever the
 * API server tells whom when. Only a machine whose clock stands still with it cannot know that its session is over.
 */
export const singleAnswerer: CheckerFactory = (world): Checker => {
  const name = 'single-answerer';
  return {
    name,
    onAnswering(node, nic, address, on) {
      if (!on) return;
      for (const other of world.answerersOf(nic.segment, address)) {
        if (other.node === node) continue;
        world.fail(
          name,
          `${node.name} begins to answer for ${address} on ${nic.segment.name}; ${other.node.name} does`,
        );
      }
    },
  };
};
