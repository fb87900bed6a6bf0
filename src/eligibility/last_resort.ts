import type { Node } from '../kubernetes/types.js';

/**
 * Names of the nodes that own something only where no other node may: those that are not Ready, and cordoned ones if
 * `drainOnCordon`. Sorted.
 */
export function lastResort(nodes: Iterable<Node>, { drainOnCordon }: { readonly drainOnCordon: boolean }): string[] {
  const names: string[] = [];
  for (const { name, ready, unschedulable } of nodes) {
    if (!ready || (drainOnCordon && unschedulable)) names.push(name);
  }
  return names.sort();
}
