import type { Node } from '../kubernetes/types.js';

export interface LastResortOptions {
  readonly drainOnCordon: boolean;
  /** False: whether nodes are Ready says nothing at present. Default: true. */
  readonly readyCounts?: boolean;
}

/**
 * Names of the nodes that own something only where no other node may: those that are not Ready, and cordoned ones if
 * `drainOnCordon`. Sorted.
 */
export function lastResort(nodes: Iterable<Node>, { drainOnCordon, readyCounts = true }: LastResortOptions): string[] {
  const names: string[] = [];
  for (const { name, ready, unschedulable } of nodes) {
    if ((readyCounts && !ready) || (drainOnCordon && unschedulable)) names.push(name);
  }
  return names.sort();
}
