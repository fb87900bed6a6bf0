import { type Address, familyOf } from '../net/address.js';
import { effectiveArpSysctl } from './arp_sysctls.js';

/** A link and the addresses on it, as far as needed here; LinkInfo is one. */
export interface LinkAddresses {
  readonly name: string;
  readonly addresses: readonly (readonly [Address, number])[];
}

/** Service IPs for which the kernel answers beside Arpeggio, on one interface, because one link holds them. */
export interface KernelAnswer {
  readonly interfaceName: string;
  /** The link that has the addresses: "lo", "kube-ipvs0", or the interface itself. */
  readonly holder: string;
  readonly addresses: readonly Address[];
  /** A sentence that says what to do. */
  readonly warning: string;
}

/** Values of arp_ignore with which the kernel leaves ARP requests for addresses of other interfaces alone. */
const SPARES_OTHER_INTERFACES: readonly number[] = [1, 2, 8];
const ANSWERS_NOTHING = 8;

/**
 * Finds service IPs that the kernel itself would answer for on the interfaces in use. It does for an address of the
 * interface itself (ARP and NDP), and, in IPv4 only, for one of any other link unless arp_ignore forbids it; whether
 * that link is up does not matter (kube-ipvs0 never is).
 * @param links every link of the node with its addresses; service IPs that Arpeggio put on lo included
 * @param interfaceNames where services are announced
 * @param arpIgnore effective value by interface: the larger of "all" and its own
 */
export function kernelAnswers(
  links: readonly LinkAddresses[],
  interfaceNames: readonly string[],
  serviceIps: ReadonlySet<Address>,
  arpIgnore: ReadonlyMap<string, number>,
): KernelAnswer[] {
  const held = links
    .map(({ name, addresses }) => ({
      holder: name,
      addresses: addresses.map(([address]) => address).filter((address) => serviceIps.has(address)),
    }))
    .filter(({ addresses }) => addresses.length > 0);
  return interfaceNames.flatMap((interfaceName) => {
    const ignore = arpIgnore.get(interfaceName) ?? 0;
    return held.flatMap(({ holder, addresses }) => {
      const answered = addresses.filter((address) =>
        familyOf(address) === 'ipv6'
          ? holder === interfaceName
          : holder === interfaceName
            ? ignore !== ANSWERS_NOTHING
            : !SPARES_OTHER_INTERFACES.includes(ignore),
      );
      if (answered.length === 0) return [];
      return [
        { interfaceName, holder, addresses: answered, warning: warningText(interfaceName, holder, answered, ignore) },
      ];
    });
  });
}

function warningText(interfaceName: string, holder: string, addresses: readonly Address[], ignore: number): string {
  const some = `${addresses.slice(0, 3).join(', ')}${addresses.length > 3 ? ` and ${addresses.length - 3} more` : ''}`;
  if (holder === interfaceName)
    return (
      `the kernel answers for ${some} on ${interfaceName} itself, because the address is configured there; ` +
      'take it off that interface: a service IP belongs on lo ("serve: loopback") or nowhere'
    );
  const remedy =
    holder === 'kube-ipvs0'
      ? 'set strictARP: true in the ipvs section of the kube-proxy configuration'
      : `set net.ipv4.conf.${interfaceName}.arp_ignore=1`;
  const why =
    ignore === 0
      ? ''
      : ` (arp_ignore=${ignore} does not prevent it, and the larger of "all" and the interface's own counts)`;
  return `the kernel answers for ${some} on ${interfaceName} as well, because ${holder} has the address${why}; ${remedy}`;
}

/** The sysctls for {@link kernelAnswers}; interfaces that are gone are left out. */
export function readArpIgnore(interfaceNames: readonly string[]): Map<string, number> {
  return new Map(
    interfaceNames.flatMap((name) => {
      const value = effectiveArpSysctl(name, 'arp_ignore');
      return value === null ? [] : [[name, value] as const];
    }),
  );
}
