import type { Schedule } from '../../src/claim/timing.js';
import { MOVED_SCHEDULE } from '../../src/claim/timing.js';
import { type Address, familyOf } from '../../src/net/address.js';
import type { Advertisement, ResponderEvent, Table } from '../../src/responder/types.js';
import { TABLE_LIFETIME_MS } from '../../src/table/lifetime.js';
import type { Timer } from './event_queue.js';
import type { ArpFrame, Frame } from './frames.js';
import type { Machine } from './machine.js';
import { type Peer, reportOf } from './peer_table.js';
import type { Random } from './random.js';
import type { Nic } from './segment.js';
import { type Identity, SimPort } from './sim_port.js';

const RIVAL_REPORT_MS = 200;
const CONFIRM_RETRIES_MS = [0, 50, 200, 1_000];
/** A large burst goes out in slices, about 10,000 frames in 40 ms. */
const SLICE = 256;

export type ThreadEvent = Extract<
  ResponderEvent,
  { type: 'peer' | 'message' | 'took' | 'held' | 'rival' | 'port-opened' | 'port-closed' | 'table-expired' }
>;

export interface ThreadHooks {
  readonly emit: (event: ThreadEvent) => void;
  readonly answering: (interfaceName: string, address: Address, on: boolean) => void;
  readonly announced: (interfaceName: string, address: Address) => void;
}

/** The packet thread of one process, as native/responder behaves: it never waits for JavaScript. */
export class SimThread {
  readonly ports = new Map<string, SimPort>();
  /** Directed requests sent, by "address client" with the time of the last, and those answered at our MAC. */
  readonly asked = new Map<string, number>();
  readonly confirmed = new Set<string>();
  alive = true;
  #plans = new Map<string, readonly Address[]>();
  #deadlineMs = 0;
  #deadline: Timer | null = null;
  #expired = false;
  #took = 0;
  #holds = 0;

  constructor(
    readonly identity: Identity,
    readonly machine: Machine,
    readonly random: Random,
    readonly hooks: ThreadHooks,
  ) {}

  get answers(): boolean {
    return this.alive && !this.#expired && this.machine.powered && !this.machine.frozen;
  }

  addPort(name: string, nic: Nic): void {
    const port: SimPort = new SimPort(name, nic, this.identity, this.machine, this.random, {
      changed: (peer) => this.hooks.emit({ type: 'peer', peer: reportOf(peer, name) }),
      lost: (peer) => this.#takeOver(port, peer),
      appeared: () => port.beatSoon(),
    });
    this.ports.set(name, port);
    this.linkChanged(port);
  }

  linkChanged(port: SimPort): void {
    if (port.nic.carrier && !port.open) {
      // The kernel sets up the rings on another thread.
      this.machine.later(this.random.between(2, 40), () => this.#openPort(port));
    } else if (!port.nic.carrier && port.open) {
      port.shut();
      this.#refresh(port);
      this.hooks.emit({ type: 'port-closed', interfaceName: port.name, reason: 'no carrier' });
    }
  }

  publish(table: Table, untilMs = Number.POSITIVE_INFINITY): void {
    if (!this.alive) return;
    const seen = table.tookSeen ?? 0;
    this.#plans = new Map(
      (table.plans ?? []).map((plan) => [`${plan.interfaceName} ${plan.incarnation}`, plan.addresses]),
    );
    const lifted: SimPort[] = [];
    for (const port of this.ports.values()) {
      const selected = new Set<Address>();
      const wanted = new Set<Address>();
      const tentative = new Set<Address>();
      const quiet = new Set<Address>();
      for (const entry of table.entries) {
        if (entry.selected.includes(port.name)) selected.add(entry.address);
        if (entry.answer.includes(port.name)) wanted.add(entry.address);
        if (entry.tentative.includes(port.name)) tentative.add(entry.address);
        if (entry.quiet?.includes(port.name)) quiet.add(entry.address);
      }
      port.selected = selected;
      port.wanted = wanted;
      port.tentative = tentative;
      port.quiet = quiet;
      for (const [address, number] of port.taken) {
        if (number <= seen || !selected.has(address)) port.taken.delete(address);
      }
      if (port.held !== 0 && port.held <= (table.holdsLifted?.[port.name] ?? 0)) {
        port.held = 0;
        lifted.push(port);
      }
    }
    this.renew(untilMs);
    for (const port of this.ports.values()) this.#refresh(port);
    // What link-up left unannounced.
    for (const port of lifted) this.#announceAnswered(port);
  }

