// Objects that a cluster's own parts make (kubelet), and samples of what users write.
import { BACKEND_PORT } from '../backend.js';
import type { ApiObject } from './lab_api.js';
import { HTTP_PORT, NODES, type NodeName, nodeAddresses, PODS, type PodName, podAddresses } from './stage.js';

const condition = (type: string, holds: boolean): ApiObject => ({
  type,
  status: holds ? 'True' : 'False',
  reason: 'Lab',
  message: '',
  lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
});

export function nodeObject(name: NodeName): ApiObject {
  const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', switch: NODES[name] };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: {} };
}

/** As kubelet reports it; kube-proxy programs nothing for a node without addresses. */
export function nodeStatus(name: NodeName, ready: boolean): ApiObject {
  const addresses = nodeAddresses(name).map((address) => ({ type: 'InternalIP', address }));
  return { status: { addresses, conditions: [condition('Ready', ready)] } };
}

export function podObject(name: PodName, labels: Readonly<Record<string, string>>): ApiObject {
  const containers = [{ name: 'web', image: 'web' }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { nodeName: PODS[name], containers, automountServiceAccountToken: false },
  };
}

export function podStatus(name: PodName, ready: boolean): ApiObject {
  const [podIP] = podAddresses(name);
  const podIPs = podAddresses(name).map((ip) => ({ ip }));
  return { status: { phase: 'Running', podIP, podIPs, conditions: [condition('Ready', ready)] } };
}

export interface ServiceOptions {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  /** Default { app: 'web' }, the label of every pod of the bed. */
  readonly selector?: Readonly<Record<string, string>>;
  /** Further fields of spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** Dual-stack, of type LoadBalancer, on ports 80 (HTTP) and BACKEND_PORT (UDP echo). */
export function loadBalancer(name: string, options: ServiceOptions = {}): ApiObject {
  const { annotations = {}, labels = {}, namespace = 'default', selector = { app: 'web' }, spec = {} } = options;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, annotations, labels },
    spec: {
      type: 'LoadBalancer',
      ipFamilyPolicy: 'RequireDualStack',
      allocateLoadBalancerNodePorts: false,
      selector,
      ports: [
        { name: 'http', port: 80, targetPort: HTTP_PORT, protocol: 'TCP' },
        { name: 'echo', port: BACKEND_PORT, targetPort: BACKEND_PORT, protocol: 'UDP' },
      ],
      ...spec,
    },
  };
}

/** status.loadBalancer, as the controller writes it. */
export const assigned = (...addresses: readonly string[]): ApiObject => ({
  status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip, ipMode: 'VIP' })) } },
});
