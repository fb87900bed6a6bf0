// What cli/node_process does in production: gives the speaker events and time, carries out its effects.
import type { DesiredState } from '../../src/desired/desired.js';
import { decode, encode } from '../../src/ownership/codec.js';
import type { PeerReport } from '../../src/responder/types.js';
import type { Core, Effect, SpeakerEvent } from './core.js';
import type { Timer } from './event_queue.js';
import { SimApiClient } from './sim_api.js';
import { Random } from './random.js';
import type { SimNode } from './sim_node.js';
import { SimThread, type ThreadEvent } from './sim_thread.js';

const RENEW_MS = 1_000;
const SERVE_RETRY_MS = 500;
/** A stall may be cut short, to no less than this. */
export const STALL_LOOK_MS = 50;
/** Three heartbeats of goodbye take 10 ms. */
const CLOSE_AFTER_MS = 15;
const LAST_WRITES_MS = 1_000;

type Queued = Exclude<ThreadEvent, { type: 'peer' }>;

/** The process of a speaker: packet thread, JavaScript, and what is lost when it ends. */
export class SimProcess {
  readonly thread: SimThread;
  readonly core: Core;
  readonly #usable = new Set<string>();
  readonly #reports = new Map<string, PeerReport>();
  #queue: Queued[] = [];
  readonly #tasks: (() => void)[] = [];
  #wakePending = false;
  #tick: Timer | null = null;
  #alive = true;
  /** When the API server told it first who takes part. */
  toldNodesMs = Number.POSITIVE_INFINITY;
  /** Told to stop, and not done yet. */
  leaving = false;
  #lastServe = 0;
  #told: DesiredState | null = null;
  readonly #api: SimApiClient | null;

  constructor(
    readonly node: SimNode,
    readonly incarnation: string,
  ) {
    const { heartbeat, makeCore } = node.world.options;
    const { world, random, machine } = node;
    const identity = { node: node.name, incarnation, ...heartbeat };
    this.thread = new SimThread(identity, machine, random, {
      emit: (event) => this.#emit(event),
      answering: (interfaceName, address, on) => world.onAnswering(node, node.nic(interfaceName), address, on),
      announced: (interfaceName, address) => world.onAnnounced(node, node.nic(interfaceName), address),
    });
    const { takeover = 'fast' } = world.options;
    this.core = makeCore({ node: node.name, incarnation, random: random.next, heartbeat, takeover });
    const later = (delayMs: number, run: () => void) => void this.#later(delayMs, run);
    const step = (event: SpeakerEvent) => this.#step(event);
    this.#api = world.api && new SimApiClient({ api: world.api, node, core: this.core, takeover, later, step });
  }

