// Who is there in the cluster, where, and with which addresses.
import { EAGER_RESOLUTION } from '../client.js';
import type { HostSpec, NetworkSpec } from '../network_spec.js';

/** The segment. */
export const SWITCHES = ['switch-1', 'switch-2'] as const;

/** The nodes and the switch of each. */
export const NODES = { 'node-a': 'switch-1', 'node-b': 'switch-1', 'node-c': 'switch-2' } as const;
export type NodeName = keyof typeof NODES;
export const NODE_NAMES = Object.keys(NODES) as NodeName[];
/** Where the two replicas of the controller run. */
export const CONTROLLER_NODES: readonly NodeName[] = ['node-a', 'node-b'];
export const CLIENT_NAMES = ['client-1', 'client-2'] as const;

/** A pod's name says its node. */
export const PODS = { 'pod-a': 'node-a', 'pod-b': 'node-b', 'pod-c': 'node-c' } as const;
export type PodName = keyof typeof PODS;
export const POD_NAMES = Object.keys(PODS) as PodName[];

export const CLUSTER_CIDR = '10.244.0.0/16,fd00:10:244::/48';
/** Free addresses of the segment, for pools. */
export const POOL = ['192.0.2.16-192.0.2.95', '2001:db8::1:10-2001:db8::1:5f'] as const;

/** Pods answer HTTP there, and echo datagrams and streams on BACKEND_PORT of lab/backend. */
export const HTTP_PORT = 8080;

/** Named as those of container networks, where nothing is announced by default. */
export const POD_INTERFACE = 'cni0';
const POD_SWITCH = 'pod-net';

/** What kubelet and a network plugin set. */
const NODE_SYSCTLS = {
  'net.ipv4.ip_forward': '1',
  'net.ipv6.conf.all.forwarding': '1',
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
  'net.ipv4.conf.all.send_redirects': '0',
  'net.ipv4.conf.eth0.send_redirects': '0',
};

const nodeNumber = (name: NodeName) => NODE_NAMES.indexOf(name) + 1;

/** Addresses on the segment. */
export function nodeAddresses(name: NodeName): readonly [string, string] {
  return [`192.0.2.${nodeNumber(name)}`, `2001:db8::${nodeNumber(name)}`];
}

const gateway = (name: NodeName): readonly [string, string] => [
  `10.244.${nodeNumber(name)}.1`,
  `fd00:10:244:${nodeNumber(name)}::1`,
];

export function podAddresses(name: PodName): readonly [string, string] {
  const number = nodeNumber(PODS[name]);
  return [`10.244.${number}.10`, `fd00:10:244:${number}::10`];
}

/** Routes of a pod: replies to clients that kept their address go back through the pod's own node. */
export const podRoutes = (name: PodName): string[] => gateway(PODS[name]).map((via) => `route add default via ${via}`);

/** Pods are on a network of their own, so that a cut of the segment does not part nodes from pods. */
export function clusterSpec(clientSysctls: Readonly<Record<string, string>> = EAGER_RESOLUTION): NetworkSpec {
  const nodes = NODE_NAMES.map((name): HostSpec => {
    const [ipv4, ipv6] = nodeAddresses(name);
    const [pod4, pod6] = gateway(name);
    return {
      name,
      interfaces: [
        { switch: NODES[name], addresses: [`${ipv4}/24`, `${ipv6}/64`] },
        { name: POD_INTERFACE, switch: POD_SWITCH, addresses: [`${pod4}/16`, `${pod6}/48`] },
      ],
      sysctls: NODE_SYSCTLS,
    };
  });
  const clients = CLIENT_NAMES.map((name, index): HostSpec => {
    const addresses = [`192.0.2.${101 + index}/24`, `2001:db8::${101 + index}/64`];
    return { name, interfaces: [{ switch: `switch-${index + 1}`, addresses }], sysctls: clientSysctls };
  });
  const pods = POD_NAMES.map((name): HostSpec => {
    const [ipv4, ipv6] = podAddresses(name);
    return { name, interfaces: [{ switch: POD_SWITCH, addresses: [`${ipv4}/16`, `${ipv6}/48`] }] };
  });
  const [first, second] = SWITCHES;
  const switches = [{ name: first }, { name: second, cables: [first] }, { name: POD_SWITCH }];
  return { switches, hosts: [...nodes, ...clients, ...pods] };
}
