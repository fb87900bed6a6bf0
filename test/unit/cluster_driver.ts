import type { DesiredService } from '../../src/desired/desired.js';
import type { Address } from '../../src/net/address.js';
import type { PeerMessage } from '../../src/ownership/message.js';
import type { Advertisement, PeerReport, Table } from '../../src/responder/types.js';
import { type Effect, Speaker, type SpeakerEvent } from '../../src/speaker.js';

const INTERVAL_MS = 50;
const DETECTION_MS = 150;
const TICK_MS = 10;

interface Node {
  readonly name: string;
  readonly incarnation: string;
  readonly speaker: Speaker;
  advertisement: Advertisement;
  table: Table;
  alive: boolean;
  /** What is to be served, by its last number. */
  serving: number;
  /** When each other node was heard last, by name. */
  readonly heardMs: Map<string, number>;
}

/**
 * Speakers on one segment with a plain model of their packet threads: heartbeats every 50 ms, all at once, messages and
 * effects without delay. Who hears whom is up to `hears`. For more than that there is the simulator.
 */
export class Cluster {
  readonly nodes = new Map<string, Node>();
  readonly effects: { readonly node: string; readonly effect: Effect }[] = [];
  nowMs = 0;
  hears: (to: string, from: string) => boolean = () => true;
  /** Nodes on which nothing that is to be served gets into its place. */
  readonly unserved = new Set<string>();
  #starts = 0;
  #delivering = false;
  readonly #mail: { readonly from: Node; readonly message: PeerMessage }[] = [];

  #lastResort: readonly string[] = [];

  constructor(private services: readonly DesiredService[]) {}

  start(name: string): Node {
    const node = this.startListening(name);
    this.#desire(node);
    return node;
  }

  /** It does not know what is wanted yet: {@link desireNow} tells. */
  startListening(name: string): Node {
    this.#starts += 1;
    const incarnation = this.#starts.toString(16).padStart(16, '0');
    const node: Node = {
      name,
      incarnation,
      speaker: new Speaker({
        node: name,
        incarnation,
        heartbeat: { intervalMs: INTERVAL_MS, multiplier: 3 },
        random: () => 0.5,
      }),
      advertisement: { state: 'joining', claimsVersion: 0, claimsDigest: 0, held: [] },
      table: { interfaces: [], entries: [] },
      alive: true,
      serving: 0,
      heardMs: new Map(),
    };
    this.nodes.set(name, node);
    this.step(name, { type: 'usable', interfaces: new Set(['eth0']) });
    this.step(name, { type: 'listen', interfaces: ['eth0'] });
    return node;
  }

  /** One node is told all that is wanted. */
  desireNow(name: string): void {
    this.#desire(this.node(name));
  }

  /** A crash: it says nothing more. */
  kill(name: string): void {
    this.node(name).alive = false;
  }

  desire(services: readonly DesiredService[]): void {
    this.services = services;
    for (const node of this.nodes.values()) if (node.alive) this.#desire(node);
  }

  /** On an unserved node all gets into its place. */
  serveNow(name: string): void {
    this.unserved.delete(name);
    this.step(name, { type: 'served', generation: this.node(name).serving });
  }

  /** One node hears of a change; the others do so later, or never. */
  desireAt(name: string, changed: readonly DesiredService[], removed: readonly string[] = []): void {
    this.step(name, { type: 'services', changed, removed });
  }

  lastResort(nodes: readonly string[], told: readonly string[] = [...this.nodes.keys()]): void {
    this.#lastResort = nodes;
    for (const name of told) this.step(name, { type: 'last-resort', nodes });
  }

