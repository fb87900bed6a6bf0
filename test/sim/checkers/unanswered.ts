import type { Address } from '../../../src/net/address.js';
import type { Checker, CheckerFactory } from '../checker.js';
import type { NodeNic } from '../sim_node.js';

const EVERY_MS = 250;
/** From a start, a heal or the end of a trouble until a node counts as well: it listens first. */
const WELL_AFTER_MS = 2_000;
/** Detection, and then a successor that does not take it: it has a second and a half. */
const BOUND_MS = 2_000;

/**
 * While nodes are well that may own an address, it is answered by one that hears the questions: whatever happens to
 * others. Nodes that are cut off from each other have to see to it on each side.
 * But what is recorded of a node whose session lasts, and which they never heard since they started, they leave to it: switches may
 * keep heartbeats from them, and nothing else. That all which it sends is lost, or that it broke down before they started and its
 * session is not over yet, they cannot tell.
 */
export const unanswered: CheckerFactory = (world): Checker => {
  const name = 'unanswered';
  const seen = new Map<string, { sinceMs: number; lastMs: number }>();
  /** By segment and group. */
  const excusedMs = new Map<string, number>();

  const isWell = (nic: NodeNic): boolean => {
    const { node, segment } = nic;
    const calmMs = Math.max(
      nic.trouble.calmSinceMs,
      node.trouble.calmSinceMs,
      world.segmentTrouble.get(segment)!.calmSinceMs,
      node.commandedMs,
    );
    return node.running && node.told !== null && nic.carrier && world.nowMs - calmMs >= WELL_AFTER_MS && !node.draining;
  };

  const isLeftToHolder = ({ node }: NodeNic, address: Address): boolean => {
    const holder = world.api?.records.get(address)?.record.node ?? null;
    return holder !== null && node.process!.core.unheard.includes(holder);
  };

  const look = (): void => {
    world.queue.after(EVERY_MS, look);
    for (const segment of world.segments) {
      const nics = segment.nics.filter((nic): nic is NodeNic => nic.isNode);
      const well = nics.filter(isWell);
      // Held back, with an event loop that stands still, a node answers nothing until its table expires; two at once.
      const hung = nics.filter(({ node }) => node.running && node.stalledUntilMs > node.machine.nowMs);
      const groups = new Set(well.map(({ group }) => group));
      for (const { group } of hung) excusedMs.set(`${segment.name} ${group}`, world.nowMs);
      for (const group of groups) {
        for (const { addresses, nodes } of well[0]!.node.told?.services ?? []) {
          const candidates = well.filter((nic) => nic.group === group && (!nodes || nodes.includes(nic.node.name)));
          for (const address of addresses) judge(address, group, candidates);
        }
      }
    }
  };

  const judge = (address: Address, group: number, candidates: readonly NodeNic[]): void => {
    const able = candidates.find((nic) => nic.node.served.has(address) && !isLeftToHolder(nic, address));
    if (able === undefined) return;
    const key = `${address} ${able.segment.name} ${group}`;
    for (const nic of world.answerersOf(able.segment, address)) {
      if (nic.group !== group || nic.deaf || nic.mute) continue;
      seen.delete(key);
      return;
    }
    const excused = excusedMs.get(`${able.segment.name} ${group}`) ?? 0;
    const before = seen.get(key);
    // It counts only as long as somebody could have answered all the time.
    const sinceMs = before && world.nowMs - before.lastMs <= EVERY_MS ? Math.max(before.sinceMs, excused) : world.nowMs;
    seen.set(key, { sinceMs, lastMs: world.nowMs });
    if (world.nowMs - sinceMs < BOUND_MS) return;
    const forMs = (world.nowMs - sinceMs).toFixed(0);
    world.fail(name, `nobody answers for ${address} on ${able.segment.name} for ${forMs} ms; ${able.node.name} could`);
  };

  world.queue.after(EVERY_MS, look);
  return { name };
};
