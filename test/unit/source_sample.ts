// Objects of a cluster as the source reads them: raw as the API server sends them, and projected.
import assert from 'node:assert/strict';
import {
  projectCustomResource,
  projectEndpointSlice,
  projectNamespace,
  projectNode,
  projectService,
} from '../../src/kubernetes/projections.js';
import type { Changes, ObjectKey } from '../../src/kubernetes/types.js';
import { ClusterState, type ClusterStateOptions } from '../../src/sources/kubernetes/cluster_state.js';

export const NAMESPACE = 'metallb-system';

let resourceVersion = 0;
function metadata(name: string, namespace: string | null, labels: Record<string, string> = {}): object {
  resourceVersion += 1;
  return { name, ...(namespace !== null && { namespace }), labels, resourceVersion: `${resourceVersion}` };
}

export interface ServiceSample {
  readonly type?: string;
  readonly ips?: readonly string[];
  readonly policy?: 'Cluster' | 'Local';
  readonly lbClass?: string;
  readonly labels?: Record<string, string>;
}

export function rawService(name: string, sample: ServiceSample = {}): object {
  const { type = 'LoadBalancer', ips = ['192.0.2.10'], policy = 'Cluster', lbClass, labels } = sample;
  return {
    metadata: metadata(name, 'default', labels),
    spec: {
      type,
      externalTrafficPolicy: policy,
      selector: { app: name },
      ports: [{ protocol: 'TCP', port: 80 }],
      ...(lbClass !== undefined && { loadBalancerClass: lbClass }),
    },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  };
}

/** One endpoint on each node. */
export function rawSlice(
  service: string,
  nodes: readonly string[],
  { suffix = 'x', ready = true, family = 'IPv4' } = {},
): object {
  return {
    metadata: metadata(`${service}-${suffix}`, 'default', { 'kubernetes.io/service-name': service }),
    addressType: family,
    endpoints: nodes.map((nodeName, index) => ({
      nodeName,
      addresses: [`10.0.0.${index + 1}`],
      conditions: { ready, serving: ready },
    })),
  };
}

export interface NodeSample {
  readonly ready?: boolean;
  readonly cordoned?: boolean;
  readonly networkUnavailable?: boolean;
  readonly labels?: Record<string, string>;
  readonly address?: string;
}

export function rawNode(name: string, sample: NodeSample = {}): object {
  const { ready = true, cordoned = false, networkUnavailable = false, labels, address } = sample;
  return {
    metadata: metadata(name, null, labels),
    spec: { ...(cordoned && { unschedulable: true }) },
    status: {
      conditions: [
        { type: 'Ready', status: ready ? 'True' : 'Unknown' },
        { type: 'NetworkUnavailable', status: networkUnavailable ? 'True' : 'False' },
      ],
      ...(address !== undefined && { addresses: [{ type: 'InternalIP', address }] }),
    },
  };
}

export function rawPool(name: string, addresses: readonly string[], status: object = {}): object {
  return {
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPool',
    metadata: metadata(name, NAMESPACE),
    spec: { addresses },
    status,
  };
}

export function rawAdvertisement(name: string, spec: object = {}): object {
  return {
    apiVersion: 'metallb.io/v1beta1',
    kind: 'L2Advertisement',
    metadata: metadata(name, NAMESPACE),
    spec,
  };
}

export function rawNamespace(name: string): object {
  return { metadata: metadata(name, null) };
}

type Project<T> = (raw: unknown) => { key: ObjectKey; value: T } | null;

function changesOf<T>(project: Project<T>, raws: readonly unknown[]): Changes<T> {
  return new Map(
    raws.map((raw) => {
      const projected = project(raw);
      assert.ok(projected);
      return [projected.key, projected.value];
    }),
  );
}

export const services = (...raws: unknown[]) => changesOf(projectService, raws);
export const slices = (...raws: unknown[]) => changesOf(projectEndpointSlice, raws);
export const nodes = (...raws: unknown[]) => changesOf(projectNode, raws);
export const namespaces = (...raws: unknown[]) => changesOf(projectNamespace, raws);
export const resources = (...raws: unknown[]) => changesOf(projectCustomResource, raws);
export const gone = (...keys: ObjectKey[]): Changes<never> => new Map(keys.map((key) => [key, null]));

/** Three nodes, the pool "lab" with 192.0.2.0/24 and 2001:db8::/64, and an advertisement of everything. */
export function clusterState(options: Partial<ClusterStateOptions> = {}): ClusterState {
  const state = new ClusterState({
    namespace: NAMESPACE,
    lbClass: null,
    ignoreExcludeLB: false,
    drainOnCordon: true,
    probing: 'fast',
    ...options,
  });
  state.applyNamespaces(namespaces(rawNamespace('default'), rawNamespace(NAMESPACE)));
  state.applyNodes(nodes(rawNode('node-a'), rawNode('node-b'), rawNode('node-c')));
  state.applyPools(resources(rawPool('lab', ['192.0.2.0/24', '2001:db8::/64', '198.18.0.0/15'])));
  state.applyAdvertisements(resources(rawAdvertisement('all')));
  return state;
}
