import { type Address, familyOf } from '../../../src/net/address.js';
import type { Checker, CheckerFactory } from '../checker.js';
import { reaches, type Segment } from '../segment.js';
import { followsAnnouncements, type SimHost } from '../sim_host.js';
import type { NodeNic } from '../sim_node.js';
import { AnnouncedTimes } from './announced_times.js';

/** A new IPv6 address is tentative for a second, and nothing is announced until then (RFC 4429 3.3). */
const BOUND_MS = { ipv4: 600, ipv6: 1_600 };
/** Who hears somebody else announce its address says again that it is there. */
const DEFENCE_MS = 300;
/** An address that nobody answers for longer is claimed as if it were new. */
const TAKEOVER_MS = 400;
/** From when a lost node counts as lost until all have heard of it and hosts are told: its way through JavaScript. */
const NEWS_MS = 100;

/**
 * Who begins to answer announces; so does who is left alone when another who answered as well yields. And hosts that
 * follow announcements then point at it.
 */
export const announced: CheckerFactory = (world): Checker => {
  const name = 'announced';
  const announcedMs = new AnnouncedTimes();
  /** When somebody who answered for the address ceased to. */
  const ceasedMs = new Map<Segment, Map<Address, number>>(world.segments.map((segment) => [segment, new Map()]));
  /** When somebody who answered for the address broke down. */
  const brokenMs = new Map<Segment, Map<Address, number>>(world.segments.map((segment) => [segment, new Map()]));
  /** How often each has ceased to answer, by "MAC address": who begins anew announces anew. */
  const stints = new Map<string, number>();
  const { intervalMs, multiplier } = world.options.heartbeat;

  const stintOf = (nic: NodeNic, address: Address): number => stints.get(`${nic.mac} ${address}`) ?? 0;

  const calmSince = (nic: NodeNic): number =>
    Math.max(nic.trouble.calmSinceMs, nic.node.trouble.calmSinceMs, world.segmentTrouble.get(nic.segment)!.calmSinceMs);

  /** Who compares claims after a heal waits for all who are there. */
  const someoneHangs = ({ segment }: NodeNic): boolean =>
    segment.nics.some((other) => other.isNode && (other as NodeNic).node.trouble.active > 0);

  /** While not all know the same an address may go to and fro, and who gives it away says nothing. */
  const areToldApart = ({ node }: NodeNic): boolean =>
    world.nodes.some(({ configuration }) => configuration !== node.configuration);

  const owe = (nic: NodeNic, address: Address, why: string): void => {
    const sinceMs = world.nowMs;
    const boundMs = BOUND_MS[familyOf(address)];
    const stint = stintOf(nic, address);
    const isDue = (): boolean =>
      stintOf(nic, address) === stint && world.answerersOf(nic.segment, address).size === 1 && calmSince(nic) < sinceMs;
    const look = (): void => {
      if (!isDue()) return;
      if ((announcedMs.get(nic, address) ?? Number.NEGATIVE_INFINITY) < sinceMs) {
        if (someoneHangs(nic) || areToldApart(nic)) {
          world.queue.after(boundMs, look);
          return;
        }
        world.fail(name, `${nic.node.name} has not announced ${address} on ${nic.segment.name} after ${why}`);
      }
      lookAtHosts(nic, address, why, sinceMs, isDue);
    };
    world.queue.after(boundMs, look);
  };

  /**
   * Who does not follow announcements is asked, if the new owner has heard it ask. Not at a first claim: nobody had the
   * address.
   */
  const isTold = (nic: NodeNic, host: SimHost, address: Address, sinceMs: number): boolean => {
    if (followsAnnouncements(host.kind)) return true;
    if (sinceMs - (ceasedMs.get(nic.segment)!.get(address) ?? 0) > TAKEOVER_MS) return false;
    return nic.node.process!.thread.ports.get(nic.name)!.journal.get(address)?.has(host.ip) === true;
  };

  const lookAtHosts = (nic: NodeNic, address: Address, why: string, sinceMs: number, isDue: () => boolean): void => {
    if (!isDue()) return;
    const disputed = nic.segment.nics.some(
      (other) =>
        other !== nic && world.nowMs - (announcedMs.get(other, address) ?? Number.NEGATIVE_INFINITY) < DEFENCE_MS,
    );
    // What a node that broke down has told hosts is put right when it counts as lost.
    const lostMs = (brokenMs.get(nic.segment)!.get(address) ?? Number.NEGATIVE_INFINITY) + multiplier * intervalMs;
    if (disputed || world.nowMs < lostMs + NEWS_MS) {
      world.queue.after(DEFENCE_MS, () => lookAtHosts(nic, address, why, sinceMs, isDue));
      return;
    }
    for (const host of world.hosts) {
      if (host.segment !== nic.segment || host.trouble.calmSinceMs >= sinceMs || !isTold(nic, host, address, sinceMs))
        continue;
      const mac = host.macOf(address);
      if (mac === null || mac === nic.mac || !reaches(nic, host)) continue;
      world.fail(name, `${host.name} sends traffic for ${address} to ${mac}, not to ${nic.node.name}, after ${why}`);
    }
  };

  return {
    name,
    onAnnounced(_node, nic, address) {
      announcedMs.set(nic, address, world.nowMs);
    },
    onAnswering(node, nic, address, on) {
      if (on) {
        owe(nic, address, 'it began to answer');
        return;
      }
      stints.set(`${nic.mac} ${address}`, stintOf(nic, address) + 1);
      ceasedMs.get(nic.segment)!.set(address, world.nowMs);
      // Who broke down yields to nobody.
      if (!node.running || node.machine.frozen || !nic.carrier) {
        brokenMs.get(nic.segment)!.set(address, world.nowMs);
        return;
      }
      const left = world.answerersOf(nic.segment, address);
      if (left.size !== 1) return;
      for (const other of left)
        if (reaches(nic, other) && reaches(other, nic)) owe(other, address, `${node.name} yielded`);
    },
  };
};
