import type { Address } from '../../../src/net/address.js';
import type { Checker, CheckerFactory } from '../checker.js';
import type { NodeNic } from '../sim_node.js';

/** After loss, what was not heard is repeated with pauses of up to a second. */
const REPAIR_MS = 1_200;

/**
 * Two nodes answer for one address on one segment only while they cannot hear each other, for as long as it takes to
 * tell after that, or in a handover, which is shorter.
 */
export const doubleAnswer: CheckerFactory = (world): Checker => {
  const name = 'double-answer';
  const { intervalMs, multiplier } = world.options.heartbeat;
  // Detection, the news of it, the claims and the yield, each with its way through JavaScript.
  const boundMs = multiplier * intervalMs + 6 * intervalMs + 200;
  /** Since when two answer, without a break. */
  const watched = new Map<string, number>();

  const keyOf = (a: NodeNic, b: NodeNic, address: Address): string =>
    a.mac < b.mac ? `${a.mac} ${b.mac} ${address}` : `${b.mac} ${a.mac} ${address}`;

  const look = (a: NodeNic, b: NodeNic, address: Address, sinceMs: number, key: string): void => {
    if (watched.get(key) !== sinceMs) return;
    const connectedMs = world.connectedSinceMs(a, b);
    if (connectedMs === Number.POSITIVE_INFINITY) {
      world.queue.after(boundMs, () => look(a, b, address, sinceMs, key));
      return;
    }
    const lossEndMs = world.segmentTrouble.get(a.segment)!.endedMs + REPAIR_MS;
    const fromMs = Math.max(connectedMs, sinceMs, lossEndMs);
    if (world.nowMs >= fromMs + boundMs - 1e-6) {
      const forMs = (world.nowMs - sinceMs).toFixed(0);
      world.fail(
        name,
        `${a.node.name} and ${b.node.name} both answer for ${address} on ${a.segment.name} for ${forMs} ms though they hear each other`,
      );
    }
    world.queue.at(fromMs + boundMs, () => look(a, b, address, sinceMs, key));
  };

  return {
    name,
    onAnswering(_node, nic, address, on) {
      const sinceMs = world.nowMs;
      for (const other of world.answerersOf(nic.segment, address)) {
        if (other === nic) continue;
        const key = keyOf(nic, other, address);
        if (!on) watched.delete(key);
        else if (!watched.has(key)) {
          watched.set(key, sinceMs);
          world.queue.after(boundMs, () => look(nic, other, address, sinceMs, key));
        }
      }
    },
  };
};
