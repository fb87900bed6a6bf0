import type { Service } from '../kubernetes/types.js';
import { type Address, AddressError, parseAddress } from '../net/address.js';
import { unusableReason } from '../net/service_address.js';

/**
 * The service IPs of a Service: what its status names, in that order, none twice. Left out is what is no address, and what no
 * host may have on a segment, such as 127.0.0.1: anybody who may write the status of a Service could name it.
 */
export function addressesOf({ ingress }: Service): Address[] {
  const addresses: Address[] = [];
  for (const text of ingress) {
    const address = usable(text);
    if (address !== null && !addresses.includes(address)) addresses.push(address);
  }
  return addresses;
}

function usable(text: string): Address | null {
  try {
    const address = parseAddress(text);
    return unusableReason(address) === null ? address : null;
  } catch (error) {
    if (error instanceof AddressError) return null;
    throw error;
  }
}
