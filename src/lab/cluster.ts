// Nodes that share service IPs, their backends and their clients, on a network that is already there.
import { join } from 'node:path';
import { ArpeggioError } from '../errors.js';
import { ArpeggioNode, type LogLine, type NodeService } from './arpeggio_node.js';
import { BACKEND_PORT, startBackend } from './backend.js';
import { LabClient } from './client.js';
import type { Network } from './netns.js';
import { type Owners, settledOwners } from './owners.js';

const SETTLE_TIMEOUT_MS = 15_000;
/** Two looks at the nodes that far apart must agree. */
const STABLE_MS = 150;

export type { Owners };

export interface ClusterOptions {
  readonly services: readonly NodeService[];
  /** Services that come later: their backends are there from the beginning. */
  readonly laterServices?: readonly NodeService[];
  /** Hosts of the network that are nodes. */
  readonly nodes: readonly string[];
  /** Hosts of the network that are clients. */
  readonly clients: readonly string[];
  /** Top-level keys of every node's configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Further ones of a single node, which has the directory for its files. */
  readonly nodeSettings?: (node: string, directory: string) => Readonly<Record<string, unknown>>;
  /** Further environment variables of every speaker. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLog?: (node: string, line: LogLine) => void;
}

export class Cluster {
  readonly nodes: readonly ArpeggioNode[];
  readonly clients: readonly LabClient[];
  /** Of the services that are configured. */
  addresses: readonly string[] = [];

  private constructor(
    readonly network: Network,
    readonly options: ClusterOptions,
  ) {
    const { nodes, clients, settings, nodeSettings = () => ({}), environment = {}, onLog = () => {} } = options;
    this.nodes = nodes.map((name) => {
      const directory = join(network.directory, name);
      return new ArpeggioNode(network.host(name), {
        directory,
        settings: { ...settings, ...nodeSettings(name, directory) },
        environment,
        onLog: (line) => onLog(name, line),
      });
    });
    this.clients = clients.map((name) => new LabClient(network.host(name), BACKEND_PORT));
  }

  /** Writes the configurations and starts the backends and the clients; no speaker yet. */
  static async create(network: Network, options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(network, options);
    const { services, laterServices = [] } = options;
    const addresses = [...services, ...laterServices].flatMap((service) => service.addresses);
    await cluster.configure(services);
    await Promise.all(cluster.nodes.map((node) => startBackend(node.host, addresses)));
    return cluster;
  }

  /** Gives every node these services; running ones follow by themselves. */
  async configure(services: readonly NodeService[]): Promise<void> {
    this.addresses = services.flatMap(({ addresses }) => addresses);
    await Promise.all(this.nodes.map((node) => node.configure(services)));
  }

  node(name: string): ArpeggioNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new ArpeggioError('ERR_INVALID_ARGUMENT', `the cluster has no node "${name}"`);
    return node;
  }

  others(...names: readonly string[]): ArpeggioNode[] {
    return this.nodes.filter(({ name }) => !names.includes(name));
  }

  /** Starts the speakers of these nodes, of all by default, and waits until the cluster is settled. */
  async start(...names: readonly string[]): Promise<Owners> {
    for (const node of names.length === 0 ? this.nodes : names.map((name) => this.node(name))) node.start();
    return this.settled();
  }

  /**
   * Waits until no running node is joining or leaving and each address has exactly one that answers, twice in a row.
   * @throws ArpeggioError with what the nodes said at last
   */
  async settled(addresses: readonly string[] = this.addresses, timeoutMs = SETTLE_TIMEOUT_MS): Promise<Owners> {
    const speakers = new Map(this.nodes.map((node) => [node.name, node]));
    const logs = () => this.nodes.map((node) => `--- ${node.name}:\n${node.lastOutput}`).join('\n');
    return settledOwners(speakers, addresses, { timeoutMs, stableMs: STABLE_MS }, logs);
  }

  /** What these nodes answer for at this moment; the last one wins where two do. */
  async ownersOf(nodes: readonly ArpeggioNode[]): Promise<Owners> {
    const owners: Record<string, string> = {};
    for (const node of nodes) {
      for (const { address, answering } of (await node.status()).addresses) if (answering) owners[address] = node.name;
    }
    return owners;
  }

  /** Ends one node at once: its cable is dead and its speaker is gone. What it held is lost, as on {@link powerOn}. */
  async powerOff(name: string): Promise<void> {
    const node = this.node(name);
    await this.network.setCable(name, 'down');
    await node.stop('SIGKILL');
  }

  /** Starts it again, as a machine does: with nothing that was there before. */
  async powerOn(name: string): Promise<void> {
    const node = this.node(name);
    await node.reboot();
    await this.network.setCable(name, 'up');
    node.start();
  }

  async stop(): Promise<void> {
    const running = this.nodes.filter(({ isRunning }) => isRunning).map((node) => node.stop());
    await Promise.all([...running, ...this.clients.map((client) => client.stop())]);
  }
}
