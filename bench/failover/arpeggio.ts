import { setTimeout as delay } from 'node:timers/promises';
import { ArpeggioNode, type NodeService } from '../../src/lab/arpeggio_node.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import type { Bed } from './bed.js';
import { SERVICES } from './services.js';
import type { Running, System } from './system.js';

const MOVE_LIMIT_MS = 15_000;
const MOVE_STEP_MS = 200;

/** `arpeggio run` on every node of a bed. */
export class ArpeggioCluster implements Running {
  private readonly nodes = new Map<string, ArpeggioNode>();

  /**
   * @param settings further keys of the configuration; none: Arpeggio at its defaults
   * @param first nodes to start at once; default all
   */
  static async start(
    bed: Bed,
    services: readonly NodeService[],
    settings: Readonly<Record<string, unknown>> = {},
    first: readonly string[] = bed.nodes,
  ): Promise<ArpeggioCluster> {
    const cluster = new ArpeggioCluster();
    for (const name of bed.nodes) {
      const node = new ArpeggioNode(bed.node(name), { directory: bed.directory(name), settings });
      await node.configure(services);
      cluster.nodes.set(name, node);
      if (first.includes(name)) node.start();
    }
    return cluster;
  }

  node(name: string): ArpeggioNode {
    const found = this.nodes.get(name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  get all(): readonly ArpeggioNode[] {
    return [...this.nodes.values()];
  }

  async kill(node: string): Promise<void> {
    await this.node(node).stop('SIGKILL');
  }

  async terminate(node: string): Promise<void> {
    await this.node(node).stop('SIGTERM');
  }

  async startNode(node: string): Promise<void> {
    this.node(node).start();
  }

  async gather(addresses: readonly string[], node: string): Promise<void> {
    for (const address of addresses) await this.move(address, node);
  }

  async drain(node: string): Promise<void> {
    await this.node(node).ask('drain');
  }

  async undrain(node: string): Promise<void> {
    await this.node(node).ask('undrain');
  }

  /** A node that has just come back refuses what it cannot own yet. */
  private async move(address: string, node: string): Promise<void> {
    const deadline = monotonicMs() + MOVE_LIMIT_MS;
    for (;;) {
      try {
        await this.node(node).ask('move', address, node);
        return;
      } catch (error) {
        if (monotonicMs() > deadline) throw error;
        await delay(MOVE_STEP_MS);
      }
    }
  }

  lastWords(): string {
    return this.all.map((node) => `--- ${node.name}:\n${node.lastOutput}`).join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.filter(({ isRunning }) => isRunning).map((node) => node.stop('SIGKILL')));
  }
}

export const ARPEGGIO: System = {
  name: 'arpeggio',
  title: 'Arpeggio',
  families: ['ipv4', 'ipv6'],
  watchMs: { loss: 700, other: 1500 },
  start(bed) {
    const services = SERVICES.map(({ name, ipv4, ipv6 }) => ({ name, addresses: [ipv4, ipv6] }));
    return ArpeggioCluster.start(bed, services);
  },
};
