// A running node whose interface is about to change, and what must be right again soon after.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ArpeggioNode } from '../../../src/lab/arpeggio_node.js';
import type { Host } from '../../../src/lab/host.js';
import type { Network } from '../../../src/lab/netns.js';
import type { HostSpec, NetworkSpec } from '../../../src/lab/network_spec.js';
import { arp, hexIpv4, hexIpv6, hexMac, neighborSolicitation } from './frames.js';
import { withNetwork } from './network.js';
import { startNode } from './node.js';
import { type Frame, Wire } from './wire.js';

export const NODE_MAC = '02:00:00:00:00:01';
const CLIENT_MAC = '02:00:00:00:00:02';
export const SERVICE = '192.0.2.10';
export const SERVICE6 = '2001:db8::ab:cdef';
/** Of SERVICE6, as /proc/net/igmp6 writes it. No address of the node's own is in it. */
export const GROUP = 'ff0200000000000000000001ffabcdef';
// Addresses that the client's kernel does not have: it takes no part in the conversation.
const ASKER = '192.0.2.77';
const ASKER6 = '2001:db8::77';

/** After the kernel's event everything must be right again within this time. */
export const RECOVERY_MS = 100;
const EVENT_TIMEOUT_MS = 5000;
const ASK_STEP_MS = 5;
const SILENCE_MS = 60;

const spec = (node: Partial<HostSpec>): NetworkSpec => ({
  switches: [{ name: 'switch' }],
  hosts: [
    {
      name: 'node',
      interfaces: [{ switch: 'switch', mac: NODE_MAC, addresses: ['192.0.2.1/24', '2001:db8::1/64'] }],
      ...node,
    },
    { name: 'client', interfaces: [{ switch: 'switch', mac: CLIENT_MAC }] },
  ],
});

const bytes = (hex: string, from: number, to: number) => hex.slice(2 * from, 2 * to);

function isArp({ hex }: Frame, op: string, destination: string, mac: string, tpa: string): boolean {
  return (
    bytes(hex, 0, 6) === hexMac(destination) &&
    bytes(hex, 12, 14) === '0806' &&
    bytes(hex, 20, 42) === `${op}${hexMac(mac)}${hexIpv4(SERVICE)}${bytes(hex, 32, 38)}${hexIpv4(tpa)}`
  );
}

function isAdvertisement({ hex }: Frame, flags: string, destination: string, mac: string): boolean {
  return (
    bytes(hex, 12, 14) === '86dd' &&
    bytes(hex, 54, 55) === '88' &&
    bytes(hex, 38, 54) === hexIpv6(destination) &&
    bytes(hex, 58, 86) === `${flags}000000${hexIpv6(SERVICE6)}0201${hexMac(mac)}`
  );
}

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
type Expected = Record<string, (frame: Frame, mac: string) => boolean>;
const ANSWERS: Expected = {
  'ARP reply': (frame, mac) => isArp(frame, '0002', CLIENT_MAC, mac, ASKER),
  'solicited NA': (frame, mac) => isAdvertisement(frame, '60', ASKER6, mac),
};
const ANNOUNCEMENTS: Expected = {
  'ARP announcement': (frame, mac) => isArp(frame, '0001', BROADCAST, mac, SERVICE),
  'unsolicited NA': (frame, mac) => isAdvertisement(frame, '20', 'ff02::1', mac),
};

export class LinkBed {
  private constructor(
    readonly network: Network,
    readonly node: ArpeggioNode,
    private readonly wire: Wire,
    /** A process that stays in the node's namespace. */
    private readonly witness: number,
    private readonly linkEvents: { line: string; atMs: number }[],
  ) {}

  static async open(network: Network): Promise<LinkBed> {
    const host = network.host('node');
    const witness = await startWitness(host);
    const events: { line: string; atMs: number }[] = [];
    host.spawn(['ip', '-o', 'monitor', 'link'], (line) => events.push({ line, atMs: performance.now() }));
    // No probing: from the first answer on it is that of an owner. Nothing on lo: the kernel has nothing to answer.
    const settings = { probing: 'none', serve: 'none' };
    const node = await startNode(network, 'node', [{ name: 'web', addresses: [SERVICE, SERVICE6] }], settings);
    return new LinkBed(network, node, await Wire.open(network.host('client')), witness, events);
  }

  get host(): Host {
    return this.node.host;
  }

  /** Whether the interface of that name is a member of the group. */
  isMember(group = GROUP, interfaceName = 'eth0'): boolean {
    const lines = readFileSync(`/proc/${this.witness}/net/igmp6`, 'utf8').split('\n');
    return lines.some((line) => {
      const [, name, address] = line.trim().split(/\s+/);
      return name === interfaceName && address === group;
    });
  }

