// Objects as the API server holds them, projected; for tests of what is decided about them.
import type { CustomResource, Labels, Namespace, Node, Service } from '../../src/kubernetes/types.js';
import { type ConfigurationInput, judgeConfiguration } from '../../src/metallb/configuration.js';
import type { Configuration } from '../../src/metallb/types.js';

export const NAMESPACE = 'metallb-system';

export interface RawObject {
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly namespace?: string; readonly labels?: Labels };
  readonly spec?: unknown;
}

function metaOf({ metadata }: RawObject) {
  const { name = '', namespace = '', labels = {} } = metadata;
  return {
    key: namespace === '' ? name : `${namespace}/${name}`,
    namespace,
    name,
    uid: `uid-${name}`,
    resourceVersion: '1',
    labels,
  };
}

export function customResource(raw: RawObject): CustomResource {
  return { ...metaOf(raw), generation: 1, spec: raw.spec, status: undefined };
}

export function pool(name: string, spec: unknown, labels: Labels = {}): CustomResource {
  return customResource({ kind: 'IPAddressPool', metadata: { name, namespace: NAMESPACE, labels }, spec });
}

export function advertisement(name: string, spec: unknown = {}): CustomResource {
  return customResource({ kind: 'L2Advertisement', metadata: { name, namespace: NAMESPACE }, spec });
}

export function node(name: string, labels: Labels = {}, addresses: readonly string[] = []): Node {
  const meta = metaOf({ kind: 'Node', metadata: { name, labels } });
  return { ...meta, ready: true, networkUnavailable: false, unschedulable: false, addresses };
}

export function namespace(name: string, labels: Labels = {}): Namespace {
  return { key: name, name, labels };
}

export function service(name: string, fields: Partial<Service> = {}): Service {
  return {
    ...metaOf({ kind: 'Service', metadata: { name, namespace: 'default' } }),
    annotations: {},
    deleting: false,
    type: 'LoadBalancer',
    loadBalancerClass: null,
    loadBalancerIP: null,
    clusterIPs: ['10.96.0.1'],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    externalTrafficPolicy: 'Cluster',
    selector: { app: name },
    ports: [{ protocol: 'TCP', port: 80 }],
    ingress: [],
    ...fields,
  };
}

/** Of raw objects, as they stand in the cases. */
export function inputOf(resources: readonly RawObject[]): ConfigurationInput {
  const of = (kind: string) => resources.filter((resource) => resource.kind === kind);
  return {
    pools: of('IPAddressPool').map(customResource),
    advertisements: of('L2Advertisement').map(customResource),
    namespaces: of('Namespace').map(({ metadata }) => namespace(metadata.name ?? '', metadata.labels)),
    nodes: of('Node').map(({ metadata }) => node(metadata.name ?? '', metadata.labels)),
    namespace: NAMESPACE,
  };
}

/** A configuration that must be valid. */
export function configurationOf(input: Partial<ConfigurationInput>): Configuration {
  const { configuration, problems } = judgeConfiguration(judgeInput(input));
  if (configuration === null) throw new Error(JSON.stringify(problems));
  return configuration;
}

export function judgeInput(input: Partial<ConfigurationInput>): ConfigurationInput {
  return { pools: [], advertisements: [], namespaces: [], nodes: [], namespace: NAMESPACE, ...input };
}
