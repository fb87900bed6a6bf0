// Thousands of objects in a cluster within seconds: written where the API server keeps them, past the API server. It reads JSON
// there as well as its own encoding, and tells its watches of them as of any other.
import { randomUUID } from 'node:crypto';
import type { ApiObject } from '../../src/lab/kubernetes/lab_api.js';

/** etcd takes 128 operations in a transaction. */
const BATCH = 100;

export interface Stored {
  /** Such as /registry/services/specs/default/web. */
  readonly key: string;
  readonly object: ApiObject;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/**
 * @param batch how many are written together. They have one resourceVersion then, as objects never have otherwise: a watch that is
 *   broken off among them goes on behind them. Where somebody watches meanwhile it has to be 1.
 */
export async function bulkLoad(etcdUrl: string, stored: readonly Stored[], batch = BATCH): Promise<void> {
  for (let start = 0; start < stored.length; start += batch) {
    const puts = stored.slice(start, start + batch).map(({ key, object }) => ({
      requestPut: { key: base64(key), value: base64(JSON.stringify(object)) },
    }));
    const body = JSON.stringify({ success: puts });
    const response = await fetch(`${etcdUrl}/v3/kv/txn`, { method: 'POST', body });
    if (!response.ok) throw new Error(`etcd: ${await response.text()}`);
  }
}

function metadata(name: string, namespace: string | null, labels: Record<string, string> = {}): ApiObject {
  const creationTimestamp = '2026-01-01T00:00:00Z';
  return { name, ...(namespace !== null && { namespace }), uid: randomUUID(), creationTimestamp, labels };
}

export function storedNode(name: string): Stored {
  const conditions = [{ type: 'Ready', status: 'True', reason: 'Test', message: '' }];
  return {
    key: `/registry/minions/${name}`,
    object: { apiVersion: 'v1', kind: 'Node', metadata: metadata(name, null), spec: {}, status: { conditions } },
  };
}

export interface StoredServiceOptions {
  readonly ip: string;
  readonly clusterIP: string;
  readonly policy: 'Cluster' | 'Local';
}

/** Of type LoadBalancer, with its address already assigned. */
export function storedService(name: string, { ip, clusterIP, policy }: StoredServiceOptions): Stored {
  return {
    key: `/registry/services/specs/default/${name}`,
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(name, 'default', { app: name, 'app.kubernetes.io/managed-by': 'Helm' }),
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: policy,
        internalTrafficPolicy: 'Cluster',
        clusterIP,
        clusterIPs: [clusterIP],
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        allocateLoadBalancerNodePorts: false,
        sessionAffinity: 'None',
        selector: { app: name },
        ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
      },
      status: { loadBalancer: { ingress: [{ ip, ipMode: 'VIP' }] } },
    },
  };
}

export function sliceObject(service: string, nodes: readonly string[]): ApiObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: metadata(`${service}-1`, 'default', { 'kubernetes.io/service-name': service }),
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: nodes.map((nodeName, index) => ({
      nodeName,
      addresses: [`10.244.0.${index + 1}`],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'default', name: `${service}-${index}`, uid: randomUUID() },
    })),
  };
}

export function storedSlice(service: string, nodes: readonly string[]): Stored {
  return { key: `/registry/endpointslices/default/${service}-1`, object: sliceObject(service, nodes) };
}
