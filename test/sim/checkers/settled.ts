import { desiredAddresses } from '../../../src/desired/desired.js';
import type { Address } from '../../../src/net/address.js';
import type { Checker, CheckerFactory } from '../checker.js';
import { reaches } from '../segment.js';
import { followsAnnouncements, type SimHost } from '../sim_host.js';
import type { NodeNic } from '../sim_node.js';
import { AnnouncedTimes } from './announced_times.js';

/** When all is calm, each address has exactly one owner on each segment, and hosts find it. */
export const settled: CheckerFactory = (world): Checker => {
  const name = 'settled';
  const announcedMs = new AnnouncedTimes();

  /** When the owner last told the host that it is there, in a way that the host follows; null: never. */
  const toldMs = (owner: NodeNic, host: SimHost, address: Address): number | null =>
    (followsAnnouncements(host.kind)
      ? announcedMs.get(owner, address)
      : owner.node.process!.thread.asked.get(`${address} ${host.ip}`)) ?? null;

  return {
    name,
    onAnnounced(_node, nic, address) {
      announcedMs.set(nic, address, world.nowMs);
    },
    onSettled() {
      for (const segment of world.segments) {
        const running = world.nodes.filter((node) => node.running && node.nics.some((nic) => nic.segment === segment));
        const wishes = running[0] && desiredAddresses(running[0].desired.services);
        for (const [address, { nodes }] of wishes ?? []) {
          if (!running.some((node) => nodes === null || nodes.has(node.name))) continue;
          const answerers = world.answerersOf(segment, address);
          const [owner] = answerers as Set<NodeNic>;
          if (owner === undefined || answerers.size > 1) {
            const names = [...answerers].map(({ node }) => node.name).join(' and ') || 'nobody';
            world.fail(name, `${names} answers for ${address} on ${segment.name}`);
            return;
          }
          for (const host of world.hosts) {
            if (host.segment !== segment || !reaches(owner, host) || !host.uses(address)) continue;
            const mac = host.macOf(address);
            if (mac === null) world.fail(name, `${host.name} cannot resolve ${address}`);
            // Lost, or told while the host was cut off: it asks again by itself, later.
            const calmMs = Math.max(
              host.trouble.calmSinceMs,
              owner.trouble.calmSinceMs,
              owner.node.trouble.calmSinceMs,
              world.segmentTrouble.get(segment)!.calmSinceMs,
            );
            const lastMs = toldMs(owner, host, address);
            if (mac === owner.mac || (lastMs !== null && lastMs <= calmMs)) continue;
            if (lastMs === null && !followsAnnouncements(host.kind)) continue;
            world.fail(name, `${host.name} sends traffic for ${address} to ${mac}, not to ${owner.node.name}`);
          }
        }
      }
    },
  };
};
