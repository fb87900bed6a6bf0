import type { DesiredService, DesiredState } from '../../src/desired/desired.js';
import { type Address, parseAddress } from '../../src/net/address.js';
import type { Takeover } from '../../src/ownership/fence.js';
import type { CheckerFactory } from './checker.js';
import { ALL_CHECKERS, FENCED_CHECKERS } from './checkers/index.js';
import { type CoreFactory, productionCore } from './core.js';
import * as faults from './faults.js';
import { Random } from './random.js';
import { HOST_KINDS } from './sim_host.js';
import type { NodeNic, SimNode } from './sim_node.js';
import { STALL_LOOK_MS } from './sim_process.js';
import { World } from './world.js';

/** What may be fixed from outside; the rest is drawn from the seed. */
export interface ScenarioOptions {
  readonly seed: number;
  readonly nodes?: number | undefined;
  readonly addresses?: number | undefined;
  /** How long faults go on. */
  readonly minutes?: number | undefined;
  /** Default: fast. Fenced ones have one segment and an API server. */
  readonly takeover?: Takeover | undefined;
  readonly trustsWatch?: boolean | undefined;
  readonly makeCore?: CoreFactory | undefined;
  readonly checkers?: readonly CheckerFactory[] | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

const FAULTS_FROM_MS = 3_500;
/** After the last fault all has to be well within this. */
export const SETTLE_MS = 6_000;
/** A session, what follows its end, and what was tried before that and did not succeed. */
const SETTLE_FENCED_MS = 25_000;

/** A network drawn from the seed, with everything that happens to it: faults for a while, then peace. */
export function runRandom(options: ScenarioOptions): World {
  const random = new Random(options.seed, 'scenario');
  const scenario = new Scenario(options, random);
  scenario.run();
  return scenario.world;
}

class Scenario {
  readonly world: World;
  readonly #random: Random;
  readonly #addresses: readonly Address[];
  readonly #ends: faults.End[] = [];
  readonly #endMs: number;
  #desired: DesiredState;

  constructor(options: ScenarioOptions, random: Random) {
    this.#random = random;
    const count = options.nodes ?? random.integer(2, 5);
    const fenced = options.takeover === 'fenced';
    const segments = random.chance(0.25) && !fenced ? 2 : 1;
    const nodes = Array.from({ length: count }, () =>
      segments === 1 ? [0] : random.chance(0.7) ? [0, 1] : [random.integer(0, 1)],
    );
    this.#addresses = Array.from({ length: options.addresses ?? random.integer(4, 12) }, (_, index) =>
      parseAddress(random.chance(0.3) ? `fd00::${(index + 1).toString(16)}` : `10.1.${index >> 8}.${index & 255}`),
    );
    this.#desired = this.#draw(count);
    this.world = new World({
      seed: options.seed,
      nodes,
      segments,
      hosts: HOST_KINDS,
      desired: this.#desired,
      heartbeat: { intervalMs: random.pick([50, 50, 50, 100]), multiplier: random.pick([3, 3, 4]) },
      makeCore: options.makeCore ?? productionCore,
      checkers: options.checkers ?? (fenced ? FENCED_CHECKERS : ALL_CHECKERS),
      takeover: options.takeover,
      trustsWatch: options.trustsWatch,
      // A record says who owns an address, whatever the segment: nodes that share none would be held to one owner.
      api: fenced || (segments === 1 && new Random(options.seed, 'api').chance(0.6)),
      trace: options.trace,
    });
    // Sessions are longer than what else is looked at.
    const spanMs = fenced ? random.between(4_000, 40_000) : random.between(2_000, 9_000);
    this.#endMs = FAULTS_FROM_MS + (options.minutes === undefined ? spanMs : options.minutes * 60_000);
  }

