// Three nodes on two switches, a client on each switch, backends behind the service IPs: the lab's topology, with one more
// host that asks for the addresses.
import { join } from 'node:path';
import { BACKEND_PORT, startBackend } from '../../src/lab/backend.js';
import { LabClient } from '../../src/lab/client.js';
import type { Host } from '../../src/lab/host.js';
import { Network } from '../../src/lab/netns.js';
import { clusterSpec, NODE_NAMES, NODES, type NodeName, SWITCHES } from '../../src/lab/stage.js';
import { Asker } from '../../test/net/harness/asker.js';
import { SERVICES } from './services.js';

const ASKER = 'asker';
const ASK_INTERVAL_MS = 5;

export class Bed {
  private constructor(
    readonly network: Network,
    /** One on each switch, in the order of SWITCHES. */
    readonly clients: readonly LabClient[],
  ) {}

  /** Clients are as Linux is by default: their neighbour tables have no settings of ours. */
  static async create(backends = true): Promise<Bed> {
    const { switches, hosts } = clusterSpec();
    const addresses = ['192.0.2.120/24', '2001:db8::120/64'];
    const asker = { name: ASKER, interfaces: [{ switch: SWITCHES[0], addresses }] };
    const network = await Network.create({ switches, hosts: [...hosts, asker] });
    try {
      const served = SERVICES.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
      const hostsOfNodes = NODE_NAMES.map((name) => network.host(name));
      if (backends) await Promise.all(hostsOfNodes.map((host) => startBackend(host, served)));
      const clients = SWITCHES.map((_, index) => new LabClient(network.host(`client-${index + 1}`), BACKEND_PORT));
      return new Bed(network, clients);
    } catch (error) {
      network.close();
      throw error;
    }
  }

  get nodes(): readonly string[] {
    return NODE_NAMES;
  }

  node(name: string): Host {
    return this.network.host(name);
  }

  /** Asks for the addresses from a host on the first switch, and is never kept waiting by nodes at work, which run at priority 1. */
  ask(addresses: readonly string[]): Promise<Asker> {
    return Asker.start(this.network.host(ASKER), addresses, ASK_INTERVAL_MS, ['chrt', '--fifo', '2']);
  }

  /** Whether the client of this position stands on the same switch as the node. */
  isNear(client: number, node: string): boolean {
    return NODES[node as NodeName] === SWITCHES[client];
  }

  /** A directory of a node's files, removed with the bed. */
  directory(node: string): string {
    return join(this.network.directory, node);
  }

  setTrunk(state: 'up' | 'down'): Promise<void> {
    return this.network.setTrunk(SWITCHES[1], SWITCHES[0], state);
  }

  close(): void {
    this.network.close();
  }
}
