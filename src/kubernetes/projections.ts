// What is kept of an object of the API: the fields in use. Whatever is missing becomes the default of types.ts; what has another
// type than the API gives it counts as missing.
import { AddressError, parseAddress } from '../net/address.js';
import type {
  CustomResource,
  EndpointSlice,
  Labels,
  Lease,
  Namespace,
  Node,
  ObjectMeta,
  Projected,
  Service,
  ServicePort,
} from './types.js';
import { rawKey } from './watch_event.js';

/** Collections, over all namespaces. */
export const PATHS = {
  services: '/api/v1/services',
  endpointSlices: '/apis/discovery.k8s.io/v1/endpointslices',
  nodes: '/api/v1/nodes',
  namespaces: '/api/v1/namespaces',
  leases: '/apis/coordination.k8s.io/v1/leases',
  ipAddressPools: '/apis/metallb.io/v1beta1/ipaddresspools',
  l2Advertisements: '/apis/metallb.io/v1beta1/l2advertisements',
  serviceL2Statuses: '/apis/metallb.io/v1beta1/servicel2statuses',
  configurationStates: '/apis/metallb.io/v1beta1/configurationstates',
} as const;

/** The collection in one namespace: /api/v1/services -> /api/v1/namespaces/NAMESPACE/services. */
export function inNamespace(path: string, namespace: string): string {
  const slash = path.lastIndexOf('/');
  return `${path.slice(0, slash)}/namespaces/${encodeURIComponent(namespace)}${path.slice(slash)}`;
}

type Raw = Readonly<Record<string, unknown>>;

// Shared by all that have none, which are many.
const NONE: Labels = Object.freeze({});
const NO_STRINGS: readonly string[] = Object.freeze([]);
const NOTHING: Raw = Object.freeze({});

const ANNOTATIONS_READ = /^(metallb\.io|metallb\.universe\.tf|arpeggio\.io)\//;
const SERVICE_OF_SLICE = 'kubernetes.io/service-name';

export function projectService(raw: unknown): Projected<Service> | null {
  return projected(raw, (meta, { metadata, spec, status }) => {
    const ports = objects(object(spec).ports).map(
      ({ protocol, port }): ServicePort => ({ protocol: shared(text(protocol, 'TCP')), port: number(port) }),
    );
    const { externalTrafficPolicy } = object(spec);
    // Written out: with "...meta" each of thousands takes half as much room again.
    return {
      key: meta.key,
      namespace: meta.namespace,
      name: meta.name,
      uid: meta.uid,
      resourceVersion: meta.resourceVersion,
      labels: meta.labels,
      annotations: annotations(metadata),
      deleting: typeof object(metadata).deletionTimestamp === 'string',
      type: shared(text(object(spec).type, 'ClusterIP')),
      loadBalancerClass: textOrNull(object(spec).loadBalancerClass),
      loadBalancerIP: textOrNull(object(spec).loadBalancerIP),
      clusterIPs: clusterIPs(object(spec)),
      ipFamilies: list(strings(object(spec).ipFamilies).map(shared)),
      ipFamilyPolicy: sharedOrNull(object(spec).ipFamilyPolicy),
      externalTrafficPolicy: externalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
      selector: labels(object(spec).selector),
      ports,
      ingress: list(
        objects(object(object(status).loadBalancer).ingress).flatMap(({ ip }) =>
          typeof ip === 'string' && ip ? [ip] : [],
        ),
      ),
    };
  });
}

/** null also for a slice that belongs to no Service. */
export function projectEndpointSlice(raw: unknown): Projected<EndpointSlice> | null {
  const key = rawKey(raw);
  const { metadata, endpoints, addressType } = object(raw);
  const name = object(object(metadata).labels)[SERVICE_OF_SLICE];
  if (key === null || typeof name !== 'string' || name === '') return null;
  const namespace = text(object(metadata).namespace, '');
  const serving = objects(endpoints).filter(({ conditions }) => serves(object(conditions)));
  const nodes = new Set<string>();
  for (const { nodeName } of serving) if (typeof nodeName === 'string' && nodeName) nodes.add(shared(nodeName));
  const service = namespace ? `${namespace}/${name}` : name;
  const family = addressType === 'IPv4' ? 'ipv4' : addressType === 'IPv6' ? 'ipv6' : null;
  return { key, value: { key, service, family, active: serving.length > 0, nodes: list([...nodes].sort()) } };
}

