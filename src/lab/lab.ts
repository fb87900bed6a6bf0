// The stage that scenes play on: three nodes on two switches, clients on both, and a record of what was expected.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ArpeggioNode, LogLine } from './arpeggio_node.js';
import type { LabClient } from './client.js';
import { Cluster } from './cluster.js';
import { runCommand } from './command.js';
import type { Host } from './host.js';
import { Network } from './netns.js';
import { sweep } from './run_record.js';
import { ARP_SYSCTLS, FIRST_SERVICES, labSpec, MAIL, NODE_NAMES, SHOP, SWITCHES } from './stage.js';
import type { Expectation, Timeline, Tone } from './timeline.js';

/** States of an address on its way to be owned: three nodes have many. */
const UNEVENTFUL = new Set(['waiting', 'standby', 'tentative', 'newcomer', 'owned']);

const ASKED_MS = 200;

export interface Scene {
  readonly title: string;
  play(lab: Lab): Promise<void>;
}

export class Lab {
  readonly expectations: Expectation[] = [];
  readonly notTried: string[] = [];
  /** Set before the first scene. */
  cluster!: Cluster;
  /** Never sends to a service IP: what its kernel learns, it learned from announcements. */
  readonly watcher: Host;
  /** Uses an address that is going to be a service IP. */
  readonly intruder: Host;
  /** Values of {@link ARP_SYSCTLS} on {@link first} before anything ran there. */
  originalSysctls: readonly string[] = [];
  /** Nodes that were switched off: they have forgotten what their settings were. */
  readonly rebooted = new Set<string>();
  private readonly startedAt = Date.now();
  private over = false;
  private title = '';

  private constructor(
    readonly network: Network,
    private readonly timeline: Timeline,
  ) {
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
      lab.cluster = await Cluster.create(network, {
        services: FIRST_SERVICES,
        laterServices: [SHOP, MAIL],
        nodes: NODE_NAMES,
        clients: SWITCHES.map((_, index) => `client-${index + 1}`),
        settings: { serve: 'loopback' },
        onLog: (name, line) => lab.tellLog(name, line),
      });
      lab.originalSysctls = await lab.first.host.readSysctls(ARP_SYSCTLS);
      await lab.playAll(scenes);
      if (keep) await lab.standUntilInterrupted();
      await lab.cluster.stop();
      return lab.expectations;
    } finally {
      network.close();
    }
  }

  get nodes(): readonly ArpeggioNode[] {
    return this.cluster.nodes;
  }

  /** One on each switch. */
  get clients(): readonly LabClient[] {
    return this.cluster.clients;
  }

  get first(): ArpeggioNode {
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

  /** Every client asks anew who has the addresses: a node that has just started hears of them. */
  async askAnew(): Promise<void> {
    this.tell('clients', 'ask anew for the MACs, so that a node that has just started knows whom to inform');
    await Promise.all(this.clients.map(({ host }) => host.batch(['neigh flush dev eth0'])));
    await delay(ASKED_MS);
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
    this.over = true;
    this.timeline.summary(this.expectations, { held, failed, notTried: this.notTried, seconds });
  }

  private async standUntilInterrupted(): Promise<void> {
    await this.cluster.start(...this.nodes.filter(({ isRunning }) => !isRunning).map(({ name }) => name));
    for (const { host } of [...this.nodes, ...this.clients])
      this.tell(host.name, `look around with: ip netns exec ${host.namespace} bash`);
    this.tell('lab', `stands until you press Ctrl-C; from elsewhere: nsenter --target ${process.pid} --all`);
    await once(process, 'SIGINT');
  }

  private tellLog(name: string, { level, msg, to }: LogLine): void {
    if (this.over || (to !== undefined && UNEVENTFUL.has(to))) return;
    const bad = level === 'error' || level === 'fatal';
    this.tell(name, msg, bad ? 'bad' : 'quiet');
  }

  private elapsedMs(): number {
    return Date.now() - this.startedAt;
  }
}
