// Who is there in the lab, where, and with which addresses.
import type { NodeService } from './arpeggio_node.js';
import { EAGER_RESOLUTION } from './client.js';
import type { HostSpec, NetworkSpec } from './network_spec.js';

/** Services of the lab; documentation addresses (RFC 5737, RFC 3849). Two of these addresses for each node. */
export const WEB: NodeService = { name: 'web', addresses: ['192.0.2.10', '2001:db8::10'] };
export const API: NodeService = { name: 'api', addresses: ['192.0.2.20', '2001:db8::20'] };
export const DNS: NodeService = { name: 'dns', addresses: ['192.0.2.53', '2001:db8::53'] };
/** Comes later. */
export const SHOP: NodeService = { name: 'shop', addresses: ['192.0.2.80', '2001:db8::80'] };
/** Its IPv4 address is also the intruder's. */
export const MAIL: NodeService = { name: 'mail', addresses: ['192.0.2.66', '2001:db8::66'] };

export const FIRST_SERVICES: readonly NodeService[] = [WEB, API, DNS];

/** What `serve: loopback` changes on a node. */
export const ARP_SYSCTLS = ['net.ipv4.conf.eth0.arp_ignore', 'net.ipv4.conf.eth0.arp_announce'];

export const SWITCHES = ['switch-1', 'switch-2'] as const;

/** The nodes and the switch of each. */
export const NODES = { 'node-a': 'switch-1', 'node-b': 'switch-1', 'node-c': 'switch-2' } as const;

export type NodeName = keyof typeof NODES;

export const NODE_NAMES = Object.keys(NODES) as NodeName[];

/** The backend is bound to service IPs before they are on lo. */
export const NODE_SYSCTLS = { 'net.ipv4.ip_nonlocal_bind': '1', 'net.ipv6.ip_nonlocal_bind': '1' };

const WATCHER_NUMBER = 110;

function host(name: string, switchName: string, number: number, sysctls: Readonly<Record<string, string>>): HostSpec {
  const addresses = [`192.0.2.${number}/24`, `2001:db8::${number}/64`];
  return { name, interfaces: [{ switch: switchName, addresses }], sysctls };
}

/** Three nodes on two switches with a cable between them, and a client on each; client-1 is near node-a and node-b. */
export function clusterSpec(clientSysctls: Readonly<Record<string, string>> = {}): NetworkSpec {
  const nodes = NODE_NAMES.map((name, index) => host(name, NODES[name], index + 1, NODE_SYSCTLS));
  const clients = SWITCHES.map((name, index) => host(`client-${index + 1}`, name, 101 + index, clientSysctls));
  const [first, second] = SWITCHES;
  return { switches: [{ name: first }, { name: second, cables: [first] }], hosts: [...nodes, ...clients] };
}

/** The same with the lab's further hosts. */
export function labSpec(): NetworkSpec {
  const { switches, hosts } = clusterSpec(EAGER_RESOLUTION);
  const watcher = host('watcher', 'switch-2', WATCHER_NUMBER, {});
  const intruder: HostSpec = {
    name: 'intruder',
    interfaces: [{ switch: 'switch-2', addresses: [`${MAIL.addresses[0]}/24`] }],
  };
  return { switches, hosts: [...hosts, watcher, intruder] };
}
