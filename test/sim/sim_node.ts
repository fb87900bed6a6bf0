import type { DesiredState } from '../../src/desired/desired.js';
import type { Address } from '../../src/net/address.js';
import type { Frame } from './frames.js';
import { Machine } from './machine.js';
import { Random } from './random.js';
import type { Nic, Segment } from './segment.js';
import { SimProcess } from './sim_process.js';
import { Trouble } from './trouble.js';
import type { World } from './world.js';

/** What waited for JavaScript is done within this time. */
const AFTER_STALL_MS = 60;

/** An interface of a node. */
export class NodeNic implements Nic {
  readonly isNode = true;
  deaf = false;
  mute = false;
  carrier = true;
  group = 0;
  arrivalMs = 0;
  readonly trouble = new Trouble();

  constructor(
    readonly node: SimNode,
    readonly name: string,
    readonly mac: string,
    readonly segment: Segment,
  ) {}

  receive(frame: Frame): void {
    const { process, machine } = this.node;
    const thread = process?.thread;
    const port = thread?.ports.get(this.name);
    if (thread === undefined || port === undefined) return;
    if (machine.frozen) machine.receive(() => thread.receive(port, frame));
    else thread.receive(port, frame);
  }
}

/** A host of the cluster: its machine, its interfaces, the process that runs on it, and what it has on `lo`. */
export class SimNode {
  readonly machine: Machine;
  readonly random: Random;
  readonly nics: NodeNic[];
  process: SimProcess | null = null;
  /** Addresses on `lo`: traffic that arrives for them is served. They outlive the process, not the power. */
  served: ReadonlySet<Address> = new Set();
  desired: DesiredState;
  /** Its number among those of the world. */
  configuration = 0;
  /** What its speaker was told last; null: nothing yet. */
  told: DesiredState | null = null;
  /** Until when JavaScript stands still. */
  stalledUntilMs = 0;
  serveDelayMs = 0;
  serveFails = false;
  /** It does not reach the API server. */
  apiCut = false;
  /** Until when it is told nothing of what changes there, though it seems connected. */
  watchStalledUntilMs = 0;
  /** Told to give everything away. */
  draining = false;
  /** Until when a change of what it owns has a cause that is no trouble: a command, a configuration. */
  commandedMs = Number.NEGATIVE_INFINITY;
  /** When its process was started last. */
  startedMs = Number.NEGATIVE_INFINITY;
  /** When it went on last after it had stood still. */
  thawedMs = Number.NEGATIVE_INFINITY;
  readonly trouble = new Trouble();

  constructor(
    readonly world: World,
    readonly name: string,
    segments: readonly Segment[],
    index: number,
    desired: DesiredState,
  ) {
    this.random = new Random(world.options.seed, name);
    this.machine = new Machine(world.queue, Math.floor(this.random.between(0, 1e6)));
    this.desired = desired;
    this.nics = segments.map((segment, at) => {
      const mac = `02:00:00:0${at}:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;
      const nic = new NodeNic(this, `eth${at}`, mac, segment);
      segment.attach(nic);
      return nic;
    });
  }

  nic(name: string): NodeNic {
    const nic = this.nics.find((candidate) => candidate.name === name);
    if (nic === undefined) throw new Error(`${this.name} has no ${name}`);
    return nic;
  }

  get running(): boolean {
    return this.process !== null && this.machine.powered;
  }

  start(): void {
    if (this.process !== null) return;
    this.machine.powered = true;
    this.startedMs = this.world.queue.nowMs;
    this.trouble.touch(this.startedMs);
    this.process = new SimProcess(this, this.#incarnation());
    this.process.start();
  }

  /** kill -9: sockets are closed, nothing is said; what is on `lo` stays. */
  kill(): void {
    const { process } = this;
    this.process = null;
    process?.end();
    this.trouble.touch(this.world.queue.nowMs);
  }

  powerOff(): void {
    if (this.machine.frozen) this.trouble.end(this.world.queue.nowMs);
    this.machine.powerOff();
    this.kill();
    this.served = new Set();
  }

  /** SIGTERM; the process ends by itself when all is handed over. */
  terminate(): void {
    this.commandedMs = this.world.queue.nowMs;
    this.process?.terminate();
  }

  freeze(): void {
    if (this.machine.frozen || !this.machine.powered) return;
    this.trouble.begin();
    this.machine.freeze();
    this.process?.thread.refreshAll();
  }

  thaw(clockStood: boolean): void {
    if (!this.machine.frozen) return;
    this.trouble.end(this.world.queue.nowMs);
    this.thawedMs = this.world.queue.nowMs;
    this.machine.thaw(clockStood, (pauseMs) => {
      const thread = this.process?.thread;
      // What its links did meanwhile it sees only now, as they are now.
      for (const port of thread?.ports.values() ?? []) thread?.linkChanged(port);
      thread?.resumed(pauseMs);
    });
  }

  stall(ms: number): void {
    this.trouble.begin();
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.machine.nowMs + ms);
    const look = (): void => {
      // By its own clock, which may stand still meanwhile; while it is frozen nobody can tell.
      if (this.machine.frozen || this.stalledUntilMs > this.machine.nowMs) this.world.queue.after(10, look);
      else this.world.queue.after(AFTER_STALL_MS, () => this.trouble.end(this.world.queue.nowMs));
    };
    look();
  }

  configure(desired: DesiredState): void {
    this.desired = desired;
    this.process?.configure();
  }

  setCarrier(nic: NodeNic, carrier: boolean): void {
    if (nic.carrier === carrier) return;
    nic.carrier = carrier;
    if (this.machine.frozen) return;
    const thread = this.process?.thread;
    const port = thread?.ports.get(nic.name);
    if (thread !== undefined && port !== undefined) thread.linkChanged(port);
  }

  /** Wall clock milliseconds and 20 random bits. */
  #incarnation(): string {
    const bits = (BigInt(Math.floor(this.machine.wallMs)) << 20n) | BigInt(this.random.integer(1, 0xfffff));
    return bits.toString(16).padStart(16, '0');
  }
}
