// What may happen to a world. Each fault begins at once; those that last return how they end.
import type { DesiredState } from '../../src/desired/desired.js';
import type { Address } from '../../src/net/address.js';
import type { Segment, SegmentFaults } from './segment.js';
import type { NodeNic, SimNode } from './sim_node.js';
import type { World } from './world.js';

/** No node takes part within this time from its start. */
const TOLD_MS = 150;

/** Ends what began. */
export type End = () => void;

export function linkDown(world: World, nic: NodeNic): End {
  nic.trouble.begin();
  nic.node.setCarrier(nic, false);
  return once(() => {
    nic.trouble.end(world.nowMs);
    nic.node.setCarrier(nic, true);
  });
}

/** The switch does not forward what comes from the nic, or goes to it; carrier stays. */
export function cut(world: World, nic: NodeNic, direction: 'deaf' | 'mute' | 'both'): End {
  nic.trouble.begin();
  if (direction !== 'mute') nic.deaf = true;
  if (direction !== 'deaf') nic.mute = true;
  return once(() => {
    nic.trouble.end(world.nowMs);
    nic.deaf = false;
    nic.mute = false;
  });
}

/**
 * Splits a segment in two; `away` is the far side. Its nodes are in trouble where the rest can say that most of all are
 * with them; else all are.
 */
export function partition(world: World, segment: Segment, away: ReadonlySet<string>): End {
  // Where one follows another, each may have known most of the nodes at some time.
  const isAnother = segment.nics.some(({ group }) => group !== 0);
  const troubled = isAnother ? nodesOf(segment) : minority(segment, away);
  const beganMs = world.nowMs;
  for (const nic of troubled) nic.trouble.begin();
  for (const nic of segment.nics) {
    const name = nic.isNode ? (nic as NodeNic).node.name : world.hosts.find((host) => host === nic)!.name;
    nic.group = away.has(name) ? 1 : 0;
  }
  for (const host of world.hosts) if (host.segment === segment) host.trouble.touch(world.nowMs);
  return once(() => {
    for (const nic of troubled) nic.trouble.end(world.nowMs);
    // Others may have started or died meanwhile. Who started there knows none of the other side, where the API server does not tell:
    // all that it knows may be with it.
    const cutOff = minority(segment, away);
    const isUndecided = cutOff.some(({ node }) => node.startedMs >= beganMs && !isTold(node));
    for (const nic of isUndecided ? nodesOf(segment) : cutOff) nic.trouble.touch(world.nowMs);
    for (const nic of segment.nics) nic.group = 0;
    for (const host of world.hosts) if (host.segment === segment) host.trouble.touch(world.nowMs);
  });
}

/** Whether it knew who takes part before it took part. */
function isTold({ process, startedMs }: SimNode): boolean {
  return process !== null && process.toldNodesMs - startedMs < TOLD_MS;
}

function nodesOf(segment: Segment): NodeNic[] {
  return segment.nics.filter((nic): nic is NodeNic => nic.isNode);
}

/** Those who cannot say that most of all are with them. */
function minority(segment: Segment, away: ReadonlySet<string>): NodeNic[] {
  const nodes = nodesOf(segment).filter(({ node }) => node.running);
  const far = nodes.filter(({ node }) => away.has(node.name));
  const near = nodes.filter(({ node }) => !away.has(node.name));
  if (near.length === far.length) return nodes;
  return near.length > far.length ? far : near;
}

export function disturb(world: World, segment: Segment, faults: Partial<SegmentFaults>): End {
  const trouble = world.segmentTrouble.get(segment)!;
  trouble.begin();
  Object.assign(segment.faults, faults);
  return once(() => {
    // What is under way may still be late.
    const lateMs = segment.maxDelayMs;
    segment.calm();
    world.queue.after(lateMs, () => trouble.end(world.nowMs));
  });
}

export function freeze(node: SimNode, clockStands: boolean): End {
  node.freeze();
  return once(() => node.thaw(clockStands));
}

/** Addresses cannot be put on `lo`, or only slowly. */
export function slowServe(world: World, node: SimNode, delayMs: number, fails: boolean): End {
  node.trouble.begin();
  node.serveDelayMs = delayMs;
  node.serveFails = fails;
  return once(() => {
    node.trouble.end(world.nowMs);
    node.serveDelayMs = 0;
    node.serveFails = false;
  });
}

export function drain(world: World, node: SimNode): End {
  node.draining = true;
  node.commandedMs = world.nowMs;
  node.process?.command({ type: 'drain' });
  return once(() => {
    node.draining = false;
    node.commandedMs = world.nowMs;
    node.process?.command({ type: 'undrain' });
  });
}

/** `arpeggio move ADDRESS NODE`, asked of any node. */
export function move(world: World, at: SimNode, address: Address, to: SimNode): void {
  for (const node of world.nodes) node.commandedMs = world.nowMs;
  at.process?.command({ type: 'move', address, node: to.name });
}

/** A configuration reaches each node at another time, and none after one that is newer. */
export function configure(world: World, desired: DesiredState, spreadMs: number): void {
  world.configurations += 1;
  const number = world.configurations;
  for (const node of world.nodes) {
    world.queue.after(spreadMs * world.random.next(), () => {
      if (node.configuration > number) return;
      for (const other of world.nodes) other.commandedMs = world.nowMs;
      node.configuration = number;
      node.configure(desired);
    });
  }
}

/** The switches pass no heartbeats and claims; ARP and NDP they do. */
export function filterPeers(world: World, segment: Segment): End {
  const trouble = world.segmentTrouble.get(segment)!;
  trouble.begin();
  segment.filtersPeers = true;
  return once(() => {
    segment.filtersPeers = false;
    trouble.end(world.nowMs);
  });
}

export function apiDown(world: World): End {
  if (world.api) world.api.down = true;
  return once(() => {
    if (world.api) world.api.down = false;
  });
}

export function apiCut(node: SimNode): End {
  node.apiCut = true;
  return once(() => {
    node.apiCut = false;
  });
}

function once(end: () => void): End {
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    end();
  };
}
