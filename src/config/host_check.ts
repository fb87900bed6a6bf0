import { type Address, addressBytes } from '../net/address.js';
import { formatSubnet, reservedRole, type Subnet, subnetContains, subnetOf } from '../net/subnet.js';
import type { LinkInfo } from '../responder/types.js';
import { eligibleInterfaces, unusableLink } from './interfaces.js';
import type { ParsedConfig } from './load.js';
import { formatPath, type Path, type Problem, sortProblems } from './problem.js';

export interface HostCheckOptions {
  /**
   * Interfaces that existed when a configuration was accepted before; empty at the start. One that is gone since is
   * waited for, with a warning; one that was never seen is a mistake.
   */
  readonly knownInterfaces: ReadonlySet<string>;
  /** Service IPs that Arpeggio itself has put on `lo` (`serve: loopback`). */
  readonly servedByUs: ReadonlySet<Address>;
}

export interface HostCheckResult {
  /** Mistakes that keep the configuration from being used. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

const ROLES = {
  broadcast: 'is the broadcast address',
  network: 'is the network address',
  anycast: 'is the Subnet-Router anycast address (RFC 4291 2.6.1)',
} as const;

/** What of a valid configuration does not fit this host, with the place in the file. */
export function checkAgainstHost(
  { config, located }: ParsedConfig,
  links: readonly LinkInfo[],
  { knownInterfaces, servedByUs }: HostCheckOptions,
): HostCheckResult {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const add = (list: Problem[], path: Path, message: string): void => {
    list.push({ file: located.file, ...located.position(path), path: formatPath(path), message });
  };
  const byName = new Map(links.map((link) => [link.name, link]));
  const checkNames = (names: readonly string[] | null, path: Path): void => {
    names?.forEach((name, index) => {
      const link = byName.get(name);
      const reason = link && unusableLink(link);
      if (reason) add(problems, [...path, index], `${name} ${reason}`);
      if (link) return;
      if (knownInterfaces.has(name))
        add(warnings, [...path, index], `${name} is gone; it is used again when it is back`);
      else add(problems, [...path, index], `there is no interface ${name}; ${existing(links)}`);
    });
  };

  checkNames(config.interfaces, ['interfaces']);
  const ofNode = config.interfaces ?? eligibleInterfaces(links);
  if (ofNode.length === 0)
    add(warnings, ['interfaces'], `no interface is eligible, so nothing is announced; name one under interfaces`);

  const own = ownAddresses(links, config.serve === 'loopback' ? servedByUs : null);
  const segments = new SegmentCache(byName);
  config.desired.services.forEach((service, serviceIndex) => {
    const path = ['services', serviceIndex];
    checkNames(service.interfaces, [...path, 'interfaces']);
    const segment = segments.get(service.interfaces ?? ofNode);
    service.addresses.forEach((address, index) => {
      const here = [...path, 'addresses', index];
      const owner = own.get(address);
      const bytes = addressBytes(address);
      const inside = segment.subnets.filter((subnet) => subnetContains(subnet, address, bytes));
      const reserving = inside.find((subnet) => reservedRole(subnet, address));
      if (owner !== undefined)
        add(problems, here, `${address} is an address of this node, on ${owner}${ownHint(owner)}`);
      else if (reserving)
        add(problems, here, `${address} ${ROLES[reservedRole(reserving, address)!]} of ${formatSubnet(reserving)}`);
      else if (inside.length === 0 && segment.names !== '')
        add(warnings, here, `${address} is in no subnet of ${segment.names}; clients need a route to it`);
    });
  });
  return { problems: sortProblems(problems), warnings: sortProblems(warnings) };
}

function existing(links: readonly LinkInfo[]): string {
  const usable = links.filter((link) => unusableLink(link) === null).map((link) => link.name);
  return usable.length === 0
    ? 'this host has no Ethernet interface'
    : `the Ethernet interfaces here are ${usable.join(', ')}`;
}

function ownHint(interfaceName: string): string {
  return interfaceName === 'lo'
    ? ', where Arpeggio did not put it: remove it there, or set serve: none to go on serving it yourself'
    : '; a service IP must be free';
}

/**
 * Addresses of this node and the interface of each. `servedByUs` null: `serve: none`, where it is the user's business to
 * have the service IPs on interfaces that reach no segment, such as lo and kube-ipvs0.
 */
function ownAddresses(links: readonly LinkInfo[], servedByUs: ReadonlySet<Address> | null): Map<Address, string> {
  const own = new Map<Address, string>();
  for (const link of links) {
    if (servedByUs === null && (link.loopback || link.noArp)) continue;
    for (const [address] of link.addresses)
      if (!(link.loopback && servedByUs?.has(address))) own.set(address, link.name);
  }
  return own;
}

interface Segment {
  /** Those of the interfaces that exist, for messages. */
  readonly names: string;
  readonly subnets: readonly Subnet[];
}

/** The subnets of lists of interfaces; thousands of services have the same few lists. */
class SegmentCache {
  readonly #links: ReadonlyMap<string, LinkInfo>;
  readonly #segments = new Map<string, Segment>();

  constructor(links: ReadonlyMap<string, LinkInfo>) {
    this.#links = links;
  }

  get(names: readonly string[]): Segment {
    const key = names.join('/');
    let segment = this.#segments.get(key);
    if (!segment) {
      const links = names.flatMap((name) => this.#links.get(name) ?? []);
      segment = {
        names: links.map((link) => link.name).join(', '),
        subnets: links.flatMap((link) => link.addresses.map(([address, length]) => subnetOf(address, length))),
      };
      this.#segments.set(key, segment);
    }
    return segment;
  }
}
