// Builds and reads frames of the heartbeat protocol byte by byte (ARCHITECTURE.md), apart from the codec that is tested.
import { createHash, createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Host } from '../../../src/lab/host.js';
import { hexMac } from './frames.js';
import { Wire } from './wire.js';

export const HEARTBEAT_ETHERTYPE = 0x88b5;
const GROUP_MAC = '036172706700';
const MAGIC = '41525047';
const FIXED_HEADER_BYTES = 43;
const MAC_BYTES = 16;
const STATES = ['joining', 'ready', 'draining', 'leaving'] as const;

type State = (typeof STATES)[number];

/** What its sender has heard of another node. */
export interface Heard {
  readonly incarnation: string;
  readonly sequence: number;
  readonly held: number;
}

export interface HeartbeatFields {
  /** Ethernet source. */
  readonly mac: string;
  readonly name: string;
  /** 16 hexadecimal digits. */
  readonly incarnation: string;
  readonly sequence: number;
  readonly heard?: readonly Heard[];
  readonly state?: State;
  readonly cluster?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly intervalMs?: number;
  readonly multiplier?: number;
  readonly claimsVersion?: number;
  /** What a later minor version puts after the fields of the header, and of the body. */
  readonly laterHeader?: string;
  readonly laterBody?: string;
  readonly key?: Uint8Array | string | null;
}

const big = (value: number | bigint, bytes: number) => value.toString(16).padStart(2 * bytes, '0');

/** The whole frame, in hexadecimal digits. */
export function heartbeat(fields: HeartbeatFields): string {
  const { major = 1, minor = 0, heard = [], cluster = 'arpeggio', key = null } = fields;
  const { laterHeader = '', laterBody = '' } = fields;
  const name = Buffer.from(fields.name);
  const headerBytes = FIXED_HEADER_BYTES + name.length + laterHeader.length / 2;
  const entries = heard.map(({ incarnation, sequence, held }) => `${incarnation}${big(sequence, 4)}${big(held, 4)}`);
  const body = [
    big(fields.claimsVersion ?? 0, 4),
    big(0, 4),
    big(heard.length, 2),
    '0001',
    big(heard.length, 1),
    ...entries,
    laterBody,
  ].join('');
  const length = headerBytes + body.length / 2 + (key === null ? 0 : MAC_BYTES);
  const header = [
    MAGIC,
    big(major, 1),
    big(minor, 1),
    '01',
    key === null ? '00' : '01',
    big(length, 2),
    big(headerBytes, 2),
    createHash('sha256').update(cluster).digest('hex').slice(0, 16),
    fields.incarnation,
    big(fields.sequence, 8),
    big(1000 * (fields.intervalMs ?? 50), 4),
    big(fields.multiplier ?? 3, 1),
    big(STATES.indexOf(fields.state ?? 'ready'), 1),
    big(name.length, 1),
    name.toString('hex'),
    laterHeader,
  ].join('');
  const signed = `${hexMac(fields.mac)}88b5${header}${body}`;
  const authentication =
    key === null
      ? ''
      : createHmac('sha256', key)
          .update(Buffer.from(signed, 'hex'))
          .digest('hex')
          .slice(0, 2 * MAC_BYTES);
  return `${GROUP_MAC}${signed}${authentication}`;
}

export interface ReadHeartbeat {
  readonly mac: string;
  readonly name: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly state: State;
  readonly signed: boolean;
  readonly claimsVersion: number;
  readonly heard: readonly Heard[];
}

/** null for messages, and for what is no heartbeat. */
export function readHeartbeat(hex: string): ReadHeartbeat | null {
  const frame = Buffer.from(hex, 'hex');
  if (frame.length < 14 + FIXED_HEADER_BYTES || frame.readUInt16BE(12) !== HEARTBEAT_ETHERTYPE) return null;
  const at = frame.subarray(14);
  if (at.readUInt8(6) !== 1) return null;
  const body = at.subarray(at.readUInt16BE(10));
  const heard = Array.from({ length: body.readUInt8(12) }, (_, index) => {
    const entry = body.subarray(13 + 16 * index);
    return {
      incarnation: entry.subarray(0, 8).toString('hex'),
      sequence: entry.readUInt32BE(8),
      held: entry.readUInt32BE(12),
    };
  });
  return {
    mac: frame
      .subarray(6, 12)
      .toString('hex')
      .replaceAll(/..(?=.)/g, '$&:'),
    name: at.subarray(FIXED_HEADER_BYTES, FIXED_HEADER_BYTES + at.readUInt8(42)).toString(),
    incarnation: at.subarray(20, 28).toString('hex'),
    sequence: Number(at.readBigUInt64BE(28)),
    state: STATES[at.readUInt8(41)] ?? 'joining',
    signed: (at.readUInt8(7) & 1) === 1,
    claimsVersion: body.readUInt32BE(0),
    heard,
  };
}

export interface RawPeerOptions extends Partial<Omit<HeartbeatFields, 'mac' | 'name' | 'sequence' | 'heard'>> {}

/** A peer made of nothing but heartbeats: it hears everybody and holds all claims, owns nothing and wants nothing. */
export class RawPeer {
  /** The newest heartbeat of each node. */
  readonly heard = new Map<string, ReadHeartbeat>();
  private sequence = 0;
  private running = true;
  private readonly done: Promise<void>;

  private constructor(
    private readonly wire: Wire,
    private readonly host: Host,
    private readonly name: string,
    private readonly options: RawPeerOptions,
  ) {
    this.done = this.beat();
  }

  static async start(host: Host, name: string, options: RawPeerOptions = {}): Promise<RawPeer> {
    const wire = await Wire.open(host, 'eth0', [HEARTBEAT_ETHERTYPE]);
    return new RawPeer(wire, host, name, options);
  }

  /** Says nothing any more. */
  async stop(): Promise<void> {
    this.running = false;
    await this.done;
    await this.wire.close();
  }

  private async beat(): Promise<void> {
    while (this.running) {
      this.listen();
      await this.wire.send(this.next());
      await delay(this.options.intervalMs ?? 50);
    }
  }

  private next(): string {
    this.sequence += 1;
    const heard = [...this.heard.values()].map(({ incarnation, sequence, claimsVersion }) => ({
      incarnation,
      sequence,
      held: claimsVersion,
    }));
    return heartbeat({
      state: 'joining',
      incarnation: '0123456789abcdef',
      ...this.options,
      mac: this.host.mac,
      name: this.name,
      sequence: this.sequence,
      heard,
    });
  }

  private listen(): void {
    for (const { hex } of this.wire.captured(({ type }) => type !== 'outgoing')) {
      const read = readHeartbeat(hex);
      if (read !== null) this.heard.set(read.name, read);
    }
  }
}
