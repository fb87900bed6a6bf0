// Runs small programs that use the responder on a host of a network, and asks from a client whether they answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Host } from '../../src/lab/host.js';
import type { Exit, NetProcess } from '../../src/lab/net_process.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import { arp } from '../net/harness/frames.js';
import { withNetwork } from '../net/harness/network.js';
import { Wire } from '../net/harness/wire.js';

const NODE_MAC = '02:00:00:00:00:01';
const CLIENT_MAC = '02:00:00:00:00:02';
const FOREIGN_MAC = '02:00:00:00:00:99';
// An address that the client's kernel does not have: it takes no part in the conversation.
const ASKER = '192.0.2.77';
const MESSAGE_TIMEOUT_MS = 10_000;
const EXIT_TIMEOUT_MS = 10_000;
const SILENCE_MS = 80;

const SPEC: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: [
    { name: 'node', interfaces: [{ switch: 'switch', mac: NODE_MAC, addresses: ['192.0.2.1/24'] }] },
    { name: 'client', interfaces: [{ switch: 'switch', mac: CLIENT_MAC }] },
  ],
};

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly nodeOptions?: readonly string[];
  /** A command that starts the program in its own way, such as setpriv. */
  readonly prefix?: readonly string[];
}

/** A program of test/lifecycle/programs; it says one JSON object per line. */
export class Program {
  private readonly process: NetProcess;
  private readonly messages: Record<string, unknown>[] = [];
  private wake: () => void = () => {};

  constructor(host: Host, name: string, { args = [], nodeOptions = [], prefix = [] }: ProgramOptions = {}) {
    const file = fileURLToPath(new URL(`programs/${name}.js`, import.meta.url));
    this.process = host.spawn([...prefix, process.execPath, ...nodeOptions, file, ...args], (line) => {
      if (!line.startsWith('{')) return;
      this.messages.push(JSON.parse(line) as Record<string, unknown>);
      this.wake();
    });
    this.process.exited.then(
      () => this.wake(),
      () => this.wake(),
    );
  }

  /** What it says next. */
  async says(): Promise<Record<string, unknown>> {
    const deadline = performance.now() + MESSAGE_TIMEOUT_MS;
    for (;;) {
      const message = this.messages.shift();
      if (message !== undefined) return message;
      assert.ok(this.process.isRunning, `the program has ended and says nothing more:\n${this.output}`);
      const leftMs = deadline - performance.now();
      assert.ok(leftMs > 0, `the program says nothing:\n${this.output}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Writes a line to its standard input. */
  tell(line: string): void {
    this.process.write(`${line}\n`);
  }

  /** How it ends by itself. One that does not is killed, which the result shows. */
  async ends(): Promise<Exit> {
    const timer = setTimeout(() => this.process.signal('SIGKILL'), EXIT_TIMEOUT_MS);
    try {
      return await this.process.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ended without a signal and with code 0. */
  async endsWell(): Promise<void> {
    assert.deepEqual(await this.ends(), { code: 0, signal: null }, this.output);
  }

  get output(): string {
    return this.process.lastOutput;
  }
}

export class Bed {
  constructor(
    readonly node: Host,
    private readonly wire: Wire,
  ) {}

  run(program: string, options: ProgramOptions = {}): Program {
    return new Program(this.node, program, options);
  }

  /** Asks by ARP until an answer comes. */
  async answers(address: string, timeoutMs = 2000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        await this.ask(address);
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
    }
  }

  /** Asks once. */
  async ask(address: string, timeoutMs = 200): Promise<void> {
    await this.wire.send(arp({ sha: CLIENT_MAC, spa: ASKER, tpa: address }));
    await this.wire.expect(({ type }) => type === 'host', timeoutMs);
  }

  /** Asks once; there must be no answer. */
  async isSilent(address: string): Promise<void> {
    await this.wire.send(arp({ sha: CLIENT_MAC, spa: ASKER, tpa: address }));
    await this.wire.expectSilence(SILENCE_MS, ({ type }) => type === 'host');
  }

  /** The multicast groups of the node's eth0. */
  async groups(): Promise<string[]> {
    const [entry] = await this.node.query<{ maddr: { address?: string }[] }[]>('maddr', 'show', 'dev', 'eth0');
    return (entry?.maddr ?? []).flatMap(({ address }) => address ?? []);
  }

  /** Keeps the packet thread answering and reporting rivals while `body` runs. */
  async whileBusy<T>(address: string, body: () => Promise<T>): Promise<T> {
    let on = true;
    const request = arp({ sha: CLIENT_MAC, spa: ASKER, tpa: address });
    // From a sender that changes all the time, so that events never run dry.
    const rival = arp({ sha: FOREIGN_MAC, spa: address, tpa: address });
    const traffic = (async () => {
      while (on) {
        for (let count = 0; count < 20; ++count) await this.wire.send(request);
        await this.wire.send(rival);
        await delay(1);
      }
    })();
    try {
      return await body();
    } finally {
      on = false;
      await traffic;
    }
  }
}

/** A test with a node to run programs on and a client on the same segment. */
export function onNode(name: string, body: (bed: Bed) => Promise<void>): void {
  test(name, async (t) => {
    await withNetwork(t, SPEC, async (network) => {
      const wire = await Wire.open(network.host('client'));
      await body(new Bed(network.host('node'), wire));
    });
  });
}
