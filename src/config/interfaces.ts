import type { LinkInfo } from '../responder/types.js';

/**
 * Names that containers, virtual machines and overlays use, as MetalLB excludes them. A trailing `*` stands for any rest.
 * The name decides, not the kind: a veth that is called eth0 is the NIC of a container.
 */
export const DEFAULT_EXCLUDED: readonly string[] = [
  'docker*',
  'cbr*',
  'dummy*',
  'virbr*',
  'lxcbr*',
  'veth*',
  'lo',
  'cali*',
  'tunl*',
  'flannel*',
  'kube-ipvs*',
  'cni*',
  'nodelocaldns*',
  'lxc*',
];

/** The most that one node can use: a table has a bit for each. */
export const MAX_INTERFACES = 64;

/** Why service IPs cannot be answered on this link, or null if they can. Ends a sentence: "is a loopback interface". */
export function unusableLink(link: LinkInfo): string | null {
  if (link.loopback) return 'is a loopback interface, which no other host can reach';
  if (link.enslaved) return 'belongs to a bond, bridge or team; name its master instead';
  if (link.noArp) return 'does no address resolution (NOARP)';
  if (!link.ethernet || link.mac === '') return 'is not an Ethernet interface';
  return null;
}

/**
 * The interfaces that are used where the file names none, in the order of `links`. Links that are down count: whether
 * frames pass at the moment is known to the responder, which opens a link whenever it comes up.
 */
export function eligibleInterfaces(links: readonly LinkInfo[], excluded = DEFAULT_EXCLUDED): string[] {
  return links
    .filter((link) => unusableLink(link) === null && !excluded.some((pattern) => matches(pattern, link.name)))
    .map((link) => link.name);
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
