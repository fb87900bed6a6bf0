// What a Service asks of the allocator, read from its object alone.
import type { Service } from '../kubernetes/types.js';
import { serviceRequest } from '../metallb/annotations.js';
import { type Address, AddressError, type Family, familyOf, parseAddress } from '../net/address.js';
import { type Refusal, refusal } from './refusals.js';

export interface Wish {
  /** One address of each; IPv4 first. */
  readonly families: readonly Family[];
  /** The same, that of its first cluster IP first. */
  readonly preference: readonly Family[];
  /** PreferDualStack with two cluster IPs: one address will do, where no pool has both. */
  readonly oneWillDo: boolean;
  /** Exactly these, IPv4 first; null: any. */
  readonly addresses: readonly Address[] | null;
  /** null: any. */
  readonly pool: string | null;
  readonly use: Use;
  /** Keeps what it has and is given nothing new: it is being deleted. */
  readonly leaving: boolean;
}

/** How a service uses an address: decides with whom it may share one. */
export interface Use {
  /** Empty: with nobody. */
  readonly sharingKey: string;
  /** Its pods, where traffic must meet them on the owner's node (externalTrafficPolicy Local); empty: any node will do. */
  readonly backendKey: string;
  /** Such as TCP/80. */
  readonly ports: readonly string[];
}

export interface Reading {
  /** A load balancer of our class. */
  readonly ours: boolean;
  /** null: see refusal. */
  readonly wish: Wish | null;
  readonly refusal: Refusal | null;
  readonly warnings: readonly string[];
}

/** `lbClass`: of services that are ours; null: those that name none. */
export function readWish(service: Service, lbClass: string | null): Reading {
  if (service.type !== 'LoadBalancer') return NOT_LOAD_BALANCER;
  if (service.loadBalancerClass !== lbClass) return OTHER_CLASS;
  const { pool, addresses: listed, both, sharingKey, warnings } = serviceRequest(service);
  const refused = (reason: Refusal): Reading => ({ ours: true, wish: null, refusal: reason, warnings });
  const clusterIPs = service.clusterIPs.map(addressOrNull).filter((address) => address !== null);
  const first = clusterIPs[0];
  if (first === undefined) return refused(refusal.noClusterIP());
  const families = FAMILIES.filter((family) => clusterIPs.some((address) => familyOf(address) === family));
  if (service.ipFamilyPolicy === 'RequireDualStack' && families.length < 2)
    return refused(refusal.dualStackNotPossible(first));
  if (both) return refused(refusal.bothRequests());
  let addresses: Address[] | null = null;
  if (listed !== null) {
    addresses = [];
    for (const text of listed) {
      const address = addressOrNull(text);
      if (address === null) return refused(refusal.invalidAddress(text));
      addresses.push(address);
    }
    const asked = FAMILIES.filter((family) => addresses?.some((address) => familyOf(address) === family));
    if (asked.length < addresses.length) return refused(refusal.sameFamilyTwice(addresses));
    if (asked.length !== families.length || asked.some((family) => !families.includes(family)))
      return refused(refusal.familyMismatch(addresses, families));
    addresses.sort((a, b) => FAMILIES.indexOf(familyOf(a)) - FAMILIES.indexOf(familyOf(b)));
  }
  const wish: Wish = {
    families,
    preference: familyOf(first) === families[0] ? families : families.toReversed(),
    oneWillDo: families.length === 2 && service.ipFamilyPolicy === 'PreferDualStack',
    addresses,
    pool,
    use: {
      sharingKey,
      backendKey: service.externalTrafficPolicy === 'Local' ? selectorText(service.selector) : '',
      ports: service.ports.map(({ protocol, port }) => `${protocol}/${port}`),
    },
    leaving: service.deleting,
  };
  return { ours: true, wish, refusal: null, warnings };
}

export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

const NOT_LOAD_BALANCER: Reading = { ours: false, wish: null, refusal: refusal.notLoadBalancer(), warnings: [] };
const OTHER_CLASS: Reading = { ours: false, wish: null, refusal: refusal.otherClass(), warnings: [] };

export function addressOrNull(text: string): Address | null {
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof AddressError) return null;
    throw error;
  }
}

/** Equal for equal selectors. */
function selectorText(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

export function sameUse(a: Use, b: Use): boolean {
  return (
    a.sharingKey === b.sharingKey &&
    a.backendKey === b.backendKey &&
    a.ports.length === b.ports.length &&
    a.ports.every((port, index) => port === b.ports[index])
  );
}
