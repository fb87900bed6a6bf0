import { createHash, createHmac } from 'node:crypto';
import { addon, macBytes, type NativeHeartbeatEvent, type NativeHeartbeater } from '../../src/responder/addon.js';
import type { Advertisement, HeartbeatOptions, NodeState } from '../../src/responder/types.js';

const MULTICAST = 2;
const STATES: readonly NodeState[] = ['joining', 'ready', 'draining', 'leaving'];
const GROUP = '03:61:72:70:67:00';
export const SLOT = 0;

export const READY: Advertisement = { state: 'ready', claimsVersion: 0, claimsDigest: 0, held: [] };

/** `text` as the 16 digits of an incarnation. */
export const incarnation = (number: number | bigint) => number.toString(16).padStart(16, '0');

export interface HeardPeer {
  readonly incarnation: string;
  readonly sequence: number;
  readonly held: number;
}

/** A heartbeat as the table of ARCHITECTURE.md describes it, written and read here without native code. */
export interface Heartbeat {
  readonly mac: string;
  readonly node: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly intervalMs: number;
  readonly multiplier: number;
  readonly state: NodeState;
  readonly claimsVersion: number;
  readonly peerCount: number;
  readonly slice: number;
  readonly slices: number;
  readonly heard: readonly HeardPeer[];
  /** Set: a message with these bytes, not a heartbeat. */
  readonly message: Uint8Array | null;
  readonly key: Uint8Array | null;
}

const DEFAULTS: Heartbeat = {
  mac: '02:00:00:00:00:b1',
  node: 'host-b',
  incarnation: incarnation(0xb1),
  sequence: 1,
  intervalMs: 50,
  multiplier: 3,
  state: 'ready',
  claimsVersion: 0,
  peerCount: 0,
  slice: 0,
  slices: 1,
  heard: [],
  message: null,
  key: null,
};

export function encode(fields: Partial<Heartbeat>): Uint8Array {
  const beat: Heartbeat = { ...DEFAULTS, peerCount: fields.heard?.length ?? 0, ...fields };
  const name = Buffer.from(beat.node);
  const entries = beat.heard.map((peer) => {
    const entry = Buffer.alloc(16);
    entry.write(peer.incarnation, 'hex');
    entry.writeUInt32BE(peer.sequence, 8);
    entry.writeUInt32BE(peer.held, 12);
    return entry;
  });
  const list = Buffer.alloc(13);
  list.writeUInt32BE(beat.claimsVersion, 0);
  list.writeUInt16BE(beat.peerCount, 8);
  list.set([beat.slice, beat.slices, entries.length], 10);
  const body = beat.message === null ? Buffer.concat([list, ...entries]) : Buffer.from(beat.message);
  const header = Buffer.alloc(43);
  header.write('ARPG');
  header.set([1, 0, beat.message === null ? 1 : 2, beat.key === null ? 0 : 1], 4);
  header.writeUInt16BE(43 + name.length + body.length + (beat.key === null ? 0 : 16), 8);
  header.writeUInt16BE(43 + name.length, 10);
  createHash('sha256').update('lab').digest().copy(header, 12, 0, 8);
  header.write(beat.incarnation, 20, 'hex');
  header.writeBigUInt64BE(BigInt(beat.sequence), 28);
  header.writeUInt32BE(beat.intervalMs * 1000, 36);
  header.set([beat.multiplier, STATES.indexOf(beat.state), name.length], 40);
  const ethernet = Buffer.concat([macBytes(GROUP), macBytes(beat.mac), Buffer.from([0x88, 0xb5])]);
  const frame = Buffer.concat([ethernet, header, name, body]);
  if (beat.key === null) return frame;
  return Buffer.concat([frame, createHmac('sha256', beat.key).update(frame.subarray(6)).digest().subarray(0, 16)]);
}

/** Reads a frame without MAC. */
export function decode(bytes: Uint8Array): Heartbeat {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = 14 + frame.readUInt16BE(24);
  const isMessage = frame[20] === 2;
  const count = isMessage ? 0 : frame[at + 12]!;
  const heard = Array.from({ length: count }, (_, index) => {
    const entry = frame.subarray(at + 13 + index * 16);
    return {
      incarnation: entry.toString('hex', 0, 8),
      sequence: entry.readUInt32BE(8),
      held: entry.readUInt32BE(12),
    };
  });
  return {
    mac: frame.toString('hex', 6, 12).replace(/..(?=.)/g, '$&:'),
    node: frame.toString('utf8', 57, 57 + frame[56]!),
    incarnation: frame.toString('hex', 34, 42),
    sequence: Number(frame.readBigUInt64BE(42)),
    intervalMs: frame.readUInt32BE(50) / 1000,
    multiplier: frame[54]!,
    state: STATES[frame[55]!]!,
    claimsVersion: isMessage ? 0 : frame.readUInt32BE(at),
    peerCount: isMessage ? 0 : frame.readUInt16BE(at + 8),
    slice: isMessage ? 0 : frame[at + 10]!,
    slices: isMessage ? 0 : frame[at + 11]!,
    heard,
    message: isMessage ? frame.subarray(at, 14 + frame.readUInt16BE(22)) : null,
    key: null,
  };
}

