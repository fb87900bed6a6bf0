import type { Address } from '../../../src/net/address.js';
import type { Checker, CheckerFactory } from '../checker.js';
import type { Segment } from '../segment.js';
import type { NodeNic } from '../sim_node.js';

/** So long after it a trouble of the owner explains that somebody else has its address. */
const EXCUSED_MS = 6_000;
/** Who has just taken an address may lose it to another who took it at the same time. */
const SETTLING_MS = 3_000;

/** Who goes on after it stood still believes what it knew until it has heard the others. */
const WAKING_MS = 300;
/** Most nodes have acknowledged a claim after so long, if they could. */
const FIRM_MS = 1_000;

interface Owned {
  nic: NodeNic;
  sinceMs: number;
  /** When it ceased to answer; Infinity while it does. */
  untilMs: number;
  /** Why it may lose the address; null: no reason. */
  excuse: string | null;
}

/**
 * No address changes its owner unless something happened to the owner, or somebody asked for it. What happens to other
 * nodes (they start, return, or were cut off) is no cause. But where most nodes were with neither side of a cut, neither claim is
 * firm, and nobody can know which of the two was cut off: who has taken it on either side may keep it.
 */
export const ownerChange: CheckerFactory = (world): Checker => {
  const name = 'owner-change';
  const owners = new Map<Segment, Map<Address, Owned>>(world.segments.map((segment) => [segment, new Map()]));

  const excuseOf = (nic: NodeNic, sinceMs: number): string | null => {
    const { node, segment } = nic;
    const nowMs = world.nowMs;
    const recent = (ms: number): boolean => ms > nowMs - EXCUSED_MS;
    if (!node.running) return 'is gone';
    if (recent(node.trouble.calmSinceMs) || recent(nic.trouble.calmSinceMs)) return 'was in trouble';
    if (recent(world.segmentTrouble.get(segment)!.calmSinceMs)) return 'was on a bad segment';
    if (node.draining || recent(node.commandedMs)) return 'was told to';
    if (node.told?.lastResort?.includes(node.name)) return 'is of last resort';
    if (nowMs - sinceMs < SETTLING_MS) return 'had just taken it';
    // Its clock may have stood still as well: it does not know that it was replaced.
    if (world.nodes.some(({ thawedMs }) => nowMs - thawedMs < WAKING_MS)) return 'was claimed by one that woke up';
    return null;
  };

  /** By interface, whose claims most nodes have acknowledged, as its node said. */
  const firm = new Map<NodeNic, Set<Address>>();

  const hasMost = (nic: NodeNic): boolean => {
    const nodes = world.nodes.flatMap(({ nics }) => nics.filter(({ segment }) => segment === nic.segment));
    const heard = nodes.filter((other) => other !== nic && world.connectedSinceMs(nic, other) < world.nowMs - FIRM_MS);
    return (heard.length + 1) * 2 > nodes.length;
  };

  /** Whether neither side of a cut has more right to it than the other. */
  const isUndecided = ({ nic, sinceMs }: Owned, other: NodeNic, address: Address): boolean =>
    other.trouble.calmSinceMs > sinceMs && !firm.get(nic)?.has(address) && !hasMost(nic);

  return {
    name,
    onSent(node, interfaceName, message) {
      if (message.type !== 'claims-change' && message.type !== 'claims-page') return;
      const nic = node.nic(interfaceName);
      const known = firm.get(nic) ?? new Set();
      firm.set(nic, known);
      for (const claim of message.claims) {
        if (claim.firm) known.add(claim.address);
        else known.delete(claim.address);
      }
    },
    onAnswering(_node, nic, address, on) {
      const onSegment = owners.get(nic.segment)!;
      const owner = onSegment.get(address);
      if (!on) {
        if (owner?.nic === nic) {
          owner.untilMs = world.nowMs;
          owner.excuse = excuseOf(nic, owner.sinceMs);
        }
      }
      const answerers = world.answerersOf(nic.segment, address);
      if (answerers.size !== 1) return;
      const [sole] = answerers as Set<NodeNic>;
      if (owner === undefined) {
        onSegment.set(address, { nic: sole!, sinceMs: world.nowMs, untilMs: Number.POSITIVE_INFINITY, excuse: null });
        return;
      }
      if (owner.nic === sole) {
        owner.untilMs = Number.POSITIVE_INFINITY;
        return;
      }
      const excuse = owner.excuse ?? excuseOf(owner.nic, owner.sinceMs);
      if (excuse === null && !isUndecided(owner, sole!, address)) {
        world.fail(
          name,
          `${address} on ${nic.segment.name} went from ${owner.nic.node.name} to ${sole!.node.name} without a cause`,
        );
      }
      onSegment.set(address, { nic: sole!, sinceMs: world.nowMs, untilMs: Number.POSITIVE_INFINITY, excuse: null });
    },
  };
};
