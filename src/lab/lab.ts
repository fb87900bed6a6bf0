// The stage that scenes play on: one node, two switches, clients on both, and a record of what was expected.
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ArpeggioNode, type LogLine, type NodeService } from './arpeggio_node.js';
import { BACKEND_PORT, startBackend } from './backend.js';
import { LabClient } from './client.js';
import { runCommand } from './command.js';
import type { Host } from './host.js';
import { Network } from './netns.js';
import { sweep } from './run_record.js';
import { ARP_SYSCTLS, labSpec, NODE_NAMES, SWITCHES } from './stage.js';
import type { Expectation, Timeline, Tone } from './timeline.js';

export interface Scene {
  readonly title: string;
  play(lab: Lab): Promise<void>;
}

export class Lab {
  readonly expectations: Expectation[] = [];
  readonly notTried: string[] = [];
  readonly nodes: readonly ArpeggioNode[];
  /** One on each switch. */
  readonly clients: readonly LabClient[];
  /** Never sends to a service IP: what its kernel learns, it learned from announcements. */
  readonly watcher: Host;
  /** Uses an address that is going to be a service IP. */
  readonly intruder: Host;
  /** Values of {@link ARP_SYSCTLS} on the node before anything ran there. */
  originalSysctls: readonly string[] = [];
  private readonly startedAt = Date.now();
  private title = '';

  private constructor(
    readonly network: Network,
    private readonly timeline: Timeline,
  ) {
    this.nodes = NODE_NAMES.map((name) => this.makeNode(name));
    this.clients = SWITCHES.map((_, index) => new LabClient(network.host(`client-${index + 1}`), BACKEND_PORT));
    this.watcher = network.host('watcher');
    this.intruder = network.host('intruder');
  }

  /**
   * Builds the network, plays the scenes and takes the network down again. A scene that breaks off counts as a failed
   * expectation, and those after it are not played.
   * @param keep start the node again at the end, and leave everything standing until Ctrl-C
   */
  static async play(scenes: readonly Scene[], timeline: Timeline, keep = false): Promise<readonly Expectation[]> {
    const swept = sweep();
    const network = await Network.create(labSpec());
    try {
      const lab = new Lab(network, timeline);
      for (const id of swept) lab.tell('lab', `removed what the crashed run ${id} had left`, 'quiet');
      lab.originalSysctls = await lab.node.host.readSysctls(ARP_SYSCTLS);
      await lab.playAll(scenes);
      if (keep) await lab.standUntilInterrupted();
      await Promise.all(lab.clients.map((client) => client.stop()));
      return lab.expectations;
    } finally {
      network.close();
    }
  }

  /** The only node, while there is one. */
  get node(): ArpeggioNode {
    return this.nodes[0] as ArpeggioNode;
  }

  tell(actor: string, text: string, tone: Tone = 'plain'): void {
    this.timeline.event(this.elapsedMs(), actor, text, tone);
  }

  /** Records whether something that had to hold did. */
  expect(expectation: string, held: boolean, figure: string): void {
    const row: Expectation = { scene: this.title, expectation, held, figure };
    this.expectations.push(row);
    this.timeline.expectation(this.elapsedMs(), row);
  }

  /** Starts the backend behind these services on a node; resolves once it listens. */
  async startBackend(node: ArpeggioNode, services: readonly NodeService[]): Promise<void> {
    await startBackend(
      node.host,
      services.flatMap((service) => service.addresses),
    );
  }

  /** Asks again and again until the answer is yes; resolves with the time it took, null after `timeoutMs`. */
  async until(condition: () => Promise<boolean>, timeoutMs: number, stepMs = 20): Promise<number | null> {
    const start = performance.now();
    for (;;) {
      if (await condition()) return Math.round(performance.now() - start);
      if (performance.now() - start > timeoutMs) return null;
      await delay(stepMs);
    }
  }

  /** Whether a program is there on this machine; if not, the summary says that it was not tried. */
  async isInstalled(program: string): Promise<boolean> {
    const { code } = await runCommand(['sh', '-c', `command -v ${program}`], { allowFailure: true });
    if (code !== 0) {
      this.notTried.push(`${program} (not installed)`);
      this.tell('lab', `${program} is not installed: not tried`, 'quiet');
    }
    return code === 0;
  }

  private async playAll(scenes: readonly Scene[]): Promise<void> {
    for (const scene of scenes) {
      this.title = scene.title;
      this.timeline.scene(this.elapsedMs(), scene.title);
      try {
        await scene.play(this);
      } catch (error) {
        this.expect('the scene is played to its end', false, error instanceof Error ? error.message : String(error));
        break;
      }
    }
    const failed = this.expectations.filter(({ held }) => !held).length;
    const held = this.expectations.length - failed;
    const seconds = this.elapsedMs() / 1000;
    this.timeline.summary(this.expectations, { held, failed, notTried: this.notTried, seconds });
  }

  private async standUntilInterrupted(): Promise<void> {
    this.node.start();
    for (const { host } of [...this.nodes, ...this.clients])
      this.tell(host.name, `look around with: ip netns exec ${host.namespace} bash`);
    this.tell('lab', `stands until you press Ctrl-C; from elsewhere: nsenter --target ${process.pid} --all`);
    await once(process, 'SIGINT');
  }

  private makeNode(name: string): ArpeggioNode {
    return new ArpeggioNode(this.network.host(name), {
      directory: join(this.network.directory, name),
      settings: { serve: 'loopback' },
      onLog: (line) => this.tellLog(name, line),
    });
  }

  private tellLog(name: string, line: LogLine): void {
    const parts = [line.msg];
    if (line.address !== undefined) parts.push(line.address);
    if (line.interface !== undefined) parts.push(`on ${line.interface}`);
    if (line.from !== undefined && line.to !== undefined) parts.push(`${line.from} -> ${line.to}`);
    if (line.mac !== undefined) parts.push(`(${line.mac})`);
    if (line.reason !== undefined) parts.push(`: ${line.reason}`);
    const bad = line.level === 'error' || line.level === 'fatal';
    this.tell(name, parts.join(' '), bad ? 'bad' : 'quiet');
  }

  private elapsedMs(): number {
    return Date.now() - this.startedAt;
  }
}