/** EndpointConditions: unset ready is to be read as true; a terminating endpoint may serve without being ready. */
function serves({ ready, serving }: Raw): boolean {
  return ready !== false || serving === true;
}

export function projectNode(raw: unknown): Projected<Node> | null {
  return projected(raw, (meta, { spec, status }) => {
    const conditions = new Map(
      objects(object(status).conditions).map((condition) => [condition.type, condition.status]),
    );
    return {
      ...meta,
      ready: !conditions.has('Ready') || conditions.get('Ready') === 'True',
      networkUnavailable: conditions.get('NetworkUnavailable') === 'True',
      unschedulable: object(spec).unschedulable === true,
      addresses: list(
        objects(object(status).addresses).flatMap(({ address }) => (isAddress(address) ? [address] : [])),
      ),
    };
  });
}

export function projectNamespace(raw: unknown): Projected<Namespace> | null {
  return projected(raw, ({ key, name, labels }) => ({ key, name, labels }));
}

/** IPAddressPool, L2Advertisement, and whatever else has spec and status. */
export function projectCustomResource(raw: unknown): Projected<CustomResource> | null {
  return projected(raw, (meta, { metadata, spec, status }) => ({
    ...meta,
    generation: number(object(metadata).generation),
    spec: spec ?? {},
    status: status ?? {},
  }));
}

export function projectLease(raw: unknown): Projected<Lease> | null {
  return projected(raw, (meta, { metadata, spec }) => {
    const { holderIdentity, leaseTransitions, leaseDurationSeconds, renewTime } = object(spec);
    return {
      ...meta,
      annotations: annotations(metadata),
      holder: textOrNull(holderIdentity),
      transitions: number(leaseTransitions),
      durationMs: number(leaseDurationSeconds) * 1000,
      renewTime: textOrNull(renewTime),
    };
  });
}

function projected<T>(raw: unknown, project: (meta: ObjectMeta, raw: Raw) => T): Projected<T> | null {
  const key = rawKey(raw);
  if (key === null) return null;
  const { namespace, name, uid, resourceVersion, labels: given } = object(object(raw).metadata);
  const meta: ObjectMeta = {
    key,
    namespace: shared(text(namespace, '')),
    name: text(name, ''),
    uid: text(uid, ''),
    resourceVersion: text(resourceVersion, ''),
    labels: labels(given),
  };
  return { key, value: project(meta, object(raw)) };
}

function clusterIPs({ clusterIPs, clusterIP }: Raw): readonly string[] {
  const all = clusterIPs === undefined ? [text(clusterIP, '')] : strings(clusterIPs);
  return list(all.filter((ip) => ip !== '' && ip !== 'None'));
}

function annotations(metadata: unknown): Labels {
  return labels(object(metadata).annotations, (name) => ANNOTATIONS_READ.test(name));
}

function labels(value: unknown, wanted: (name: string) => boolean = () => true): Labels {
  const given = object(value);
  let all = true;
  let any = false;
  for (const name in given) {
    if (typeof given[name] === 'string' && wanted(name)) any = true;
    else all = false;
  }
  if (!any) return NONE;
  // As it was parsed it takes less room than any copy.
  if (all) return given as Labels;
  return Object.fromEntries(
    Object.entries(given).filter(([name, text]) => typeof text === 'string' && wanted(name)),
  ) as Labels;
}

function isAddress(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  try {
    parseAddress(value);
    return true;
  } catch (error) {
    if (error instanceof AddressError) return false;
    throw error;
  }
}

function object(value: unknown): Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : NOTHING;
}

function objects(value: unknown): readonly Raw[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'object' && entry !== null) : [];
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

/** Without the room to grow that an array keeps which was filled one by one. */
function list(values: string[]): readonly string[] {
  return values.length === 0 ? NO_STRINGS : values.slice();
}

function text(value: unknown, missing: string): string {
  return typeof value === 'string' && value !== '' ? value : missing;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

const MAX_SHARED = 10_000;
const known = new Map<string, string>();

/** The same text in one copy, for what thousands of objects have in common: names of nodes, of namespaces. */
function shared(value: string): string {
  const found = known.get(value);
  if (found !== undefined) return found;
  if (known.size < MAX_SHARED) known.set(value, value);
  return value;
}

function sharedOrNull(value: unknown): string | null {
  const found = textOrNull(value);
  return found === null ? null : shared(found);
}
