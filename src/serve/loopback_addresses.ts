import { ArpeggioError } from '../errors.js';
import { type Address, familyOf, parseAddress } from '../net/address.js';
import { ip, noNetAdmin } from './ip_command.js';

export interface Loopback {
  readonly up: boolean;
  readonly addresses: ReadonlySet<Address>;
}

interface IpAddressOutput {
  flags: string[];
  addr_info: { local?: string }[];
}

/**
 * What is on `lo` now, whatever the prefix length. `known` only saves time: addresses in it are canonical already and
 * need no parsing, which counts with 10,000 of them.
 */
export async function readLoopback(known: ReadonlySet<string>): Promise<Loopback> {
  const { ok, stdout, stderr } = await ip(['-j', 'addr', 'show', 'dev', 'lo']);
  if (!ok)
    throw new ArpeggioError('ERR_SYSTEM', `the addresses of lo cannot be read: ${stderr}`, { interfaceName: 'lo' });
  const [link] = JSON.parse(stdout) as IpAddressOutput[];
  const addresses = new Set<Address>();
  for (const { local } of link!.addr_info) {
    if (local === undefined) continue;
    const address = known.has(local) ? (local as Address) : canonical(local);
    if (address !== null) addresses.add(address);
  }
  return { up: link!.flags.includes('UP'), addresses };
}

// An address that parseAddress refuses (such as an IPv4-mapped one) is no service IP.
function canonical(text: string): Address | null {
  try {
    return parseAddress(text);
  } catch {
    return null;
  }
}

// nodad: lo does none, but other programs then never see the address as tentative. preferred_lft 0: deprecated, so
// that the node never picks a service IP as the source of its own connections (RFC 6724 5, rule 3); IPv4 has no such
// rule, there arp_announce keeps it out of ARP.
function addLine(address: Address): string {
  return familyOf(address) === 'ipv4'
    ? `addr add ${address}/32 dev lo`
    : `addr add ${address}/128 dev lo nodad preferred_lft 0`;
}

function removeLine(address: Address): string {
  return `addr del ${address}/${familyOf(address) === 'ipv4' ? 32 : 128} dev lo`;
}

export interface LoopbackChange {
  /** Set lo up first: a new network namespace has it down, and then the node cannot reach its own service IPs. */
  readonly setUp: boolean;
  readonly add: readonly Address[];
  readonly remove: readonly Address[];
}

export interface LoopbackFailure {
  /** Additions and removals that the kernel refused. */
  readonly addresses: ReadonlySet<Address>;
  /** iproute2's first message. */
  readonly message: string;
}

/**
 * Makes all changes with one process, additions first; goes on after a failing one.
 * @returns null when every change was made. @throws ArpeggioError ERR_NO_CAP_NET_ADMIN, ERR_TOOL_MISSING
 */
export async function changeLoopback(change: LoopbackChange): Promise<LoopbackFailure | null> {
  const subjects: (Address | null)[] = [...(change.setUp ? [null] : []), ...change.add, ...change.remove];
  const lines = [
    ...(change.setUp ? ['link set dev lo up'] : []),
    ...change.add.map(addLine),
    ...change.remove.map(removeLine),
  ];
  const { ok, stderr } = await ip(['-force', '-batch', '-'], `${lines.join('\n')}\n`);
  if (ok) return null;
  if (stderr.includes('Operation not permitted'))
    throw noNetAdmin('changing the addresses of lo', new Error(stderr.split('\n', 1)[0]));
  const addresses = new Set<Address>();
  for (const [, line] of stderr.matchAll(/^Command failed -:(\d+)$/gm)) {
    const address = subjects[Number(line) - 1];
    if (address != null) addresses.add(address);
  }
  return { addresses, message: stderr.split('\n', 1)[0]! };
}