  node(name: string): Node {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`there is no node ${name}`);
    return node;
  }

  step(name: string, event: SpeakerEvent): void {
    const node = this.node(name);
    if (!node.alive) return;
    let serve: number | null = null;
    for (const effect of node.speaker.step(event, this.nowMs)) {
      this.effects.push({ node: name, effect });
      if (effect.type === 'publish') node.table = effect.table;
      if (effect.type === 'advertise') node.advertisement = effect.advertisement;
      if (effect.type === 'serve') serve = node.serving = effect.generation;
      if (effect.type === 'send') this.#mail.push({ from: node, message: effect.message });
    }
    if (serve !== null && !this.unserved.has(name)) this.step(name, { type: 'served', generation: serve });
    if (!this.#delivering) this.#deliver();
  }

  /** Lets time pass: a heartbeat round every 50 ms, every due tick in between. */
  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    while (this.nowMs < untilMs) {
      this.nowMs += TICK_MS;
      for (const node of this.nodes.values()) this.#tick(node);
      if (this.nowMs % INTERVAL_MS === 0) this.#heartbeats();
    }
  }

  /** Names of the nodes that answer for the address. */
  answering(address: Address): string[] {
    return [...this.nodes.values()]
      .filter(
        ({ alive, table }) =>
          alive && table.entries.some((entry) => entry.address === address && entry.answer.length > 0),
      )
      .map(({ name }) => name);
  }

  /** How often the address got another owner, as this node saw it. */
  ownersSeenBy(name: string, address: Address): (string | null)[] {
    return this.effects.flatMap(({ node, effect }) =>
      node === name && effect.type === 'moved' && effect.addresses.includes(address) ? [effect.to] : [],
    );
  }

  /** Messages arrive after all effects of the step that sent them. */
  #deliver(): void {
    this.#delivering = true;
    for (let mail = this.#mail.shift(); mail; mail = this.#mail.shift()) {
      const { name, incarnation } = mail.from;
      for (const other of this.nodes.values()) {
        if (other === mail.from || !this.hears(other.name, name) || !other.heardMs.has(name)) continue;
        this.step(other.name, {
          type: 'message',
          interfaceName: 'eth0',
          node: name,
          incarnation,
          message: mail.message,
        });
      }
    }
    this.#delivering = false;
  }

  #desire({ name }: Node): void {
    const desired = { services: this.services, probing: 'fast', lastResort: this.#lastResort } as const;
    this.step(name, { type: 'desired', desired, interfaces: ['eth0'] });
  }

  #tick({ name, speaker, alive }: Node): void {
    // What was due since the last look counts; asked later, it would not be told.
    const nextMs = alive ? speaker.nextMs(this.nowMs - TICK_MS) : null;
    if (nextMs !== null && nextMs <= this.nowMs) this.step(name, { type: 'tick' });
  }

  #heartbeats(): void {
    const alive = [...this.nodes.values()].filter((node) => node.alive);
    for (const to of alive) {
      for (const from of alive)
        if (to !== from && this.hears(to.name, from.name)) to.heardMs.set(from.name, this.nowMs);
    }
    for (const to of alive) {
      for (const from of this.nodes.values()) {
        if (to !== from && to.heardMs.has(from.name))
          this.step(to.name, { type: 'peer', peer: this.#report(to, from) });
      }
    }
  }

  #isHeard(to: Node, from: Node): boolean {
    return this.nowMs - (to.heardMs.get(from.name) ?? Number.NEGATIVE_INFINITY) < DETECTION_MS;
  }

  #report(to: Node, from: Node): PeerReport {
    const { advertisement, incarnation, name } = from;
    const heard = this.#isHeard(to, from) && advertisement.state !== 'leaving';
    const hears = [...this.nodes.values()].filter(
      (other) => other !== from && other !== to && this.#isHeard(from, other),
    );
    return {
      node: name,
      interfaceName: 'eth0',
      incarnation,
      mac: `02:00:00:00:00:${incarnation.slice(-2)}`,
      state: advertisement.state,
      link: !heard ? 'down' : this.#isHeard(from, to) ? 'two-way' : 'one-way',
      intervalMs: INTERVAL_MS,
      multiplier: 3,
      hears: hears.length,
      claimsVersion: advertisement.claimsVersion,
      claimsDigest: advertisement.claimsDigest,
      heldVersion: advertisement.held.find(([other]) => other === to.incarnation)?.[1] ?? 0,
    };
  }
}
