// What is read of the Kubernetes API: objects projected to the fields in use, and how changes arrive.

import type { Family } from '../net/address.js';

/** "namespace/name"; of what has no namespace, "name". */
export type ObjectKey = string;

export type Labels = Readonly<Record<string, string>>;

export interface ObjectMeta {
  readonly key: ObjectKey;
  /** Empty for what has none. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Labels;
}

export interface ServicePort {
  readonly protocol: string;
  readonly port: number;
}

/** v1 Service. Of its annotations only those under metallb.io/, metallb.universe.tf/ and arpeggio.io/. */
export interface Service extends ObjectMeta {
  readonly annotations: Labels;
  /** Has a deletionTimestamp. */
  readonly deleting: boolean;
  readonly type: string;
  readonly loadBalancerClass: string | null;
  /** spec.loadBalancerIP, as it stands. */
  readonly loadBalancerIP: string | null;
  /** Empty: none was assigned yet, or the service is headless ("None" is left out). */
  readonly clusterIPs: readonly string[];
  readonly ipFamilies: readonly string[];
  readonly ipFamilyPolicy: string | null;
  readonly externalTrafficPolicy: 'Cluster' | 'Local';
  readonly selector: Labels;
  readonly ports: readonly ServicePort[];
  /** status.loadBalancer.ingress[].ip, as they stand. */
  readonly ingress: readonly string[];
}

/** discovery.k8s.io/v1 EndpointSlice. An endpoint serves when it is ready (unset counts as ready) or serving. */
export interface EndpointSlice {
  readonly key: ObjectKey;
  /** Key of the Service that it belongs to, by the label kubernetes.io/service-name. */
  readonly service: ObjectKey;
  /** addressType; null: neither. */
  readonly family: Family | null;
  /** Whether any endpoint serves. */
  readonly active: boolean;
  /** Names of the nodes with an endpoint that serves; sorted, none twice. */
  readonly nodes: readonly string[];
}

/** v1 Node. */
export interface Node extends ObjectMeta {
  /** Condition Ready is True; without one, true. */
  readonly ready: boolean;
  /** Condition NetworkUnavailable is True. */
  readonly networkUnavailable: boolean;
  /** Cordoned. */
  readonly unschedulable: boolean;
  /** status.addresses that are IP addresses. */
  readonly addresses: readonly string[];
}

/** v1 Namespace. */
export interface Namespace {
  readonly key: ObjectKey;
  readonly name: string;
  readonly labels: Labels;
}

/** metallb.io/v1beta1 IPAddressPool or L2Advertisement, spec and status as they stand. */
export interface CustomResource extends ObjectMeta {
  readonly generation: number;
  readonly spec: unknown;
  readonly status: unknown;
}

/** coordination.k8s.io/v1 Lease. */
export interface Lease extends ObjectMeta {
  readonly annotations: Labels;
  /** spec.holderIdentity; null where nobody holds it. */
  readonly holder: string | null;
  /** spec.leaseTransitions; 0 where unset. */
  readonly transitions: number;
  /** spec.leaseDurationSeconds in milliseconds; 0 where unset. */
  readonly durationMs: number;
  /** spec.renewTime as it stands; only its change means anything: clocks differ. */
  readonly renewTime: string | null;
}

/** What is kept of an object. */
export interface Projected<T> {
  /** The object's own. */
  readonly key: ObjectKey;
  readonly value: T;
}

/** Where a reflector stands. */
export interface ReflectorStatus {
  /** Whether a list was complete at least once: what it holds may be used. */
  readonly synced: boolean;
  /** listing: reads everything; watching: is told of changes; waiting: tries again, see reason. */
  readonly state: 'listing' | 'watching' | 'waiting' | 'stopped';
  /** Why it waits; null otherwise. */
  readonly reason: string | null;
  /** Monotonic time of the last byte from the server; null before the first. */
  readonly heardMs: number | null;
}

/** What has changed since the last call, by key; null: it is gone. A relist tells only what differs. */
export type Changes<T> = ReadonlyMap<ObjectKey, T | null>;

export interface ApiRequest {
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of a patch; default application/merge-patch+json. */
  readonly contentType?:
    | 'application/merge-patch+json'
    | 'application/json-patch+json'
    | 'application/apply-patch+yaml';
  /** For the whole answer. Default 10,000. */
  readonly timeoutMs?: number;
  /** Whether 429 and 5xx are tried again, see {@link Api}. Default: true. */
  readonly retry?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The API server, by absolute paths such as /api/v1/namespaces/default/services/web. Answers are what it sent, parsed. Rejects
 * with an ApiError (src/kubernetes/api_error.ts): `status` of the answer (0: no answer came), `reason` of its Status object,
 * `retryAfterMs`. 429 and 5xx with Retry-After are tried again by themselves, within timeoutMs, for what is idempotent.
 */
export interface Api {
  /** Of the pod or of the kubeconfig's context. */
  readonly namespace: string;
  /** URL of the server, for people. */
  readonly server: string;
  get(path: string, request?: ApiRequest): Promise<unknown>;
  create(path: string, body: unknown, request?: ApiRequest): Promise<unknown>;
  replace(path: string, body: unknown, request?: ApiRequest): Promise<unknown>;
  patch(path: string, body: unknown, request?: ApiRequest): Promise<unknown>;
  delete(path: string, request?: ApiRequest): Promise<unknown>;
}