  start(): void {
    this.#later(this.node.random.between(1, 20), () => {
      this.#step({ type: 'usable', interfaces: this.#usable });
      this.#begin();
      for (const nic of this.node.nics) this.thread.addPort(nic.name, nic);
      this.#api?.start();
    });
    this.#renew();
  }

  /** What the API server has to say takes its time. */
  #begin(): void {
    const { node } = this;
    // A machine that stood still may be told of a change first.
    if (this.#told !== null) return;
    const random = new Random(node.world.options.seed, `begin ${this.incarnation}`);
    if (!this.#api || random.chance(0.5)) {
      this.#configure();
      return;
    }
    node.told = null;
    this.#step({ type: 'listen', interfaces: node.nics.map(({ name }) => name) });
    this.#later(random.chance(0.8) ? random.between(1, 400) : random.between(400, 2_500), () => this.#configure());
  }

  end(): void {
    this.#alive = false;
    this.thread.kill();
    this.#api?.end(this.core.stopped);
  }

  configure(): void {
    this.#inOrder(() => this.#configure());
  }

  command(event: Extract<SpeakerEvent, { type: 'drain' | 'undrain' | 'move' }>): void {
    this.#inOrder(() => this.#step(event));
  }

  terminate(): void {
    this.#inOrder(() => {
      this.leaving = true;
      this.#step({ type: 'stop' });
    });
  }

  /** What is asked from outside is done in the order in which it was asked. */
  #inOrder(task: () => void): void {
    this.#tasks.push(task);
    this.#later(0, () => this.#tasks.shift()?.());
  }

  #configure(): void {
    const interfaces = this.node.nics.map(({ name }) => name);
    const { desired, random, world } = this.node;
    const before = this.#told;
    this.node.told = desired;
    this.#told = desired;
    // A file is told as a whole; a watch tells what has changed.
    if (before?.probing === desired.probing && random.chance(0.5)) this.#tellChanges(before, desired);
    else this.#step({ type: 'desired', desired, interfaces });
    this.#api?.onDesired();
    world.onConfigured(this.node);
  }

  #tellChanges(before: DesiredState, { services, lastResort = [] }: DesiredState): void {
    const names = new Set(services.map(({ name }) => name));
    const removed = before.services.map(({ name }) => name).filter((name) => !names.has(name));
    this.#step({ type: 'services', changed: services, removed });
    this.#step({ type: 'last-resort', nodes: lastResort });
  }

  /** JavaScript's turn comes after so long, and not while it stands still. */
  #later(delayMs: number, run: () => void): Timer {
    const { machine } = this.node;
    const timer: Timer = { cancelled: false };
    const fire = (): void => {
      if (!this.#alive || timer.cancelled) return;
      const stalledMs = this.node.stalledUntilMs - machine.nowMs;
      if (stalledMs > 0) machine.later(Math.min(stalledMs, STALL_LOOK_MS) + this.node.random.next(), fire);
      else run();
    };
    machine.later(delayMs, fire);
    return timer;
  }

  #emit(event: ThreadEvent): void {
    if (!this.#alive) return;
    if (event.type === 'peer') this.#reports.set(`${event.peer.interfaceName} ${event.peer.incarnation}`, event.peer);
    else this.#queue.push(event);
    if (this.#wakePending) return;
    this.#wakePending = true;
    const { random } = this.node;
    this.#later(random.chance(0.05) ? random.between(1, 10) : random.between(0.05, 0.5), () => this.#deliver());
  }

  /** Reports are coalesced beside the queue, and come first; but a batch may be taken just before the report. */
  #deliver(): void {
    this.#wakePending = false;
    const reports = [...this.#reports.values()];
    const queue = this.#queue;
    this.#reports.clear();
    this.#queue = [];
    const reportsFirst = this.node.random.chance(0.9);
    if (reportsFirst) for (const peer of reports) this.#step({ type: 'peer', peer });
    for (const event of queue) this.#onEvent(event);
    if (!reportsFirst) for (const peer of reports) this.#step({ type: 'peer', peer });
  }

  #onEvent(event: Queued): void {
    if (!this.#alive) return;
    switch (event.type) {
      case 'message': {
        const { interfaceName, node, incarnation, body } = event;
        const message = decode(body);
        if (message === null) throw new Error(`${this.node.name} cannot read a message of ${node}`);
        this.node.world.onHeard(this.node, interfaceName, node, message);
        this.#step({ type: 'message', interfaceName, node, incarnation, message });
        break;
      }
      case 'port-opened':
      case 'port-closed':
        if (event.type === 'port-opened') this.#usable.add(event.interfaceName);
        else this.#usable.delete(event.interfaceName);
        this.#step({ type: 'usable', interfaces: new Set(this.#usable) });
        break;
      case 'table-expired':
        break;
      default:
        this.#step(event);
    }
  }

  #step(event: SpeakerEvent): void {
    if (!this.#alive) return;
    const { node, core, thread } = this;
    const { world, machine } = node;
    world.trace?.(`${node.name} <- ${describeEvent(event)}`);
    if (event.type === 'sessions') this.toldNodesMs = Math.min(this.toldNodesMs, world.nowMs);
    const effects = core.step(event, machine.nowMs);
    for (const effect of effects) {
      world.trace?.(`${node.name} -> ${describeEffect(effect)}`);
      this.#carryOut(effect);
    }
    this.#api?.onEffects(effects);
    if (event.type === 'renewed') thread.renew(this.#untilMs);
    world.onStepped(node);
    if (this.leaving && core.stopped) {
      this.leaving = false;
      this.#close(machine.nowMs + LAST_WRITES_MS);
    }
    if (this.#tick) this.#tick.cancelled = true;
    const nextMs = core.nextMs(machine.nowMs);
    if (nextMs === null || !thread.alive) return;
    this.#tick = this.#later(Math.max(0, Math.ceil(nextMs - machine.nowMs)), () => this.#step({ type: 'tick' }));
  }

  /** What is still to be written is, for a while. */
  #close(untilMs: number): void {
    const { node } = this;
    node.machine.later(CLOSE_AFTER_MS, () => {
      if (this.#api?.busy && node.machine.nowMs < untilMs) this.#close(untilMs);
      else if (this.#alive && node.process === this) node.kill();
    });
  }

  #carryOut(effect: Effect): void {
    const { node, thread } = this;
    switch (effect.type) {
      case 'publish':
        node.world.onPublished(node, effect.table);
        thread.publish(effect.table, this.#untilMs);
        break;
      case 'announce':
        thread.announce(effect.addresses, effect.interfaceName, effect.schedule, effect.confirm);
        break;
      case 'probe':
        thread.probe(effect.addresses, effect.interfaceName, effect.offsetsMs);
        break;
      case 'advertise':
        thread.advertise(effect.interfaceName, effect.advertisement);
        break;
      case 'send':
        node.world.onSent(node, effect.interfaceName, effect.message);
        thread.send(effect.interfaceName, encode(effect.message));
        break;
      case 'serve':
        this.#lastServe = effect.generation;
        this.#serve(effect);
        break;
      case 'moved':
      case 'changed':
        break;
    }
  }

  get #untilMs(): number {
    return this.core.answerUntilMs;
  }

  #serve(effect: Extract<Effect, { type: 'serve' }>): void {
    const { node } = this;
    this.#later(node.serveDelayMs, () => {
      if (effect.generation !== this.#lastServe) return;
      if (node.serveFails) {
        this.#later(SERVE_RETRY_MS, () => this.#serve(effect));
        return;
      }
      node.served = new Set(effect.addresses);
      this.#step({ type: 'served', generation: effect.generation });
    });
  }

  #renew(): void {
    this.#later(RENEW_MS, () => {
      // Who stood still may have been replaced: nothing is prolonged before that is looked at.
      if (this.node.world.options.takeover === 'fenced') this.#step({ type: 'tick' });
      this.thread.renew(this.#untilMs);
      this.#renew();
    });
  }
}

