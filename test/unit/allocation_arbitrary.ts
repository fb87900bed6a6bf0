// Users and administrators who do whatever they like to few services and small pools, so that they meet.
import fc from 'fast-check';
import type { ObjectKey } from '../../src/kubernetes/types.js';
import { keyOf, type RawPool, type RawService } from './allocation_case.js';

export interface PoolSpec {
  readonly addresses: readonly string[];
  readonly autoAssign?: boolean;
  readonly avoidBuggyIPs?: boolean;
  readonly serviceAllocation?: { readonly priority?: number; readonly namespaces?: readonly string[] };
}

export type Step =
  | { readonly type: 'apply'; readonly service: RawService }
  | { readonly type: 'delete'; readonly key: ObjectKey }
  | { readonly type: 'pools'; readonly pools: readonly (RawPool & { readonly spec: PoolSpec })[] }
  | { readonly type: 'restart' };

export const NAMESPACES = ['default', 'other'];
export const NAMES = ['a', 'b', 'c', 'd'];

// Small ranges, so that services meet.
export const POOLS: readonly (readonly (RawPool & { readonly spec: PoolSpec })[])[] = [
  [{ name: 'one', spec: { addresses: ['192.0.2.0/30', '2001:db8::/126'] } }],
  [{ name: 'one', spec: { addresses: ['192.0.2.0/30'], avoidBuggyIPs: true } }],
  [
    { name: 'one', spec: { addresses: ['192.0.2.0/31', '2001:db8::/127'] } },
    { name: 'two', spec: { addresses: ['192.0.2.2/31'], serviceAllocation: { priority: 5, namespaces: ['other'] } } },
  ],
  [
    { name: 'one', spec: { addresses: ['192.0.2.1-192.0.2.2'], autoAssign: false } },
    { name: 'two', spec: { addresses: ['192.0.2.3/32', '2001:db8::/126'] } },
  ],
  [{ name: 'one', spec: { addresses: ['192.0.2.1/32'] } }],
  [],
];

const ADDRESSES = ['192.0.2.0', '192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '192.0.2.1,2001:db8::1', 'x'];

const FAMILIES = [
  { clusterIPs: ['10.96.0.1'], ipFamilyPolicy: 'SingleStack' },
  { clusterIPs: ['fd00::1'], ipFamilyPolicy: 'SingleStack' },
  { clusterIPs: ['10.96.0.1', 'fd00::1'], ipFamilyPolicy: 'RequireDualStack' },
  { clusterIPs: ['10.96.0.1', 'fd00::1'], ipFamilyPolicy: 'PreferDualStack' },
  { clusterIPs: ['fd00::1', '10.96.0.1'], ipFamilyPolicy: 'PreferDualStack' },
];

const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(usual, ...others) });

export const service: fc.Arbitrary<RawService> = fc
  .record({
    namespace: fc.constantFrom(...NAMESPACES),
    name: fc.constantFrom(...NAMES),
    families: fc.constantFrom(...FAMILIES),
    type: mostly('LoadBalancer', 'NodePort'),
    key: fc.constantFrom('', 'k', 'k', 'm'),
    pool: mostly('', 'one', 'two'),
    asked: mostly('', ...ADDRESSES),
    port: fc.constantFrom(80, 443),
    policy: mostly('Cluster', 'Local'),
    app: fc.constantFrom('x', 'y'),
  })
  .map(({ namespace, name, families, type, key, pool, asked, port, policy, app }) => ({
    namespace,
    name,
    annotations: {
      ...(key === '' ? {} : { 'metallb.io/allow-shared-ip': key }),
      ...(pool === '' ? {} : { 'metallb.io/address-pool': pool }),
      ...(asked === '' ? {} : { 'metallb.io/loadBalancerIPs': asked }),
    },
    spec: {
      ...families,
      type,
      externalTrafficPolicy: policy,
      selector: { app },
      ports: [{ protocol: 'TCP', port }],
    },
  }));

export const pools = fc.constantFrom(...POOLS).map((pools): Step => ({ type: 'pools', pools }));

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: service.map((service): Step => ({ type: 'apply', service })) },
  {
    weight: 2,
    arbitrary: fc
      .record({ namespace: fc.constantFrom(...NAMESPACES), name: fc.constantFrom(...NAMES) })
      .map((each): Step => ({ type: 'delete', key: keyOf(each) })),
  },
  { weight: 1, arbitrary: pools },
  { weight: 1, arbitrary: fc.constant<Step>({ type: 'restart' }) },
);
