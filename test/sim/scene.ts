import assert from 'node:assert/strict';
import type { DesiredService, DesiredState } from '../../src/desired/desired.js';
import { type Address, parseAddress } from '../../src/net/address.js';
import type { Takeover } from '../../src/ownership/fence.js';
import { ALL_CHECKERS, FENCED_CHECKERS } from './checkers/index.js';
import { type CoreFactory, productionCore } from './core.js';
import { OwnerLog } from './owner_log.js';
import { HOST_KINDS, type HostKind, type SimHost } from './sim_host.js';
import type { NodeNic, SimNode } from './sim_node.js';
import { Traffic } from './traffic.js';
import { World } from './world.js';

export interface SceneOptions {
  readonly seed?: number;
  /** How many nodes, or for each node its segments. */
  readonly nodes?: number | readonly (readonly number[])[];
  readonly segments?: number;
  readonly addresses?: number;
  readonly services?: readonly DesiredService[];
  readonly probing?: DesiredState['probing'];
  readonly hosts?: readonly HostKind[];
  readonly heartbeat?: { readonly intervalMs: number; readonly multiplier: number };
  readonly makeCore?: CoreFactory;
  /** With an API server. */
  readonly api?: boolean;
  /** Of all nodes; fenced ones have an API server, and other checkers. Default: fast. */
  readonly takeover?: Takeover;
}

const WARM_UP_MS = 8_000;
const WATCHED = 50;

/** The n-th service IP; every third is an IPv6 address. */
export function serviceIp(index: number): Address {
  return parseAddress(
    index % 3 === 2
      ? `fd00::${(index + 1).toString(16)}`
      : `10.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
  );
}

export function serviceIps(count: number): Address[] {
  return Array.from({ length: count }, (_, index) => serviceIp(index));
}

/** A hand-written scenario: a network in which all is well, the checkers of the random ones, and what is measured. */
export class Scene {
  readonly world: World;
  readonly log: OwnerLog;
  readonly addresses: readonly Address[];
  #traffic: Traffic | null = null;

  /** `start` false: no node runs yet. */
  constructor(options: SceneOptions = {}, start = true) {
    const nodes = options.nodes ?? 3;
    this.addresses = options.services?.flatMap(({ addresses }) => addresses) ?? serviceIps(options.addresses ?? 6);
    let log: OwnerLog | null = null;
    this.world = new World({
      seed: options.seed ?? 1,
      nodes: typeof nodes === 'number' ? Array.from({ length: nodes }, () => [0]) : nodes,
      segments: options.segments ?? 1,
      hosts: options.hosts ?? HOST_KINDS,
      desired: {
        services: options.services ?? this.addresses.map((address) => service(address, address)),
        probing: options.probing ?? 'fast',
      },
      heartbeat: options.heartbeat ?? { intervalMs: 50, multiplier: 3 },
      makeCore: options.makeCore ?? productionCore,
      api: options.api ?? options.takeover === 'fenced',
      takeover: options.takeover,
      checkers: [
        ...(options.takeover === 'fenced' ? FENCED_CHECKERS : ALL_CHECKERS),
        (world) => {
          log = new OwnerLog(world);
          return log;
        },
      ],
      trace: process.env.ARPEGGIO_SIM_TRACE ? (line) => process.stdout.write(`${line}\n`) : undefined,
    });
    this.log = log!;
    if (!start) return;
    for (const node of this.world.nodes) node.start();
    this.world.runUntil(1_500);
    for (const host of this.world.hosts) for (const address of this.addresses.slice(0, WATCHED)) host.use(address);
    this.run(WARM_UP_MS - 1_500);
    this.world.settled();
    this.watch();
  }

  run(ms: number): void {
    this.world.runUntil(this.world.nowMs + ms);
  }

  /** Begins to measure anew. */
  watch(hosts: readonly SimHost[] = this.world.hosts): void {
    this.#traffic?.stop();
    this.log.reset();
    this.#traffic = new Traffic(this.world, hosts, this.addresses.slice(0, WATCHED), 1);
  }

  /** The longest time for which a host's packets were lost since {@link watch}. */
  outageMs(): number {
    return this.#traffic?.stop().longestMs ?? 0;
  }

  /** Lets what happened settle; all checkers agree that all is well. */
  settle(ms = 4_000): void {
    this.run(ms);
    this.world.settled();
  }

  owner(address: Address, segment = 0): SimNode {
    const [nic] = this.world.answerersOf(this.world.segments[segment]!, address) as Set<NodeNic>;
    assert.ok(nic, `nobody answers for ${address}`);
    return nic.node;
  }

  owned(node: SimNode, segment = 0): Address[] {
    return this.addresses.filter((address) => this.owner(address, segment) === node);
  }

  /** A node that owns something, and one of its addresses. */
  someOwner(): { node: SimNode; address: Address } {
    const address = this.addresses[0]!;
    return { node: this.owner(address), address };
  }

  host(kind: HostKind, segment = 0): SimHost {
    const found = this.world.hosts.find((host) => host.kind === kind && host.segment === this.world.segments[segment]);
    assert.ok(found);
    return found;
  }

  /** Sees that only addresses that the node had have moved, each once. */
  assertOnlyMovedFrom(node: SimNode, count: number): void {
    assert.equal(this.log.changes.length, count, this.log.changes.join('\n'));
    for (const change of this.log.changes) assert.match(change, new RegExp(`: ${node.name} > `));
  }

  assertNothingMoved(): void {
    assert.deepEqual(this.log.changes, []);
  }
}

export function service(name: string, ...addresses: Address[]): DesiredService {
  return { name, addresses, interfaces: null };
}