  renew(untilMs = Number.POSITIVE_INFINITY): void {
    if (!this.alive) return;
    const first = this.#deadlineMs === 0;
    const { nowMs } = this.machine;
    this.#deadlineMs = Math.max(nowMs + 1, Math.min(nowMs + TABLE_LIFETIME_MS, untilMs));
    if (first || Number.isFinite(untilMs)) this.#watchDeadline();
    if (!this.#expired) return;
    this.#expired = false;
    this.#watchDeadline();
    for (const port of this.ports.values()) {
      port.speak();
      if (port.peers.everTwoWay) this.#hold(port, 'table-expired');
      this.#refresh(port);
      port.beatSoon();
    }
  }

  advertise(interfaceName: string, advertisement: Advertisement): void {
    if (this.alive) this.ports.get(interfaceName)?.advertise(advertisement);
  }

  send(interfaceName: string, body: Uint8Array): void {
    if (this.alive) this.ports.get(interfaceName)?.send(body);
  }

  announce(addresses: readonly Address[], interfaceName: string, schedule: Schedule, confirm: boolean): void {
    const port = this.ports.get(interfaceName);
    if (port === undefined || !this.alive) return;
    for (const family of ['ipv4', 'ipv6'] as const) {
      const own = addresses.filter((address) => familyOf(address) === family);
      if (own.length === 0) continue;
      for (const offsetMs of schedule[family])
        this.#sliced(own, offsetMs, (address) => this.#sendAnnounce(port, address));
    }
    if (confirm) this.#confirm(port, addresses);
  }

  probe(addresses: readonly Address[], interfaceName: string, offsetsMs: readonly number[]): void {
    const port = this.ports.get(interfaceName);
    if (port === undefined || !this.alive) return;
    const send = (address: Address): void => {
      if (port.open && port.selected.has(address)) {
        port.segment.send(port.nic, { kind: 'probe', mac: port.nic.mac, address });
      }
    };
    for (const offsetMs of offsetsMs) this.#sliced(addresses, offsetMs, send);
  }

  receive(port: SimPort, frame: Frame): void {
    if (!this.alive || !port.open) return;
    if (frame.kind === 'heartbeat' || frame.kind === 'message') {
      const peer = port.hear(frame);
      if (frame.kind === 'message' && peer?.everTwoWay) {
        const { node, incarnation } = peer;
        this.hooks.emit({ type: 'message', interfaceName: port.name, node, incarnation, body: frame.body });
      }
      return;
    }
    this.#receiveArp(port, frame);
  }

  /** Stood still for so long by our own clock. */
  resumed(pauseMs: number): void {
    if (!this.alive) return;
    if (!this.#expired && this.#deadlineMs > 0 && this.machine.nowMs >= this.#deadlineMs) this.#expire();
    for (const port of this.ports.values()) {
      if (pauseMs > port.intervalMs) port.peers.shift(pauseMs);
      if (pauseMs > port.intervalMs * this.identity.multiplier && port.peers.hasTwoWay()) this.#hold(port, 'paused');
      this.#refresh(port);
    }
  }

  /** The process is gone; nothing is said. */
  kill(): void {
    this.alive = false;
    for (const port of this.ports.values()) {
      port.end();
      this.#refresh(port);
    }
  }

  /** Computes anew what is answered; also when the machine froze or lost its power. */
  refreshAll(): void {
    for (const port of this.ports.values()) this.#refresh(port);
  }

  #openPort(port: SimPort): void {
    if (!this.alive || port.open || !port.nic.carrier) return;
    if (port.wasOpen && port.peers.everTwoWay) this.#hold(port, 'link-returned');
    port.start();
    this.hooks.emit({ type: 'port-opened', interfaceName: port.name, mac: port.nic.mac });
    this.#refresh(port);
    this.#announceAnswered(port);
  }

  #announceAnswered(port: SimPort): void {
    this.announce([...port.answering], port.name, MOVED_SCHEDULE, false);
  }

  #hold(port: SimPort, reason: 'link-returned' | 'paused' | 'table-expired'): void {
    this.#holds += 1;
    port.held = this.#holds;
    this.hooks.emit({ type: 'held', number: this.#holds, interfaceName: port.name, reason });
  }

  #takeOver(port: SimPort, peer: Peer): void {
    const key = `${port.name} ${peer.incarnation}`;
    const plan = this.#plans.get(key);
    if (plan === undefined || !port.open || port.held !== 0 || port.advertised.state === 'joining' || !this.answers)
      return;
    this.#plans.delete(key);
    const addresses = plan.filter((address) => port.selected.has(address) && !port.answering.has(address));
    if (addresses.length === 0) return;
    this.#took += 1;
    const { node, incarnation } = peer;
    for (const address of addresses) port.taken.set(address, this.#took);
    this.#refresh(port);
    this.announce(addresses, port.name, MOVED_SCHEDULE, true);
    const afterMs = this.machine.nowMs - peer.heardMs;
    this.hooks.emit({
      type: 'took',
      number: this.#took,
      interfaceName: port.name,
      node,
      incarnation,
      addresses,
      afterMs,
    });
  }

  #watchDeadline(): void {
    if (this.#deadline) this.#deadline.cancelled = true;
    this.#deadline = this.machine.later(this.#deadlineMs - this.machine.nowMs, () => {
      if (!this.alive || this.#expired) return;
      if (this.machine.nowMs < this.#deadlineMs) this.#watchDeadline();
      else this.#expire();
    });
  }

  #expire(): void {
    this.#expired = true;
    for (const port of this.ports.values()) {
      port.fallSilent();
      this.#refresh(port);
    }
    this.hooks.emit({ type: 'table-expired' });
  }