  run(): void {
    const { world } = this;
    const random = this.#random;
    const together = random.chance(0.3);
    for (const node of world.nodes) {
      if (random.chance(0.3)) node.serveDelayMs = random.between(1, 400);
      world.queue.at(together ? 0 : random.between(0, 2_000), () => node.start());
    }
    for (const host of world.hosts) {
      for (const address of this.#addresses) world.queue.at(random.between(500, 3_400), () => host.use(address));
    }
    const spanMs = this.#endMs - FAULTS_FROM_MS;
    const events = Math.max(1, Math.round((spanMs / 1_000) * random.between(0.3, 1.5)));
    for (let index = 0; index < events; index += 1) {
      world.queue.at(FAULTS_FROM_MS + random.next() * spanMs, () => this.#fault());
    }
    world.runUntil(this.#endMs);
    this.#makePeace();
    world.runUntil(this.#endMs + (world.options.takeover === 'fenced' ? SETTLE_FENCED_MS : SETTLE_MS));
    world.settled();
  }

  #draw(count: number): DesiredState {
    const random = this.#random;
    const names = Array.from({ length: count }, (_, index) => `n${index}`);
    const services: DesiredService[] = [];
    // Now and then an address is not wanted for a while.
    const rest = this.#addresses.filter(() => !random.chance(0.1));
    while (rest.length > 0) {
      services.push({
        name: `s${services.length}`,
        addresses: rest.splice(0, random.integer(1, 3)),
        interfaces: null,
        nodes: random.chance(0.15) ? random.shuffled(names).slice(0, random.integer(1, count)) : null,
        prefer: random.chance(0.2) ? [{ node: random.pick(names), weight: random.integer(1, 100) }] : [],
      });
    }
    const lastResort = random.chance(0.3) ? random.shuffled(names).slice(0, random.integer(1, count)) : [];
    return { services, probing: random.chance(0.7) ? 'fast' : 'none', lastResort };
  }

  #note(what: string): void {
    this.world.trace?.(`FAULT ${what}`);
  }

  /** Short ones are as interesting as long ones, so lengths are drawn from a logarithmic scale. */
  #length(fromMs: number, to: number): number {
    const toMs = this.world.options.takeover === 'fenced' ? 4 * to : to;
    return fromMs * (toMs / fromMs) ** this.#random.next();
  }

  #lasting(what: string, ms: number, end: faults.End): void {
    this.#note(`${what} for ${ms.toFixed(0)} ms`);
    this.#ends.push(end);
    this.world.queue.after(ms, () => {
      this.#note(`end of ${what}`);
      end();
    });
  }

