// Why a service gets no address: a code for programs, and a sentence that says what to change.
import type { ObjectKey } from '../kubernetes/types.js';
import { ADDRESS_POOL, ALLOW_SHARED_IP, LOAD_BALANCER_IPS } from '../metallb/annotations.js';
import type { Address, Family } from '../net/address.js';
import type { AllocationError } from './types.js';

export interface Refusal {
  readonly error: AllocationError;
  readonly message: string;
}

/** These are the normal course of things: they are no news for the owner of the service, and no event tells of them. */
const SILENT: ReadonlySet<AllocationError> = new Set(['no-pools', 'no-cluster-ip', 'not-load-balancer', 'other-class']);

export function isSilent(error: AllocationError): boolean {
  return SILENT.has(error);
}

const list = (addresses: readonly Address[]) => addresses.join(' and ');
const nameOf = (family: Family) => (family === 'ipv4' ? 'IPv4' : 'IPv6');
const namesOf = (families: readonly Family[]) => families.map(nameOf).join(' and ');

/** One for each reason; messages name nothing that changes by itself, so that a service that waits is news only once. */
export const refusal = {
  notLoadBalancer: (): Refusal => ({ error: 'not-load-balancer', message: 'its type is not LoadBalancer' }),

  otherClass: (): Refusal => ({ error: 'other-class', message: 'its loadBalancerClass is not the one served here' }),

  noPools: (): Refusal => ({ error: 'no-pools', message: 'there is no IPAddressPool yet' }),

  noClusterIP: (): Refusal => ({
    error: 'no-cluster-ip',
    message: 'it has no cluster IP, so its address families are unknown',
  }),

  dualStackNotPossible: (clusterIP: Address): Refusal => ({
    error: 'dual-stack-not-possible',
    message: `ipFamilyPolicy is RequireDualStack, but its only cluster IP is ${clusterIP}; use SingleStack, or a dual-stack cluster`,
  }),

  bothRequests: (): Refusal => ({
    error: 'both-ip-requests',
    message: `annotation ${LOAD_BALANCER_IPS} and spec.loadBalancerIP both ask for addresses; keep the annotation only`,
  }),

  invalidAddress: (text: string): Refusal => ({
    error: 'invalid-requested-address',
    message: `requested ${JSON.stringify(text)} is not an IP address; write ${LOAD_BALANCER_IPS} as "192.0.2.10" or "192.0.2.10,2001:db8::10"`,
  }),

  sameFamilyTwice: (addresses: readonly Address[]): Refusal => ({
    error: 'same-family-twice',
    message: `requested ${list(addresses)}: a service has at most one IPv4 and one IPv6 address`,
  }),

  familyMismatch: (addresses: readonly Address[], families: readonly Family[]): Refusal => ({
    error: 'family-mismatch',
    message: `requested ${list(addresses)}, but the service is ${namesOf(families)} (its cluster IPs); request one address of each`,
  }),

  notInAnyPool: (address: Address): Refusal => ({
    error: 'address-not-in-any-pool',
    message: `${address} is in no IPAddressPool; request another one, or add it to a pool`,
  }),

  avoided: (address: Address, pool: string): Refusal => ({
    error: 'avoided-address',
    message: `${address} is not given away, because IPAddressPool ${pool} has avoidBuggyIPs: it leaves out .0 and .255`,
  }),

  differentPools: (addresses: readonly Address[]): Refusal => ({
    error: 'addresses-from-different-pools',
    message: `${list(addresses)} are in different IPAddressPools; request two addresses of one pool`,
  }),

  unknownPool: (pool: string): Refusal => ({
    error: 'unknown-pool',
    message: `annotation ${ADDRESS_POOL} names ${JSON.stringify(pool)}, and there is no such IPAddressPool`,
  }),

  notInRequestedPool: (address: Address, pool: string, requested: string): Refusal => ({
    error: 'address-not-in-requested-pool',
    message: `${address} is in IPAddressPool ${pool}, but annotation ${ADDRESS_POOL} names ${JSON.stringify(requested)}`,
  }),

  poolNotForService: (pool: string): Refusal => ({
    error: 'pool-not-for-service',
    message: `serviceAllocation of IPAddressPool ${pool} does not admit this service: its namespace or its labels do not match`,
  }),

  inUse: (address: Address, by: ObjectKey): Refusal => ({
    error: 'address-in-use',
    message: `${address} is in use by service ${by}; to share it, both need the same annotation ${ALLOW_SHARED_IP}`,
  }),

  nodeAddress: (address: Address): Refusal => ({
    error: 'address-in-use',
    message: `${address} is an address of a node; request another one, and better take it out of the IPAddressPool`,
  }),

  sharingKeyMismatch: (address: Address, by: ObjectKey, theirs: string): Refusal => ({
    error: 'sharing-key-mismatch',
    message: `${address} is in use by service ${by}, whose ${ALLOW_SHARED_IP} is ${JSON.stringify(theirs)}: the keys must be equal`,
  }),

  backendMismatch: (address: Address, by: ObjectKey): Refusal => ({
    error: 'backend-mismatch',
    message: `${address} is in use by service ${by}; to share it, both need externalTrafficPolicy Cluster, or Local with the same selector`,
  }),

  portConflict: (address: Address, by: ObjectKey, port: string): Refusal => ({
    error: 'port-conflict',
    message: `port ${port} of ${address} is in use by service ${by}; services that share an address need different ports`,
  }),

  poolExhausted: (families: readonly Family[], pool: string | null): Refusal => ({
    error: 'pool-exhausted',
    message:
      pool === null
        ? `no IPAddressPool that gives addresses to this service automatically has ${needed(families)}`
        : `IPAddressPool ${pool} does not have ${needed(families)}`,
  }),
};

function needed(families: readonly Family[]): string {
  return families.length === 1
    ? `a free ${nameOf(families[0]!)} address`
    : 'a free IPv4 and a free IPv6 address (both must come from one pool)';
}
