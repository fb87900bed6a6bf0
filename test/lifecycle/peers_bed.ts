// Nodes that hear each other on one segment, each a process with a responder, and a client that asks from outside.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Host } from '../../src/lab/host.js';
import type { NetProcess } from '../../src/lab/net_process.js';
import type { Network } from '../../src/lab/netns.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import type { Advertisement, NodeState, PeerHeard, PeerReport, ResponderEvent } from '../../src/responder/types.js';
import { arp, hexIpv4, hexMac } from '../net/harness/frames.js';
import { withNetwork } from '../net/harness/network.js';
import { type Frame, Wire } from '../net/harness/wire.js';
import type { NodeTable, Setup } from './programs/node.js';

export const SERVICE = '192.0.2.10';
export const OTHER_SERVICE = '192.0.2.11';
export const CLIENT_MAC = '02:00:00:00:00:09';
// An address that the client's kernel does not have: it takes no part in the conversation.
export const ASKER = '192.0.2.77';
const HEARTBEAT = '88b5';
/** A flood ends by itself after this time. */
const FLOOD_LIMIT_S = 30;
const EVENT_TIMEOUT_MS = 5000;
const ASK_STEP_MS = 2;
const SILENCE_MS = 80;
export const INTERVAL_MS = 50;
export const MULTIPLIER = 3;

type EventOf<Type extends ResponderEvent['type']> = Extract<ResponderEvent, { type: Type }>;
type Said = Readonly<Record<string, unknown>>;

/** A process of test/lifecycle/programs/node. */
export class PeerNode {
  readonly incarnation: string;
  readonly name: string;
  readonly process: NetProcess;
  private readonly said: Said[] = [];
  private wake: () => void = () => {};

  constructor(
    readonly host: Host,
    setup: Partial<Setup> = {},
  ) {
    // As arpeggio makes them: the time, and chance.
    const time = (BigInt(Date.now()) << 20n) | BigInt(Math.floor(Math.random() * 2 ** 20));
    this.incarnation = setup.incarnation ?? time.toString(16).padStart(16, '0');
    this.name = setup.node ?? host.name;
    const whole: Setup = {
      cluster: 'test',
      intervalMs: INTERVAL_MS,
      multiplier: MULTIPLIER,
      keys: [],
      ...setup,
      node: this.name,
      incarnation: this.incarnation,
    };
    const file = fileURLToPath(new URL('programs/node.js', import.meta.url));
    this.process = host.spawn([process.execPath, file, JSON.stringify(whole)], (line) => {
      if (!line.startsWith('{')) return;
      this.said.push(JSON.parse(line) as Said);
      this.wake();
    });
    this.process.exited.then(
      () => this.wake(),
      () => this.wake(),
    );
  }

  get mac(): string {
    return this.host.mac;
  }

