// Service IPs that clients on the segments of a node do not ask for by themselves.
import type { DesiredAddress } from '../desired/desired.js';
import { type Address, addressBytes } from '../net/address.js';
import { subnetContains, subnetOf } from '../net/subnet.js';
import type { LinkInfo } from '../responder/types.js';

/**
 * A sentence on the service IPs that are in no subnet of the node's interfaces; null: there are none, or no interface has an
 * address to tell by. They are announced all the same, as MetalLB does: a router may have a route to the segment.
 */
export function offLinkWarning(
  desired: ReadonlyMap<Address, Pick<DesiredAddress, 'services'>>,
  interfaces: readonly string[],
  links: readonly LinkInfo[],
): string | null {
  const used = links.filter(({ name }) => interfaces.includes(name));
  const subnets = used.flatMap(({ addresses }) => addresses.map(([address, length]) => subnetOf(address, length)));
  if (subnets.length === 0) return null;
  let count = 0;
  let example = '';
  for (const [address, { services }] of desired) {
    const bytes = addressBytes(address);
    if (subnets.some((subnet) => subnetContains(subnet, address, bytes))) continue;
    count += 1;
    example ||= `${address} of ${services.join(', ')}`;
  }
  if (count === 0) return null;
  const names = used.map(({ name }) => name).join(', ');
  const what = count === 1 ? `${example} is` : `${count} service IPs, such as ${example}, are`;
  return `${what} in no subnet of ${names}: clients need a route to this segment, or take a pool from its subnets`;
}
