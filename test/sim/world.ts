import type { DesiredState } from '../../src/desired/desired.js';
import { type Address, parseAddress } from '../../src/net/address.js';
import type { Takeover } from '../../src/ownership/fence.js';
import type { PeerMessage } from '../../src/ownership/message.js';
import type { Table } from '../../src/responder/types.js';
import { type Checker, type CheckerFactory, Violation } from './checker.js';
import type { CoreFactory } from './core.js';
import { EventQueue } from './event_queue.js';
import { Random } from './random.js';
import { reaches, Segment } from './segment.js';
import { SimApi } from './sim_api.js';
import { type HostKind, SimHost } from './sim_host.js';
import { type NodeNic, SimNode } from './sim_node.js';
import { Trouble } from './trouble.js';

export interface WorldOptions {
  readonly seed: number;
  /** For each node the numbers of the segments it has an interface on. */
  readonly nodes: readonly (readonly number[])[];
  readonly segments: number;
  /** The kinds of hosts on each segment. */
  readonly hosts: readonly HostKind[];
  readonly desired: DesiredState;
  readonly heartbeat: { readonly intervalMs: number; readonly multiplier: number };
  readonly makeCore: CoreFactory;
  /** With an API server that keeps records and sessions. */
  readonly api?: boolean | undefined;
  /** Default: fast. */
  readonly takeover?: Takeover | undefined;
  /** A planted bug: nobody asks the API server whether a session is over before its records are written over. */
  readonly trustsWatch?: boolean | undefined;
  readonly checkers: readonly CheckerFactory[];
  /** One line for each event; left out, nothing is put together. */
  readonly trace?: ((line: string) => void) | undefined;
}

/** Everything that is simulated, and those who watch it. */
export class World {
  readonly queue = new EventQueue();
  readonly random: Random;
  readonly segments: readonly Segment[];
  /** Of the segments: loss, delay and what else disturbs all who are on it. */
  readonly segmentTrouble = new Map<Segment, Trouble>();
  readonly nodes: readonly SimNode[];
  readonly hosts: readonly SimHost[];
  readonly trace: ((text: string) => void) | null;
  /** Who answers for an address, by segment. */
  readonly answerers = new Map<Segment, Map<Address, Set<NodeNic>>>();
  readonly api: SimApi | null;
  /** How many were drawn; the last one counts. */
  configurations = 0;
  readonly #checkers: readonly Checker[];
  readonly #nodesByName: ReadonlyMap<string, SimNode>;
  #violation: Violation | null = null;

  constructor(readonly options: WorldOptions) {
    const { seed, trace } = options;
    this.random = new Random(seed, 'world');
    this.api = options.api ? new SimApi() : null;
    this.trace = trace ? (text) => trace(`${this.queue.nowMs.toFixed(2).padStart(10)} ${text}`) : null;
    this.segments = Array.from(
      { length: options.segments },
      (_, index) => new Segment(`segment${index}`, this.queue, new Random(seed, `segment${index}`)),
    );
    for (const segment of this.segments) {
      this.segmentTrouble.set(segment, new Trouble());
      this.answerers.set(segment, new Map());
    }
    this.nodes = options.nodes.map(
      (at, index) =>
        new SimNode(
          this,
          `n${index}`,
          at.map((number) => this.segments[number]!),
          index,
          options.desired,
        ),
    );
    this.#nodesByName = new Map(this.nodes.map((node) => [node.name, node]));
    this.hosts = this.segments.flatMap((segment, at) =>
      options.hosts.map((kind, index) => {
        const name = `h${at}${index}-${kind}`;
        const mac = `0a:00:00:00:0${at}:${index.toString(16).padStart(2, '0')}`;
        return new SimHost(name, mac, parseAddress(`10.9.${at}.${index + 1}`), kind, segment, new Random(seed, name));
      }),
    );
    this.#checkers = options.checkers.map((make) => make(this));
  }

  get nowMs(): number {
    return this.queue.nowMs;
  }

  node(name: string): SimNode {
    const node = this.#nodesByName.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  /** @throws {Violation} the first that a checker found */
  runUntil(untilMs: number): void {
    this.queue.runUntil(untilMs);
    if (this.#violation) throw this.#violation;
  }

  settled(): void {
    for (const checker of this.#checkers) checker.onSettled?.();
    if (this.#violation) throw this.#violation;
  }

  /** Only the first counts: what follows may follow from it. Stops the run at once. */
  fail(checker: string, text: string): void {
    this.#violation ??= new Violation(checker, this.nowMs, text);
    this.trace?.(`VIOLATION ${this.#violation.message}`);
    throw this.#violation;
  }

  answerersOf(segment: Segment, address: Address): ReadonlySet<NodeNic> {
    return this.answerers.get(segment)?.get(address) ?? NOBODY;
  }

  /** Since when the two could have talked to each other, in both directions and without delay; Infinity: not now. */
  connectedSinceMs(a: NodeNic, b: NodeNic): number {
    if (!a.node.running || !b.node.running || !reaches(a, b) || !reaches(b, a)) return Number.POSITIVE_INFINITY;
    return Math.max(
      a.trouble.calmSinceMs,
      b.trouble.calmSinceMs,
      a.node.trouble.calmSinceMs,
      b.node.trouble.calmSinceMs,
      this.segmentTrouble.get(a.segment)!.calmSinceMs,
    );
  }

  onAnswering(node: SimNode, nic: NodeNic, address: Address, on: boolean): void {
    this.trace?.(`${node.name} ${on ? 'ANSWERS' : 'ceases to answer'} ${address} on ${nic.name}`);
    const onSegment = this.answerers.get(nic.segment)!;
    let nics = onSegment.get(address);
    if (nics === undefined) {
      nics = new Set();
      onSegment.set(address, nics);
    }
    if (on) nics.add(nic);
    else nics.delete(nic);
    for (const checker of this.#checkers) checker.onAnswering?.(node, nic, address, on);
  }

  onAnnounced(node: SimNode, nic: NodeNic, address: Address): void {
    this.trace?.(`${node.name} announces ${address} on ${nic.name}`);
    for (const checker of this.#checkers) checker.onAnnounced?.(node, nic, address);
  }

  onConfigured(node: SimNode): void {
    for (const checker of this.#checkers) checker.onConfigured?.(node);
  }

  onPublished(node: SimNode, table: Table): void {
    for (const checker of this.#checkers) checker.onPublished?.(node, table);
  }

  onSent(node: SimNode, interfaceName: string, message: PeerMessage): void {
    for (const checker of this.#checkers) checker.onSent?.(node, interfaceName, message);
  }

  onHeard(node: SimNode, interfaceName: string, from: string, message: PeerMessage): void {
    for (const checker of this.#checkers) checker.onHeard?.(node, interfaceName, from, message);
  }

  onStepped(node: SimNode): void {
    for (const checker of this.#checkers) checker.onStepped?.(node);
  }
}

const NOBODY: ReadonlySet<NodeNic> = new Set();
