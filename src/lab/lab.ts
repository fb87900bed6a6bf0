// The stage that scenes play on: three nodes on two switches, clients on both, and a record of what was expected.
import { once } from 'node:events';
import type { ArpeggioNode } from './arpeggio_node.js';
import type { LabClient } from './client.js';
import { Cluster } from './cluster.js';
import type { Host } from './host.js';
import { Network } from './netns.js';
import { sweep } from './run_record.js';
import { ARP_SYSCTLS, FIRST_SERVICES, labSpec, MAIL, NODE_NAMES, SHOP, SWITCHES } from './stage.js';
import { type Scene as SceneOf, Story } from './story.js';
import type { Expectation, Timeline } from './timeline.js';

export type Scene = SceneOf<Lab>;

export class Lab extends Story {
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

  private constructor(
    readonly network: Network,
    timeline: Timeline,
  ) {
    super(timeline);
    this.watcher = network.host('watcher');
    this.intruder = network.host('intruder');
  }

  /**
   * Builds the network, plays the scenes and takes the network down again.
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
      await lab.playAll(scenes, lab);
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

  get clients(): readonly LabClient[] {
    return this.cluster.clients;
  }

  get first(): ArpeggioNode {
    return this.nodes[0] as ArpeggioNode;
  }

  private async standUntilInterrupted(): Promise<void> {
    await this.cluster.start(...this.nodes.filter(({ isRunning }) => !isRunning).map(({ name }) => name));
    for (const { host } of [...this.nodes, ...this.clients])
      this.tell(host.name, `look around with: ip netns exec ${host.namespace} bash`);
    this.tell('lab', `stands until you press Ctrl-C; from elsewhere: nsenter --target ${process.pid} --all`);
    await once(process, 'SIGINT');
  }
}
