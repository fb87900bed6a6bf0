// Who is there in the lab, where, and with which addresses.
import type { NodeService } from './arpeggio_node.js';
import { EAGER_RESOLUTION } from './client.js';
import type { HostSpec, NetworkSpec } from './network_spec.js';

export const BACKEND_PORT = 7;

/** Services of the lab; documentation addresses (RFC 5737, RFC 3849). */
export const WEB: NodeService = { name: 'web', addresses: ['192.0.2.10', '2001:db8::10'] };
export const API: NodeService = { name: 'api', addresses: ['192.0.2.20', '2001:db8::20'] };
/** Its IPv4 address is also the intruder's. */
export const MAIL: NodeService = { name: 'mail', addresses: ['192.0.2.66', '2001:db8::66'] };

/** What `serve: loopback` changes on a node. */
export const ARP_SYSCTLS = ['net.ipv4.conf.eth0.arp_ignore', 'net.ipv4.conf.eth0.arp_announce'];

export const NODE_COUNT = 1;
export const CLIENT_SWITCHES = ['switch-1', 'switch-2'];

function host(name: string, switchName: string, number: number, sysctls: Readonly<Record<string, string>>): HostSpec {
  const addresses = [`192.0.2.${number}/24`, `2001:db8::${number}/64`];
  return { name, interfaces: [{ switch: switchName, addresses }], sysctls };
}

export function networkSpec(): NetworkSpec {
  // The backend is bound to service IPs before they are on lo.
  const nodeSysctls = { 'net.ipv4.ip_nonlocal_bind': '1', 'net.ipv6.ip_nonlocal_bind': '1' };
  const nodes = Array.from({ length: NODE_COUNT }, (_, index) =>
    host(`node-${index + 1}`, 'switch-1', index + 1, nodeSysctls),
  );
  const clients = CLIENT_SWITCHES.map((name, index) =>
    host(`client-${index + 1}`, name, 101 + index, EAGER_RESOLUTION),
  );
  const intruder: HostSpec = {
    name: 'intruder',
    interfaces: [{ switch: 'switch-2', addresses: [`${MAIL.addresses[0]}/24`] }],
  };
  return {
    switches: [{ name: 'switch-1' }, { name: 'switch-2', cables: ['switch-1'] }],
    hosts: [...nodes, ...clients, host('watcher', 'switch-2', 110, {}), intruder],
  };
}