  async untilMember(member: boolean, timeoutMs: number, group = GROUP): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.isMember(group) !== member) {
      assert.ok(performance.now() < deadline, `${member ? 'no' : 'still a'} member of ${group} after ${timeoutMs} ms`);
      await delay(2);
    }
  }

  /** Makes a change and returns when the kernel told of the link's new state, by rtnetlink. */
  async change(act: () => Promise<void>, event: RegExp): Promise<number> {
    const before = this.linkEvents.length;
    await act();
    const deadline = performance.now() + EVENT_TIMEOUT_MS;
    for (;;) {
      const found = this.linkEvents.slice(before).find(({ line }) => event.test(line));
      if (found !== undefined) return found.atMs;
      assert.ok(performance.now() < deadline, `the kernel did not tell of ${event}`);
      await delay(2);
    }
  }

  /**
   * Has `act` change something and expects, all within `limitMs` of the kernel's event: answers to ARP and NS with this
   * MAC, the membership in the group, and announcements of both families.
   * @param event the line of `ip monitor link` that tells of it; null: the moment at which `act` is done
   */
  async recovers(mac: string, act: () => Promise<void>, event: RegExp | null, limitMs = RECOVERY_MS): Promise<void> {
    const missing = new Set([...Object.keys(ANSWERS), ...Object.keys(ANNOUNCEMENTS)]);
    const watch = (expected: Expected) =>
      Object.entries(expected).map(async ([what, matches]) => {
        await this.wire.expect((frame) => matches(frame, mac), EVENT_TIMEOUT_MS + limitMs);
        missing.delete(what);
      });
    this.wire.clear();
    const announced = Promise.all(watch(ANNOUNCEMENTS));
    announced.catch(() => {});
    const eventMs = event === null ? await act().then(() => performance.now()) : await this.change(act, event);
    // What was answered before does not count.
    this.wire.clear();
    const all = Promise.all([announced, ...watch(ANSWERS)]);
    const asking = this.askUntil(all);
    const late = delay(Math.max(0, eventMs + limitMs - performance.now()));
    try {
      await this.untilMember(true, limitMs);
      await Promise.race([all, late]);
    } finally {
      await asking.stop();
    }
    assert.deepEqual([...missing], [], `not seen within ${limitMs} ms of the kernel's event`);
  }

  /** Keeps the node from seeing anything until the body is done: it learns of everything at once. */
  async whileStopped(body: () => Promise<void>): Promise<void> {
    const { pid } = this.node;
    assert.ok(pid !== null);
    process.kill(pid, 'SIGSTOP');
    try {
      await body();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  async isSilent(): Promise<void> {
    for (const request of this.requests()) await this.wire.send(request);
    await this.wire.expectSilence(SILENCE_MS, ({ type }) => type === 'host');
  }

  /** Every answer to come carries this MAC. */
  async answersOnlyWith(mac: string): Promise<void> {
    for (const request of this.requests()) {
      await this.wire.send(request);
      const { hex } = await this.wire.expect(({ type }) => type === 'host');
      assert.equal(bytes(hex, 6, 12), hexMac(mac));
    }
  }

  private requests(): string[] {
    return [
      arp({ sha: CLIENT_MAC, spa: ASKER, tpa: SERVICE }),
      neighborSolicitation({ mac: CLIENT_MAC, source: ASKER6, target: SERVICE6 }),
    ];
  }

  private askUntil(all: Promise<unknown>): { stop(): Promise<void> } {
    let on = true;
    const stop = () => {
      on = false;
    };
    all.then(stop, stop);
    const done = (async () => {
      while (on) {
        for (const request of this.requests()) await this.wire.send(request);
        await delay(ASK_STEP_MS);
      }
    })();
    return {
      stop: () => {
        stop();
        return done;
      },
    };
  }
}

function startWitness(host: Host): Promise<number> {
  return new Promise((resolve, reject) => {
    const witness = host.spawn(['sh', '-c', 'echo here; exec sleep 600'], () => resolve(witness.pid ?? 0));
    witness.exited.then(() => reject(new Error(`the witness ended: ${witness.lastOutput}`)), reject);
  });
}

/** A test with a node that answers for SERVICE and SERVICE6 on eth0. */
export function onLink(name: string, body: (bed: LinkBed) => Promise<void>, node: Partial<HostSpec> = {}): void {
  test(name, async (t) => {
    await withNetwork(t, spec(node), async (network) => body(await LinkBed.open(network)));
  });
}

/** On a machine that does other things as well, one round may be late; two in a row are not bad luck. */
export async function round(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch {
    await body();
  }
}