export type TimedEvent = NativeHeartbeatEvent & { readonly atMs: number };

/** One node's Heartbeater with one open port, and all that it said so far. */
export class TestNode {
  readonly mac: string;
  readonly heartbeater: NativeHeartbeater;
  events: TimedEvent[] = [];
  #nowMs = 0;

  constructor(
    readonly name: string,
    readonly number: number,
    readonly options: Partial<HeartbeatOptions & { random: number; mac: string }> = {},
  ) {
    const digits = number.toString(16).padStart(4, '0');
    const { random = 0, mac = `02:00:00:00:${digits.slice(0, 2)}:${digits.slice(2)}`, ...rest } = options;
    this.mac = mac;
    this.heartbeater = new addon.NativeHeartbeater(
      {
        node: name,
        cluster: 'lab',
        incarnation: incarnation(number),
        intervalMs: 50,
        multiplier: 3,
        keys: [],
        ...rest,
      },
      random,
    );
  }

  open(nowMs: number): this {
    this.#nowMs = nowMs;
    this.heartbeater.open(SLOT, macBytes(this.mac), nowMs);
    return this;
  }

  /** Returns the drop reason. */
  hear(frame: Uint8Array | Partial<Heartbeat>, nowMs: number): string | null {
    const bytes = frame instanceof Uint8Array ? frame : encode(frame);
    const drop = this.heartbeater.frame(SLOT, bytes, MULTICAST, null, nowMs);
    this.collect(nowMs);
    return drop;
  }

  tick(nowMs: number): void {
    this.heartbeater.tick(nowMs);
    this.collect(nowMs);
  }

  /** Ticks whenever something is due, up to and at `endMs`. */
  run(endMs: number): void {
    for (let due = this.heartbeater.nextDueMs(); due <= endMs; due = this.heartbeater.nextDueMs()) {
      this.tick(Math.max(due, this.#nowMs));
    }
    this.tick(endMs);
  }

  collect(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const event of this.heartbeater.takeEvents()) this.events.push({ ...event, atMs: nowMs });
  }

  of<Type extends TimedEvent['type']>(type: Type): Extract<TimedEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<TimedEvent, { type: Type }> => event.type === type);
  }

  /** What was sent so far, decoded, and forgets it. */
  takeSent(): (Heartbeat & { readonly atMs: number })[] {
    const sent = this.of('send').map(({ frame, atMs }) => ({ ...decode(frame), atMs }));
    this.events = this.events.filter(({ type }) => type !== 'send');
    return sent;
  }

  link(node: string): string | undefined {
    return this.heartbeater.peers(SLOT).find((peer) => peer.node === node)?.link;
  }
}

/** Nodes on one segment and a virtual clock; frames arrive at once. */
export class TestSegment {
  nowMs = 0;
  /** Whether a frame gets through. */
  passes: (from: TestNode, to: TestNode) => boolean = () => true;
  frames = 0;
  readonly nodes: TestNode[] = [];

  add(node: TestNode): TestNode {
    this.nodes.push(node);
    node.open(this.nowMs);
    return node;
  }

  remove(node: TestNode): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      const due = Math.min(...this.nodes.map(({ heartbeater }) => heartbeater.nextDueMs()));
      if (due > endMs) break;
      this.nowMs = Math.max(this.nowMs, due);
      for (const node of this.nodes) {
        if (node.heartbeater.nextDueMs() <= this.nowMs) node.tick(this.nowMs);
      }
      this.deliver();
    }
    this.nowMs = endMs;
  }

  /** Hands over what the nodes have sent since the last time. */
  deliver(): void {
    for (const from of this.nodes) {
      from.collect(this.nowMs);
      for (const { frame } of from.of('send')) {
        this.frames += 1;
        for (const to of this.nodes) if (to !== from && this.passes(from, to)) to.hear(frame, this.nowMs);
      }
      from.events = from.events.filter(({ type }) => type !== 'send');
    }
  }
}