  #fault(): void {
    const { world } = this;
    if (world.nowMs >= this.#endMs) return;
    const random = this.#random;
    const node = random.pick(world.nodes);
    const nic = random.pick(node.nics);
    const kinds: [number, () => void][] = [
      [3, () => this.#restart(node, 'power loss', () => node.powerOff(), this.#length(100, 6_000))],
      [3, () => this.#restart(node, 'kill -9', () => node.kill(), this.#length(20, 4_000))],
      [3, () => this.#restart(node, 'SIGTERM', () => node.terminate(), this.#length(20, 4_000))],
      [2, () => this.#freeze(node)],
      [2, () => this.#stall(node)],
      [
        3,
        () =>
          this.#lasting(`link of ${node.name} ${nic.name} down`, this.#length(5, 4_000), faults.linkDown(world, nic)),
      ],
      [4, () => this.#cut(node, nic)],
      [4, () => this.#partition()],
      [3, () => this.#disturb()],
      [1, () => this.#clock(node)],
      [2, () => this.#drain(node)],
      [2, () => this.#move(node)],
      [1, () => this.#configure()],
      [1, () => this.#slowServe(node)],
    ];
    if (world.api !== null) {
      kinds.push([1, () => this.#lasting('API server down', this.#length(50, 6_000), faults.apiDown(world))]);
      const what = `${node.name} cut off from the API server`;
      kinds.push([1, () => this.#lasting(what, this.#length(50, 6_000), faults.apiCut(node))]);
      const segment = random.pick(world.segments);
      const filter = (): faults.End => faults.filterPeers(world, segment);
      kinds.push([1, () => this.#lasting(`heartbeats filtered on ${segment.name}`, this.#length(50, 5_000), filter())]);
    }
    if (world.options.takeover === 'fenced') kinds.push([10, () => this.#lapse(node)]);
    let ticket = random.next() * kinds.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, begin] of kinds) {
      ticket -= weight;
      if (ticket >= 0) continue;
      begin();
      return;
    }
  }

  #restart(node: SimNode, how: string, stop: () => void, downMs: number): void {
    this.#note(`${how} of ${node.name} for ${downMs.toFixed(0)} ms`);
    stop();
    this.#startLater(node, downMs);
  }

  #startLater(node: SimNode, afterMs: number): void {
    this.world.queue.after(afterMs, () => {
      // It may still be leaving; a service manager waits for the end.
      if (node.process?.leaving) this.#startLater(node, 50);
      else if (!node.running) {
        this.#note(`${node.name} starts`);
        node.start();
      }
    });
  }

  #freeze(node: SimNode): void {
    // No session protects from that.
    const clockStands = this.#random.chance(0.3) && this.world.options.takeover !== 'fenced';
    const what = `freeze of ${node.name}${clockStands ? ' with its clock' : ''}`;
    this.#lasting(what, this.#length(20, 6_000), faults.freeze(node, clockStands));
  }

  #stall(node: SimNode): void {
    const ms = this.#length(10, 7_000);
    this.#note(`JavaScript of ${node.name} stands still for ${ms.toFixed(0)} ms`);
    node.stall(ms);
  }

  /** Sessions lapse, and nodes are cut off meanwhile, or are told of nothing. */
  #lapse(node: SimNode): void {
    const { world } = this;
    const random = this.#random;
    const later = (run: () => void): void => {
      const atMs = world.nowMs + random.between(0, 14_000);
      if (atMs < this.#endMs) world.queue.at(atMs, run);
    };
    const ms = (): number => random.between(4_000, 30_000);
    const cutOff = (): void => this.#lasting(`${node.name} cut off from the API server`, ms(), faults.apiCut(node));
    if (random.chance(0.7)) cutOff();
    if (random.chance(0.6)) later(() => this.#partition(ms()));
    if (random.chance(0.2)) later(() => this.#lasting('API server down', ms(), faults.apiDown(world)));
    if (random.chance(0.4)) later(() => this.#stallWatch(random.pick(world.nodes), ms()));
    if (random.chance(0.2)) later(() => this.#cut(node, random.pick(node.nics), ms()));
  }

  #stallWatch(node: SimNode, ms: number): void {
    this.#note(`${node.name} is told nothing by its watches for ${ms.toFixed(0)} ms`);
    node.watchStalledUntilMs = node.machine.nowMs + ms;
  }

  #cut(node: SimNode, nic: NodeNic, ms = this.#length(20, 8_000)): void {
    const direction = this.#random.pick(['deaf', 'mute', 'both', 'both'] as const);
    this.#lasting(`${node.name} ${nic.name} cut (${direction})`, ms, faults.cut(this.world, nic, direction));
  }

  #partition(ms = this.#length(30, 5_000)): void {
    const segment = this.#random.pick(this.world.segments);
    const names = segment.nics.map((nic) =>
      nic.isNode ? (nic as NodeNic).node.name : this.world.hosts.find((host) => host === nic)!.name,
    );
    const away = new Set(names.filter(() => this.#random.chance(0.5)));
    const what = `partition of ${segment.name}: ${[...away].join(' ')} on the far side`;
    this.#lasting(what, ms, faults.partition(this.world, segment, away));
  }

  #disturb(): void {
    const random = this.#random;
    const segment = random.pick(this.world.segments);
    const loss = random.chance(0.6) ? random.between(0.01, 0.5) : 0;
    const late = random.chance(0.5);
    const disturbance = {
      loss,
      duplication: random.chance(0.4) ? random.between(0, 0.5) : 0,
      reordering: late ? random.between(0, 0.3) : 0,
      lateMs: late ? this.#length(1, 200) : 0,
      jitterMs: random.chance(0.3) ? this.#length(1, 60) : 0.1,
    };
    const what = `${segment.name} bad ${JSON.stringify(disturbance)}`;
    this.#lasting(what, this.#length(50, 3_000), faults.disturb(this.world, segment, disturbance));
  }

  #clock(node: SimNode): void {
    node.machine.wallSkewMs = this.#random.between(-3_600_000, 3_600_000);
    this.#note(`wall clock of ${node.name} is off by ${node.machine.wallSkewMs.toFixed(0)} ms`);
  }

  #drain(node: SimNode): void {
    this.#lasting(`drain of ${node.name}`, this.#length(200, 4_000), faults.drain(this.world, node));
  }

  #move(node: SimNode): void {
    const address = this.#random.pick(this.#addresses);
    const to = this.#random.pick(this.world.nodes);
    this.#note(`move of ${address} to ${to.name}, asked of ${node.name}`);
    faults.move(this.world, node, address, to);
  }

  #configure(): void {
    this.#desired = this.#draw(this.world.nodes.length);
    this.#note('another configuration');
    faults.configure(this.world, this.#desired, this.#length(1, 2_500));
  }

  #slowServe(node: SimNode): void {
    const fails = this.#random.chance(0.5);
    const delayMs = this.#length(5, 800);
    const what = `lo of ${node.name} ${fails ? 'refuses addresses' : `takes ${delayMs.toFixed(0)} ms`}`;
    this.#lasting(what, this.#length(100, 3_000), faults.slowServe(this.world, node, delayMs, fails));
  }

  #makePeace(): void {
    this.#note('over: peace');
    for (const end of this.#ends) end();
    // Who has not heard of it yet does now.
    faults.configure(this.world, this.#desired, 0);
    for (const node of this.world.nodes) {
      if (!node.running || node.process?.leaving) this.#startLater(node, 10);
      // All that waited for it happens within a moment then, as after any stall.
      node.stalledUntilMs = Math.min(node.stalledUntilMs, node.machine.nowMs + STALL_LOOK_MS);
      node.watchStalledUntilMs = 0;
    }
  }
}