  #refresh(port: SimPort): void {
    const may = this.answers && port.open && port.held === 0;
    const { answering, wanted, taken } = port;
    for (const address of answering) {
      if (may && (wanted.has(address) || taken.has(address))) continue;
      answering.delete(address);
      this.hooks.answering(port.name, address, false);
    }
    if (!may) return;
    for (const source of [wanted, taken.keys()]) {
      for (const address of source) {
        if (answering.has(address)) continue;
        answering.add(address);
        this.hooks.answering(port.name, address, true);
      }
    }
  }

  #receiveArp(port: SimPort, frame: ArpFrame): void {
    const { address, mac } = frame;
    const answering = port.answering.has(address);
    switch (frame.kind) {
      case 'request':
        if (port.selected.has(address)) port.remember(address, frame.client, mac);
        if (answering) this.#answer(port, address, mac);
        return;
      case 'confirm':
        if (port.selected.has(address)) this.confirmed.add(`${address} ${frame.client}`);
        return;
      case 'probe':
        if (!port.selected.has(address)) return;
        if (answering && !port.tentative.has(address)) this.#answer(port, address, mac);
        this.#rival(port, familyOf(address) === 'ipv4' ? 'arp-probe' : 'dad', address, mac);
        return;
      case 'answer':
      case 'announce':
      case 'directed':
        if (port.selected.has(address)) {
          this.#rival(port, familyOf(address) === 'ipv4' ? 'arp' : 'na', address, mac);
        }
    }
  }

  #answer(port: SimPort, address: Address, to: string): void {
    port.segment.send(port.nic, { kind: 'answer', mac: port.nic.mac, address }, to);
  }

  #rival(port: SimPort, kind: 'arp' | 'arp-probe' | 'na' | 'dad', address: Address, mac: string): void {
    // A peer that uses what we do not answer is its owner: no news, and thousands of them in a burst.
    if (!port.answering.has(address) && port.peers.knowsMac(mac)) return;
    const key = `${mac} ${address} ${kind}`;
    const nowMs = this.machine.nowMs;
    const lastMs = port.rivalReportedMs.get(key);
    if (lastMs !== undefined && nowMs - lastMs < RIVAL_REPORT_MS) return;
    port.rivalReportedMs.set(key, nowMs);
    this.hooks.emit({ type: 'rival', kind, address, interfaceName: port.name, mac });
  }

  #sendAnnounce(port: SimPort, address: Address): void {
    if (!port.answering.has(address) || port.tentative.has(address) || port.quiet.has(address)) return;
    port.segment.send(port.nic, { kind: 'announce', mac: port.nic.mac, address });
    this.hooks.announced(port.name, address);
  }

  /** Asks every journaled client to follow, after the announcement, until it answers at our MAC. */
  #confirm(port: SimPort, addresses: readonly Address[]): void {
    const ask = (address: Address): void => {
      for (const [client, mac] of port.journal.get(address) ?? []) {
        const key = `${address} ${client}`;
        if (this.confirmed.has(key) || !port.answering.has(address) || port.quiet.has(address)) continue;
        this.asked.set(key, port.segment.queue.nowMs);
        port.segment.send(port.nic, { kind: 'directed', mac: port.nic.mac, address, client }, mac);
      }
    };
    for (const address of addresses) {
      for (const client of port.journal.get(address)?.keys() ?? []) this.confirmed.delete(`${address} ${client}`);
    }
    for (const offsetMs of CONFIRM_RETRIES_MS) this.#sliced(addresses, offsetMs, ask);
  }

  #sliced(addresses: readonly Address[], offsetMs: number, act: (address: Address) => void): void {
    const run = (from: number): void => {
      if (!this.alive) return;
      for (const address of addresses.slice(from, from + SLICE)) act(address);
      if (from + SLICE < addresses.length) this.machine.later(1, () => run(from + SLICE));
    };
    if (offsetMs === 0) run(0);
    else this.machine.later(offsetMs, () => run(0));
  }
}
