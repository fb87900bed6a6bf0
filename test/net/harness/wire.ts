import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Host } from '../../../src/lab/host.js';
import type { NetProcess } from '../../../src/lab/net_process.js';
import { DEFAULT_INTERFACE } from '../../../src/lab/network_spec.js';
import type { PacketType } from '../../../src/responder/types.js';

// The compiled harness is four directories below the root, and python stays where it is written.
const WIRE_PY = fileURLToPath(new URL('../../../../test/net/wire.py', import.meta.url));
const READY_TIMEOUT_MS = 15_000;
const STOP_GRACE_MS = 200;

/** A frame as a packet socket of the host saw it. */
export interface Frame {
  /** Lower case, without the 802.1Q tag that the kernel strips. */
  readonly hex: string;
  /** CLOCK_MONOTONIC, comparable with process.hrtime.bigint() and between hosts. */
  readonly ns: number;
  /** The same clock, but when the kernel had it: without the delays of the program that tells. */
  readonly kernelNs: number;
  readonly type: PacketType;
  /** Tag control information of the stripped tag. */
  readonly vlanTci: number | null;
}

export type FramePredicate = (frame: Frame) => boolean;

interface Message {
  readonly ready?: true;
  readonly sent?: number;
  readonly error?: string;
  readonly frame?: string;
  readonly ns?: number;
  readonly kernelNs?: number;
  readonly type?: PacketType;
  readonly vlan?: number | null;
}

interface Waiter {
  readonly predicate: FramePredicate;
  readonly resolve: (frame: Frame) => void;
}

/** Sends and captures raw frames on a host's interface. */
export class Wire {
  private readonly process: NetProcess;
  private readonly waiters = new Set<Waiter>();
  private readonly sends: { resolve: (ns: number) => void; reject: (error: Error) => void }[] = [];
  private frames: Frame[] = [];
  /** Frames before this position belong to an earlier question. */
  private mark = 0;
  private onReady: () => void = () => {};

  private constructor(host: Host, interfaceName: string, etherTypes: readonly number[]) {
    const types = etherTypes.map((type) => type.toString(16));
    const argv = ['python3', WIRE_PY, interfaceName, ...types];
    this.process = host.spawn(argv, (line) => this.onMessage(JSON.parse(line) as Message));
  }

  /** @param etherTypes to capture; 0 stands for all. */
  static async open(
    host: Host,
    interfaceName: string = DEFAULT_INTERFACE,
    etherTypes: readonly number[] = [0x0806, 0x86dd],
  ): Promise<Wire> {
    const wire = new Wire(host, interfaceName, etherTypes);
    const ready = new Promise<void>((resolve) => {
      wire.onReady = resolve;
    });
    const gone = wire.process.exited.then(() => {
      throw new Error(`wire.py ended: ${wire.process.lastOutput}`);
    });
    const late = delay(READY_TIMEOUT_MS, null, { ref: false }).then(() => {
      throw new Error(`wire.py is not ready after ${READY_TIMEOUT_MS} ms: ${wire.process.lastOutput}`);
    });
    gone.catch(() => {});
    await Promise.race([ready, gone, late]);
    return wire;
  }

  /** Sends a whole frame. From here on expect() and captured() see only what came after it. Resolves with the time. */
  send(hex: string): Promise<number> {
    this.clear();
    return new Promise((resolve, reject) => {
      this.sends.push({ resolve, reject });
      this.process.write(`${JSON.stringify({ send: hex.replaceAll(/\s/g, '') })}\n`);
    });
  }

  /** Forgets the frames so far. */
  clear(): void {
    this.mark = this.frames.length;
  }

  /** Frames since the last send() or clear(). */
  captured(predicate: FramePredicate = () => true): Frame[] {
    return this.frames.slice(this.mark).filter(predicate);
  }

  /** The first frame since the last send() or clear() for which the predicate holds; fails after `timeoutMs`. */
  expect(predicate: FramePredicate, timeoutMs = 500): Promise<Frame> {
    const [found] = this.captured(predicate);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        predicate,
        resolve: (frame) => {
          clearTimeout(timer);
          this.waiters.delete(waiter);
          resolve(frame);
        },
      };
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        const seen = this.captured().map(({ type, hex }) => `\n  ${type} ${hex}`);
        reject(new Error(`no such frame within ${timeoutMs} ms; seen: ${seen.join('') || 'none'}`));
      }, timeoutMs);
      this.waiters.add(waiter);
    });
  }

  /** Fails when such a frame was seen since the last send() or clear(), or comes within `ms`. */
  async expectSilence(ms: number, predicate: FramePredicate): Promise<void> {
    await delay(ms);
    const seen = this.captured(predicate);
    if (seen.length > 0) throw new Error(`expected silence, but: ${seen.map(({ hex }) => `\n  ${hex}`).join('')}`);
  }

  async close(): Promise<void> {
    await this.process.stop('SIGTERM', STOP_GRACE_MS);
  }

  private onMessage(message: Message): void {
    if (message.ready) this.onReady();
    if (message.sent !== undefined) this.sends.shift()?.resolve(message.sent);
    if (message.error !== undefined) this.sends.shift()?.reject(new Error(message.error));
    const { frame: hex, ns, type, vlan } = message;
    if (hex === undefined || ns === undefined || type === undefined) return;
    const frame: Frame = { hex, ns, kernelNs: message.kernelNs ?? ns, type, vlanTci: vlan ?? null };
    this.frames.push(frame);
    for (const waiter of [...this.waiters]) if (waiter.predicate(frame)) waiter.resolve(frame);
  }
}