  /** The first of all that it said so far, or says within the time, for which the predicate holds; it is forgotten. */
  async says<Found = Said>(predicate: (said: Said) => boolean, timeoutMs = EVENT_TIMEOUT_MS): Promise<Found> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.said.findIndex(predicate);
      if (found >= 0) return this.said.splice(found, 1)[0] as Found;
      const leftMs = deadline - performance.now();
      assert.ok(leftMs > 0, `${this.name} does not say it: ${JSON.stringify(this.said)}\n${this.process.lastOutput}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  event<Type extends ResponderEvent['type']>(type: Type, timeoutMs?: number): Promise<EventOf<Type>> {
    return this.says((said) => said.type === type, timeoutMs);
  }

  /** What it has said of this kind and nobody asked for yet. */
  unread(type: ResponderEvent['type']): Said[] {
    return this.said.filter((said) => said.type === type);
  }

  /** A report of the peer as described. */
  async sees(peer: PeerNode, wanted: Partial<PeerReport>, timeoutMs?: number): Promise<PeerReport> {
    const { peer: report } = await this.says<EventOf<'peer'>>((said) => {
      const candidate = said.peer as PeerReport | undefined;
      return (
        candidate?.incarnation === peer.incarnation &&
        Object.entries(wanted).every(([key, value]) => candidate[key as keyof PeerReport] === value)
      );
    }, timeoutMs);
    return report;
  }

  /** Has a command carried out. */
  async does(name: string, ...args: readonly unknown[]): Promise<void> {
    this.tell(name, ...args);
    await this.says((said) => said.done === name, 30_000);
  }

  tell(name: string, ...args: readonly unknown[]): void {
    this.process.write(`${JSON.stringify([name, ...args])}\n`);
  }

  publish(table: NodeTable): Promise<void> {
    return this.does('publish', table);
  }

  advertise(state: NodeState, rest: Partial<Advertisement> = {}): Promise<void> {
    return this.does('advertise', { state, claimsVersion: 0, claimsDigest: 0, held: [], ...rest });
  }

  /** Has JavaScript stand still; returns when it does. */
  async block(ms: number): Promise<void> {
    this.tell('block', ms);
    await this.says((said) => said.blocking === true);
  }

  /** How many milliseconds ago its interface heard a peer's process; undefined where it knows none such. */
  async heardAgoMs(peer: PeerNode): Promise<number | undefined> {
    this.tell('peersHeard');
    const { heard } = await this.says<{ heard: readonly PeerHeard[] }>((said) => said.heard !== undefined);
    return heard.find(({ incarnation }) => incarnation === peer.incarnation)?.agoMs;
  }

  async counters(): Promise<{ counters: Record<string, number>; drops: Record<string, number> }> {
    this.tell('counters');
    const { counters } = await this.says<{ counters: Awaited<ReturnType<PeerNode['counters']>> }>(
      (said) => said.counters !== undefined,
    );
    return counters;
  }
}

export class PeersBed {
  private constructor(
    readonly network: Network,
    readonly wire: Wire,
  ) {}

  static async open(network: Network): Promise<PeersBed> {
    return new PeersBed(network, await Wire.open(network.host('client'), 'eth0', [0x0806, 0x86dd, 0x88b5]));
  }

  start(host: string, setup: Partial<Setup> = {}): PeerNode {
    return new PeerNode(this.network.host(host), setup);
  }

  /** Two nodes that see each other two-way; `owner` answers SERVICE, `heir` would take it. Both have their events read. */
  async pair(setup: Partial<Setup> = {}): Promise<{ owner: PeerNode; heir: PeerNode }> {
    const [owner, heir] = [this.start('alpha', setup), this.start('beta', setup)];
    const watched = [SERVICE, OTHER_SERVICE];
    await owner.publish({ watched, answered: [SERVICE] });
    await heir.publish({ watched, answered: [], plans: { [owner.incarnation]: [SERVICE] } });
    await Promise.all([owner.advertise('ready'), heir.advertise('ready')]);
    await Promise.all([
      owner.sees(heir, { link: 'two-way', state: 'ready' }),
      heir.sees(owner, { link: 'two-way', state: 'ready' }),
    ]);
    return { owner, heir };
  }

  /** Asks by ARP again and again until a node answers. Returns when, on the clock of process.hrtime. */
  async answeredBy(node: PeerNode, address: string, timeoutMs: number): Promise<bigint> {
    const deadline = performance.now() + timeoutMs;
    const isAnswer = (frame: Frame) => isAnswerFor(frame, address) && sourceOf(frame) === hexMac(node.mac);
    for (;;) {
      await this.wire.send(arp({ sha: CLIENT_MAC, spa: ASKER, tpa: address }));
      await delay(ASK_STEP_MS);
      const [answer] = this.wire.captured(isAnswer);
      if (answer !== undefined) return BigInt(answer.ns);
      assert.ok(performance.now() < deadline, `${node.name} does not answer ${address} within ${timeoutMs} ms`);
    }
  }

  async isSilent(address: string): Promise<void> {
    await this.wire.send(arp({ sha: CLIENT_MAC, spa: ASKER, tpa: address }));
    await this.wire.expectSilence(SILENCE_MS, (frame) => isAnswerFor(frame, address));
  }

  /** Captures on another host of the segment. */
  watch(host: string, etherTypes: readonly number[]): Promise<Wire> {
    return Wire.open(this.network.host(host), 'eth0', etherTypes);
  }

  /**
   * Has a host send forged heartbeats, so many a second as far as the machine can; resolves once it does. stop() resolves
   * with how many it sent in each second of its time, by quarters. The client is spared: what captures there is slow.
   */
  async flood(host: string, perSecond: number): Promise<{ stop(): Promise<number[]> }> {
    const program = await compileFlood();
    const { port } = this.network.host('client').interface();
    await this.network.onSwitch('switch', [`link set ${port} type bridge_slave mcast_flood off`]);
    const rates: number[] = [];
    let onRunning = (): void => {};
    const running = new Promise<void>((resolve) => {
      onRunning = resolve;
    });
    const command = [program, 'eth0', String(perSecond), String(FLOOD_LIMIT_S)];
    const process = this.network.host(host).spawn(command, (line) => {
      rates.push(Number(line));
      onRunning();
    });
    await Promise.race([running, delay(EVENT_TIMEOUT_MS)]);
    return {
      stop: async () => {
        await process.stop('SIGTERM', 500);
        return rates;
      },
    };
  }

  /** Heartbeats and messages of a node that were captured. */
  framesOf(node: PeerNode): Frame[] {
    return this.wire.captured((frame) => isHeartbeat(frame) && sourceOf(frame) === hexMac(node.mac));
  }
}

async function compileFlood(): Promise<string> {
  // Not compiled with the tests: a script of the build.
  const { compileNative } = await import(new URL('../../../scripts/native-build.mjs', import.meta.url).href);
  return compileNative({
    what: 'the flood',
    compiler: 'g++',
    sources: ['test/lifecycle/flood.cc'],
    flags: ['-O2'],
    linkFlags: [],
    folder: '.cache/native-test',
    output: 'flood',
  });
}

const sourceOf = ({ hex }: Frame): string => hex.slice(12, 24);
const isHeartbeat = ({ hex }: Frame): boolean => hex.slice(24, 28) === HEARTBEAT;

/** An ARP reply to the client. */
function isAnswerFor({ hex, type }: Frame, address: string): boolean {
  return type === 'host' && hex.slice(24, 28) === '0806' && hex.slice(56, 64) === hexIpv4(address);
}

/** What a heartbeat says its sender's state is: 0 joining, 1 ready, 2 draining, 3 leaving. */
export const stateIn = ({ hex }: Frame): number => Number.parseInt(hex.slice(2 * (14 + 41), 2 * (14 + 42)), 16);

const SPEC: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: [
    { name: 'alpha', interfaces: [{ switch: 'switch' }] },
    { name: 'beta', interfaces: [{ switch: 'switch' }] },
    { name: 'gamma', interfaces: [{ switch: 'switch' }] },
    { name: 'client', interfaces: [{ switch: 'switch', mac: CLIENT_MAC }] },
  ],
};

/** A test with hosts alpha, beta and gamma to run nodes on, and a client. */
export function onSegment(name: string, body: (bed: PeersBed, context: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    await withNetwork(t, SPEC, async (network) => body(await PeersBed.open(network), t));
  });
}