function describeEvent(event: SpeakerEvent): string {
  switch (event.type) {
    case 'peer': {
      const { node, interfaceName, link, state, claimsVersion, heldVersion, hears } = event.peer;
      return `peer ${node} on ${interfaceName} ${link} ${state} claims ${claimsVersion} holds ${heldVersion} hears ${hears}`;
    }
    case 'message':
      return `message of ${event.node} on ${event.interfaceName} ${JSON.stringify(event.message)}`;
    case 'desired':
      return `desired ${event.desired.services.length} services`;
    case 'services':
      return `services ${event.changed.length} changed, ${event.removed.length} removed`;
    case 'usable':
      return `usable ${[...event.interfaces].join(' ')}`;
    default:
      return JSON.stringify(event);
  }
}

function describeEffect(effect: Effect): string {
  if (effect.type !== 'publish') return JSON.stringify(effect);
  const { entries, plans, tookSeen, holdsLifted } = effect.table;
  const answers = entries
    .filter(({ answer }) => answer.length > 0)
    .map(({ address, answer }) => `${address}@${answer}`);
  const armed = (plans ?? []).map(
    ({ interfaceName, incarnation, addresses }) => `${incarnation}@${interfaceName}:${addresses}`,
  );
  return `publish answers [${answers.join(' ')}] plans [${armed.join(' ')}] tookSeen ${tookSeen} holdsLifted ${JSON.stringify(holdsLifted)}`;
}
