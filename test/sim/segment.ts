import type { EventQueue } from './event_queue.js';
import type { Frame } from './frames.js';
import type { Random } from './random.js';

/** Something with a cable in the segment. */
export interface Nic {
  readonly mac: string;
  /** Nodes hear heartbeats; hosts have no use for them. */
  readonly isNode: boolean;
  readonly segment: Segment;
  receive(frame: Frame): void;
  /** Nothing arrives. */
  deaf: boolean;
  /** Nothing goes out. */
  mute: boolean;
  carrier: boolean;
  /** Nics of different groups are cut off from each other. */
  group: number;
  /** When what it sent last arrives: nothing overtakes it, unless the segment is bad. */
  arrivalMs: number;
}

export interface SegmentFaults {
  /** 0..1, drawn for each receiver. */
  loss: number;
  duplication: number;
  /** Share of frames that are late by up to `lateMs`, so that later ones overtake them. */
  reordering: number;
  lateMs: number;
  /** Added to every delay, at random up to this. */
  jitterMs: number;
}

const BASE_DELAY_MS = 0.05;
const QUIET: SegmentFaults = { loss: 0, duplication: 0, reordering: 0, lateMs: 0, jitterMs: 0.1 };

/** An Ethernet segment: who sends reaches everybody of its group, after a delay, or not at all. */
export class Segment {
  faults: SegmentFaults = { ...QUIET };
  /** The switches forward ARP and NDP, and nothing that nodes tell each other. */
  filtersPeers = false;
  /** Frames of the heartbeat protocol sent, for the table of growth. */
  readonly sent = { heartbeats: 0, messages: 0, messageBytes: 0, arp: 0 };
  readonly #nodes: Nic[] = [];
  readonly #all: Nic[] = [];
  readonly #byMac = new Map<string, Nic>();

  constructor(
    readonly name: string,
    readonly queue: EventQueue,
    readonly random: Random,
  ) {}

  attach(nic: Nic): void {
    this.#all.push(nic);
    if (nic.isNode) this.#nodes.push(nic);
    this.#byMac.set(nic.mac, nic);
  }

  get nics(): readonly Nic[] {
    return this.#all;
  }

  nicOf(mac: string): Nic | undefined {
    return this.#byMac.get(mac);
  }

  calm(): void {
    this.faults = { ...QUIET };
  }

  get lossy(): boolean {
    return this.faults.loss > 0 || this.faults.reordering > 0 || this.faults.jitterMs > 5;
  }

  /** The longest that a frame may be under way. */
  get maxDelayMs(): number {
    return BASE_DELAY_MS + this.faults.jitterMs + this.faults.lateMs;
  }

  /** Sends to one, by MAC, or to all. */
  send(from: Nic, frame: Frame, to: string | null = null): void {
    if (from.mute || !from.carrier) return;
    this.#count(frame);
    if (this.filtersPeers && (frame.kind === 'heartbeat' || frame.kind === 'message')) return;
    const { loss, duplication, reordering, lateMs, jitterMs } = this.faults;
    const { random, queue } = this;
    const target = to === null ? undefined : this.#byMac.get(to);
    if (to !== null && target === undefined) return;
    const arrivalMs = Math.max(queue.nowMs + BASE_DELAY_MS + jitterMs * random.next(), from.arrivalMs + 1e-3);
    from.arrivalMs = arrivalMs;
    if (loss === 0 && duplication === 0 && reordering === 0) {
      queue.at(arrivalMs, () => {
        if (target) deliver(from, target, frame);
        else this.#deliverAll(from, frame);
      });
      return;
    }
    const receivers = target ? [target] : this.#audience(frame);
    for (const receiver of receivers) {
      if (receiver === from || random.chance(loss)) continue;
      const copies = random.chance(duplication) ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) {
        const extraMs = random.chance(reordering) ? lateMs * random.next() : 0;
        queue.at(arrivalMs + extraMs + copy * random.next(), () => deliver(from, receiver, frame));
      }
    }
  }

  #deliverAll(from: Nic, frame: Frame): void {
    for (const receiver of this.#audience(frame)) if (receiver !== from) deliver(from, receiver, frame);
  }

  #audience(frame: Frame): readonly Nic[] {
    return frame.kind === 'heartbeat' || frame.kind === 'message' ? this.#nodes : this.#all;
  }

  #count(frame: Frame): void {
    if (frame.kind === 'heartbeat') this.sent.heartbeats += 1;
    else if (frame.kind === 'message') {
      this.sent.messages += 1;
      this.sent.messageBytes += frame.body.length;
    } else this.sent.arp += 1;
  }
}

/** Whether frames get from one to the other now. */
export function reaches(from: Nic, to: Nic): boolean {
  return from.segment === to.segment && from.carrier && to.carrier && !from.mute && !to.deaf && from.group === to.group;
}

function deliver(from: Nic, to: Nic, frame: Frame): void {
  if (to.carrier && !to.deaf && from.group === to.group) to.receive(frame);
}
